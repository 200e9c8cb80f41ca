-- Lets a run wait for a person: nobody owns it, and a stray wake-up does not start it (acquire.lua).
-- ARGV: 6 fence, 7 mark, 8 status that it waits in, 9 event's data
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
let_go(ARGV[OWN + 3])
emit('run.' .. ARGV[OWN + 3], RUN_ID, '', ARGV[OWN + 4])
touch()
return { 'done' }
