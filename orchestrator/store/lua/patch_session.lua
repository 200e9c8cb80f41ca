-- Changes a session, unless it is another one by now.
-- ARGV: 6 the revision that it has to have, 7 document, 8 TTL in ms, 9 rules ('' to leave them), 10 whether
-- what was remembered goes ('1'), 11 names this very request: sent again, it has been done
-- Returns { outcome, revision }.
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found', '0' } end
local revision = redis.call('HGET', SESSION, 'revision') or '0'
if redis.call('HGET', SESSION, 'patched') == ARGV[OWN + 6] then return { 'done', revision } end
if revision ~= ARGV[OWN + 1] then return { 'changed', revision } end
EXPIRY = ARGV[OWN + 3]
redis.call('HSET', SESSION, 'document', ARGV[OWN + 2], 'ttl', EXPIRY, 'patched', ARGV[OWN + 6])
if ARGV[OWN + 4] ~= '' then redis.call('HSET', SESSION, 'rules', ARGV[OWN + 4]) end
if ARGV[OWN + 5] == '1' then redis.call('HDEL', SESSION, 'remembered') end
local following = redis.call('HINCRBY', SESSION, 'revision', 1)
touch()
return { 'done', int(following) }
