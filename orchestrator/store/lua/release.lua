-- ARGV: 6 fence, 7 mark, 8 floor: a fence seen elsewhere, which the next one has to be above.
-- The run can start again at once, and the attempt does not count.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
redis.call('HSET', RUN, 'status', 'queued', 'owner', '', 'deadline', '0', 'attempts', '0')
if tonumber(ARGV[OWN + 3]) > tonumber(redis.call('HGET', SESSION, 'fence')) then
  redis.call('HSET', SESSION, 'fence', ARGV[OWN + 3])
end
touch()
return { 'done' }
