--- The ratios of a split: which parts, in which order, how large.
-- @module lunula.split.ratios

local file = require "lunula.split.file"

local ratios = {}

--- Used where no part is named.
ratios.default = { train = 0.8, validation = 0.1, test = 0.1 }

local TOLERANCE = 1e-6  -- of the sum

-- From past to future: train comes first and test last.
local AGE = { train = 1, test = 3 }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- Every number among the options is a ratio, but for the seed.
local function given_ratios(options)
  local given = {}
  for name, value in pairs(type(options) == "table" and options or {}) do
    if ratios.default[name] and type(value) ~= "number" then
      fail("split: %s: expected a ratio, got %s", name, tostring(value))
    elseif type(name) == "string" and type(value) == "number"
      and name ~= "seed" then
      given[name] = value
    end
  end
  return next(given) and given or ratios.default
end

local function ordered_names(given)
  local names = {}
  for name in pairs(given) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local x, y = AGE[a] or 2, AGE[b] or 2
    if x ~= y then return x < y end
    return a < b
  end)
  return names
end

local function check_ratio(name, ratio)
  if file.RESERVED[name] then fail("split: '%s' can't name a part", name) end
  if ratio ~= ratio or ratio <= 0 then
    fail("split: %s: expected a positive ratio, got %s", name, ratio)
  end
end

local function checked_sum(names, given)
  local sum, shown = 0, {}
  for i, name in ipairs(names) do
    check_ratio(name, given[name])
    sum = sum + given[name]
    shown[i] = ("%s %g"):format(name, given[name])
  end
  if math.abs(sum - 1) > TOLERANCE then
    fail("split: the ratios sum to %g, not to 1: %s", sum,
      table.concat(shown, ", "))
  end
  return sum
end

--- The share of each part, train first and test last.
-- @tparam ?table options as the user gave them, ratios among them
-- @treturn {number,...} shares with sum 1; the field `names` holds their names
-- @raise when a ratio is not positive, or their sum is not 1
-- @usage ratios.of({ test = 0.25, train = 0.75, seed = 1 }).names[1] --> train
function ratios.of(options)
  local given = given_ratios(options)
  local names = ordered_names(given)
  local sum = checked_sum(names, given)
  local shares = { names = names }
  for i, name in ipairs(names) do shares[i] = given[name] / sum end
  return shares
end

return ratios
