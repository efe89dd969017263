-- Accounts of allowances. What llmitm/policy/accounts.py does in memory, in the shared store.
--
-- An account is a hash: a field for each slot, named by the time until which it counts, and
--   s  the sum of the slots       h  what of it is only reserved
--   f  when the first slot ends   l  when the last one ends
--   r  1 once it was restored     e  until when the store keeps it
-- Its leases are a sorted set of "grant:cost:until" by the time at which each one lapses.

local META = {s = true, h = true, f = true, l = true, r = true, e = true}
local SLOTS = 120
local MARGIN = 60 -- seconds for which keys are kept longer than they are needed

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function text(number)
  return string.format('%.17g', number)
end

local function whole(number)
  return string.format('%.0f', number + 0) -- of the negative zero, the positive one
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
      account.slots[slot[3]] = nil
    else
      account.spent = account.spent + slot[2]
      account.first = math.min(account.first, slot[1])
      account.last = slot[1]
    end
  end
  if #gone > 0 then
    redis.call('HDEL', account.key, unpack(gone))
  end
  account.dirty = true
end

-- What a slot holds; nil where there is no such slot.
local function slot_of(account, name)
  local known = account.slots[name]
  if known == nil then
    known = tonumber(redis.call('HGET', account.key, name) or nil)
    account.slots[name] = known
  end
  return known
end

local function book(account, till, amount)
  if amount == 0 or till <= now then
    return
  end
  local name = text(till)
  account.slots[name] = (slot_of(account, name) or 0) + amount
  account.spent = account.spent + amount
  account.first = math.min(account.first, till)
  account.last = math.max(account.last, till)
  account.dirty = true
  account.booked[name] = true
end

-- Take back what was booked, if it is still there: the store may have lost it.
local function unbook(account, till, amount)
  if slot_of(account, text(till)) ~= nil then
    book(account, till, -amount)
  end
end

local function hold(account, amount)
  account.held = account.held + amount
  account.dirty = true
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

-- The account of two keys as it stands now. `till` is a slot that will be asked for.
local function open(key, leases, leased, till)
  local name = till and text(till) or ''
  local values = redis.call('HMGET', key, 's', 'h', 'f', 'l', 'r', 'e', name)
  local account = {
    key = key,
    leases = leases,
    spent = tonumber(values[1] or 0),
    held = tonumber(values[2] or 0),
    first = tonumber(values[3] or math.huge),
    last = tonumber(values[4] or 0),
    restored = values[5] == '1',
    kept = tonumber(values[6] or 0),
    slots = {[name] = tonumber(values[7] or nil)},
    booked = {},
    dirty = false,
  }
  if account.first <= now then
    roll(account) -- before anything changes: it reads what is stored
  end
  if leased then
    lapse(account)
  end
  return account
end

-- Write what changed. The account is kept while anything counts, and until `needed`.
local function save(account, needed)
  if not account.dirty then
    return
  end
  needed = math.max(needed or now, account.last < math.huge and account.last or now)
  local fields = {
    's', whole(account.spent), 'h', whole(account.held), 'f', text(account.first),
    'l', text(account.last), 'r', account.restored and '1' or '',
  }
  for name in pairs(account.booked) do
    fields[#fields + 1] = name
    fields[#fields + 1] = whole(account.slots[name])
  end
  if needed > account.kept then
    account.kept = needed + MARGIN
    fields[#fields + 1] = 'e'
    fields[#fields + 1] = text(account.kept)
    redis.call('HSET', account.key, unpack(fields))
    redis.call('EXPIRE', account.key, math.ceil(account.kept - now))
  else
    redis.call('HSET', account.key, unpack(fields))
  end
end

local function save_all(accounts, needed)
  for _, account in ipairs(accounts) do
    save(account, needed)
  end
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
