--- Rows out of lines that are JSON objects each.
-- @module lunula.data.jsonl

local cjson = require "cjson"
local columns = require "lunula.data.columns"
local sorted = require("lunula.options").names

local jsonl = {}

-- Our own instance: other users of lua-cjson keep their settings.
local json = cjson.new()
json.decode_invalid_numbers(false)

local NAMES = { table = "an object or array", userdata = "null" }

local function describe(value)
  return NAMES[type(value)] or "a " .. type(value)
end

--- The object that a line holds.
-- @tparam Lines input for errors
-- @string line
-- @treturn table
-- @raise when the line is no JSON object
function jsonl.object(input, line)
  local ok, object = pcall(json.decode, line)
  if not ok then input:fail(input.number, "bad JSON: %s", object) end
  if not line:find("^%s*{") then
    input:fail(input.number, "expected a JSON object, got %s",
      type(object) == "table" and "an array" or describe(object))
  end
  return object
end

local function from_number(number)
  if number % 1 == 0 and math.abs(number) < 2^53 then
    return ("%d"):format(number)
  end
  return ("%.14g"):format(number)
end

-- A text must be a string in the file; a label, a group or a time may be
-- written as a number or as true and false.
local function as_string(value, role)
  if type(value) == "string" then return value end
  if role == "text" or role == "text_pair" then return nil end
  if type(value) == "number" then return from_number(value) end
  if type(value) == "boolean" then return tostring(value) end
end

-- The labels of an array.
local function as_strings(value)
  if type(value) ~= "table" then return nil end
  local list, n = {}, 0
  for _ in pairs(value) do n = n + 1 end
  for i, item in ipairs(value) do list[i] = as_string(item, "label") end
  return #list == n and list or nil
end

-- The value of a column that plays no role; null is nothing.
local function kept_value(object, name, input)
  local value = object[name]
  if value == nil then
    input:fail(input.number, "no '%s' in this object", name)
  elseif value == cjson.null then
    return ""
  end
  return as_string(value) or input:fail(input.number, "'%s': expected a "
    .. "string, a number or a boolean, got %s", name, describe(value))
end

local function kept_of(object, keep, input)
  local kept = {}
  for _, name in ipairs(keep) do
    kept[name] = kept_value(object, name, input)
  end
  return kept
end

--- The row that an object holds.
-- @tparam table object
-- @tparam {table,...} chosen as from `columns.find`; only role and name count
-- @tparam table options of `data.rows`: with a `label_separator`, or where
--   reading is not `strict`, a label may be an array; where it is not strict,
--   what is missing is empty; `keep`
-- @tparam Lines input for errors
-- @treturn table role to string, or of a label to an array of strings; `kept`
-- @raise when a key is missing, or has a value of the wrong type
function jsonl.row(object, chosen, options, input)
  local is_strict = options.strict ~= false
  local several = options.label_separator ~= nil or not is_strict
  local row = { kept = options.keep and kept_of(object, options.keep, input) }
  for _, column in ipairs(chosen) do
    local value = object[column.name]
    if value == cjson.null then value = nil end
    if value == nil and not is_strict then value = "" end
    if value == nil then
      input:fail(input.number, "no '%s' in this object", column.name)
    end
    local may_be_several = several and column.role == "label"
    row[column.role] = as_string(value, column.role)
      or may_be_several and as_strings(value) or input:fail(input.number,
      "'%s': expected a string, got %s", column.name,
      describe(value))
  end
  return row
end

--- An iterator over the rows of a file. Blank lines hold none.
-- @tparam Lines input
-- @tparam table options of `data.rows`
-- @treturn function
function jsonl.rows(input, options)
  local chosen
  return function()
    local line
    repeat line = input:next() until not line or line:find("%S")
    if not line then return nil end
    local object = jsonl.object(input, line)
    chosen = chosen
      or columns.find(sorted(object), options, input, input.number)
    local row = jsonl.row(object, chosen, options, input)
    return columns.checked(row, options, input, input.number)
  end
end

return jsonl
