-- Notes a call that was made in a session's workspace without a run, and keeps the session.
-- KEYS: 10 there when this very call was noted: the script was sent again
-- ARGV: 6 kind of the event, 7 its data, 8 how long the script may be sent again, ms
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found' } end
if redis.call('EXISTS', KEYS[10]) == 1 then return { 'noted' } end
emit(ARGV[OWN + 1], '', '', ARGV[OWN + 2])
touch()
redis.call('SET', KEYS[10], '', 'PX', ARGV[OWN + 3])
return { 'noted' }
