-- Adds to what a run's planner is saying, and shows it to who follows the session: whoever comes late reads
-- it from its beginning. The turn that it becomes takes its place (record_turn.lua, finish.lua).
-- ARGV: 6 fence, 7 mark of a saying's beginning, 8 number of the turn to come, 9 bytes that were said before
-- this (0: a saying begins anew), 10 what is said now, 11 channel
-- The beginning has a mark; what follows stands at its place, and changes nothing when it comes again.
local before = tonumber(ARGV[OWN + 4])
if before == 0 then
  local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2], 'mark:text')
  if refusal then return { refusal } end
  redis.call('HINCRBY', RUN, 'sayings', 1)
  redis.call('SET', TEXT, ARGV[OWN + 5])
else
  local run = redis.call('HMGET', RUN, 'fence', 'status')
  if run[1] ~= ARGV[OWN + 1] or run[2] ~= 'running' then return { 'fenced' } end
  if redis.call('STRLEN', TEXT) ~= before then return { 'repeated' } end
  redis.call('APPEND', TEXT, ARGV[OWN + 5])
end
redis.call('PEXPIRE', TEXT, EXPIRY)
redis.call('PUBLISH', ARGV[OWN + 6], '{"run_id":"' .. RUN_ID .. '","time":' .. int(now_ms)
  .. ',"data":{"t":' .. ARGV[OWN + 3] .. ',"attempt":' .. redis.call('HGET', RUN, 'sayings')
  .. ',"offset":' .. int(before) .. ',"text":' .. cjson.encode(ARGV[OWN + 5]) .. '}}')
return { 'done' }
