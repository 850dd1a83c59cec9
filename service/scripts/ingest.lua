-- Stores deliveries, each with its decisions and the looks that follow, or nothing of it at all; of one that is replayed,
-- which is not new, only these decisions and looks.
-- ARGV: for each delivery the call as MessagePack, in which texts need no escapes, the whole delivery, and its line in
-- the timeline, both packed.
-- Returns for each of them {'stale', version} | {'duplicate', id} | {'stored'} | {'failed'}.

local version = redis.call('GET', P .. 'version') or '0'
local counts, is_woken, now = {}, false, 0

local function seen_before(call)
  for _, mark in ipairs(call.marks) do
    local first = redis.call('GET', P .. 'seen:' .. mark)
    if first then return first end
  end
end

local function keep(call, whole)
  local delivery = P .. 'delivery:' .. call.id
  redis.call('SET', delivery, whole, 'EX', 30 * DAY)
  redis.call('ZADD', P .. 'deliveries', call.now, call.id)
  redis.call('HSET', P .. 'last-delivery', call.source, call.now)
  if call.subject then hear({ call.subject }, call.now) end
  for _, mark in ipairs(call.marks) do
    redis.call('SET', P .. 'seen:' .. mark, call.id, 'EX', 8 * DAY)
  end
end

-- A record that is not there is neither planned nor under way, which spares most looks a command.
local function consider(look)
  local state = redis.call('HGET', P .. 'work:' .. look.key, 'state')
  local is_open = redis.call('HGET', P .. 'case:' .. look.rule .. ':' .. look.subject, 'open') == '1'
    or (state and state ~= 'waiting')
  local planned = tonumber(state and redis.call('ZSCORE', P .. 'due', look.key) or math.huge)
  local is_soon_enough = look.only_if_open or planned <= (look.in_time or 0)
  if is_open or planned <= look.due or not is_soon_enough then
    if look.in_time and not is_open and planned > look.due then
      look.due, look.cap = look.in_time, look.in_time - now
    end
    want(look, now)
    is_woken = true
  end
end

-- What makes a delivery a duplicate is stored last: one that fails on the way may come again.
local function take(packed, whole, entry)
  local call = cmsgpack.unpack(packed)
  now = call.now
  if version ~= call.version then return { 'stale', version } end
  local first = call.is_new and seen_before(call)
  if first then return { 'duplicate', first } end
  if call.subject then remember(call.subject, entry) end
  note(call.notes)
  for _, name in ipairs(call.outdated) do redis.call('DEL', P .. 'cache:' .. name) end
  for _, look in ipairs(call.looks) do consider(look) end
  if call.is_new then keep(call, whole) end
  for _, name in ipairs(call.counts) do counts[name] = (counts[name] or 0) + 1 end
  return { 'stored' }
end

local answers = {}
for i = 1, #ARGV, 3 do
  local is_well, answer = pcall(take, ARGV[i], ARGV[i + 1], ARGV[i + 2])
  answers[#answers + 1] = is_well and answer or { 'failed' }
end
count(counts, now)
redis.call('ZREMRANGEBYSCORE', P .. 'deliveries', '-inf', now - 60 * DAY * 1000)
if is_woken then ring() end
return answers
