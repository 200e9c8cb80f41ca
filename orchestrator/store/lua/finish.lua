-- Stores how a run has ended, the turn that says so and the last steps with it, and makes the next one in
-- line active.
-- ARGV: 6 fence, 7 mark, 8 status, 9 field, 10 its value, 11 event's data, 12 the turn's number,
-- 13 the turn ('' for none), 14 how many messages the answer was shown ('' where it is none), 15 what its
-- model took (`charge`), 16 data of its `turn.decided` ('' where no model has decided), 17 most bytes of the
-- whole run; then the steps (`record_steps`)
-- Returns { outcome, next run }: 'more', and nothing is stored, where the answer does not know all that
-- people have sent; 'full', and only steps are stored, where one of those does not fit. When it comes again, the next run is the one that is active since:
-- the caller has still to wake it.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal, redis.call('HGET', SESSION, 'active') } end
-- An answer that was refused so, and given up on the wire, may arrive once more: it is a turn since then.
local shown = tonumber(ARGV[OWN + 9])
local is_known = shown and redis.call('HEXISTS', TURNS, ARGV[OWN + 7]) == 1
if is_known or shown and redis.call('LLEN', INBOX) > shown then
  redis.call('HDEL', RUN, 'mark')
  return { 'more', '' }
end
local steps = record_steps(ARGV[OWN + 1], OWN + 13, ARGV[OWN + 12])
if steps[#steps] == 'full' then
  redis.call('HDEL', RUN, 'mark') -- it has not ended: sent again, it is no repetition
  return { 'full', '' }
end
if ARGV[OWN + 8] ~= '' then redis.call('HSET', TURNS, ARGV[OWN + 7], ARGV[OWN + 8]) end
charge(ARGV[OWN + 10])
if ARGV[OWN + 11] ~= '' then emit('turn.decided', RUN_ID, '', ARGV[OWN + 11]) end
touch()
conclude(ARGV[OWN + 3], ARGV[OWN + 4], ARGV[OWN + 5], ARGV[OWN + 6])
return { 'done', promote() }
