--- What a row's label is made of: a string as it stands, several, or a number.
-- @module lunula.data.label

local trimmed = require "lunula.trimmed"

local label = {}

local function parts_of(text, separator)
  local parts, at = {}, 1
  if not text:find "%S" then return parts end
  repeat
    local first, last = text:find(separator, at, true)
    parts[#parts + 1] = trimmed(text:sub(at, (first or 0) - 1))
    at = last and last + 1
  until not first
  return parts
end

local function check_parts(parts, input, line)
  local seen = {}
  for _, part in ipairs(parts) do
    if not part:find "%S" then
      input:fail(line, "one of the labels is empty")
    elseif seen[part] then
      input:fail(line, "label '%s' comes twice", part)
    end
    seen[part] = true
  end
  return parts
end

local function number_of(text, input, line)
  local number = tonumber(text)
  if not number or number - number ~= 0 or not text:find "^[%s%d.eE+-]*$" then
    input:fail(line, "label: expected a number, got '%s'", text)
  end
  return number
end

-- The parts without those that are empty or come twice, and which fault that
-- was.
local function cleaned(parts)
  local kept, seen, fault = {}, {}, nil
  for _, part in ipairs(parts) do
    if not part:find "%S" then
      fault = "one of the labels is empty"
    elseif seen[part] then
      fault = ("label '%s' comes twice"):format(part)
    else
      kept[#kept + 1], seen[part] = part, true
    end
  end
  return kept, fault
end

-- A label that may have faults, which the row then names. An empty one is none.
local function settle_loosely(row, parts)
  if parts then
    row.label, row.labels, row.fault = nil, cleaned(parts)
  elseif not row.label:find "%S" then
    row.label, row.fault = nil, "empty label"
  end
end

--- Makes a row's `label` what it is to be: with a separator, or where it is an
-- array, `labels`, an array of strings; a number where numbers are asked for.
-- Where reading is not strict it stays a string, and what is wrong with it is
-- the row's `fault`.
-- @tparam table row changed
-- @tparam table options of `data.read`: `label_separator`, `label_type`,
--   `strict`
-- @tparam Lines input for errors
-- @int line
-- @raise with file and line, on an empty label or one that comes twice, or
--   what is no number
function label.settle(row, options, input, line)
  local value = row.label
  if value == nil then return end
  local parts = type(value) == "table" and value
    or options.label_separator and parts_of(value, options.label_separator)
  if options.strict == false then
    settle_loosely(row, parts)
  elseif options.label_type == "number" then
    if parts then input:fail(line, "label: expected a number, got several") end
    row.label = number_of(value, input, line)
  elseif parts then
    row.label, row.labels = nil, check_parts(parts, input, line)
  end
end

return label
