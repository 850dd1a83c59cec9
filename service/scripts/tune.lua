-- Changes what admins have set of one rule, if it is still what they saw. ARGV: the call as JSON.
-- Every process evaluates by it from its next delivery, and its next piece of work, on. Returns 1, or 0 where somebody
-- else has changed it in the meantime.

local call = cjson.decode(ARGV[1])
if (redis.call('HGET', P .. 'tunings', call.rule) or '') ~= call.before then return 0 end
redis.call('HSET', P .. 'tunings', call.rule, call.after)
redis.call('INCR', P .. 'version')
audit(call.change)
for _, wish in ipairs(call.wishes) do want(wish, call.now) end
ring()
return 1
