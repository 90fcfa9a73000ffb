--- Whole counts that stay near given shares.
-- Cutting n rows into shares leaves fractions. Each part gets its share
-- rounded down, and the rows left over go to the parts that are owed most:
-- the largest-remainder method, with the remainders carried from one cut to
-- the next. Without the carrying, many small labels would all round the same
-- way and starve a part.
-- @module lunula.split.quota

local quota = {}

local Quota = {}
Quota.__index = Quota

-- Smaller than a fraction of a row, larger than rounding: 0.29 * 100 is 29.
local EPSILON = 1e-9

--- A quota to which nothing is owed yet.
-- @tparam {number,...} shares positive, with sum 1
-- @treturn Quota
function quota.of(shares)
  local owed = {}
  for part = 1, #shares do owed[part] = 0 end
  return setmetatable({ shares = shares, owed = owed }, Quota)
end

local function most_owed(owed, open)
  local best
  for part = 1, #owed do
    if open[part] and (not best or owed[part] > owed[best] + EPSILON) then
      best = part
    end
  end
  return best
end

--- Cuts n rows. Each count is the share rounded down or up.
-- @int n number of rows
-- @bool[opt=false] first_not_empty whether part 1 must get one of them
-- @treturn {int,...} counts with sum n
-- @usage quota.of({ 0.8, 0.1, 0.1 }):cut(25) --> 20, 3, 2
function Quota:cut(n, first_not_empty)
  local counts, open, left = {}, {}, n
  for part, share in ipairs(self.shares) do
    local exact = n * share
    counts[part] = math.floor(exact + EPSILON)
    open[part] = exact - counts[part] > EPSILON
    self.owed[part] = self.owed[part] + exact - counts[part]
    left = left - counts[part]
  end
  while left > 0 do
    local part = first_not_empty and counts[1] == 0 and 1
      or most_owed(self.owed, open)
    counts[part], open[part] = counts[part] + 1, false
    self.owed[part] = self.owed[part] - 1
    left = left - 1
  end
  return counts
end

return quota
