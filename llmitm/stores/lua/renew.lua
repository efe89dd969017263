-- Calls are still running: they may hold what they hold for another lease.
-- KEYS: account and leases of each lease. ARGV: now or nothing, lease, and each lease's member.
local lease = tonumber(ARGV[2])
for i = 1, #KEYS / 2 do
  redis.call('ZADD', KEYS[2 * i], 'XX', text(now + lease), ARGV[2 + i])
  for key = 2 * i - 1, 2 * i do
    redis.call('EXPIRE', KEYS[key], math.ceil(lease) + MARGIN, 'GT')
  end
end
return 'ok'
