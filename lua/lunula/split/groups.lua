--- Deals whole groups of rows out to parts.
-- What belongs together (the reviews of one product, the posts of one
-- author) must not straddle parts, or a test would ask for what was learnt
-- by heart. Groups go out largest first, each to the part whose numbers of
-- each label it brings nearest to the target, in relative squares. The order
-- of every sum is fixed, so that ties fall the same way everywhere.
-- @module lunula.split.groups

local groups = {}

-- Numbers the values of an array by first appearance, in the given order.
local function numbered(order, values)
  local number, n = {}, 0
  for _, row in ipairs(order) do
    local value = values[row]
    if number[value] == nil then
      n = n + 1
      number[value] = n
    end
  end
  return number, n
end

local function gather(order, group_of, stratum_of)
  local group_number = numbered(order, group_of)
  local stratum_number, strata = numbered(order, stratum_of)
  local gathered = {}
  for _, row in ipairs(order) do
    local at = group_number[group_of[row]]
    local group = gathered[at] or { at = at, rows = {}, counts = {} }
    gathered[at] = group
    group.rows[#group.rows + 1] = row
    local stratum = stratum_number[stratum_of[row]]
    group.counts[stratum] = (group.counts[stratum] or 0) + 1
  end
  return gathered, strata
end

-- The counts of a group as a list, so that it is walked in a fixed order.
local function list_counts(group, strata)
  local list = {}
  for stratum = 1, strata do
    local count = group.counts[stratum]
    if count then list[#list + 1] = { stratum = stratum, count = count } end
  end
  group.counts = list
end

local function totals_of(gathered, strata)
  local totals = {}
  for stratum = 1, strata do totals[stratum] = 0 end
  for _, group in ipairs(gathered) do
    for _, c in ipairs(group.counts) do
      totals[c.stratum] = totals[c.stratum] + c.count
    end
  end
  return totals
end

-- needs[part][stratum]: the share of all its rows that the part still lacks
local function initial_needs(shares, strata)
  local needs = {}
  for part, share in ipairs(shares) do
    needs[part] = {}
    for stratum = 1, strata do needs[part][stratum] = share end
  end
  return needs
end

-- The squared distance to the target, over all parts, falls the most where
-- the product of what the group has and what the part needs is largest.
local function neediest(group, needs, totals)
  local best, best_gain
  for part, need in ipairs(needs) do
    local gain = 0
    for _, c in ipairs(group.counts) do
      gain = gain + c.count / totals[c.stratum] * need[c.stratum]
    end
    if not best or gain > best_gain then best, best_gain = part, gain end
  end
  return best
end

local function brings_news(group, seen)
  for _, c in ipairs(group.counts) do
    if not seen[c.stratum] then return true end
  end
  return false
end

local function take(group, part, needs, totals, assigned)
  for _, row in ipairs(group.rows) do assigned[row] = part end
  for _, c in ipairs(group.counts) do
    local need = needs[part]
    need[c.stratum] = need[c.stratum] - c.count / totals[c.stratum]
  end
end

local function largest_first(a, b)
  if #a.rows ~= #b.rows then return #a.rows > #b.rows end
  return a.at < b.at
end

--- Assigns every row a part, the rows of a group the same one.
-- @tparam {int,...} order the rows as drawn; decides between equal groups
-- @tparam table group_of row number to group
-- @tparam table stratum_of row number to label, or to one value for all
-- @tparam {number,...} shares of the parts, with sum 1
-- @bool cover_first whether part 1 must see every label: a group with a
--   label that it lacks then goes there
-- @treturn {int,...} row number to part
-- @treturn int how many groups there are
function groups.assign(order, group_of, stratum_of, shares, cover_first)
  local gathered, strata = gather(order, group_of, stratum_of)
  for _, group in ipairs(gathered) do list_counts(group, strata) end
  local totals = totals_of(gathered, strata)
  local needs = initial_needs(shares, strata)
  local assigned, seen = {}, {}
  table.sort(gathered, largest_first)
  for _, group in ipairs(gathered) do
    local part = cover_first and brings_news(group, seen) and 1
      or neediest(group, needs, totals)
    take(group, part, needs, totals, assigned)
    if part == 1 then
      for _, c in ipairs(group.counts) do seen[c.stratum] = true end
    end
  end
  return assigned, #gathered
end

return groups
