-- Keeps an unfinished run and its whole session: when it is started, and as often as the reaper looks
-- at it, so that nothing expires however long it waits.
-- ARGV: 6 run behind which to go on ('' for the first ones)
-- Returns { outcome, where to go on or '', user }.
touch_keys()
if FINAL[redis.call('HGET', RUN, 'status')] then keep_run(RUN_ID) end
local session = redis.call('HMGET', SESSION, 'user', 'kept', 'swept')
local from, is_due = ARGV[OWN + 1], true
if from == '' and session[1] then
  redis.call('HSET', SESSION, 'listed', int(now_ms)) -- who begins here keeps it in its user's list, too
  -- What a write has just begun (`touch`) is ended here, however many runs there are.
  if is_recent(session[2]) then from = session[3] or ''; is_due = from ~= '' end
end
local on = is_due and keep_runs(from) or ''
active_run() -- where that one is gone, the next in line takes its place
return { 'done', on, session[1] or '' }
