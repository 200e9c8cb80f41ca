-- Takes a run out of an index, unless it was noted there anew since the caller read it.
-- KEYS: 1 index. ARGV: 1 run, 2 score that was read
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return { 'kept' } end
redis.call('ZREM', KEYS[1], ARGV[1])
return { 'dropped' }
