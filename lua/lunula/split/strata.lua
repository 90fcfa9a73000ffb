--- Deals rows out to parts so that each part has its share of every label.
-- Rows whose texts are the same go out as one. Where there are none such, each
-- label's rows are cut where its shares end, in drawn order.
-- @module lunula.split.strata

local label_lists = require "lunula.labels"
local quota = require "lunula.split.quota"

local strata = {}

-- The rows that stand for their sets, as drawn, and the others of each.
local function leads_of(order, set_of)
  local leads, more, lead_of = {}, {}, {}
  for _, row in ipairs(order) do
    local set = set_of[row]
    local lead = lead_of[set]
    if not lead then
      lead_of[set] = row
      leads[#leads + 1] = row
    else
      more[lead] = more[lead] or {}
      more[lead][#more[lead] + 1] = row
    end
  end
  return leads, more
end

local function counts_of(values)
  local counts = {}
  for _, value in ipairs(values) do
    counts[value] = (counts[value] or 0) + 1
  end
  return counts
end

-- Equal texts with several labels count as of the rarest, which could be
-- missing where it must not be otherwise.
local function stratum_of(lead, more, values, counts)
  local rarest = values[lead]
  for _, row in ipairs(more[lead] or {}) do
    local value = values[row]
    local a, b = counts[value], counts[rarest]
    if a < b or a == b and value < rarest then rarest = value end
  end
  return rarest
end

local function by_stratum(leads, more, values)
  local counts, members, sizes = counts_of(values), {}, {}
  for _, lead in ipairs(leads) do
    local stratum = stratum_of(lead, more, values, counts)
    local list = members[stratum] or {}
    members[stratum] = list
    list[#list + 1] = lead
    sizes[stratum] = (sizes[stratum] or 0) + 1 + #(more[lead] or {})
  end
  return members, sizes
end

-- The first part that has room for so many rows, else the one with most room.
local function roomy(room, size)
  local best = 1
  for part, left in ipairs(room) do
    if left >= size then return part end
    if left > room[best] then best = part end
  end
  return best
end

local function smallest(room)
  local least = math.huge
  for _, left in ipairs(room) do
    if left > 0 then least = math.min(least, left) end
  end
  return least
end

-- What is larger than a whole part goes out before all parts have filled up.
local function large_first(list, more, room)
  local least, large, others = smallest(room), {}, {}
  for _, lead in ipairs(list) do
    local is_large = more[lead] and 1 + #more[lead] > least
    local to = is_large and large or others
    to[#to + 1] = lead
  end
  for _, lead in ipairs(others) do large[#large + 1] = lead end
  return large
end

local function deal(assigned, list, more, room, cover_first)
  for i, lead in ipairs(large_first(list, more, room)) do
    local others = more[lead] or {}
    local size = 1 + #others
    local part = i == 1 and cover_first and 1 or roomy(room, size)
    room[part] = room[part] - size
    assigned[lead] = part
    for _, row in ipairs(others) do assigned[row] = part end
  end
end

--- Assigns every row a part.
-- @tparam {int,...} order the rows as drawn
-- @tparam {string,...} values the label of each row, or one value for all
-- @tparam {int,...} set_of row number to its set, whose rows stay together
-- @tparam {number,...} shares of the parts, with sum 1
-- @bool cover_first whether part 1 must have every label
-- @treturn {int,...} row number to part
function strata.assign(order, values, set_of, shares, cover_first)
  local leads, more = leads_of(order, set_of)
  local members, sizes = by_stratum(leads, more, values)
  local shared, assigned = quota.of(shares), {}
  for _, stratum in ipairs(label_lists.distinct(values)) do
    if members[stratum] then
      deal(assigned, members[stratum], more,
        shared:cut(sizes[stratum], cover_first), cover_first)
    end
  end
  return assigned
end

return strata
