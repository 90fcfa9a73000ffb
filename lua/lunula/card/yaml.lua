--- YAML out: the front matter of a model card. A small part of YAML 1.1 that
-- every reader reads alike: block mappings and sequences of scalars, where a
-- text is plain only if it can't be taken for anything else, and else between
-- double quotes with all that is special escaped.
-- @module lunula.card.yaml

local core = require "lunula.core"
local json = require "lunula.json"

local yaml = {}

-- what some reader takes for no text
local TAKEN = {}
for word in ("y n yes no on off true false null nan inf"):gmatch "%a+" do
  TAKEN[word] = true
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n",
  ["\r"] = "\\r", ["\t"] = "\\t" }

local function escaped(c)
  return ESCAPES[c] or ("\\x%02X"):format(c:byte())
end

-- U+0080 to U+009F, the line ends U+2028 and U+2029, U+FEFF, U+FFFE, U+FFFF
local function named(text)
  return (text:gsub("\194([\128-\159])", function(c)
    return ("\\x%02X"):format(c:byte())
  end):gsub("\226\128\168", "\\u2028"):gsub("\226\128\169", "\\u2029")
    :gsub("\239\187\191", "\\uFEFF"):gsub("\239\191\190", "\\uFFFE")
    :gsub("\239\191\191", "\\uFFFF"))
end

--- A text.
-- @string text bytes that are no UTF-8 become U+FFFD
-- @treturn string plain, or between double quotes
-- @usage yaml.text "no"  --> "no", with its quotes
function yaml.text(text)
  if text:find "^%a[%w_./-]*$" and not TAKEN[text:lower()] then
    return text
  end
  return '"' .. named((json.utf8(text):gsub('[%z\1-\31"\\\127]', escaped)))
    .. '"'
end

-- YAML 1.1 wants a point in a number with an exponent, and its sign
local function number(x)
  local text = x % 1 == 0 and math.abs(x) < 2 ^ 53 and ("%d"):format(x)
    or core.number_text(x)
  local digits, sign, exponent = text:match "^([^eE]*)[eE]([+-]?)(%d+)$"
  if not digits then return text end
  return (digits:find(".", 1, true) and digits or digits .. ".0") .. "e"
    .. (sign == "" and "+" or sign) .. exponent
end

local function scalar(value)
  local kind = type(value)
  if kind == "string" then return yaml.text(value) end
  return kind == "number" and number(value) or tostring(value)
end

local put

local function put_item(out, value, indent)
  if type(value) ~= "table" then
    out[#out + 1] = indent .. "- " .. scalar(value)
    return
  end
  local inner = {}
  put(inner, value, indent .. "  ")
  inner[1] = indent .. "- " .. inner[1]:sub(#indent + 3)
  for _, line in ipairs(inner) do out[#out + 1] = line end
end

local function put_field(out, key, value, indent)
  local name = indent .. yaml.text(key) .. ":"
  if type(value) ~= "table" then
    out[#out + 1] = name .. " " .. scalar(value)
    return
  end
  out[#out + 1] = name
  if value.fields then return put(out, value, indent .. "  ") end
  for _, item in ipairs(value) do put_item(out, item, indent) end
end

function put(out, mapping, indent)
  for _, field in ipairs(mapping.fields) do
    put_field(out, field[1], field[2], indent)
  end
end

--- A mapping whose fields have an order.
-- @tparam {{string,any},...} fields names and values; one without a value, and
--   an empty array, is left out
-- @treturn table for `yaml.document`, or a value of another mapping
function yaml.mapping(fields)
  local kept = {}
  for i = 1, #fields do
    local value = fields[i][2]
    local is_empty = type(value) == "table" and not value.fields
      and value[1] == nil
    if value ~= nil and not is_empty then kept[#kept + 1] = fields[i] end
  end
  return { fields = kept }
end

--- The lines of a mapping.
-- @tparam table mapping as from `yaml.mapping`; values are texts, numbers,
--   booleans, mappings, arrays of any of these but arrays
-- @treturn string with a newline at the end
-- @usage yaml.document(yaml.mapping { { "license", "mit" } })
function yaml.document(mapping)
  local out = {}
  put(out, mapping, "")
  return table.concat(out, "\n") .. "\n"
end

return yaml
