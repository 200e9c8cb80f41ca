-- Lets a run wait for a person: nobody owns it, and a stray wake-up does not start it (acquire.lua).
-- ARGV: 6 fence, 7 mark, 8 status that it waits in, 9 event's data
-- Returns { outcome, next run }. A run that was to be cancelled meanwhile ends instead: its owner has
-- not seen that yet, and nobody else would.
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
let_go(ARGV[OWN + 3])
emit('run.' .. ARGV[OWN + 3], RUN_ID, '', ARGV[OWN + 4])
touch()
return { 'done', '' }
