-- Adds what the hours have counted since the last time to what was counted ever.
-- ARGV: now (ms), how many hours to go back. Returns the totals as HGETALL does.
-- How much of an hour the totals have is kept for longer than the hour itself: nothing is added twice, whoever asks.

local newest = math.floor(tonumber(ARGV[1]) / 3600000)

local function counted(key)
  local found, by_name = redis.call('HGETALL', key), {}
  for i = 1, #found, 2 do by_name[found[i]] = tonumber(found[i + 1]) end
  return by_name
end

local function add(hour)
  local key = P .. 'totalled:' .. hour
  local before = counted(key)
  for name, times in pairs(counted(P .. 'counts:' .. hour)) do
    if times > (before[name] or 0) then
      redis.call('HINCRBY', P .. 'totals', name, times - (before[name] or 0))
      redis.call('HSET', key, name, times)
    end
  end
  redis.call('EXPIRE', key, 5 * DAY)
end

for hour = newest - tonumber(ARGV[2]), newest + 1 do add(hour) end -- another machine's clock may be ahead
return redis.call('HGETALL', P .. 'totals')
