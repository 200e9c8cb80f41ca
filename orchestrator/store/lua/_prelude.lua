-- What every script begins with. Redis runs a script as a whole: what one script does together is
-- never seen half done. Each returns a list: its outcome, then what belongs to that.
-- KEYS: 1 session, 2 run, 3 steps, 4 events, 5 runs, 6 turns, 7 text, 8 inbox, 9 reviews; a script may
-- have more.
-- ARGV: 1 expiry in ms (for a session that has none of its own yet), 2 length of the event log,
-- 3 channel, 4 session id, 5 run id; from OWN + 1 on, the script's own.
local SESSION, RUN, STEPS, EVENTS, RUNS, TURNS, TEXT, INBOX, REVIEWS = unpack(KEYS, 1, 9)
local LOG, CHANNEL, SESSION_ID, RUN_ID = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local EXPIRY = redis.call('HGET', SESSION, 'ttl') or ARGV[1]
local OWN = 5
local CANCELLED = 'cancelled by the client'
local FINAL = { succeeded = true, failed = true, cancelled = true }

-- Deadlines are compared by this server's clock only: the workers' clocks may differ.
-- %.0f because Lua writes large numbers as 1.7e+15, which nobody could read back exactly.
local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now_ms = math.floor(now_us / 1000)
local function int(number) return string.format('%.0f', number) end

-- Every write does this (`touch`), for all keys at once. A key that was left out would stay for ever, or
-- expire before the others: a session without its events, or a run without its steps.
local function touch_keys()
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, EXPIRY) end
end

-- The keys of the session's other runs, which a script is not given: they share the session's hash
-- tag, so that they lie where those do that it is given. The names are those of keys.py.
local OF_RUNS = string.gsub(SESSION, ':session$', ':run:')
local PARTS = { '', ':steps', ':turns', ':text', ':inbox', ':reviews' }

-- What has ended is kept a little longer than the session, so that it never goes before it: `touch`
-- sets the expiry of one run alone. Nobody reaches a run without its session.
-- pcall: where Redis Cluster is moving the slot, a key may be out of reach, and that ends no write.
-- EXPIRY is read here, and in `is_recent`, each time: patch_session.lua gives the session another one.
local function keep_run(run_id)
  local key, kept = OF_RUNS .. run_id, int(EXPIRY * 33 / 32)
  local idempotency = redis.pcall('HGET', key, 'idem')
  if type(idempotency) == 'string' then redis.pcall('PEXPIRE', idempotency, kept) end
  for _, part in ipairs(PARTS) do redis.pcall('PEXPIRE', key .. part, kept) end
  if redis.pcall('EXISTS', key) == 0 then redis.call('ZREM', RUNS, run_id) end
end

-- A session lives on with all its runs, and with their Idempotency-Keys. A script works on a bounded
-- number of keys: here on the runs behind `from`, SWEPT at most. Returns where to go on, or ''.
-- Half of what they are kept longer goes by before it begins anew: to go through thousands of runs
-- whenever one is started would cost more than the run. And no more than half a day: its user's list is kept
-- a day longer than it, and likewise from then on. Each has a stamp of its own (`kept`, `listed`): most of
-- what keeps the runs does not keep the list.
local SWEPT = 100
local ANEW = 43200000
local function is_recent(stamp)
  return math.abs(now_ms - tonumber(stamp or '0')) < math.min(EXPIRY / 64, ANEW)
end
local function keep_runs(from)
  if redis.call('EXISTS', SESSION) == 0 then return '' end
  if from == '' then redis.call('HSET', SESSION, 'kept', int(now_ms)) end
  local first = from == '' and '-' or '(' .. from
  local runs = redis.call('ZRANGEBYLEX', RUNS, first, '+', 'LIMIT', 0, SWEPT)
  for _, run_id in ipairs(runs) do keep_run(run_id) end
  local on = runs[SWEPT] or ''
  redis.call('HSET', SESSION, 'swept', on)
  return on
end

-- Whatever puts off the session's expiry puts off that of its other runs: some each time, from where the
-- last write stopped. What is begun is ended before it begins anew, or the last ones would never be kept.
local function touch()
  touch_keys()
  local kept = redis.call('HMGET', SESSION, 'kept', 'swept')
  local from = kept[2] or ''
  if from ~= '' or not is_recent(kept[1]) then keep_runs(from) end
end

-- Whether the session has to be kept in its user's list now, or with more runs than one write sees to.
local function is_due()
  local session = redis.call('HMGET', SESSION, 'listed', 'swept')
  return not is_recent(session[1]) or (session[2] or '') ~= ''
end

-- Events are numbered without holes, and the number is the entry's id: a follower that finds another
-- number than the next one knows that events are gone (streaming/connections.py). The entry is there
-- before the message is out, so that whoever is woken finds it: one message tells of all that a script writes,
-- which is seen when the script has ended.
local is_told = false
local function emit(kind, run_id, step_id, data)
  local seq = redis.call('HINCRBY', SESSION, 'seq', 1)
  redis.call('XADD', EVENTS, 'MAXLEN', '~', LOG, seq .. '-0',
    'type', kind, 'time', int(now_ms), 'run', run_id, 'step', step_id, 'data', data)
  if not is_told then redis.call('PUBLISH', CHANNEL, 'event ' .. SESSION_ID) end
  is_told = true
end

-- The run has ended, or waits for a person: who waits for that need not read all of its events.
local function tell_settled() redis.call('PUBLISH', CHANNEL, 'settled ' .. RUN_ID) end

-- An owner's write begins with this. It is refused unless it shows the run's own fence: a worker that
-- was paused for longer than its lease would write over what its successor has written.
-- `mark` names the write. One that comes again, because its answer was lost, has the mark of the last
-- write under this `field` and does nothing; otherwise an event would be there twice. The last one of a
-- field is enough: an owner makes the writes of one step one after the other, and steps have a field
-- each, since reads go side by side. The fence is part of it: the first write of a new owner may be
-- named as the last one of the old.
local function refuse(fence, mark, field)
  field = field or 'mark'
  local run = redis.call('HMGET', RUN, 'fence', field, 'status')
  if run[1] ~= fence then return 'fenced' end
  if run[2] == fence .. ' ' .. mark then return 'repeated' end
  if run[3] ~= 'running' then return 'fenced' end
  redis.call('HSET', RUN, field, fence .. ' ' .. mark)
  return nil
end

-- Counts bytes that a run stores; tells whether they fit below `most`.
local function store_bytes(bytes, most)
  if (redis.call('HGET', RUN, 'stored') or 0) + bytes > tonumber(most) then return false end
  redis.call('HINCRBY', RUN, 'stored', bytes)
  return true
end

-- Stores a step: first as `running`, before its call is made, then with what came of it. The first is
-- what the next owner relies on: a step that is `running` may have taken effect, and its call is made
-- again under the same id.
-- In ARGV, from `at` on: mark, number, step, type of the event, id of the step, event's data,
-- committed ('1'), bytes of its output or arguments. `most`: bytes of the whole run
local STEP_ARGUMENTS = 8
local function record_step(fence, at, most)
  local mark = 'mark:' .. ARGV[at + 1]
  local last = redis.call('HGET', RUN, mark) or ''
  local refusal = refuse(fence, ARGV[at], mark)
  if refusal then return refusal end
  -- A start that was given up on the wire, and sent again, may arrive behind what came of the step: that
  -- stays, and the mark of it.
  local is_outcome = ARGV[at + 6] == '1'
  if not is_outcome and string.sub(last, 1, #fence + 1) == fence .. ' ' then
    redis.call('HSET', RUN, mark, last)
    return 'repeated'
  end
  if not store_bytes(ARGV[at + 7], most) then
    -- Nothing was written: sent again, it is no repetition. What was written before has its mark still.
    if last == '' then redis.call('HDEL', RUN, mark) else redis.call('HSET', RUN, mark, last) end
    return 'full'
  end
  redis.call('HSET', STEPS, ARGV[at + 1], ARGV[at + 2])
  redis.call('HINCRBY', RUN, 'revision', 1)
  -- The run gets on: its attempts are counted anew (acquire.lua).
  if is_outcome then redis.call('HSET', RUN, 'attempts', '0') end
  emit(ARGV[at + 3], RUN_ID, ARGV[at + 4], ARGV[at + 5])
  return 'done'
end

-- Stores all steps from `at` on, in their order. Returns an outcome for each, up to the first that is not
-- stored: what comes behind may rest on it.
local function record_steps(fence, at, most)
  local outcomes = {}
  for first = at, #ARGV, STEP_ARGUMENTS do
    local outcome = record_step(fence, first, most)
    if outcome == 'fenced' then return { 'fenced' } end
    table.insert(outcomes, outcome)
    if outcome == 'full' then break end
  end
  return outcomes
end

-- Stores what a person is shown of a turn, in place of what was shown before; returns false when it does
-- not fit below `most`, else the data of the event that asks for an answer.
local function show_review(t, review, bytes, most, steps)
  local before = redis.call('HSTRLEN', REVIEWS, t)
  if not store_bytes(bytes - before, most) then return false end
  redis.call('HSET', REVIEWS, t, review)
  local revision = redis.call('HINCRBY', RUN, 'plan_revision', 1)
  return '{"t":' .. t .. ',"plan_revision":' .. int(revision) .. ',"steps":' .. steps .. '}'
end

-- Adds what a model's answer took ('' for nothing to add), as an object of fields and whole numbers: what
-- was reserved for it is settled.
local function charge(usage)
  if usage == '' then return end
  redis.call('HDEL', RUN, 'reserved_tokens', 'reserved_cost')
  for field, amount in pairs(cjson.decode(usage)) do
    redis.call('HINCRBY', RUN, field, int(amount))
  end
end

-- What is reserved now was for an answer that nobody has stored, and nobody ever will: it stays charged.
local function lose_reservation()
  local reserved = redis.call('HMGET', RUN, 'reserved_tokens', 'reserved_cost')
  if not reserved[1] then return end
  redis.call('HINCRBY', RUN, 'lost_tokens', reserved[1])
  redis.call('HINCRBY', RUN, 'lost_cost', reserved[2])
  redis.call('HDEL', RUN, 'reserved_tokens', 'reserved_cost')
end

-- Stores the line behind the active run. It is a list in JSON also when nobody waits: cjson writes an
-- empty table as {}, an object.
local function store_waiting(waiting)
  redis.call('HSET', SESSION, 'waiting', #waiting == 0 and '[]' or cjson.encode(waiting))
end

local function is_there(run_id) return redis.call('EXISTS', OF_RUNS .. run_id) == 1 end

-- Returns the runs in line. One that is gone would hold up those behind it, and take up a place.
local function line()
  local there = {}
  for _, waiting in ipairs(cjson.decode(redis.call('HGET', SESSION, 'waiting'))) do
    if is_there(waiting) then table.insert(there, waiting) end
  end
  return there
end

-- The active run is over: the next one in line becomes active. Returns its id, or ''.
-- It happens in the script that ends the run, so that a session never has a line and no active run.
local function promote()
  local waiting = line()
  local following = table.remove(waiting, 1) or ''
  redis.call('HSET', SESSION, 'active', following)
  store_waiting(waiting)
  return following
end

-- Returns the session's active run, or ''. One whose hash is gone is none, and would keep the session
-- busy for ever: nobody is left to end it.
local function active_run()
  local active = redis.call('HGET', SESSION, 'active') or ''
  if active == '' or is_there(active) then return active end
  return promote()
end

-- Adds what the lease took, up to now or to its deadline, to the run's time under leases.
local function stop_clock(moment)
  local since = redis.call('HGET', RUN, 'since')
  if not since then return end
  redis.call('HINCRBY', RUN, 'spent', int(math.max(0, moment - since)))
  redis.call('HDEL', RUN, 'since')
end

-- The run has no owner any more, and goes on later: its attempts begin anew, for this is no failure.
-- It keeps its fence; it is not `running`, so that its last owner cannot write any more.
local function let_go(status)
  stop_clock(now_ms)
  lose_reservation()
  redis.call('HSET', RUN, 'status', status, 'owner', '', 'deadline', '0', 'attempts', '0')
  redis.call('HINCRBY', RUN, 'revision', 1)
end

-- Ends the run: its hash and its last event say the same, and a follower ends with that event. What it was
-- saying and was sent, and no turn has kept, goes.
local function conclude(status, field, value, data)
  redis.call('DEL', TEXT, INBOX)
  stop_clock(now_ms)
  lose_reservation()
  redis.call('HSET', RUN, 'status', status, field, value, 'finished', int(now_ms))
  redis.call('HINCRBY', RUN, 'revision', 1)
  emit('run.' .. status, RUN_ID, '', data)
  tell_settled()
  keep_run(RUN_ID)
end
