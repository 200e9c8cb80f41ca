-- Adds to what a run's planner is saying: whoever comes late reads it from its beginning. The turn that
-- it becomes takes its place (record_turn.lua, finish.lua).
-- ARGV: 6 fence, 7 bytes that were said before this, 8 what is said now
-- No mark: at its place it changes nothing when it comes again; at 0 a saying begins anew.
local run = redis.call('HMGET', RUN, 'fence', 'status')
if run[1] ~= ARGV[OWN + 1] or run[2] ~= 'running' then return { 'fenced' } end
local before = tonumber(ARGV[OWN + 2])
if before == 0 then
  redis.call('SET', TEXT, ARGV[OWN + 3])
elseif redis.call('STRLEN', TEXT) == before then
  redis.call('APPEND', TEXT, ARGV[OWN + 3])
end
redis.call('PEXPIRE', TEXT, EXPIRY)
return { 'done' }
