-- Stands alone, without the prelude: what it writes belongs to a user, not to a session.
-- Takes one from a user's bucket, unless it is empty (GCRA, the generic cell rate algorithm). What is
-- stored is one time, at which the bucket will be full again; each one taken puts it off.
-- KEYS: 1 limit. ARGV: 1 µs in which one comes back, 2 µs in which all of them do
-- Returns how many µs are left until there is one: '0' when it was taken.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local each, all = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
-- Where a server with a slower clock has taken over, it is an empty bucket at worst, not an hour's wait.
full = math.min(full, now + all) + each
local wait = full - now - all
if wait > 0 then return { string.format('%.0f', math.ceil(wait)) } end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return { '0' }
