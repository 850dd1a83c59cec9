-- Tries a given-up piece of work again, or drops a piece of work. ARGV: the call as JSON.
-- Returns 'done'; 'gone' where there is no such work; 'running' where it is under way and can't be dropped.

local call = cjson.decode(ARGV[1])
local key = P .. 'work:' .. call.key
local record = redis.call('HMGET', key, 'state', 'rule', 'subject')
if not record[1] then return 'gone' end
if record[1] == 'running' then return 'running' end

if call.deed == 'retry' then
  redis.call('HSET', key, 'state', 'waiting', 'tries', 0, 'wanted', call.now)
  redis.call('HDEL', key, 'not_before', 'latest', 'lost')
  redis.call('ZREM', P .. 'failed', call.key)
  redis.call('SREM', P .. 'refused:' .. record[2] .. ':' .. record[3], call.key)
  redis.call('ZADD', P .. 'due', call.now, call.key)
  ring()
else
  redis.call('DEL', key, P .. 'lines:' .. call.key, P .. 'sending:' .. call.key)
  redis.call('ZREM', P .. 'failed', call.key)
  redis.call('ZREM', P .. 'due', call.key)
  local case = P .. 'case:' .. record[2] .. ':' .. record[3]
  if redis.call('HGET', case, 'writing') == call.key then redis.call('HDEL', case, 'writing') end
end
audit(call.change)
return 'done'
