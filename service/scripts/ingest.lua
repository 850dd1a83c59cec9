-- Stores a delivery with its decisions and the looks that follow, or nothing at all; of one that is replayed, which is not
-- new, only these decisions and looks.
-- ARGV: the call as JSON; the delivery's body, packed.
-- Returns {'stale', version} | {'duplicate', id} | {'stored'}.

local call = cjson.decode(ARGV[1])
local version = redis.call('GET', P .. 'version') or '0'
if version ~= call.version then return { 'stale', version } end

if call.is_new then
  for _, mark in ipairs(call.marks) do
    local first = redis.call('GET', P .. 'seen:' .. mark)
    if first then return { 'duplicate', first } end
  end
  for _, mark in ipairs(call.marks) do
    redis.call('SET', P .. 'seen:' .. mark, call.id, 'EX', 8 * DAY)
  end

  local delivery = P .. 'delivery:' .. call.id
  redis.call('HSET', delivery, 'record', call.record, 'body', ARGV[2])
  redis.call('EXPIRE', delivery, 30 * DAY)
  redis.call('ZADD', P .. 'deliveries', call.now, call.id)
  redis.call('ZREMRANGEBYSCORE', P .. 'deliveries', '-inf', call.now - 60 * DAY * 1000)
  redis.call('HSET', P .. 'last-delivery', call.source, call.now)
  hear(call.heard, call.now)
end

for _, entry in ipairs(call.entries) do remember(entry[1], entry[2]) end

note(call.notes)
count(call.counts, call.now)
for _, name in ipairs(call.outdated) do redis.call('DEL', P .. 'cache:' .. name) end

local woken = false
for _, look in ipairs(call.looks) do
  local state = redis.call('HGET', P .. 'work:' .. look.key, 'state')
  local is_open = redis.call('HGET', P .. 'case:' .. look.rule .. ':' .. look.subject, 'open') == '1'
    or (state and state ~= 'waiting')
  local planned = tonumber(redis.call('ZSCORE', P .. 'due', look.key) or math.huge)
  local is_soon_enough = look.only_if_open or planned <= (look.in_time or 0)
  if is_open or planned <= look.due or not is_soon_enough then
    if look.in_time and not is_open and planned > look.due then
      look.due, look.cap = look.in_time, look.in_time - call.now
    end
    want(look, call.now)
    woken = true
  end
end
if woken then ring() end
return { 'stored' }
