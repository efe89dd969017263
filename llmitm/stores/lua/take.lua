-- Take each cost from its allowance, or nothing from any.
-- KEYS: account and leases of each allowance. ARGV: now or nothing, lease, grant, and for each
-- allowance: amount, cost, width of its slots or nothing, until, leased, durable.
local lease, grant = tonumber(ARGV[2]), ARGV[3]
local wants, accounts, unknown = {}, {}, {}
for i = 1, #KEYS / 2 do
  local at = 3 + (i - 1) * 6
  local want = {
    amount = tonumber(ARGV[at + 1]),
    cost = tonumber(ARGV[at + 2]),
    till = tonumber(ARGV[at + 4]),
    leased = ARGV[at + 5] == '1',
  }
  local width = tonumber(ARGV[at + 3])
  if width then
    want.till = (math.floor(now / width) + SLOTS + 1) * width
  end
  wants[i], accounts[i] = want, open(KEYS[2 * i - 1], KEYS[2 * i], want.leased, want.till)
  if ARGV[at + 6] == '1' and not accounts[i].restored then
    unknown[#unknown + 1] = i
  end
end

local function free_at(key, needed)
  local freed = 0
  for _, slot in ipairs(slots(key)) do
    freed = freed + slot[2]
    if freed >= needed then
      return slot[1]
    end
  end
  return math.huge
end

local function refuse()
  save_all(accounts)
  if #unknown > 0 then
    return 'unknown ' .. text(now) .. ' ' .. table.concat(unknown, ' ')
  end
  local short, latest = 0, 0
  for i, want in ipairs(wants) do
    local excess = accounts[i].spent + want.cost - want.amount
    if want.cost > 0 and excess > 0 then
      local at = math.huge
      if want.cost <= want.amount then
        at = free_at(accounts[i].key, excess)
      end
      if short == 0 or at > latest then
        short, latest = i, at
      end
    end
  end
  return 'short ' .. text(now) .. ' ' .. short .. ' ' .. text(latest) .. ' ' .. levels(accounts)
end

local fits = #unknown == 0
for i, want in ipairs(wants) do
  fits = fits and (want.cost == 0 or accounts[i].spent + want.cost <= want.amount)
end
if not fits then
  return refuse()
end

for i, want in ipairs(wants) do
  book(accounts[i], want.till, want.cost)
  if want.leased then
    hold(accounts[i], want.cost)
    local member = grant .. ':' .. whole(want.cost) .. ':' .. text(want.till)
    redis.call('ZADD', accounts[i].leases, text(now + lease), member)
    redis.call('EXPIRE', accounts[i].leases, math.ceil(lease) + MARGIN)
  end
end
save_all(accounts, now + lease)
return 'granted ' .. text(now) .. ' ' .. levels(accounts)
