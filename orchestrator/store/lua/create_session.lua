-- Stores a session, unless the same client's key has stored it before.
-- ARGV: 6 document, 7 id of the user, 8 workspace
if redis.call('EXISTS', SESSION) == 0 then
  redis.call('HSET', SESSION, 'document', ARGV[OWN + 1], 'user', ARGV[OWN + 2],
    'workspace', ARGV[OWN + 3], 'created', int(now_ms), 'active', '', 'waiting', '[]',
    'fence', '0', 'seq', '0', 'ttl', EXPIRY)
  emit('session.created', '', '', '{}')
end
touch()
return { 'created' }
