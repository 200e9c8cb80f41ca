-- Removes some of a deleted session's runs: a script works on a bounded number of keys. When nobody
-- comes back for the others, they expire.
-- Returns { outcome, how many runs are left }.
for _, run_id in ipairs(redis.call('ZRANGE', RUNS, 0, SWEPT - 1)) do
  local key = OF_RUNS .. run_id
  local idempotency = redis.call('HGET', key, 'idem')
  if idempotency then redis.call('DEL', idempotency) end
  for _, part in ipairs(PARTS) do redis.call('DEL', key .. part) end
  redis.call('ZREM', RUNS, run_id)
end
return { 'done', redis.call('ZCARD', RUNS) }
