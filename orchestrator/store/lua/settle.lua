-- Counts what a request to a model took of which no turn comes, in place of what was reserved for it.
-- ARGV: 6 fence, 7 mark, 8 what it took (`charge`)
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2], 'mark:settle')
if refusal then return { refusal } end
charge(ARGV[OWN + 3])
redis.call('HINCRBY', RUN, 'revision', 1)
touch()
return { 'done' }
