-- Removes a session with all that belongs to it, unless one of its runs is active: its owner would
-- write on, and what it wrote would belong to no session. That also covers a run that was created
-- after the caller had listed the keys.
-- KEYS: 7 and on, everything else of the session.
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found' } end
if redis.call('HGET', SESSION, 'active') ~= '' then return { 'session_busy' } end
redis.call('DEL', unpack(KEYS))
-- Followers are woken to find that there is no session any more, and end.
redis.call('PUBLISH', CHANNEL, 'event ' .. SESSION_ID)
return { 'deleted' }
