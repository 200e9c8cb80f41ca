-- Stands alone, without the prelude: what it writes belongs to a user, not to a session.
-- Notes streams as open for another while. They are a set, not a number: what a process did not take
-- back, because it died, lapses by itself.
-- KEYS: 1 limit. ARGV: 1 ms until they lapse, 2 most that may be open ('' for those that are open
-- already), 3 and on, ids of the streams
-- Returns how many ms are left until an open one lapses: 0 when these were noted.
local clock = redis.call('TIME')
local now = math.floor((clock[1] * 1000000 + clock[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] ~= '' and redis.call('ZCARD', KEYS[1]) + #ARGV - 2 > tonumber(ARGV[2]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return { math.max(1, (first[2] or now) - now) }
end
for stream = 3, #ARGV do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[1]), ARGV[stream])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 0 }
