-- Counts how a call was answered. ARGV: the name of the count, now (ms).

count({ [ARGV[1]] = 1 }, tonumber(ARGV[2]))
