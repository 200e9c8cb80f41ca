-- Ends a run that nobody executes; asks the owner of one that is executed to end it.
-- Returns { outcome, next run, user }. Of a run that was over already, the next one is the session's
-- active run: whoever ended it may not have come to wake that.
local session = redis.call('HMGET', SESSION, 'active', 'user')
local active, user = session[1] or '', session[2] or ''
local status = redis.call('HGET', RUN, 'status')
if not status then return { 'run_not_found', '', user } end
if FINAL[status] then return { status, active, user } end
-- The expiries first: a store at its memory limit takes no growing command as a script's first write,
-- but goes through with what a script has begun. Who wants to end something must always be able to.
touch()
-- The flag is what counts: each renewal and the next owner read it. The message only saves time.
redis.call('HSET', RUN, 'cancel', '1')
if status == 'running' then
  redis.call('PUBLISH', CHANNEL, 'cancel ' .. RUN_ID)
  return { 'requested', '', user }
end
conclude('cancelled', 'reason', CANCELLED, cjson.encode({ reason = CANCELLED }))
if active == RUN_ID then return { 'cancelled', promote(), user } end
-- It leaves the line: an ended run that became active would hold up those behind it.
local others = {}
for _, waiting in ipairs(line()) do
  if waiting ~= RUN_ID then table.insert(others, waiting) end
end
store_waiting(others)
return { 'cancelled', '', user }
