-- A call is over: what it took becomes what it used, where it was booked.
-- KEYS: a mark, then account and leases of each allowance. ARGV: now or nothing, grant, and for
-- each allowance: cost, used, until, leased, durable.
local REMEMBERED = 300 -- seconds in which a settlement may arrive twice
local grant, accounts, marked = ARGV[2], {}, nil

-- A settlement whose answer got lost is sent again: what is durable counts it once.
local function is_new()
  if marked == nil then
    marked = redis.call('SET', KEYS[1], '1', 'NX', 'EX', REMEMBERED) and true or false
  end
  return marked
end

for i = 1, (#KEYS - 1) / 2 do
  local at = 2 + (i - 1) * 5
  local cost, used, till = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local leased, durable = ARGV[at + 4] == '1', ARGV[at + 5] == '1'
  local account = open(KEYS[2 * i], KEYS[2 * i + 1], leased, till)
  local taken = cost
  if leased then
    local member = grant .. ':' .. whole(cost) .. ':' .. text(till)
    if redis.call('ZREM', account.leases, member) == 1 then
      hold(account, -cost)
    else
      taken = 0 -- the lease lapsed, or the store lost it
    end
  end
  if not durable or (is_new() and account.restored) then
    if used > taken then
      book(account, till, used - taken)
    elseif used < taken then
      unbook(account, till, taken - used)
    end
  end
  accounts[i] = account
end
save_all(accounts)
return levels(accounts)
