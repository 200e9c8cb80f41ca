-- ARGV: 6 fence, 7 mark. The run can start again at once, and the attempt does not count.
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return refusal end
redis.call('HSET', RUN, 'status', 'queued', 'owner', '', 'deadline', '0', 'attempts', '0')
touch()
return 'done'
