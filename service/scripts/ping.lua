-- Whether a person may be pinged once more on a day. Counts each ping once, however often it is asked about.
-- ARGV: the person, the day (ISO), what the ping is about, how many a day. Returns 1 or 0.

local key = P .. 'pings:' .. ARGV[1] .. ':' .. ARGV[2]
if redis.call('SISMEMBER', key, ARGV[3]) == 1 then return 1 end
if redis.call('SCARD', key) >= tonumber(ARGV[4]) then return 0 end
redis.call('SADD', key, ARGV[3])
redis.call('EXPIRE', key, 60 * DAY)
return 1
