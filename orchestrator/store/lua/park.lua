-- Lets a run wait for a person: nobody owns it, and a stray wake-up does not start it (acquire.lua).
-- ARGV: 6 fence, 7 mark, 8 status that it waits in, 9 event's data; where a turn waits for approval, its
-- steps, and: 10 the turn's number ('' where none waits), 11 its review, 12 bytes of it, 13 most of the whole
-- run, 14 how long it waits for an answer, ms ('' for ever), 15 number of a step that is asked for once more
-- ('' for none), 16 that step
-- Returns { outcome, next run }; 'full', and nothing is stored, when the review does not fit. A run that was
-- to be cancelled meanwhile ends instead: its owner has not seen that yet, and nobody else would.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
local run = redis.call('HMGET', RUN, 'status', 'cancel')
if refusal == 'repeated' and FINAL[run[1]] then
  return { 'cancelled', redis.call('HGET', SESSION, 'active') }
end
if refusal then return { refusal, '' } end
if run[2] == '1' then
  touch()
  conclude('cancelled', 'reason', CANCELLED, cjson.encode({ reason = CANCELLED }))
  return { 'cancelled', promote() }
end
local data, T, PATIENCE, AGAIN = ARGV[OWN + 4], ARGV[OWN + 5], ARGV[OWN + 9], ARGV[OWN + 10]
if T ~= '' then
  data = show_review(T, ARGV[OWN + 6], ARGV[OWN + 7], ARGV[OWN + 8], data)
  if not data then
    redis.call('HDEL', RUN, 'mark') -- nothing was written: sent again, it is no repetition
    return { 'full', '' }
  end
end
if AGAIN ~= '' then redis.call('HSET', STEPS, AGAIN, ARGV[OWN + 11]) end
redis.call('HDEL', RUN, 'answer_by', 'patience')
if PATIENCE ~= '' then
  redis.call('HSET', RUN, 'answer_by', int(now_ms + PATIENCE), 'patience', PATIENCE)
end
let_go(ARGV[OWN + 3])
emit('run.' .. ARGV[OWN + 3], RUN_ID, '', data)
tell_settled()
touch()
return { 'done', '' }
