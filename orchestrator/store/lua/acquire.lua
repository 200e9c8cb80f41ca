-- Makes a worker the owner of a run that nobody owns, or whose owner has fallen silent.
-- ARGV: 6 token of this acquisition, 7 lease in ms, 8 most attempts, 9 error of a run past them
-- Returns { outcome, fence, next run, user }, and behind them, to the owner, the fields of the session, the
-- run, its steps, its turns and its reviews. Whoever finds a run over has to wake the next one: the
-- session's active run, since the one that ended it may have died before it did.
-- A run that stores much has none of them behind it: through Lua they would hold up the server three times
-- as long as read by themselves.
local MUCH = 262144
local function taken(fence, user)
  local found = { 'acquired', fence, '', user }
  local stored = tonumber(redis.call('HGET', RUN, 'stored') or '0')
  if stored + redis.call('HSTRLEN', RUN, 'document') > MUCH then return found end
  for _, key in ipairs({ SESSION, RUN, STEPS, TURNS, REVIEWS }) do
    table.insert(found, redis.call('HGETALL', key))
  end
  return found
end
local TOKEN, GIVEN_UP = ARGV[OWN + 1], ARGV[OWN + 4]
local session = redis.call('HMGET', SESSION, 'active', 'user', 'fence')
local active, user = session[1] or '', session[2] or ''
local run = redis.call('HMGET', RUN, 'status', 'owner', 'deadline', 'fence', 'started', 'cancel')
if not run[1] then return { 'gone', '0', active == RUN_ID and promote() or active, user } end
if FINAL[run[1]] then return { 'final', '0', active, user } end
-- It waits for a person: no wake-up starts it.
if run[1] ~= 'running' and run[1] ~= 'queued' then return { 'parked', '0', '', user } end
-- One run of a session at a time: two would change the same workspace.
if active ~= RUN_ID then return { 'waiting', '0', '', user } end
-- The same token again is the same acquisition, whose answer was lost: it gets the same fence. A new
-- one would lock the worker out of what it owns, and count as a further attempt.
if run[1] == 'running' and run[2] == TOKEN then return taken(run[4], user) end
if run[1] == 'running' and tonumber(run[3]) > now_ms then return { 'owned', '0', '', user } end

touch()
-- A silent owner may have worked on until its deadline, and no longer.
if run[1] == 'running' then stop_clock(math.min(now_ms, tonumber(run[3]))) end
-- Attempts since the last committed step: a run that ends every process that takes it must not go
-- from one to the next for ever, and one that gets on may lose any number of them.
lose_reservation() -- its owner's answer, too, is nobody's any more
local attempt = redis.call('HINCRBY', RUN, 'attempts', 1)
if attempt > tonumber(ARGV[OWN + 3]) then
  if run[6] == '1' then
    conclude('cancelled', 'reason', CANCELLED, cjson.encode({ reason = CANCELLED }))
  else
    conclude('failed', 'error', GIVEN_UP, '{"error":' .. GIVEN_UP .. '}')
  end
  return { 'given_up', '0', promote(), user }
end
-- The fence has to be above every one that the execution environment has seen of this session: it
-- refuses the others. `previous` sees to that while this server knows the last one. The clock sees to
-- it when it does not: a replica that has taken over, data from a backup. Where neither does,
-- release.lua is told how high it has to be.
local previous = tonumber(session[3])
local fence = int(math.max(previous + 1, now_us))
redis.call('HSET', SESSION, 'fence', fence)
redis.call('HSET', RUN, 'status', 'running', 'owner', TOKEN, 'fence', fence,
  'deadline', int(now_ms + ARGV[OWN + 2]), 'since', int(now_ms))
redis.call('HINCRBY', RUN, 'revision', 1)
if run[5] then
  emit('run.resumed', RUN_ID, '', '{}')
else
  redis.call('HSET', RUN, 'started', int(now_ms))
  emit('run.started', RUN_ID, '', '{"attempt":' .. attempt .. '}')
end
return taken(fence, user)
