-- Replaces a user's rules, unless they are others by now. They never expire.
-- KEYS: 1 rules. ARGV: 1 the revision that they have to have ('' for any), 2 rules, 3 names this very
-- request: sent again, it has been done
-- Returns { outcome, revision }.
local revision = redis.call('HGET', KEYS[1], 'revision') or '0'
if redis.call('HGET', KEYS[1], 'replaced') == ARGV[3] then return { 'done', revision } end
if ARGV[1] ~= '' and ARGV[1] ~= revision then return { 'changed', revision } end
redis.call('HSET', KEYS[1], 'rules', ARGV[2], 'replaced', ARGV[3])
return { 'done', string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'revision', 1)) }
