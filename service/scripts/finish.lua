-- Ends pieces of work: what each decided, what it did and what it wants next are stored together, or not at all.
-- ARGV: for each its call as JSON, and then a line for the timeline of each of call.told, packed. Returns for each of them
-- 1, 0 where the lease had passed to somebody else, who will do it instead, or -1 where it failed.
-- Below, `own` names a rule and a subject together, and `kept_as` the same, apart for what is only rehearsed.

-- What changed and no webhook told of: a sweep misses it, and a look heals it.
local function reconcile(call, subject)
  if call.swept then redis.call('HSET', P .. 'swept', subject, call.swept) end
  for _, one in ipairs(call.missed) do redis.call('SET', P .. 'missed:' .. one[1], one[2], 'EX', 30 * DAY) end
  if not call.has_looked then return end
  local source = redis.call('GETDEL', P .. 'missed:' .. subject)
  if source then count({ ['healed ' .. source] = 1 }, call.now) end
end

local function keep_deeds(call, kept_as)
  for name, what in pairs(call.done) do
    if not call.rehearsed then redis.call('SET', P .. 'done:' .. name, what, 'EX', 120 * DAY) end
    redis.call('SADD', P .. 'acts:' .. kept_as, name)
    redis.call('EXPIRE', P .. 'acts:' .. kept_as, 120 * DAY)
  end
end

local function keep_case(call, own, kept_as)
  if not call.case then return end
  local case = P .. 'case:' .. kept_as
  redis.call('HSET', case, unpack(call.case))
  redis.call('EXPIRE', case, 120 * DAY)
  local is_open = redis.call('HGET', case, 'open') == '1'
  if call.rehearsed then -- events wake a rehearsal that asks, as they wake a rule that does
    if is_open then redis.call('HSET', P .. 'case:' .. own, 'open', '1') end
    redis.call('EXPIRE', P .. 'case:' .. own, 120 * DAY)
  else
    redis.call(is_open and 'SADD' or 'SREM', P .. 'open', own)
  end
end

-- The subject has another key by now, or is no more.
local function follow(call, rule, own)
  if call.moved then
    local to = rule .. ':' .. call.moved
    for _, kind in ipairs({ 'case:', 'acts:', 'case:dry-run ', 'acts:dry-run ' }) do
      local from = P .. kind .. own
      if redis.call('EXISTS', from) == 1 then redis.call('RENAMENX', from, P .. kind .. to) end
    end
    if redis.call('SREM', P .. 'open', own) == 1 then redis.call('SADD', P .. 'open', to) end
  elseif call.gone then
    redis.call('SREM', P .. 'open', own)
    if redis.call('HEXISTS', P .. 'case:' .. own, 'open') == 1 then redis.call('HSET', P .. 'case:' .. own, 'open', '0') end
  end
end

local function keep_look(call, rule, subject)
  if not call.looked then return end
  redis.call('HSET', P .. 'looked:' .. subject, rule, call.looked)
  redis.call('EXPIRE', P .. 'looked:' .. subject, 120 * DAY)
end

-- A digest's lines that went out, or were dropped and may be wanted again.
local function end_lines(call)
  for _, ended in ipairs({ call.sent, call.dropped }) do
    for _, line in ipairs(ended) do
      redis.call('HDEL', P .. 'sending:' .. call.key, line)
      redis.call('HDEL', P .. 'lines:' .. call.key, line)
    end
  end
  for _, line in ipairs(call.sent) do
    redis.call('SET', P .. 'done:' .. call.key .. ':' .. line, '1', 'EX', 120 * DAY)
  end
  if #call.sent > 0 then redis.call('DEL', P .. 'tried:' .. call.key) end
end

-- The rule's comment is no longer on its way: a look that waited for it goes on.
local function unblock(call, rule, subject, case)
  if redis.call('HGET', case, 'writing') ~= call.key then return end
  redis.call('HDEL', case, 'writing')
  local look = 'look:' .. rule .. ':' .. subject
  if redis.call('HDEL', P .. 'work:' .. look, 'blocked') == 1 then redis.call('ZADD', P .. 'due', call.now, look) end
end

local function wait_until(call, due)
  redis.call('HSET', P .. 'work:' .. call.key, 'state', 'waiting', 'error', call.error)
  redis.call('ZADD', P .. 'due', due, call.key)
end

-- What is held was not begun: it comes back as if for the first time, and a digest with the lines that came since.
local function begin_anew(call)
  local lines, sending = P .. 'lines:' .. call.key, P .. 'sending:' .. call.key
  local kept = redis.call('HGETALL', sending)
  for i = 1, #kept, 2 do redis.call('HSETNX', lines, kept[i], kept[i + 1]) end
  redis.call('DEL', sending, P .. 'tried:' .. call.key)
end

local function try_again(call, key, is_wanted_again, next_due)
  local due = is_wanted_again and math.max(next_due, call.due) or call.due
  if is_wanted_again then redis.call('HSET', key, 'wanted', due) end
  redis.call('HSET', key, 'not_before', call.due)
  wait_until(call, due)
end

local function give_up(call, key, own)
  redis.call('HSET', key, 'state', 'failed', 'error', call.error)
  redis.call('ZREM', P .. 'due', call.key)
  redis.call('ZADD', P .. 'failed', call.now, call.key)
  if not call.refused then return end
  redis.call('SADD', P .. 'refused:' .. own, call.key)
  redis.call('EXPIRE', P .. 'refused:' .. own, DAY)
end

-- How the work ends of which nobody wanted anything more meanwhile.
local function conclude(call, key, own, is_retry)
  if call.state == 'done' then
    redis.call('DEL', key)
    redis.call('ZREM', P .. 'due', call.key)
  elseif call.state == 'failed' then
    give_up(call, key, own)
  elseif call.state == 'waiting' then
    redis.call('HSET', key, 'tries', 0, 'wanted', call.due)
    wait_until(call, call.due)
  elseif call.state == 'held' then
    redis.call('HSET', key, 'tries', 0, 'wanted', call.due, 'was_held', '1')
    if not is_retry then begin_anew(call) end
    wait_until(call, call.due)
  else
    redis.call('HSET', key, 'blocked', '1')
    wait_until(call, redis.call('HEXISTS', P .. 'case:' .. own, 'writing') == 1 and call.due or call.now)
  end
end

local function put_back(call, key, own, record)
  redis.call('HDEL', key, 'token', 'claimed', 'next', 'lost')
  local is_wanted_again = record[2] ~= record[3]
  local next_due = tonumber(record[4] or call.now)
  if call.state == 'done' and redis.call('EXISTS', P .. 'lines:' .. call.key) == 1 then is_wanted_again = true end
  if call.state == 'retry' then
    try_again(call, key, is_wanted_again, next_due)
  elseif is_wanted_again then
    redis.call('HSET', key, 'tries', 0, 'wanted', next_due)
    wait_until(call, next_due)
  else
    unblock(call, record[5], record[6], P .. 'case:' .. own)
    conclude(call, key, own, record[7] == '1')
  end
end

local function finish(call, lines)
  local key = P .. 'work:' .. call.key
  local record = redis.call('HMGET', key, 'token', 'generation', 'started', 'next', 'rule', 'subject', 'is_retry')
  if record[1] ~= call.token then return 0 end

  for number, subject in ipairs(call.told) do remember(subject, lines[number]) end
  for _, wish in ipairs(call.wishes) do want(wish, call.now) end
  note(call.notes)
  count(call.counts, call.now)
  hear(call.heard, call.now)
  local rule, subject = record[5], record[6]
  local own = (rule or '') .. ':' .. (subject or '')
  local kept_as = call.rehearsed and 'dry-run ' .. own or own
  reconcile(call, subject)
  keep_deeds(call, kept_as)
  keep_case(call, own, kept_as)
  follow(call, rule, own)
  keep_look(call, rule, subject)
  end_lines(call)
  put_back(call, key, own, record)
  return 1
end

local answers, at = {}, 1
while at <= #ARGV do
  local call = cjson.decode(ARGV[at])
  local is_well, answer = pcall(finish, call, { unpack(ARGV, at + 1, at + #call.told) })
  answers[#answers + 1] = is_well and answer or -1
  at = at + 1 + #call.told
end
ring()
return answers
