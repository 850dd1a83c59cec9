-- Starts leased records: each once for its lease, however often arq hands the job out, and with the lease counted anew.
-- ARGV: for each of them the record's key, the token, now (ms), length of the lease in ms.
-- Returns for each what HGETALL does, with the version of the rules and the site; nothing where the lease has passed to
-- somebody else or was taken up before.

local version = redis.call('GET', P .. 'version') or '0'

local function claim(name, token, now, lease)
  local key = P .. 'work:' .. name
  local record = redis.call('HMGET', key, 'token', 'claimed', 'kind')
  if record[1] ~= token or record[2] == token then return {} end

  local is_retry = false
  if record[3] == 'perform' or record[3] == 'digest' then
    is_retry = not redis.call('SET', P .. 'tried:' .. name, '1', 'EX', 8 * DAY, 'NX')
  end
  redis.call('HSET', key, 'claimed', token, 'is_retry', is_retry and '1' or '0')
  redis.call('HINCRBY', key, 'tries', 1)
  redis.call('ZADD', P .. 'due', now + lease, name)

  -- A digest that is sent again has the lines of the first time; those that came since go out in the next one.
  local lines, sending = P .. 'lines:' .. name, P .. 'sending:' .. name
  if redis.call('EXISTS', lines) == 1 and redis.call('EXISTS', sending) == 0 then
    redis.call('RENAME', lines, sending)
  end
  local found = redis.call('HGETALL', key)
  found[#found + 1] = 'version'
  found[#found + 1] = version
  return found
end

local answers = {}
for i = 1, #ARGV, 4 do
  answers[#answers + 1] = claim(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
end
return answers
