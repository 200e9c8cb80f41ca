-- Keeps an unfinished run and its whole session: when it is started, and as often as the reaper looks
-- at it, so that nothing expires however long it waits.
-- ARGV: 6 run behind which to go on ('' for the first ones)
-- Returns { outcome, where to go on or '', user }.
touch()
if FINAL[redis.call('HGET', RUN, 'status')] then keep_run(RUN_ID) end
local on = keep_runs(ARGV[OWN + 1])
active_run() -- where that one is gone, the next in line takes its place
return { 'done', on, redis.call('HGET', SESSION, 'user') or '' }
