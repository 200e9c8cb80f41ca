-- Shared by every script; each returns a list that begins with its outcome. KEYS: 1 session, 2 run, 3 steps, 4 events, 5 runs.
-- ARGV: 1 expiry in ms (of a session that has none of its own yet), 2 length of the event log, 3 channel, 4 session id, 5 run id, then the script's own.
local SESSION, RUN, STEPS, EVENTS, RUNS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local LOG, CHANNEL, SESSION_ID, RUN_ID = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local EXPIRY = redis.call('HGET', SESSION, 'ttl') or ARGV[1]
local OWN = 5
local FINAL = { succeeded = true, failed = true, cancelled = true }

-- The server's clock is the only one; %.0f because Lua writes large numbers as 1.7e+15.
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now_ms = math.floor(now_us / 1000)
local function int(number) return string.format('%.0f', number) end

local function touch()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, EXPIRY) end
end

local function emit(kind, run_id, step_id, data)
  local seq = redis.call('HINCRBY', SESSION, 'seq', 1)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', LOG, seq .. '-0',
    'type', kind, 'time', int(now_ms), 'run', run_id, 'step', step_id, 'data', data)
  redis.call('PUBLISH', CHANNEL, 'event ' .. SESSION_ID)
end

-- A write is refused unless its fence is the run's; one that was sent twice has its effect once.
local function refuse(fence, mark)
  local run = redis.call('HMGET', RUN, 'fence', 'mark', 'status')
  if run[1] ~= fence then return 'fenced' end
  if run[2] == mark then return 'repeated' end
  if run[3] ~= 'running' then return 'fenced' end
  redis.call('HSET', RUN, 'mark', mark)
  return nil
end

-- The active run is over: the next one in line becomes active. Returns its id, or ''.
local function promote()
  local waiting = cjson.decode(redis.call('HGET', SESSION, 'waiting'))
  local following = table.remove(waiting, 1) or ''
  redis.call('HSET', SESSION, 'active', following, 'waiting',
    #waiting == 0 and '[]' or cjson.encode(waiting))
  return following
end

local function conclude(status, field, value, data)
  redis.call('HSET', RUN, 'status', status, field, value, 'finished', int(now_ms))
  redis.call('HINCRBY', RUN, 'revision', 1)
  emit('run.' .. status, RUN_ID, '', data)
end
