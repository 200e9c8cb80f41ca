-- Puts what a person says into a run's inbox; a run that waits for that can go on.
-- ARGV: 6 field of the run's hash that tells of this very message, 7 digest of the request ('' where its
-- client has no key), 8 text as JSON, 9 most that may be unread, 10 most for a run, 11 whether the reaper
-- knows that the run is about to go on ('1'), 12 revision of the run that waits for this ('' for any run)
-- Returns { outcome, whether a worker has to be woken, now in ms }. `unannounced`, and nothing is stored: the
-- run waits for this, and the reaper has to be told before its state changes.
local SENT, DIGEST, UNREAD, MOST = ARGV[OWN + 1], ARGV[OWN + 2], ARGV[OWN + 4], ARGV[OWN + 5]
local EXPECTED = ARGV[OWN + 7]
local now = int(now_ms)
local run = redis.call('HMGET', RUN, 'status', SENT, 'messages', 'revision')
local active = redis.call('HGET', SESSION, 'active')
if not run[1] or not active then return { 'run_not_found', 0, now } end
-- It comes before the state: sent again, a message is there, whatever has become of the run since.
if run[2] then
  if run[2] ~= DIGEST then return { 'idempotency_conflict', 0, now } end
  return { 'sent', run[1] == 'queued' and active == RUN_ID and 1 or 0, now }
end
if FINAL[run[1]] then return { 'invalid_state', 0, now } end
-- An answer is never too much: without it the run would wait for ever.
local is_answer = run[1] == 'awaiting_input'
-- While a run waits nothing of it changes: another revision is another question, or none.
if EXPECTED ~= '' and (not is_answer or run[4] ~= EXPECTED) then return { 'changed', 0, now } end
if not is_answer and redis.call('LLEN', INBOX) >= tonumber(UNREAD) then return { 'unread', 0, now } end
if not is_answer and tonumber(run[3] or '0') >= tonumber(MOST) then return { 'too_many', 0, now } end
if is_answer and ARGV[OWN + 6] ~= '1' then return { 'unannounced', 0, now } end

redis.call('RPUSH', INBOX,
  '{"text":' .. ARGV[OWN + 3] .. ',"is_answer":' .. (is_answer and 'true' or 'false') .. '}')
redis.call('HSET', RUN, SENT, DIGEST)
redis.call('HINCRBY', RUN, 'messages', 1)
redis.call('HINCRBY', RUN, 'revision', 1)
if is_answer then redis.call('HSET', RUN, 'status', 'queued') end
emit('message.received', RUN_ID, '', '{"text":' .. ARGV[OWN + 3] .. '}')
touch()
return { 'sent', is_answer and 1 or 0, now }
