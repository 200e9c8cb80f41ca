-- Stores how a run has ended, the turn that says so with it, and makes the next one in line active.
-- ARGV: 6 fence, 7 mark, 8 status, 9 field, 10 its value, 11 event's data, 12 the turn's number,
-- 13 the turn ('' for none)
-- Returns { outcome, next run }. When it comes again, the next run is the one that is active since:
-- the caller has still to wake it.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal, redis.call('HGET', SESSION, 'active') } end
if ARGV[OWN + 8] ~= '' then redis.call('HSET', TURNS, ARGV[OWN + 7], ARGV[OWN + 8]) end
redis.call('DEL', TEXT)
touch()
conclude(ARGV[OWN + 3], ARGV[OWN + 4], ARGV[OWN + 5], ARGV[OWN + 6])
return { 'done', promote() }
