-- Ends a run whose person has not answered in time.
-- ARGV: 6 the run's error
-- Returns { outcome, next run }: 'going on' where it is not to end, for there is time left, or an answer. Of a
-- run that was over already the next one is the session's active run: nobody may have come to wake that.
local run = redis.call('HMGET', RUN, 'status', 'answer_by')
if FINAL[run[1]] then return { run[1], redis.call('HGET', SESSION, 'active') or '' } end
if run[1] ~= 'awaiting_approval' or not run[2] or tonumber(run[2]) > now_ms then
  return { 'going on', '' }
end
touch() -- the expiries first, as in cancel.lua: what has to end is ended by a full store, too
conclude('failed', 'error', ARGV[OWN + 1], '{"error":' .. ARGV[OWN + 1] .. '}')
return { 'failed', promote() }
