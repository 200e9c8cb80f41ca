-- Notes a run in an index for later, unless it was noted there anew since the caller read it: by somebody who
-- wants it looked at sooner.
-- KEYS: 1 index. ARGV: 1 run, 2 score that was read, 3 score from now on, 4 expiry in ms
-- Sent twice, it finds the score that it has given itself.
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return { 'kept' } end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'put off' }
