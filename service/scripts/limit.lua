-- Whether a call may be made now. It goes through lanes: each may be closed until a moment, and lets at most so many calls
-- through within each of its windows. A call that may go is counted in every lane, one that must wait in none.
-- ARGV: JSON {now, lanes = [{name, windows = [[calls, ms]]}]}. Returns the milliseconds to wait, 0 for a call that may go.

local call = cjson.decode(ARGV[1])
local at = call.now

for _, lane in ipairs(call.lanes) do
  at = math.max(at, tonumber(redis.call('GET', P .. 'closed:' .. lane.name) or 0))
  for _, window in ipairs(lane.windows) do
    local calls, span = window[1], window[2]
    local first = redis.call('LINDEX', P .. 'calls:' .. lane.name, -calls)
    if first then at = math.max(at, tonumber(first) + span) end
  end
end
if at > call.now then
  count({ ['waits ' .. call.lanes[1].name] = 1 }, call.now)
  return at - call.now
end

for _, lane in ipairs(call.lanes) do
  local key, most, longest = P .. 'calls:' .. lane.name, 0, 0
  for _, window in ipairs(lane.windows) do
    most, longest = math.max(most, window[1]), math.max(longest, window[2])
  end
  if most > 0 then
    redis.call('RPUSH', key, call.now)
    redis.call('LTRIM', key, -most, -1)
    redis.call('PEXPIRE', key, longest)
  end
end
count({ ['calls ' .. call.lanes[1].name] = 1 }, call.now)
return 0
