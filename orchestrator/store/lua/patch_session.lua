-- Changes a session, unless it is another one by now.
-- ARGV: 6 the revision that it has to have, 7 document, 8 TTL in ms, 9 rules ('' to leave them), 10 whether
-- what was remembered goes ('1'), 11 names this very request: sent again, it has been done; 12 the unfinished
-- runs that the reaper is about to look at, each with a space before it
-- Returns { outcome, revision, now in ms, unfinished runs … }. `unannounced`, and nothing is stored: from now
-- on the session has to be kept more often for these, and the reaper has to be told before it is changed.
local session = redis.call('HMGET', SESSION, 'document', 'revision', 'patched')
if not session[1] then return { 'session_not_found', '0', int(now_ms) } end
local revision = session[2] or '0'
if session[3] == ARGV[OWN + 6] then return { 'done', revision, int(now_ms) } end
if revision ~= ARGV[OWN + 1] then return { 'changed', revision, int(now_ms) } end

local TTL, active = ARGV[OWN + 3], active_run()
local unfinished = line()
if active ~= '' then table.insert(unfinished, 1, active) end
local named = ''
for _, run_id in ipairs(unfinished) do named = named .. ' ' .. run_id end
if tonumber(TTL) < tonumber(EXPIRY) and named ~= ARGV[OWN + 7] then
  return { 'unannounced', revision, int(now_ms), unpack(unfinished) }
end

local is_other = tonumber(TTL) ~= tonumber(EXPIRY)
EXPIRY = TTL
redis.call('HSET', SESSION, 'document', ARGV[OWN + 2], 'ttl', EXPIRY, 'patched', ARGV[OWN + 6])
-- Where its runs are to be kept for another time, all of them are gone through anew (keep_runs).
if is_other then redis.call('HDEL', SESSION, 'kept', 'swept') end
if ARGV[OWN + 4] ~= '' then redis.call('HSET', SESSION, 'rules', ARGV[OWN + 4]) end
if ARGV[OWN + 5] == '1' then redis.call('HDEL', SESSION, 'remembered') end
local following = redis.call('HINCRBY', SESSION, 'revision', 1)
touch()
return { 'done', int(following), int(now_ms) }
