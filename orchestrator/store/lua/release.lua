-- Gives an unfinished run back: another worker can take it at once.
-- ARGV: 6 fence, 7 mark, 8 floor: a fence seen elsewhere, which the next one has to be above
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
-- Attempts begin anew: giving back is no failure, and a rolling update that drains one worker after
-- the other would use them up. The run keeps its fence; it is not `running`, so that the worker that
-- gave it back cannot write any more.
redis.call('HSET', RUN, 'status', 'queued', 'owner', '', 'deadline', '0', 'attempts', '0')
-- Only ever up: a lower fence would be given out a second time.
if tonumber(ARGV[OWN + 3]) > tonumber(redis.call('HGET', SESSION, 'fence')) then
  redis.call('HSET', SESSION, 'fence', ARGV[OWN + 3])
end
touch()
return { 'done' }
