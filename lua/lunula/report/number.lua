--- Numbers as people read them. What is no finite number is "not known".
-- @module lunula.report.number

local number = {}

local LARGEST = 1e15  -- of what can be drawn
local MINUS = "\226\136\146"
local SPACE = "\194\160"  -- which does not break a line

--- In the place of what a document does not tell.
number.UNKNOWN = "not known"

--- A number that can be drawn, or nil.
-- @param value anything
-- @treturn ?number
function number.known(value)
  if type(value) ~= "number" or value ~= value then return nil end
  return math.abs(value) <= LARGEST and value or nil
end

--- With so many decimals, a point between them whatever the locale.
-- @number value
-- @int decimals
-- @treturn string
function number.fixed(value, decimals)
  -- LuaJIT writes a count that is minus zero with its sign
  local form = ("%%.%df"):format(decimals)
  local text = form:format(value):gsub(",", ".")
  if text:find "^%-0%.?0*$" then return text:sub(2) end
  return text
end

--- A number of the data as it is written there: a year has no comma.
-- @number value
-- @treturn string
function number.plain(value)
  if value % 1 == 0 and number.known(value) then
    return number.fixed(value, 0)
  end
  return (("%.14g"):format(value):gsub(",", "."))
end

-- ASCII's hyphen is for machines
local function with_minus(text)
  return (text:gsub("^%-", MINUS))
end

-- a comma after each three digits
local function grouped(text)
  local whole, rest = text:match "^(%-?%d+)(.*)$"
  local n
  repeat
    whole, n = whole:gsub("^(%-?%d+)(%d%d%d)", "%1,%2")
  until n == 0
  return with_minus(whole .. rest)
end

--- A count.
-- @param value
-- @treturn string "1,821"
function number.count(value)
  if not number.known(value) then return number.UNKNOWN end
  return grouped(number.fixed(value, 0))
end

--- A count of things.
-- @number value
-- @string noun in the singular; its plural has an s
-- @treturn string "1 file", "3 files"
function number.counted(value, noun)
  return number.count(value) .. " " .. noun .. (value == 1 and "" or "s")
end

--- Any figure: whole numbers as they are, others with so many decimals that
-- some four digits tell something.
-- @param value
-- @treturn string
function number.figure(value)
  if not number.known(value) then return number.UNKNOWN end
  if value % 1 == 0 then return number.count(value) end
  local size = math.abs(value)
  if size < 1e-4 then
    return with_minus((("%.2e"):format(value):gsub(",", ".")))
  end
  return grouped(number.fixed(value, size >= 100 and 1 or size >= 10 and 2
    or size >= 0.01 and 3 or 5))
end

--- A share of 1 as a percentage.
-- @param value
-- @int[opt=1] decimals
-- @treturn string "91.0 %"
function number.share(value, decimals)
  if not number.known(value) then return number.UNKNOWN end
  return grouped(number.fixed(100 * value, decimals or 1)) .. SPACE .. "%"
end

--- The ends of an interval of shares.
-- @param low
-- @param high
-- @treturn ?string "89.1 to 91.9 %"; nil when either is not known
function number.interval(low, high)
  if not (number.known(low) and number.known(high)) then return nil end
  return grouped(number.fixed(100 * low, 1)) .. " to " .. number.share(high)
end

--- A share, its interval after it where that is known.
-- @param value
-- @param low
-- @param high
-- @treturn string "90.6 % (89.1 to 91.9 %)"
function number.with_interval(value, low, high)
  local interval = number.interval(low, high)
  return number.share(value) .. (interval and " (" .. interval .. ")" or "")
end

--- A difference of shares in points, with its sign.
-- @param value
-- @treturn string "+1.2"
function number.points(value)
  if not number.known(value) then return number.UNKNOWN end
  return (value > 0 and "+" or "") .. grouped(number.fixed(100 * value, 1))
end

--- A probability of chance, as tests give it.
-- @param value
-- @treturn string "p = 0.154", "p < 0.001"
function number.chance(value)
  if not number.known(value) then return "p " .. number.UNKNOWN end
  if value < 0.001 then return "p < 0.001" end
  return "p = " .. number.fixed(value, 3)
end

-- two digits that tell something
local function rounded(value)
  return number.fixed(value, value < 10 and 1 or 0)
end

--- A time.
-- @param seconds
-- @treturn string "4.2 s", "91 s", "5.3 min", "12 h"
function number.duration(seconds)
  if not number.known(seconds) then return number.UNKNOWN end
  local unit = "s"
  if seconds >= 6000 then
    seconds, unit = seconds / 3600, "h"
  elseif seconds >= 100 then
    seconds, unit = seconds / 60, "min"
  end
  return rounded(seconds) .. SPACE .. unit
end

return number
