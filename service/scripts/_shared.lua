-- Shared by every script: keys, the doorbell, and how a wish for work becomes a record.
-- A work record is a hash; the sorted set `due` holds when each is to be released, or when its lease ends.

local P = 'crafty:'
local DAY = 86400

local function ring()
  redis.call('LPUSH', P .. 'doorbell', '1')
  redis.call('LTRIM', P .. 'doorbell', 0, 63)
end

local function remember(subject, entry)
  local own = P .. 'timeline:' .. subject
  redis.call('XADD', own, 'MAXLEN', '~', 500, '*', 'entry', entry)
  redis.call('EXPIRE', own, 120 * DAY)
  redis.call('XADD', P .. 'timeline', 'MAXLEN', '~', 50000, '*', 'entry', entry)
end

-- Something must be done at wish.due. Wishes of one key are one record: the later replaces the payload and the moment,
-- but unsettled changes are never put off by more than wish.cap. A wish that writes a rule's comment is noted on the
-- rule's case, so that no look concludes anything while a comment is on its way. What wish.once names is never done twice. While the record is being worked on, it is only
-- marked, and whoever works on it puts it back.
local function want(wish, now)
  local key = P .. 'work:' .. wish.key
  if wish.once and redis.call('EXISTS', P .. 'done:' .. wish.once) == 1 then return end
  local old = redis.call('HMGET', key, 'state', 'since')
  local since = tonumber(old[2] or now)
  local due = math.max(now, math.min(wish.due, since + (wish.cap or 0)))
  redis.call('HSET', key, 'kind', wish.kind, 'rule', wish.rule, 'subject', wish.subject, 'payload', wish.payload or 'null',
    'since', since)
  redis.call('HINCRBY', key, 'generation', 1)
  if wish.line then redis.call('HSET', P .. 'lines:' .. wish.key, wish.line[1], wish.line[2]) end
  redis.call('HDEL', key, 'blocked')
  if wish.writes then
    local case = P .. 'case:' .. wish.rule .. ':' .. wish.subject
    redis.call('HSET', case, 'writing', wish.key)
    if wish.opens then redis.call('HSET', case, 'open', '1') end
    redis.call('EXPIRE', case, 120 * DAY)
  end
  if old[1] == 'running' then
    redis.call('HSET', key, 'next', due)
    return
  end
  redis.call('HSET', key, 'state', 'waiting', 'tries', 0, 'wanted', now)
  redis.call('ZREM', P .. 'failed', wish.key)
  redis.call('ZADD', P .. 'due', due, wish.key)
end
