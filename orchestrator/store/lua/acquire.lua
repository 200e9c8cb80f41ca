-- ARGV: 6 token of the owner, 7 lease in ms, 8 most attempts, 9 error of a run past them
-- Returns {outcome, fence, next run}. Attempts count since the last committed step.
local TOKEN = ARGV[OWN + 1]
local run = redis.call('HMGET', RUN, 'status', 'owner', 'deadline', 'fence', 'started')
if not run[1] then return { 'gone', '0', '' } end
if FINAL[run[1]] then return { 'final', '0', '' } end
if redis.call('HGET', SESSION, 'active') ~= RUN_ID then return { 'waiting', '0', '' } end
if run[1] == 'running' and run[2] == TOKEN then return { 'acquired', run[4], '' } end
if run[1] == 'running' and tonumber(run[3]) > now_ms then return { 'owned', '0', '' } end

touch()
local attempt = redis.call('HINCRBY', RUN, 'attempts', 1)
if attempt > tonumber(ARGV[OWN + 3]) then
  local failure = ARGV[OWN + 4]
  conclude('failed', 'error', failure, '{"error":' .. failure .. '}')
  return { 'parked', '0', promote() }
end
local previous = tonumber(redis.call('HGET', SESSION, 'fence'))
local fence = int(math.max(previous + 1, now_us))
redis.call('HSET', SESSION, 'fence', fence)
redis.call('HSET', RUN, 'status', 'running', 'owner', TOKEN, 'fence', fence, 'mark', '',
  'deadline', int(now_ms + ARGV[OWN + 2]))
redis.call('HINCRBY', RUN, 'revision', 1)
if run[5] then
  emit('run.resumed', RUN_ID, '', '{}')
else
  redis.call('HSET', RUN, 'started', int(now_ms))
  emit('run.started', RUN_ID, '', '{"attempt":' .. attempt .. '}')
end
return { 'acquired', fence, '' }
