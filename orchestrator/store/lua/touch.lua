-- Keeps an unfinished run and its whole session: the reaper calls it, so that nothing expires however
-- long the run waits. ARGV: 6 run behind which to go on ('' for the first ones)
-- Returns { outcome, where to go on or '', active run, user }.
touch()
return { 'done', keep_runs(ARGV[OWN + 1]), active_run(), redis.call('HGET', SESSION, 'user') or '' }
