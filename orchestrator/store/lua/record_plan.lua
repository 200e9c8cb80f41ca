-- Stores what a run is going to do, and tells its followers. Once there is a plan, the next owner
-- does not record it again (Lease.is_planned).
-- ARGV: 6 fence, 7 mark, 8 plan
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
redis.call('HSET', RUN, 'plan', ARGV[OWN + 3])
redis.call('HINCRBY', RUN, 'revision', 1)
emit('run.planned', RUN_ID, '', '{"plan":' .. ARGV[OWN + 3] .. '}')
touch()
return { 'done' }
