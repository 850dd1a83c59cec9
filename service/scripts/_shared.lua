-- Shared by every script: keys, the doorbell, and how a wish for work becomes a record.
-- A work record is a hash; the sorted set `due` holds when each is to be released, or when its lease ends.
-- FORMAT, which stands above this, is the format that is written.

local P = 'crafty:'
local DAY = 86400

-- What a newer version of Crafty has brought to its own format is not for this one to write to.
if tonumber(redis.call('GET', P .. 'format') or 0) > FORMAT then
  return redis.error_reply('NEWER a newer version of Crafty has taken over')
end

local function ring()
  redis.call('LPUSH', P .. 'doorbell', '1')
  redis.call('LTRIM', P .. 'doorbell', 0, 63)
end

-- A line of the subject's timeline, packed; the timeline of all says where it stands.
local function remember(subject, entry)
  local own = P .. 'timeline:' .. subject
  local id = redis.call('XADD', own, 'MAXLEN', '~', 500, '*', 'entry', entry)
  redis.call('EXPIRE', own, 120 * DAY)
  redis.call('XADD', P .. 'timeline', 'MAXLEN', '~', 50000, '*', 'subject', subject, 'id', id)
end

-- How often something happened, by the hour.
local function count(names, now)
  local key = P .. 'counts:' .. math.floor(now / 3600000)
  for name, times in pairs(names) do redis.call('HINCRBY', key, name, times) end
  redis.call('EXPIRE', key, 3 * DAY)
end

-- Who has changed what; never shortened.
local function audit(change)
  redis.call('XADD', P .. 'audit', '*', 'change', change)
end

-- That we know of the latest change of these subjects.
local function hear(subjects, now)
  for _, subject in ipairs(subjects) do redis.call('SET', P .. 'heard:' .. subject, now, 'EX', 30 * DAY) end
end

-- What happened to a contribution: a note that is there already stays as it is. Of very many, the first are kept; answers
-- leave room for its end.
local MOST_ANSWERS, MOST_NOTES = 1000, 2000
local function note(notes)
  for _, one in ipairs(notes) do
    local key = P .. 'contribution:' .. one[1]
    local most = string.sub(one[2], 1, 9) == 'answered:' and MOST_ANSWERS or MOST_NOTES
    if redis.call('HLEN', key) < most then redis.call('HSETNX', key, one[2], one[3]) end
    redis.call('EXPIRE', key, 400 * DAY)
  end
end

-- Something must be done at wish.due. Wishes of one key are one record: the later replaces the payload and the moment,
-- but is never put off beyond `latest`, the first one's cap, nor hurried before a failed try may be repeated. What
-- wish.once names is never done twice. While the record is being worked on, it is only marked, and whoever works on it
-- puts it back. What is held for somebody's working hours, and is wanted again as it was, goes on waiting. A wish that writes a rule's comment is noted on the rule's case, so that no look concludes anything
-- while a comment is on its way.
local function want(wish, now)
  local key = P .. 'work:' .. wish.key
  if wish.once and redis.call('EXISTS', P .. 'done:' .. wish.once) == 1 then return end
  local old = redis.call('HMGET', key, 'state', 'latest', 'not_before', 'was_held', 'payload')
  if wish.line then redis.call('HSET', P .. 'lines:' .. wish.key, wish.line[1], wish.line[2]) end
  local is_held = old[1] == 'waiting' and old[4] == '1'
  if is_held and (wish.line or old[5] == wish.payload) then return end
  local latest = tonumber(old[2] or now + (wish.cap or 0))
  local due = math.max(now, tonumber(old[3] or 0), math.min(wish.due, latest))
  redis.call('HSET', key, 'kind', wish.kind, 'rule', wish.rule, 'subject', wish.subject, 'payload', wish.payload or 'null',
    'latest', latest, 'format', FORMAT)
  redis.call('HINCRBY', key, 'generation', 1)
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
  if old[1] ~= 'waiting' then redis.call('HSET', key, 'tries', 0) end
  redis.call('HSET', key, 'state', 'waiting', 'wanted', due)
  redis.call('ZREM', P .. 'failed', wish.key)
  redis.call('ZADD', P .. 'due', due, wish.key)
end
