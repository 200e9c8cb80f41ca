-- Stores a run: active when the session has no other one, in line or refused when it has.
-- KEYS: 10 idempotency (or the session again)
-- ARGV: 6 document, 7 on_busy, 8 digest ('' for no key), 9 longest queue
-- Returns { outcome, id of the run, whether it can start, when it has to be kept from expiring, ms, whether its
-- session has to be kept now, in its user's list and with all its runs }.
local IDEMPOTENCY, DIGEST = KEYS[10], ARGV[OWN + 3]
if redis.call('EXISTS', SESSION) == 0 then return { 'session_not_found', '', 0, '0' } end
local keep_until = int(now_ms + EXPIRY / 2)
-- The id is new for each request: where it is there already, this very script has come again.
if redis.call('EXISTS', RUN) == 1 then
  local can_start = redis.call('HGET', SESSION, 'active') == RUN_ID
  return { 'created', RUN_ID, can_start and 1 or 0, keep_until, 1 }
end
-- A client's key comes before the line: repeating a request is no second run, however busy it is.
if DIGEST ~= '' then
  local first = redis.call('GET', IDEMPOTENCY)
  local run_id, digest = string.match(first or '', '^(%S+) (%S+)$')
  if run_id and is_there(run_id) then
    return { digest == DIGEST and 'existing' or 'idempotency_conflict', run_id, 0, '0' }
  end
end
local active = active_run()
local waiting = line()
local is_busy = active ~= ''
if is_busy and ARGV[OWN + 2] == 'reject' then return { 'session_busy', active, 0, '0' } end
if #waiting >= tonumber(ARGV[OWN + 4]) then return { 'queue_full', active, 0, '0' } end

if DIGEST ~= '' then redis.call('SET', IDEMPOTENCY, RUN_ID .. ' ' .. DIGEST, 'PX', EXPIRY) end
redis.call('HSET', RUN, 'document', ARGV[OWN + 1], 'status', 'queued', 'created', int(now_ms),
  'fence', '0', 'deadline', '0', 'attempts', '0', 'revision', '1', 'owner', '', 'cancel', '0')
if DIGEST ~= '' then redis.call('HSET', RUN, 'idem', IDEMPOTENCY) end
redis.call('ZADD', RUNS, 0, RUN_ID)
if is_busy then
  table.insert(waiting, RUN_ID)
  store_waiting(waiting)
else
  redis.call('HSET', SESSION, 'active', RUN_ID)
end
emit('run.queued', RUN_ID, '', '{}')
redis.call('HSET', RUN, 'first_seq', redis.call('HGET', SESSION, 'seq')) -- where followers begin
touch()
return { 'created', RUN_ID, is_busy and 0 or 1, keep_until, is_due() and 1 or 0 }
