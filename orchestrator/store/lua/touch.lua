-- Keeps an unfinished run and its whole session: when it is started, and as often as the reaper looks
-- at it, so that nothing expires however long it waits.
-- ARGV: 6 '' to begin with, then what it has returned: it goes on behind the run where the last sweep is.
-- Returns { outcome, '' or whatever there is still to be kept, user }.
touch_keys()
if FINAL[redis.call('HGET', RUN, 'status')] then keep_run(RUN_ID) end
local session = redis.call('HMGET', SESSION, 'user', 'kept', 'swept')
if ARGV[OWN + 1] == '' and session[1] then
  redis.call('HSET', SESSION, 'listed', int(now_ms)) -- who begins here keeps it in its user's list, too
end
-- What any write has begun (`touch`) is ended here, however many runs there are; or begun anew, where it is due.
local is_due = ARGV[OWN + 1] == '' and not is_recent(session[2])
local from = is_due and '' or session[3] or ''
local on = (is_due or from ~= '') and keep_runs(from) or ''
active_run() -- where that one is gone, the next in line takes its place
return { 'done', on, session[1] or '' }
