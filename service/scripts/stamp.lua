-- Pieces of work that say nothing of their format are of the first one. ARGV: their keys.

for _, key in ipairs(ARGV) do
  if redis.call('EXISTS', key) == 1 then redis.call('HSETNX', key, 'format', 1) end
end
