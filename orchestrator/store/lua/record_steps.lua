-- Stores steps as they are now, all at once: what came of the last ones, and which are begun next.
-- ARGV: 6 fence, 7 most bytes of the whole run; then the steps (`record_steps`)
-- Returns an outcome for each up to the first that does not fit, which is 'full': the caller then stores
-- that step without its output, or makes no call of it.
local outcomes = record_steps(ARGV[OWN + 1], OWN + 3, ARGV[OWN + 2])
if outcomes[1] ~= 'fenced' then touch() end
return outcomes
