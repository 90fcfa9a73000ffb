--- From values to places, and the round numbers that are written beside an
-- axis.
-- @module lunula.report.scale

local number = require "lunula.report.number"

local scale = {}

local ROUND = { 1, 2, 5, 10 }
local SMALLEST = 1e-9  -- range; a smaller one is widened
local TOO_LONG = 1e4   -- from here on thousands are counted

local function round_step(range, most, least)
  local rough = math.max(range / most, least or 0)
  local power = 10 ^ math.floor(math.log(rough) / math.log(10))
  for _, factor in ipairs(ROUND) do
    if factor * power >= rough * (1 - 1e-9) then return factor * power end
  end
end

--- A range that has a length and holds all values.
-- @tparam {number,...} values
-- @treturn number low
-- @treturn number high
function scale.range(values)
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    low, high = math.min(low, value), math.max(high, value)
  end
  if low > high then return 0, 1 end
  if high - low < SMALLEST * math.max(1, math.abs(low)) then
    local more = math.max(0.5 * math.abs(low), 0.5)
    return low - more, high + more
  end
  return low, high
end

--- A range whose ends are round, too.
-- @number low
-- @number high
-- @int most parts
-- @treturn number
-- @treturn number
function scale.nice(low, high, most)
  local step = round_step(high - low, most)
  return math.floor(low / step + 1e-9) * step,
    math.ceil(high / step - 1e-9) * step
end

--- Round numbers in a range: 1, 2 or 5 times a power of ten apart.
-- @number low
-- @number high
-- @int most parts between them
-- @number[opt] least how far apart they are at least: 1, for whole numbers
-- @treturn {number,...}
-- @treturn number how far apart they are
function scale.ticks(low, high, most, least)
  local step, found = round_step(high - low, most, least), {}
  for i = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) do
    found[#found + 1] = i * step
  end
  return found, step
end

-- how many decimals tell numbers so far apart from each other
local function decimals_of(step)
  return math.max(0, -math.floor(math.log(step) / math.log(10) + 1e-9))
end

--- A share beside an axis, in per cent.
-- @number value
-- @number step between such shares
-- @treturn string
function scale.share(value, step)
  return number.share(value, decimals_of(100 * step))
end

--- A number beside an axis.
-- @number value
-- @number step between such numbers
-- @treturn string
function scale.name(value, step)
  if step >= TOO_LONG / 10 and math.abs(value) >= TOO_LONG then
    return number.figure(value / 1000) .. "k"
  end
  local decimals = decimals_of(step)
  if decimals > 6 then return number.figure(value) end
  return (number.fixed(value, decimals):gsub("^%-", "\226\136\146"))
end

--- The map from values to places.
-- @number low value that is at `from`
-- @number high value that is at `to`
-- @number from
-- @number to
-- @treturn func
function scale.linear(low, high, from, to)
  return function(value)
    return from + (value - low) / (high - low) * (to - from)
  end
end

return scale
