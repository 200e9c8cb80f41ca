-- Keeps a lease for another period, and tells the owner when the run shall be cancelled.
-- ARGV: 6 fence, 7 lease in ms. Returns { 'cancel', 'renewed' or 'fenced', deadline }.
-- No mark: it may come any number of times, also between an owner's write and its repetition.
local run = redis.call('HMGET', RUN, 'fence', 'status', 'cancel')
if run[1] ~= ARGV[OWN + 1] or run[2] ~= 'running' then return { 'fenced', '0' } end
local deadline = int(now_ms + ARGV[OWN + 2])
redis.call('HSET', RUN, 'deadline', deadline)
touch()
return { run[3] == '1' and 'cancel' or 'renewed', deadline }
