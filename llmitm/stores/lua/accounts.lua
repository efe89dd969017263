-- Accounts of allowances. What llmitm/policy/accounts.py does in memory, in the shared store.
--
-- An account is a hash: a field for each slot, named by the time until which it counts, and
--   s  the sum of the slots       h  what of it is only reserved
--   f  when the first slot ends   l  when the last one ends     r  set once it was restored
-- Its leases are a sorted set of "grant:cost:until" by the time at which each one lapses.

local META = {s = true, h = true, f = true, l = true, r = true}
local SLOTS = 120
local MARGIN = 60

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function text(number)
  return string.format('%.17g', number)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function keep(key, seconds)
  redis.call('EXPIRE', key, math.ceil(seconds) + MARGIN)
end

local function slots(key)
  local fields, found = redis.call('HGETALL', key), {}
  for i = 1, #fields, 2 do
    if not META[fields[i]] then
      found[#found + 1] = {tonumber(fields[i]), tonumber(fields[i + 1]), fields[i]}
    end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  return found
end

-- Forget the slots that no longer count.
local function roll(account)
  account.spent, account.first, account.last = 0, math.huge, 0
  local gone = {}
  for _, slot in ipairs(slots(account.key)) do
    if slot[1] <= now then
      gone[#gone + 1] = slot[3]
    else
      account.spent = account.spent + slot[2]
      account.first = math.min(account.first, slot[1])
      account.last = slot[1]
    end
  end
  if #gone > 0 then
    redis.call('HDEL', account.key, unpack(gone))
  end
  redis.call('HSET', account.key, 's', whole(account.spent), 'f', text(account.first),
    'l', text(account.last))
end

local function book(account, till, amount)
  if amount == 0 or till <= now then
    return
  end
  redis.call('HINCRBY', account.key, text(till), whole(amount))
  redis.call('HINCRBY', account.key, 's', whole(amount))
  account.spent = account.spent + amount
  if till < account.first then
    account.first = till
    redis.call('HSET', account.key, 'f', text(till))
  end
  if till > account.last then
    account.last = till
    redis.call('HSET', account.key, 'l', text(till))
    if till < math.huge then
      keep(account.key, till - now)
    end
  end
end

-- Take back what was booked, if it is still there: the store may have lost it.
local function unbook(account, till, amount)
  if redis.call('HEXISTS', account.key, text(till)) == 1 then
    book(account, till, -amount)
  end
end

local function hold(account, amount)
  if amount == 0 then -- the negative zero is no integer to the store
    return
  end
  account.held = account.held + amount
  redis.call('HINCRBY', account.key, 'h', whole(amount))
end

-- Give back what lost calls hold.
local function lapse(account)
  local due = redis.call('ZRANGEBYSCORE', account.leases, '-inf', text(now))
  if #due == 0 then
    return
  end
  for _, lease in ipairs(due) do
    local cost, till = string.match(lease, '^[^:]*:([^:]*):(.*)$')
    hold(account, -tonumber(cost))
    unbook(account, tonumber(till), tonumber(cost))
  end
  redis.call('ZREMRANGEBYSCORE', account.leases, '-inf', text(now))
end

-- The account of two keys as it stands now.
local function open(key, leases, leased)
  local values = redis.call('HMGET', key, 's', 'h', 'f', 'l', 'r')
  local account = {
    key = key,
    leases = leases,
    spent = tonumber(values[1] or 0),
    held = tonumber(values[2] or 0),
    first = tonumber(values[3] or math.huge),
    last = tonumber(values[4] or 0),
    restored = values[5] and true or false,
  }
  if leased then
    lapse(account)
  end
  if account.first <= now then
    roll(account)
  end
  return account
end

local function level(account)
  return whole(account.spent) .. ' ' .. whole(account.held) .. ' ' .. text(account.last)
end

local function levels(accounts)
  local parts = {}
  for i, account in ipairs(accounts) do
    parts[i] = level(account)
  end
  return table.concat(parts, ' ')
end
