--- A split that was written, for data that may have grown since.
-- @module lunula.split.grown

local check = require "lunula.check"
local file = require "lunula.split.file"
local opt = require "lunula.options"
local sampler = require "lunula.sampler"
local strata = require "lunula.split.strata"
local together = require "lunula.split.together"

local grown = {}

local none = opt.none
local OPTIONS = { grow = none, changed = "error", duplicates = "together",
  group = none, seed = 0 }
local CHANGED = { error = true, report = true }

local TEST = "test"  -- the part that must stay as it is

local function fail(message, ...)
  error(message:format(...), 0)
end

local function check_options(given, counts)
  local o = opt.check(given, OPTIONS, "split.load")
  check.choice(o.changed, "split.load: changed", CHANGED)
  check.choice(o.duplicates, "split.load: duplicates", together.CHOICES)
  check.integer(o.seed, "split.load: seed")
  o.grow = o.grow or { "train" }
  if #check.table(o.grow, "split.load: grow") == 0 then
    fail("split.load: grow: expected one part at least")
  end
  for _, name in ipairs(o.grow) do
    check.choice(name, "split.load: grow", counts)
  end
  return o
end

-- {======== new rows ========

local function groups_of(rows, field)
  if not field then return nil end
  local values = {}
  for i, row in ipairs(rows) do
    values[i] = row[field] or fail("split.load: row %d has no '%s'", i, field)
  end
  return values
end

-- The part of the known rows of each set; false where they are in several.
local function part_of_set(set_of, part_of)
  local part = {}
  for i, set in ipairs(set_of) do
    local own = part_of[i]
    if own then
      if part[set] == nil then part[set] = own end
      if part[set] ~= own then part[set] = false end
    end
  end
  return part
end

-- New rows that are like none that is known, shared as the known ones are.
local function share(rows, numbers, set_of, o, counts)
  local some, sets, values, shares, sum = {}, {}, {}, {}, 0
  for at, i in ipairs(numbers) do
    local label = rows[i].label
    some[at], sets[at] = rows[i], set_of[i]
    values[at] = type(label) == "string" and label or ""
  end
  for _, name in ipairs(o.grow) do sum = sum + math.max(counts[name], 1) end
  for part, name in ipairs(o.grow) do
    shares[part] = math.max(counts[name], 1) / sum
  end
  if #some == 0 then return {} end
  local order = sampler.order(#some, { seed = o.seed, epoch = 0 })
  return strata.assign(order, values, sets, shares, false)
end

-- Gives new rows their parts. One that belongs to rows of a part that may not
-- grow has none: anywhere else it would leak what they are.
local function place_new(rows, part_of, o, counts)
  local set_of = together.of(rows, o.duplicates, groups_of(rows, o.group))
  local part, may_grow = part_of_set(set_of, part_of), {}
  for _, name in ipairs(o.grow) do may_grow[name] = true end
  local new, left_out, free = {}, {}, {}
  for i, row in ipairs(rows) do
    local known = part[set_of[i]]
    if not part_of[i] then
      if known == nil then free[#free + 1] = i
      elseif may_grow[known] then new[#new + 1] = { i = i, part = known }
      else left_out[#left_out + 1] = row end
    end
  end
  for at, number in pairs(share(rows, free, set_of, o, counts)) do
    new[#new + 1] = { i = free[at], part = o.grow[number] }
  end
  table.sort(new, function(a, b) return a.i < b.i end)
  return new, left_out
end

-- }========

local function count_of(touched, part)
  local n = 0
  for _, each in ipairs(touched) do
    if each.part == part then n = n + 1 end
  end
  return n
end

local function check_test(path, counts, touched, missing)
  local other, gone = count_of(touched, TEST), missing[TEST] or 0
  if other + gone == 0 then return end
  fail("%s: of %d test rows %d are missing and %d have another label: the "
    .. "test set is not what it was; give changed = 'report' to go on with it",
    path, counts[TEST], gone, other)
end

--- As @{split}'s `load`, but for the field `labels`.
function grown.load(path, rows, given)
  check.table(rows, "split.load: rows")
  local head, entries = file.read(path)
  local o = check_options(given, head.counts)
  local row_of, part_of, touched, missing = file.find(entries, rows)
  if o.changed == "error" then
    check_test(path, head.counts, touched, missing)
  end
  local new, left_out = place_new(rows, part_of, o, head.counts)
  local parts, report = {}, { missing = missing, touched = touched, new = {},
    left_out = left_out }
  for name in pairs(head.counts) do parts[name] = {} end
  for at, entry in ipairs(entries) do
    local part = parts[entry.part]
    part[#part + 1] = rows[row_of[at]]
  end
  for at, each in ipairs(new) do
    local part = parts[each.part]
    part[#part + 1], report.new[at] = rows[each.i], rows[each.i]
  end
  return parts, report
end

return grown
