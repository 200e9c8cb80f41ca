-- Stores a step: first as `running`, before its call is made, then with what came of it. The first is
-- what the next owner relies on: a step that is `running` may have taken effect, and its call is made
-- again under the same id.
-- ARGV: 6 fence, 7 mark, 8 number, 9 step, 10 type of the event, 11 id of the step, 12 event's data,
-- 13 committed ('1'), 14 bytes of its output or arguments, 15 most of the whole run
-- Returns { 'full' } when they do not fit: the caller then stores the step without its output.
local mark = 'mark:' .. ARGV[OWN + 3]
local last = redis.call('HGET', RUN, mark) or ''
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2], mark)
if refusal then return { refusal } end
-- A start that was given up on the wire, and sent again, may arrive behind what came of the step: that
-- stays, and the mark of it.
local is_outcome = ARGV[OWN + 8] == '1'
if not is_outcome and string.sub(last, 1, #ARGV[OWN + 1] + 1) == ARGV[OWN + 1] .. ' ' then
  redis.call('HSET', RUN, mark, last)
  return { 'repeated' }
end
if not store_bytes(ARGV[OWN + 9], ARGV[OWN + 10]) then
  redis.call('HDEL', RUN, mark) -- nothing was written: sent again, it is no repetition
  return { 'full' }
end
redis.call('HSET', STEPS, ARGV[OWN + 3], ARGV[OWN + 4])
redis.call('HINCRBY', RUN, 'revision', 1)
-- The run gets on: its attempts are counted anew (acquire.lua).
if is_outcome then redis.call('HSET', RUN, 'attempts', '0') end
emit(ARGV[OWN + 5], RUN_ID, ARGV[OWN + 6], ARGV[OWN + 7])
touch()
return { 'done' }
