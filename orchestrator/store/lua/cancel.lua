-- ARGV: 6 event's data. The flag is the truth, the message a hint. Returns {outcome, next run}.
local status = redis.call('HGET', RUN, 'status')
if not status then return { 'run_not_found', '' } end
if FINAL[status] then return { status, '' } end
redis.call('HSET', RUN, 'cancel', '1')
touch()
if status == 'running' then
  redis.call('PUBLISH', CHANNEL, 'cancel ' .. RUN_ID)
  return { 'requested', '' }
end
conclude('cancelled', 'reason', 'cancelled by the client', ARGV[OWN + 1])
if redis.call('HGET', SESSION, 'active') == RUN_ID then return { 'cancelled', promote() } end
local others = {}
for _, waiting in ipairs(cjson.decode(redis.call('HGET', SESSION, 'waiting'))) do
  if waiting ~= RUN_ID then table.insert(others, waiting) end
end
redis.call('HSET', SESSION, 'waiting', #others == 0 and '[]' or cjson.encode(others))
return { 'cancelled', '' }
