-- Takes a run out of its user's line and places, puts another in line, and says who is to be woken:
-- those at the head of the line that there is room for, and that were not woken yet.
-- KEYS: 1 ready, 2 woken, 3 places
-- ARGV: 1 expiry in ms, 2 places, 3 lease in ms, 4 run that leaves ('' for none), 5 run that comes
-- ('' for none; it may be the same), 6 its time
-- Returns { now in ms, rank in line of the run that comes or -1, runs to be woken … }.
local READY, WOKEN, PLACES = KEYS[1], KEYS[2], KEYS[3]
local MOST, LEASE, LEAVING, COMING = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local now = string.format('%.0f', now_ms)

redis.call('ZREMRANGEBYSCORE', PLACES, '-inf', '(' .. string.format('%.0f', now_ms - LEASE))
if LEAVING ~= '' then
  for _, key in ipairs(KEYS) do redis.call('ZREM', key, LEAVING) end
end
local woken = {}
if COMING ~= '' then
  redis.call('ZREM', WOKEN, COMING) -- who asks for it wants it woken, whenever that was last done
  if redis.call('ZSCORE', PLACES, COMING) then
    table.insert(woken, COMING) -- its owner fell silent, or its worker before it became the owner
  else
    redis.call('ZADD', READY, 'NX', ARGV[6], COMING)
  end
end

-- The time is noted: where this answer is lost, whoever comes a lease later says it again.
local room = MOST - redis.call('ZCARD', PLACES)
if room > 0 then
  for _, run in ipairs(redis.call('ZRANGE', READY, 0, room - 1)) do
    local last = redis.call('ZSCORE', WOKEN, run)
    if not last or tonumber(last) < now_ms - LEASE then
      redis.call('ZADD', WOKEN, now, run)
      table.insert(woken, run)
    end
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
local rank = COMING ~= '' and redis.call('ZRANK', READY, COMING)
return { now, rank or -1, unpack(woken) }
