-- Takes jobs off arq's queue, each for one worker only. ARGV: the queue, the ids of the jobs, which say all of them.
-- Returns those of them that were still there.

local queue, won = ARGV[1], {}
for i = 2, #ARGV do
  if redis.call('ZREM', queue, ARGV[i]) == 1 then won[#won + 1] = ARGV[i] end
end
return won
