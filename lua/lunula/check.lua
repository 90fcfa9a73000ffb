--- Checks of arguments: what is wrong, and what would be right.
-- Each takes a value and `what` it is, for the message ("train: epochs");
-- returns it when it is fine, and raises else. The messages begin alike:
-- `train: epochs: expected an integer of at least 1, got 0`.
-- @module lunula.check

local core = require "lunula.core"
local sorted = require("lunula.options").names

local check = {}

local TENSOR = getmetatable(core.tensor.zeros { 1 })

--- What a dropout's probability may be: of 1, nothing would be left.
check.PROBABILITY = { least = 0, below = 1 }

-- what was given, for a message; quotes tell the string '3' from the number
local function shown(value)
  local kind = type(value)
  if kind == "nil" or kind == "boolean" or kind == "number" then
    return tostring(value)
  elseif kind == "string" then
    return "'" .. value .. "'"
  end
  return "a " .. kind
end

local function refuse(what, expected, value)
  error(("%s: expected %s, got %s"):format(what, expected, shown(value)), 0)
end

-- a bound as people write it: all digits of a whole one
local function bound(n)
  return (n % 1 == 0 and "%.0f" or "%g"):format(n)
end

local function described(kind, range)
  local least, most = range.least, range.most
  if least and most and most < math.huge then
    return ("%s from %s to %s"):format(kind, bound(least), bound(most))
  end
  local words = {}
  if least then words[#words + 1] = "of at least " .. bound(least) end
  if range.above then words[#words + 1] = "above " .. bound(range.above) end
  if most and most < math.huge then
    words[#words + 1] = "of at most " .. bound(most)
  end
  if range.below then words[#words + 1] = "below " .. bound(range.below) end
  return kind .. (#words > 0 and " " or "") .. table.concat(words, " and ")
end

-- infinity is in a range only when it says so
local function in_range(value, range)
  local is_finite = value > -math.huge and value < math.huge
  return (is_finite or value == range.most)
    and value >= (range.least or -math.huge)
    and value <= (range.most or math.huge)
    and (not range.above or value > range.above)
    and (not range.below or value < range.below)
end

--- A number.
-- @param value
-- @string what
-- @tparam[opt] table range the bounds it must keep: `least`, `most`, `above`,
--   `below`; infinity only where `most` is
-- @treturn number value
-- @usage check.number(p, "nn.dropout: p", check.PROBABILITY)
function check.number(value, what, range)
  range = range or {}
  if type(value) ~= "number" or not in_range(value, range) then
    refuse(what, described("a number", range), value)
  end
  return value
end

--- A number without a fraction.
-- @param value
-- @string what
-- @tparam[opt] table range as for `number`
-- @treturn int value
-- @usage check.integer(o.epochs, "train: epochs", { least = 1 })
function check.integer(value, what, range)
  range = range or {}
  if type(value) ~= "number" or value % 1 ~= 0
      or not in_range(value, range) then
    refuse(what, described("an integer", range), value)
  end
  return value
end

local TYPES = {
  boolean = "true or false", ["function"] = "a function", table = "a table",
  string = "a string",
}

local function of_type(name)
  return function(value, what)
    if type(value) ~= name then refuse(what, TYPES[name], value) end
    return value
  end
end

--- True or false.
-- @function check.boolean
-- @param value
-- @string what
-- @treturn bool value
check.boolean = of_type "boolean"

--- A function.
-- @function check.func
-- @param value
-- @string what
-- @treturn func value
check.func = of_type "function"

--- A table.
-- @function check.table
-- @param value
-- @string what
-- @treturn table value
check.table = of_type "table"

--- A string.
-- @function check.string
-- @param value
-- @string what
-- @treturn string value
check.string = of_type "string"

--- The path of a file or folder.
-- @param value
-- @string what
-- @treturn string value
function check.path(value, what)
  if type(value) ~= "string" or value == "" or value:find("\0", 1, true) then
    refuse(what, "a path", value)
  end
  return value
end

--- One of some names.
-- @param value
-- @string what
-- @tparam table names those that there are, as keys
-- @treturn string value
function check.choice(value, what, names)
  if value ~= nil and names[value] ~= nil then return value end
  refuse(what, "one of " .. table.concat(sorted(names), ", "), value)
end

--- A tensor.
-- @param value
-- @string what
-- @treturn tensor value
function check.tensor(value, what)
  if getmetatable(value) ~= TENSOR then
    refuse(what, "a tensor", value)
  end
  return value
end

--- A classifier.
-- @param value
-- @string what
-- @treturn classifier value
function check.classifier(value, what)
  if type(value) ~= "table" or type(value.infer) ~= "function" then
    refuse(what, "a classifier, as lunula.classifier makes it", value)
  end
  return value
end

return check
