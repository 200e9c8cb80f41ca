-- Takes one of a user's places for a run, unless all are taken. A run that has one keeps it.
-- KEYS: 1 ready, 2 woken, 3 places. ARGV: 1 expiry in ms, 2 places, 3 lease in ms, 4 run
-- Returns { 'taken' or 'full', until when in ms }.
local READY, WOKEN, PLACES = KEYS[1], KEYS[2], KEYS[3]
local MOST, LEASE, RUN = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local clock = redis.call('TIME')
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
local deadline = string.format('%.0f', now_ms + LEASE)

redis.call('ZREM', WOKEN, RUN) -- its wake-up is out of the stream now
-- A place outlives its lease for as long again: it is kept for whoever takes the run over.
redis.call('ZREMRANGEBYSCORE', PLACES, '-inf', '(' .. string.format('%.0f', now_ms - LEASE))
if redis.call('ZCARD', PLACES) >= MOST and not redis.call('ZSCORE', PLACES, RUN) then
  return { 'full', '0' }
end
redis.call('ZADD', PLACES, deadline, RUN)
redis.call('ZREM', READY, RUN)
redis.call('PEXPIRE', PLACES, ARGV[1])
return { 'taken', deadline }
