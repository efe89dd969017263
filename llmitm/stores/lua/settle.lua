-- A call is over: what it took becomes what it used, where it was booked.
-- KEYS: account and leases of each allowance. ARGV: now or nothing, grant, and for each
-- allowance: cost, used, until, leased, durable.
local grant, accounts = ARGV[2], {}
for i = 1, #KEYS / 2 do
  local at = 2 + (i - 1) * 5
  local cost, used, till = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local leased, durable = ARGV[at + 4] == '1', ARGV[at + 5] == '1'
  local account = open(KEYS[2 * i - 1], KEYS[2 * i], leased)
  local taken = cost
  if leased then
    local member = grant .. ':' .. whole(cost) .. ':' .. text(till)
    if redis.call('ZREM', account.leases, member) == 1 then
      hold(account, -cost)
    else
      taken = 0 -- the lease lapsed, or the store lost it
    end
  end
  if used > taken then
    -- What was used of an account that the store lost is restored from the ledger.
    if account.restored or not durable then
      book(account, till, used - taken)
    end
  elseif used < taken then
    unbook(account, till, taken - used)
  end
  accounts[i] = account
end
return levels(accounts)
