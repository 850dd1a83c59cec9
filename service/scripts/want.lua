-- Asks for work outside of a delivery. ARGV: the call as JSON.

local call = cjson.decode(ARGV[1])
for _, wish in ipairs(call.wishes) do want(wish, call.now) end
ring()
