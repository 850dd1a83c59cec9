-- Lets no call through a lane for a while; never ends an earlier pause sooner.
-- ARGV: the lane's name; now and how long, in milliseconds.

local key, now, span = P .. 'closed:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if tonumber(redis.call('GET', key) or 0) < now + span then
  redis.call('SET', key, now + span, 'PX', span)
end
