-- Gives an unfinished run back: another worker can take it at once.
-- ARGV: 6 fence, 7 mark, 8 floor: a fence seen elsewhere, which the next one has to be above
local refusal = refuse(ARGV[OWN + 1], ARGV[OWN + 2])
if refusal then return { refusal } end
-- A rolling update that drains one worker after the other would use up the attempts: they begin anew.
let_go('queued')
-- Only ever up: a lower fence would be given out a second time.
if tonumber(ARGV[OWN + 3]) > tonumber(redis.call('HGET', SESSION, 'fence')) then
  redis.call('HSET', SESSION, 'fence', ARGV[OWN + 3])
end
touch()
return { 'done' }
