-- Ends a run that nobody executes; asks the owner of one that is executed to end it.
-- ARGV: 6 event's data. Returns { outcome, next run }.
local status = redis.call('HGET', RUN, 'status')
if not status then return { 'run_not_found', '' } end
if FINAL[status] then return { status, '' } end
-- The flag is what counts: each renewal and the next owner read it. The message only saves time.
redis.call('HSET', RUN, 'cancel', '1')
touch()
if status == 'running' then
  redis.call('PUBLISH', CHANNEL, 'cancel ' .. RUN_ID)
  return { 'requested', '' }
end
conclude('cancelled', 'reason', 'cancelled by the client', ARGV[OWN + 1])
if redis.call('HGET', SESSION, 'active') == RUN_ID then return { 'cancelled', promote() } end
-- It leaves the line: an ended run that became active would hold up those behind it.
local others = {}
for _, waiting in ipairs(line()) do
  if waiting ~= RUN_ID then table.insert(others, waiting) end
end
store_waiting(others)
return { 'cancelled', '' }
