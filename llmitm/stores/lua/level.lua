-- Where an account stands. KEYS: the account and its leases. ARGV: now or nothing, leased.
local account = open(KEYS[1], KEYS[2], ARGV[2] == '1')
save(account)
return level(account)
