-- Stores what a person says of the turn that waits: an answer, or other arguments.
-- ARGV: 6 revision of the plan that it is about, 7 digest of the request, 8 number of the turn, 9 its review,
-- 10 bytes of it, 11 most of the whole run, 12 the steps that still ask, as JSON ('' for none: the run goes
-- on), 13 type of the event, 14 its data, 15 rule to remember for the session ('' for none), 16 most of those,
-- 17 whether the reaper knows that the run is about to go on ('1')
-- Returns { outcome, whether a worker has to be woken, now in ms, revision of the plan }. `unannounced`, and
-- nothing is stored: the run goes on with this, and the reaper has to be told before its state changes.
local EXPECTED, DIGEST, T, STEPS_LEFT = ARGV[OWN + 1], ARGV[OWN + 2], ARGV[OWN + 3], ARGV[OWN + 7]
local RULE, goes_on = ARGV[OWN + 10], STEPS_LEFT == ''
local now, said = int(now_ms), 'answered:' .. EXPECTED
local run = redis.call('HMGET', RUN, 'status', 'plan_revision', said, 'answer_by')
local active = redis.call('HGET', SESSION, 'active')
if not run[1] or not active then return { 'run_not_found', 0, now, '0' } end
local revision = run[2] or '0'
-- It comes first: said again, it has been said, whatever has become of the run since.
if run[3] == DIGEST then
  return { 'answered', run[1] == 'queued' and active == RUN_ID and 1 or 0, now, revision }
end
if revision ~= EXPECTED then return { 'changed', 0, now, revision } end
if run[1] ~= 'awaiting_approval' then return { 'invalid_state', 0, now, revision } end
-- The reaper is about to end it (expire_answer.lua), and nothing happens after its deadline.
if run[4] and tonumber(run[4]) <= now_ms then return { 'late', 0, now, revision } end
if goes_on and ARGV[OWN + 12] ~= '1' then return { 'unannounced', 0, now, revision } end

local remembered = redis.call('HGET', SESSION, 'remembered') or '[]'
if RULE ~= '' and #cjson.decode(remembered) >= tonumber(ARGV[OWN + 11]) then
  return { 'too_many', 0, now, revision }
end
-- What is kept of each answer counts as well: there may be any number of them.
local bytes = ARGV[OWN + 5] + #said + #DIGEST
local asking = show_review(T, ARGV[OWN + 4], bytes, ARGV[OWN + 6], STEPS_LEFT)
if not asking then return { 'full', 0, now, revision } end
if RULE ~= '' then
  local before = remembered == '[]' and '[' or string.sub(remembered, 1, -2) .. ','
  redis.call('HSET', SESSION, 'remembered', before .. RULE .. ']')
  redis.call('HINCRBY', SESSION, 'revision', 1)
end
redis.call('HSET', RUN, said, DIGEST)
redis.call('HINCRBY', RUN, 'revision', 1)
emit(ARGV[OWN + 8], RUN_ID, '', ARGV[OWN + 9])
if goes_on then
  redis.call('HSET', RUN, 'status', 'queued')
else
  emit('run.awaiting_approval', RUN_ID, '', asking)
end
touch()
return { 'answered', goes_on and 1 or 0, now, redis.call('HGET', RUN, 'plan_revision') }
