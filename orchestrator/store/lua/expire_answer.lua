-- Ends a run whose person has not answered in time.
-- ARGV: 6 the run's error
-- Returns { outcome, next run, user }: 'waiting' while there is time left, or nothing waits.
local user = redis.call('HGET', SESSION, 'user') or ''
local run = redis.call('HMGET', RUN, 'status', 'answer_by')
if run[1] ~= 'awaiting_approval' or not run[2] or tonumber(run[2]) > now_ms then
  return { 'waiting', '', user }
end
touch()
conclude('failed', 'error', ARGV[OWN + 1], '{"error":' .. ARGV[OWN + 1] .. '}')
return { 'failed', promote(), user }
