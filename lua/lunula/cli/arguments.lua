--- Command-line arguments by declaration: parsed, checked, and their help.
-- A command declares `name`, `summary`, `positional` (a list of `{ name=,
-- what=, optional=, several= }`, of which the last may be several words, a
-- list) and `options` (a list of `{ name=, type=, what=,
-- value=, default=, required=, hidden=, section= }`; a section is a heading of
-- the help, above the option that has it). Options are long: `--name value` or
-- `--name=value`. A boolean takes no value: `--name` turns it on, and one that
-- is on by default is turned off by `--no-name`. A list, `--name a,b`, may be
-- given several times: `--name a --name b`. `--` ends the options.
-- `variants`, where there are some, are the modules of commands that a second
-- word names, or an option anywhere. `complete`, where there is one, is a
-- function that may add to the values that were given, before those that are
-- missing have their defaults.
-- @module lunula.cli.arguments

local json = require "lunula.json"

local arguments = {}

-- of the help: what is typed, and where its lines end
local COLUMN, WIDTH = 22, 79

--- Raises a mistake of usage, which the command line tells from a failure.
-- @string message
-- @raise always: a table with `usage`, the message
function arguments.wrong(message, ...)
  error({ usage = message:format(...) }, 0)
end

local wrong = arguments.wrong

local function whole(text)
  return text:find("^%d+$") and tonumber(text) or nil
end

local function real(text)
  return text:find("^[%d%.eE+-]+$") and tonumber(text) or nil
end

-- an array of what stands between commas
local function list(text)
  local items = {}
  for item in (text .. ","):gmatch "([^,]*)," do
    if item == "" then return nil end
    items[#items + 1] = item
  end
  return items
end

-- each type: its reader, and what to call it in a message
local TYPES = {
  string = { read = function(text) return text end, called = "a text" },
  integer = { read = whole, called = "a whole number" },
  number = { read = real, called = "a number" },
  list = { read = list, called = "texts with commas between them" },
}

-- a number as people write it: all digits of a whole one
local function shown(n)
  return (n % 1 == 0 and "%.0f" or "%.14g"):format(n)
end

local function range_of(option)
  local low, high = option.min, option.max
  if low and high then
    return (" from %s to %s"):format(shown(low), shown(high))
  end
  local words = {}
  words[#words + 1] = low and "of at least " .. shown(low)
  words[#words + 1] = option.above and "above " .. shown(option.above)
  words[#words + 1] = high and "of at most " .. shown(high)
  words[#words + 1] = option.below and "below " .. shown(option.below)
  return (#words > 0 and " " or "") .. table.concat(words, " and ")
end

local function in_range(option, value)
  return (not option.min or value >= option.min)
    and (not option.max or value <= option.max)
    and (not option.above or value > option.above)
    and (not option.below or value < option.below)
    and (type(value) ~= "number" or value < math.huge)
end

local function choose(option, text)
  for _, choice in ipairs(option.choices) do
    if choice == text then return text end
  end
  wrong("--%s: expected %s, got '%s'", option.name,
    table.concat(option.choices, ", "), text)
end

local function read_value(option, text)
  if option.choices then return choose(option, text) end
  local kind = TYPES[option.type or "string"]
  local value = kind.read(text)
  if value == nil or not in_range(option, value) then
    wrong("--%s: expected %s%s, got '%s'", option.name, kind.called,
      range_of(option), text)
  end
  return value
end

-- as it is typed, without the dashes
local function spelling(option)
  return (option.type == "boolean" and option.default and "no-" or "")
    .. option.name
end

local function key_of(name)
  return (name:gsub("-", "_"))
end

-- Levenshtein's distance, two rows of its table at a time
local function distance(a, b)
  local previous = {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(previous[j - 1] + same, previous[j] + 1,
        current[j - 1] + 1)
    end
    previous = current
  end
  return previous[#b]
end

--- The name most like what was typed.
-- @string typed
-- @tparam {string,...} names at least one
-- @treturn string
function arguments.closest(typed, names)
  local best, least
  for _, name in ipairs(names) do
    local d = distance(typed, name)
    if not least or d < least then best, least = name, d end
  end
  return best
end

local HELP = { name = "help", type = "boolean", what = "show this and exit" }

local function all_options(command)
  local all = { HELP }
  for i, option in ipairs(command.options) do all[i + 1] = option end
  return all
end

-- `typed` with its dashes
local function find_option(command, typed)
  local names = {}
  for i, option in ipairs(all_options(command)) do
    names[i] = "--" .. spelling(option)
    if names[i] == typed then return option end
  end
  wrong("unknown option '%s'; do you mean %s?", typed,
    arguments.closest(typed, names))
end

-- the value of the option that stands at `i`, and where it ends
local function take_value(option, inline, words, i)
  if option.type == "boolean" then
    if inline then wrong("--%s takes no value", spelling(option)) end
    return not option.default, i
  end
  local text = inline or words[i + 1]
  if not text or not inline and text:sub(1, 2) == "--" then
    wrong("--%s needs a value", option.name)
  end
  return read_value(option, text), inline and i or i + 1
end

local function joined(a, b)
  local all = {}
  for _, items in ipairs { a, b } do
    for _, item in ipairs(items) do all[#all + 1] = item end
  end
  return all
end

local function take_option(command, values, words, i)
  local typed, inline = words[i]:match("^([^=]+)=(.*)$")
  typed = typed or words[i]
  local option = find_option(command, typed)
  local key = key_of(option.name)
  local before = values[key]
  if before ~= nil and option.type ~= "list" then
    wrong("%s is given twice", typed)
  end
  values[key], i = take_value(option, inline, words, i)
  if before then values[key] = joined(before, values[key]) end
  return i
end

local function is_option(word)
  return word:sub(1, 1) == "-" and word ~= "-"
end

-- named values, and the words that are none
local function sort_words(command, words)
  local values, plain, i, open = {}, {}, 2, true
  while i <= #words do
    if open and words[i] == "--" then
      open = false
    elseif open and is_option(words[i]) then
      i = take_option(command, values, words, i)
    else
      plain[#plain + 1] = words[i]
    end
    i = i + 1
  end
  return values, plain
end

local function from(words, first)
  local rest = {}
  for i = first, #words do rest[#rest + 1] = words[i] end
  return rest
end

--- A message of the library, which names options as Lua has them, for who
-- typed a command: `changed = 'report'` is `--changed report`.
-- @tparam table command its declaration; of its options those count that are
--   on or off, or have choices
-- @string message
-- @treturn string
function arguments.as_typed(command, message)
  for _, option in ipairs(command.options) do
    local named = "%f[%w_]" .. key_of(option.name) .. " = "
    if option.type == "boolean" then
      message = message:gsub(named .. tostring(not option.default)
        .. "%f[^%w_]", "--" .. spelling(option))
    elseif option.choices then
      message = message:gsub(named .. "'([%w_-]+)'",
        "--" .. option.name .. " %1")
    end
  end
  return message
end

local function place(command, values, plain)
  local takes_all = false
  for i, positional in ipairs(command.positional) do
    if not plain[i] and not positional.optional then
      wrong("%s is missing: %s", positional.name, arguments.usage(command))
    end
    takes_all = positional.several
    values[positional.name:lower()] = takes_all and from(plain, i) or plain[i]
  end
  local extra = plain[#command.positional + 1]
  if extra and not takes_all then
    wrong("'%s' is too much: %s", extra, arguments.usage(command))
  end
end

local function fill(command, values)
  if command.complete then command.complete(values) end
  for _, option in ipairs(command.options) do
    local key = key_of(option.name)
    if values[key] == nil then
      if option.required then wrong("--%s is needed", option.name) end
      values[key] = option.default
    end
  end
end

--- The values that a command was given.
-- @tparam table command its declaration
-- @tparam {string,...} words of the command line, the command's name first
-- @treturn table by name, with _ for -, positional ones in lower case; only
-- `help` when that was asked for
-- @raise `{ usage = message }` when something is unknown, missing or wrong
-- @usage local values = arguments.parse(train, { "train", "--epochs=2" })
function arguments.parse(command, words)
  local values, plain = sort_words(command, words)
  if values.help then return { help = true } end
  place(command, values, plain)
  fill(command, values)
  return values
end

--- Refuses two options together of which one excludes the other.
-- @tparam table values that a command was given
-- @string one its name, as it is typed
-- @string other
-- @raise as `arguments.wrong`
-- @usage arguments.one_of(values, "batch-size", "batch-tokens")
function arguments.one_of(values, one, other)
  if values[key_of(one)] ~= nil and values[key_of(other)] ~= nil then
    wrong("--%s and --%s: give one of them", one, other)
  end
end

--- Raises when an option was given that means nothing without another.
-- @tparam table values as from `parse`
-- @string option
-- @string other the one that it needs
function arguments.needs(values, option, other)
  if values[key_of(option)] ~= nil and values[key_of(other)] == nil then
    wrong("--%s: only with --%s", option, other)
  end
end

--- Lists of options as one.
-- @tparam {{table,...},...} lists declarations
-- @treturn {table,...}
function arguments.joined(lists)
  local all = {}
  for _, options in ipairs(lists) do
    for _, option in ipairs(options) do all[#all + 1] = option end
  end
  return all
end

-- A value as it is typed. Of a number all digits that tell it from others.
local function typed_value(value)
  if type(value) == "number" then return json.encode(value) end
  return type(value) == "table" and table.concat(value, ",") or value
end

--- The words that give options these values: what `parse` reads back.
-- @tparam {table,...} options declarations
-- @tparam table values by name, with _ for -; those that are an option's
--   default need no word
-- @treturn {string,...} in the order of the declarations
-- @usage arguments.words(train.options, { epochs = 2 })  --> { "--epochs=2" }
function arguments.words(options, values)
  local words = {}
  for _, option in ipairs(options) do
    local value = values[key_of(option.name)]
    if option.type == "boolean" then
      local is_on, was_on = value or false, option.default or false
      if value ~= nil and is_on ~= was_on then
        words[#words + 1] = "--" .. spelling(option)
      end
    elseif value ~= nil and value ~= option.default then
      words[#words + 1] = ("--%s=%s"):format(option.name, typed_value(value))
    end
  end
  return words
end

--- How a command is called, in one line.
-- @tparam table command
-- @treturn string
function arguments.usage(command)
  local words = { "lunula", command.name }
  for _, option in ipairs(command.options) do
    if option.required then
      words[#words + 1] = ("--%s %s"):format(option.name, option.value)
    end
  end
  words[#words + 1] = #command.options > 0 and "[options]" or nil
  for _, positional in ipairs(command.positional) do
    local word = positional.name .. (positional.several and "..." or "")
    words[#words + 1] = positional.optional and "[" .. word .. "]" or word
  end
  return table.concat(words, " ")
end

local function default_of(option)
  if option.default == nil or option.type == "boolean" then return "" end
  return (" (%s)"):format(option.default)
end

-- Words in lines that end at WIDTH, all but the first with a margin.
local function wrapped(text, margin)
  local lines, line = {}, nil
  for word in text:gmatch "%S+" do
    if line and margin + #line + 1 + #word > WIDTH then
      lines[#lines + 1], line = line, nil
    end
    line = line and line .. " " .. word or word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(margin))
end

-- What is too long for its column has a line of its own.
local function entry(typed, what)
  local gap = #typed > COLUMN and "\n" .. (" "):rep(COLUMN + 3)
    or (" "):rep(COLUMN + 1 - #typed)
  return "  " .. typed .. gap .. wrapped(what, COLUMN + 3)
end

--- A command's help.
-- @tparam table command
-- @treturn string some lines
function arguments.help(command)
  local lines = { "usage: " .. arguments.usage(command), "",
    command.summary .. "." , "" }
  for _, positional in ipairs(command.positional) do
    lines[#lines + 1] = entry(positional.name, positional.what)
  end
  for _, option in ipairs(all_options(command)) do
    local typed = "--" .. spelling(option)
    if option.value then typed = typed .. " " .. option.value end
    if option.section then
      lines[#lines + 1] = "\n" .. option.section .. ":"
    end
    lines[#lines + 1] = not option.hidden
      and entry(typed, option.what .. default_of(option)) or nil
  end
  return table.concat(lines, "\n") .. "\n"
end

return arguments
