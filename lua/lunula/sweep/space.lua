--- What a sweep chooses from: lists of values, and ranges of numbers.
-- A choice is a table of options, one value of each. The same seed and number
-- give the same choice, whatever was chosen before.
-- @module lunula.sweep.space

local check = require "lunula.check"
local core = require "lunula.core"
local json = require "lunula.json"
local options = require "lunula.options"

local space = {}

local Space = {}
Space.__index = Space

local none = options.none
local RANGE = { low = none, high = none, log = false, integer = false }

-- a stream of random numbers that nothing else uses (see encoder and
-- classifier, which have the millions below)
local PURPOSE = 3000000

-- draws in a row that bring nothing new: there is hardly any more
local REPEATS = 10000

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== values ========

local function is_list_of_strings(value)
  if type(value) ~= "table" or #value == 0 then return false end
  for key, item in pairs(value) do
    if type(key) ~= "number" or type(item) ~= "string" then return false end
  end
  return true
end

--- Checks a value that an option may have.
-- @param value
-- @string what
-- @return value
function space.check_value(value, what)
  local kind = type(value)
  if kind == "number" then return check.number(value, what) end
  if kind == "string" or kind == "boolean" or is_list_of_strings(value) then
    return value
  end
  fail("%s: expected a number, a string, a boolean or a list of strings, "
    .. "got a %s", what, kind)
end

local function check_list(list, what)
  local seen = {}
  for key in pairs(list) do
    if type(key) ~= "number" then
      fail("%s: a list with a field '%s'", what, tostring(key))
    end
  end
  for _, value in ipairs(list) do
    local key = json.encode { space.check_value(value, what) }
    if seen[key] then fail("%s: %s comes twice", what, tostring(value)) end
    seen[key] = true
  end
end

-- whether `false` stands beside values of other kinds, where it means that
-- the option is not given
local function leaves_out(list)
  for _, value in ipairs(list) do
    if type(value) ~= "boolean" then return true end
  end
  return false
end

local function list_of(list, what)
  check_list(list, what)
  local leave_out = leaves_out(list)
  return { size = #list, at = function(i)
    local value = list[i]
    if value == false and leave_out then return nil end
    return value
  end }
end

local function range_of(given, what)
  local range = options.check(given, RANGE, what)
  check.number(range.low, what .. ": low",
    range.log and { above = 0 } or nil)
  check.number(range.high, what .. ": high", { above = range.low })
  check.boolean(range.log, what .. ": log")
  check.boolean(range.integer, what .. ": integer")
  if not range.integer then return { size = math.huge, range = range } end
  check.integer(range.low, what .. ": low")
  check.integer(range.high, what .. ": high")
  return { size = range.high - range.low + 1, range = range }
end

local function dimension_of(given, what)
  if type(given) ~= "table" or next(given) == nil then
    fail("%s: expected a list of values or a range { low =, high = }, got %s",
      what, type(given) == "table" and "an empty table" or tostring(given))
  end
  if given[1] == nil then return range_of(given, what) end
  return list_of(given, what)
end

-- }========

--- What there is to choose from.
-- @tparam table choices option to a list of values, or to a range: `low`,
--   `high`; `log`, when it is the number's logarithm that is uniform;
--   `integer`, when it is to be a whole number. `false` in a list of other
--   values stands for the option not being given
-- @treturn Space with `size`, how many choices there are
-- @raise on what is neither, and on values that come twice
-- @usage local s = space.new { epochs = { 2, 3 }, dropout = { low = 0,
--   high = 0.2 } }
function space.new(choices)
  check.table(choices, "sweep: choices")
  local self = setmetatable({ names = {}, of = {}, size = 1 }, Space)
  for name, given in pairs(choices) do
    check.string(name, "sweep: choices: an option's name")
    self.names[#self.names + 1] = name
    self.of[name] = dimension_of(given, "sweep: choices: " .. name)
    self.size = self.size * self.of[name].size
  end
  if #self.names == 0 then fail("sweep: choices: there are none") end
  table.sort(self.names)
  return self
end

--- The name of an option that is a range.
-- @treturn ?string nil when all are lists
function Space:range()
  for _, name in ipairs(self.names) do
    if self.of[name].range then return name end
  end
end

--- Choice `i` of all, when all are lists: the last option changes with each.
-- @int i from 1
-- @treturn table
function Space:combination(i)
  local choice, rest = {}, i - 1
  for k = #self.names, 1, -1 do
    local dimension = self.of[self.names[k]]
    choice[self.names[k]] = dimension.at(rest % dimension.size + 1)
    rest = math.floor(rest / dimension.size)
  end
  return choice
end

-- u, from 0 to 1, as a number from low to high
local function spread(u, low, high, log)
  if not log then return low + u * (high - low) end
  return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
end

-- A number of a range: of four digits, as a person would write it.
local function between(range, u)
  local low, high, log = range.low, range.high, range.log
  if range.integer then
    return math.min(math.floor(spread(u, low, high + 1, log)), high)
  end
  local x = tonumber(("%.4g"):format(spread(u, low, high, log)))
  return math.max(low, math.min(high, x))
end

local function pick(dimension, rng)
  if dimension.range then return between(dimension.range, rng:float()) end
  return dimension.at(rng:below(dimension.size) + 1)
end

local function draw(self, seed, i)
  local choice, rng = {}, core.rng(seed, PURPOSE + i)
  for _, name in ipairs(self.names) do
    choice[name] = pick(self.of[name], rng)
  end
  return choice
end

--- Random choices, each option by itself, no choice twice. More of them begin
-- with fewer.
-- @int n at most; there are fewer when there are no more to be found
-- @int seed
-- @treturn {table,...}
function Space:random(n, seed)
  local list, seen, i, repeats = {}, {}, 0, 0
  while #list < math.min(n, self.size) and repeats < REPEATS do
    i, repeats = i + 1, repeats + 1
    local choice = draw(self, seed, i)
    local key = space.key(choice)
    if not seen[key] then list[#list + 1], repeats = choice, 0 end
    seen[key] = true
  end
  return list
end

--- A choice as a string: the same for the same options and values.
-- @tparam table choice
-- @treturn string
function space.key(choice)
  return json.encode(choice)
end

return space
