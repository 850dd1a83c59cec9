-- Leases what is due to whoever asks and hands it to arq's queue.
-- ARGV: now (ms of Crafty's clock), how many at most, length of the lease in ms, now (ms of the real clock), arq's queue,
-- after how many lost leases work is given up.
-- What is left over rings for the next worker. Returns {how many were released, when the next is due (ms, or -1)}.

local now, limit, lease, real_now, queue = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local most_lost = tonumber(ARGV[6])
local released = 0

-- What was wanted until now is what this run does; what a run that was lost had been told to do later stays for later.
local function start(key)
  local record = redis.call('HMGET', key, 'generation', 'next')
  redis.call('HDEL', key, 'blocked', 'not_before')
  if tonumber(record[2] or 0) > now then return end
  redis.call('HSET', key, 'started', record[1])
  redis.call('HDEL', key, 'next', 'latest')
end

-- Whether whoever took it up is gone once more without having ended it: such work may be what ends workers.
local function is_hopeless(key)
  local record = redis.call('HMGET', key, 'state', 'token', 'claimed')
  return record[1] == 'running' and record[2] == record[3] and redis.call('HINCRBY', key, 'lost', 1) >= most_lost
end

local function give_up(name, key)
  redis.call('HSET', key, 'state', 'failed', 'error', 'its worker ended ' .. most_lost .. ' times before it was done')
  redis.call('HDEL', key, 'token', 'claimed', 'next')
  redis.call('ZREM', P .. 'due', name)
  redis.call('ZADD', P .. 'failed', now, name)
  local record = redis.call('HMGET', key, 'rule', 'subject')
  local case = P .. 'case:' .. record[1] .. ':' .. record[2]
  if redis.call('HGET', case, 'writing') == name then redis.call('HDEL', case, 'writing') end
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, limit)) do
  local key = P .. 'work:' .. name
  if redis.call('EXISTS', key) == 0 then
    redis.call('ZREM', P .. 'due', name)
  elseif is_hopeless(key) then
    give_up(name, key)
  else
    local token = redis.call('INCR', P .. 'leases') -- comes first: where there is no memory it fails, and so does all
    start(key)
    redis.call('HSET', key, 'state', 'running', 'token', token)
    redis.call('ZADD', P .. 'due', now + lease, name)
    redis.call('ZADD', queue, real_now, name .. '@' .. token)
    released = released + 1
  end
end

local following = math.floor(tonumber(redis.call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')[2] or -1))
if following >= 0 and following <= now then ring() end
return { released, following }
