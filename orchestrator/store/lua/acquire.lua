-- Makes a worker the owner of a run that nobody owns, or whose owner has fallen silent.
-- ARGV: 6 token of this acquisition, 7 lease in ms, 8 most attempts, 9 error of a run past them
-- Returns { outcome, fence, next run }.
local TOKEN = ARGV[OWN + 1]
local run = redis.call('HMGET', RUN, 'status', 'owner', 'deadline', 'fence', 'started')
if not run[1] then return { 'gone', '0', '' } end
if FINAL[run[1]] then return { 'final', '0', '' } end
if WAITING[run[1]] then return { 'waiting', '0', '' } end -- for a person, not for a worker
-- One run of a session at a time: two would change the same workspace.
if redis.call('HGET', SESSION, 'active') ~= RUN_ID then return { 'waiting', '0', '' } end
-- The same token again is the same acquisition, whose answer was lost: it gets the same fence. A new
-- one would lock the worker out of what it owns, and count as a further attempt.
if run[1] == 'running' and run[2] == TOKEN then return { 'acquired', run[4], '' } end
if run[1] == 'running' and tonumber(run[3]) > now_ms then return { 'owned', '0', '' } end

touch()
-- Attempts since the last committed step: a run that ends every process that takes it must not go
-- from one to the next for ever, and one that gets on may lose any number of them.
local attempt = redis.call('HINCRBY', RUN, 'attempts', 1)
if attempt > tonumber(ARGV[OWN + 3]) then
  local failure = ARGV[OWN + 4]
  conclude('failed', 'error', failure, '{"error":' .. failure .. '}')
  return { 'parked', '0', promote() }
end
-- The fence has to be above every one that the execution environment has seen of this session: it
-- refuses the others. `previous` sees to that while this server knows the last one. The clock sees to
-- it when it does not: a replica that has taken over, data from a backup. Where neither does,
-- release.lua is told how high it has to be.
local previous = tonumber(redis.call('HGET', SESSION, 'fence'))
local fence = int(math.max(previous + 1, now_us))
redis.call('HSET', SESSION, 'fence', fence)
-- The mark is cleared: the first write of a new owner may be named as the last one of the old.
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
