-- Stands alone, without the prelude: what it writes belongs to a user, not to a session.
-- Lets a client's key stand for a new session, unless it stands for one already.
-- KEYS: 1 idempotency. ARGV: 1 id of the new session and digest of the request, 2 expiry in ms, 3 id of
-- a session that was deleted ('' for none): the key stands for that one no longer
-- Returns what the key stands for: id and digest.
local first = redis.call('GET', KEYS[1])
if first and string.match(first, '^%S+') ~= ARGV[3] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- a session that is used by its key alone does not lose it
  return { first }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { ARGV[1] }
