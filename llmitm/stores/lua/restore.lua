-- Begin with what the ledger says, unless a beginning was made; 1 where it was taken.
-- KEYS: the account and its leases. ARGV: now or nothing, until when what is used now counts,
-- and pairs of until and amount.
local account = open(KEYS[1], KEYS[2], true)
if account.restored then
  save(account)
  return 0
end
account.restored, account.dirty = true, true
for i = 3, #ARGV, 2 do
  book(account, tonumber(ARGV[i]), tonumber(ARGV[i + 1]))
end
save(account, tonumber(ARGV[2]))
return 1
