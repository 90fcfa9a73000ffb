--- JSON in and out.
-- Reading is lua-cjson's, made strict and with the file named in its errors.
-- Writing is our own, for what cjson has not: keys in order, so that the same
-- content is the same file; indentation; numbers that read back the same;
-- always valid UTF-8.
-- @module lunula.json

local cjson = require "cjson"
local core = require "lunula.core"

local json = {}

local DEPTH = 128         -- of nested values, as in other parsers
local WHOLE = 2 ^ 63      -- below it a whole number is written as an integer
local REPLACEMENT = "\239\191\189"  -- U+FFFD

--- JSON's null in tables that were read, and in tables to be written.
json.null = cjson.null

-- {======== UTF-8 ========

-- The well-formed sequences of more than one byte (Unicode, table 3-7).
local SEQUENCES = {
  "^[\194-\223][\128-\191]",
  "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]",
  "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]",
  "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

local function sequence_end(bytes, at)
  for _, pattern in ipairs(SEQUENCES) do
    local _, last = bytes:find(pattern, at)
    if last then return last end
  end
end

-- a run of bytes above 127, each byte out of place replaced
local function repair(bytes, instead)
  local parts, at = {}, 1
  while at <= #bytes do
    local last = sequence_end(bytes, at)
    parts[#parts + 1] = last and bytes:sub(at, last)
      or instead and instead[bytes:sub(at, at)] or REPLACEMENT
    at = (last or at) + 1
  end
  return table.concat(parts)
end

--- The text as valid UTF-8: each byte that is out of place becomes U+FFFD.
-- @string text
-- @tparam[opt] table instead what a byte becomes in its place, by byte
-- @treturn string the text itself when it is valid
-- @usage if json.utf8(name) ~= name then error("not UTF-8") end
function json.utf8(text, instead)
  return (text:gsub("[\128-\255]+", function(bytes)
    return repair(bytes, instead)
  end))
end

-- }========

-- {======== reading ========

-- cjson reads [] and {} alike, and 1.0 and 1. Other readers of what we write
-- do not (transformers refuses 1 where it expects 1.0), so both are kept: while
-- cjson reads, strings that begin with a zero byte stand in for them.
local ARRAY = {}          -- the metatable of an array that may be empty
local FLOATS = {}         -- in a metatable: the keys of numbers such as 1.0
local EMPTY = "\0[]"

local function decoder(depth)
  local strict = cjson.new()
  strict.decode_invalid_numbers(false)
  strict.decode_max_depth(depth)
  return strict.decode
end

local decode = decoder(DEPTH)

--- Where a string of a JSON text ends.
-- @string text
-- @int at of its opening quote
-- @treturn int of its closing one; the text's end where it has none
-- @usage json.string_end('["a\\"b"]', 2)  --> 7
function json.string_end(text, at)
  repeat
    at = text:find('["\\]', at + 1)
    local escaped = at and text:sub(at, at) == "\\"
    if escaped then at = at + 1 end
  until not escaped
  return at or #text
end

local function stand_in(number)
  if number:find("[.eE]") and (tonumber(number) or 0.5) % 1 == 0 then
    return '"\\u0000' .. number .. '"'
  end
end

-- the text with its empty arrays and floats such as 1.0 replaced
local function put_stand_ins(text)
  local parts, at = {}, 1
  repeat
    local quote = text:find('"', at, true)
    local last = quote and json.string_end(text, quote)
    parts[#parts + 1] = text:sub(at, (quote or 0) - 1)
      :gsub("[-%d][-+.%deE]*", stand_in):gsub("%[%s*%]", '["\\u0000[]"]')
    parts[#parts + 1] = quote and text:sub(quote, last)
    at = (last or 0) + 1
  until not quote
  return table.concat(parts)
end

-- quick, and right but for strings that look so
local function needs_stand_ins(text)
  return text:find("%[%s*%]") or text:find("[%[,:%s]%-?%d+%.0")
    or text:find("[%[,:%s]%-?%d[%d.]*[eE]")
end

-- integers as Lua 5.4 has them, which not every cjson gives; what had a
-- stand-in as it was
local function restore(t)
  if t[1] == EMPTY then return json.array() end
  local floats
  for key, value in pairs(t) do
    local kind = type(value)
    local float = kind == "string" and value:byte() == 0
      and tonumber(value:sub(2))
    if kind == "table" then t[key] = restore(value)
    elseif kind == "number" and value % 1 == 0 then t[key] = math.floor(value)
    elseif float then
      t[key], floats = float, floats or {}
      floats[key] = true
    end
  end
  return floats and setmetatable(t, { [FLOATS] = floats }) or t
end

local function fail(what, why)
  error(what .. ": not valid JSON: " .. why, 0)
end

-- What cjson lets pass. At a zero byte it stops, as if the text ended there.
local function check_bytes(text, what)
  local fault = core.text_fault(text)
  if fault then fail(what, fault) end
end

local function read(how, text, what)
  check_bytes(text, what)
  local ok, value = pcall(how, text)
  if not ok then fail(what, value) end
  return value
end

--- The value of a JSON text. Objects and arrays are tables, null is
-- `json.null`. An empty array and a number such as 1.0 are written again as
-- they were.
-- @string text
-- @string what the file's name, for the message
-- @int[opt=128] depth how deeply values may be nested
-- @return the value
-- @raise `WHAT: not valid JSON: why`
-- @usage local config = json.decode(text, "config.json")
function json.decode(text, what, depth)
  local how = depth and decoder(depth) or decode
  local value = read(how, text, what)
  if needs_stand_ins(text) then value = how(put_stand_ins(text)) end
  return restore({ value })[1]
end

--- As `decode`, for a text that is read and not written again: its empty
-- arrays are tables like any, and whole numbers may be floats. Several times
-- as fast.
-- @string text
-- @string what the file's name, for the message
-- @return the value
-- @raise as `decode`
-- @usage local vocabulary = json.values(text, "tokenizer.json").model.vocab
function json.values(text, what)
  return read(decode, text, what)
end

-- }========

-- {======== writing ========

--- Marks a table as an array, which only an empty one needs: without, it is
-- written as `{}`.
-- @tab[opt] t a new table when absent
-- @treturn table t
-- @usage json.encode({ tags = json.array() })   --> {"tags":[]}
function json.array(t)
  return setmetatable(t or {}, ARRAY)
end

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f",
  ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function escape(c)
  return ESCAPES[c] or ("\\u%04x"):format(c:byte())
end

local function quoted(text)
  return '"' .. json.utf8(text):gsub('[%z\1-\31"\\]', escape) .. '"'
end

local function number(x, float)
  if x ~= x or x == 1 / 0 or x == -1 / 0 then
    error("json: " .. tostring(x) .. " has no place in JSON", 0)
  end
  if x % 1 == 0 and x >= -WHOLE and x < WHOLE then
    return ("%d"):format(x) .. (float and ".0" or "")
  end
  return core.number_text(x)
end

-- the keys of an object, sorted; nil when the table is an array
local function sorted_keys(t)
  local keys = {}
  if getmetatable(t) == ARRAY or #t > 0 then
    for key in pairs(t) do
      if type(key) ~= "number" then
        error("json: a table with both '" .. tostring(key)
          .. "' and a first element is neither object nor array", 0)
      end
    end
    return nil
  end
  for key in pairs(t) do
    if type(key) ~= "string" then
      error("json: an object's keys are strings, got " .. type(key), 0)
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local encode

-- puts `n` parts between brackets, each on its own line when indented
local function put_parts(out, brackets, n, indent, depth, put)
  out[#out + 1] = brackets:sub(1, 1)
  local line = indent and n > 0 and "\n" .. indent:rep(depth + 1) or ""
  for i = 1, n do
    out[#out + 1] = (i > 1 and "," or "") .. line
    put(i)
  end
  if indent and n > 0 then out[#out + 1] = "\n" .. indent:rep(depth) end
  out[#out + 1] = brackets:sub(2)
end

local function put_table(out, t, indent, depth)
  if depth >= DEPTH then error("json: nested too deeply, or in a ring", 0) end
  local keys, floats = sorted_keys(t), (getmetatable(t) or {})[FLOATS] or {}
  if not keys then
    return put_parts(out, "[]", #t, indent, depth, function(i)
      encode(out, t[i], indent, depth + 1, floats[i])
    end)
  end
  return put_parts(out, "{}", #keys, indent, depth, function(i)
    local key = keys[i]
    out[#out + 1] = quoted(key) .. (indent and ": " or ":")
    encode(out, t[key], indent, depth + 1, floats[key])
  end)
end

function encode(out, value, indent, depth, float)
  local kind = type(value)
  if value == json.null then out[#out + 1] = "null"
  elseif kind == "table" then put_table(out, value, indent, depth)
  elseif kind == "string" then out[#out + 1] = quoted(value)
  elseif kind == "number" then out[#out + 1] = number(value, float)
  elseif kind == "boolean" then out[#out + 1] = tostring(value)
  else error("json: a " .. kind .. " has no place in JSON", 0) end
end

--- A copy in which what is no number in JSON is null: a loss may be NaN.
-- @param value as for `json.encode`, but for its numbers
-- @return the copy
-- @usage json.encode(json.finite { loss = 0 / 0 })   --> {"loss":null}
function json.finite(value)
  if type(value) == "number" and value - value ~= 0 then return json.null end
  if type(value) ~= "table" then return value end
  local copy = getmetatable(value) == ARRAY and json.array() or {}
  for key, item in pairs(value) do copy[key] = json.finite(item) end
  return copy
end

--- A value as JSON on one line, keys sorted.
-- A table with a first element is an array, any other an object (see
-- `json.array`). Whole numbers are written as integers.
-- @param value nil-free: tables, strings, numbers, booleans, `json.null`
-- @treturn string without a newline at the end
-- @raise on NaN, infinity, functions, mixed keys, and rings of tables
-- @usage print(json.encode({ text = "Good.", score = 0.5 }))
function json.encode(value)
  local out = {}
  encode(out, value, nil, 0)
  return table.concat(out)
end

--- The same, indented by two spaces as in Hugging Face's files, with a newline
-- at the end.
-- @param value as for `json.encode`
-- @treturn string
-- @raise as `json.encode`
-- @usage file:write(json.pretty(config))
function json.pretty(value)
  local out = {}
  encode(out, value, "  ", 0)
  return table.concat(out) .. "\n"
end

-- }========

return json
