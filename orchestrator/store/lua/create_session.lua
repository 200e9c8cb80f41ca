-- Stores a session, unless the same client's key has stored it before.
-- KEYS: 10 there when a session of this id was deleted
-- Returns { outcome, the session's fields and values … }.
-- ARGV: 6 document, 7 id of the user, 8 workspace, 9 whether a client's key stands for it ('1')
if redis.call('EXISTS', KEYS[10]) == 1 then return { 'deleted' } end
if redis.call('EXISTS', SESSION) == 0 then
  redis.call('HSET', SESSION, 'document', ARGV[OWN + 1], 'user', ARGV[OWN + 2],
    'workspace', ARGV[OWN + 3], 'created', int(now_ms), 'active', '', 'waiting', '[]',
    'fence', '0', 'seq', '0', 'ttl', EXPIRY, 'kept', int(now_ms), 'listed', int(now_ms),
    'reserved', ARGV[OWN + 4])
  emit('session.created', '', '', '{}')
end
touch()
return { 'created', unpack(redis.call('HGETALL', SESSION)) }
