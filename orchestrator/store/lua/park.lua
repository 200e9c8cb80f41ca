-- Lets a run wait for a person: it has no owner, and nobody takes it until the answer is there.
-- ARGV: 6 fence, 7 mark, 8 status, 9 event's data
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
redis.call('HSET', RUN, 'status', ARGV[OWN + 3], 'owner', '', 'deadline', '0', 'attempts', '0')
redis.call('HINCRBY', RUN, 'revision', 1)
emit('run.' .. ARGV[OWN + 3], RUN_ID, '', ARGV[OWN + 4])
touch()
return { 'done' }
