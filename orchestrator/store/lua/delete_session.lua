-- Takes a session away from its clients, unless one of its runs is active: its owner would write on,
-- and what it wrote would belong to no session. From here on nothing can be added to it, and what is
-- left of it can be removed bit by bit (delete_runs.lua).
-- KEYS: 10 what says that there was a session of this id: it does not come again
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found' } end
if active_run() ~= '' then return { 'session_busy' } end
local is_reserved = redis.call('HGET', SESSION, 'reserved') ~= '0'
-- This first: a store at its memory limit then takes the rest as well (cancel.lua).
redis.call('DEL', SESSION, EVENTS)
-- A client's key may still stand for it, and would bring it back.
if is_reserved then redis.call('SET', KEYS[10], '1', 'PX', ARGV[1]) end
-- Followers are woken to find that there is no session any more, and end.
redis.call('PUBLISH', CHANNEL, 'event ' .. SESSION_ID)
return { 'deleted' }
