-- KEYS: 6 and on, everything else of the session.
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found' } end
if redis.call('HGET', SESSION, 'active') ~= '' then return { 'session_busy' } end
redis.call('DEL', unpack(KEYS))
redis.call('PUBLISH', CHANNEL, 'event ' .. SESSION_ID)
return { 'deleted' }
