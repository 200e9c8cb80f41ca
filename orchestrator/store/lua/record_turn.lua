-- Stores a turn before anything of it is done: the next owner goes on with it, and asks no planner.
-- ARGV: 6 fence, 7 mark, 8 number, 9 turn, 10 bytes of it, 11 most of the whole run,
-- 12 event's data, 13 data of `run.planned` ('' for none), 14 the document without its plan ('' to
-- leave it): a plan is kept once, from now on in the turn.
-- 15 how many messages it was shown, 16 what its model took (`charge`)
-- Returns { 'full' } when it does not fit.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2], 'mark:turn')
if refusal then return { refusal } end
-- One that was given up on the wire may arrive behind a later turn: the inbox holds other messages then.
if redis.call('HEXISTS', TURNS, ARGV[OWN + 3]) == 1 then return { 'repeated' } end
if not store_bytes(ARGV[OWN + 5], ARGV[OWN + 6]) then
  redis.call('HDEL', RUN, 'mark:turn') -- nothing was written: sent again, it is no repetition
  return { 'full' }
end
redis.call('HSET', TURNS, ARGV[OWN + 3], ARGV[OWN + 4])
if ARGV[OWN + 9] ~= '' then redis.call('HSET', RUN, 'document', ARGV[OWN + 9]) end
redis.call('DEL', TEXT) -- it is said
-- Exactly those that it was shown: what came since is for the next one.
redis.call('LTRIM', INBOX, ARGV[OWN + 10], -1)
charge(ARGV[OWN + 11])
-- The run gets on: its attempts are counted anew (acquire.lua).
redis.call('HSET', RUN, 'attempts', '0')
redis.call('HINCRBY', RUN, 'revision', 1)
if ARGV[OWN + 8] ~= '' then emit('run.planned', RUN_ID, '', ARGV[OWN + 8]) end
emit('turn.decided', RUN_ID, '', ARGV[OWN + 7])
touch()
return { 'done' }
