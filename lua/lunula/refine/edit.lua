--- Changes one value of a record where it stands among its bytes: all others
-- stay as they are. Each format has a function that finds where a value begins
-- and ends, and one that writes a new one as the old one was written.
-- The record is one that `data.rows` has read, so that its bytes are known to
-- be in order.
-- @module lunula.refine.edit

local csv = require "lunula.data.csv"
local json = require "lunula.json"

local MARK = "\239\187\191"  -- of UTF-8, which may begin a file

-- {======== lines of fields ========

-- behind the blank lines that stand before a record
local function after_blanks(bytes)
  local at, after = 1, bytes:match "^\r?\n()"
  while after do
    at = after
    after = bytes:match("^\r?\n()", at)
  end
  return at
end

local function quoted_end(bytes, at)
  at = bytes:find('"', at + 1, true)
  while bytes:byte(at + 1) == 34 do at = bytes:find('"', at + 2, true) end
  return at
end

local function csv_end(bytes, at)
  if bytes:byte(at) == 34 then return quoted_end(bytes, at) end
  return (bytes:find("[,\r\n]", at) or #bytes + 1) - 1
end

local function line_end(bytes)
  return #bytes - #(bytes:match "\r?\n$" or "")
end

local function tab_end(bytes, at)
  return (bytes:find("\t", at, true) or line_end(bytes) + 1) - 1
end

local function field(end_of)
  return function(bytes, column)
    local first = after_blanks(bytes)
    local last = end_of(bytes, first)
    for _ = 2, column.position do
      first = last + 2
      last = end_of(bytes, first)
    end
    return first, last
  end
end

-- quoted when the old one was
local function csv_value(new, old)
  local written = csv.line { new }
  if old:sub(1, 1) == '"' and written:sub(1, 1) ~= '"' then
    return '"' .. written .. '"'
  end
  return written
end

local function without(pattern, what)
  return function(new)
    if new:find(pattern) then return nil, what end
    return new
  end
end

-- }========

-- {======== JSON ========

local OPENS = { ["{"] = 1, ["["] = 1, ["}"] = -1, ["]"] = -1 }

local function nested_end(bytes, at)
  local depth = 0
  repeat
    at = bytes:find('["{}%[%]]', at)
    depth = depth + (OPENS[bytes:sub(at, at)] or 0)
    if bytes:byte(at) == 34 then at = json.string_end(bytes, at) end
    at = at + 1
  until depth == 0
  return at - 1
end

local function value_end(bytes, at)
  local first = bytes:sub(at, at)
  if first == '"' then return json.string_end(bytes, at) end
  if OPENS[first] then return nested_end(bytes, at) end
  return bytes:find("[%s,}]", at) - 1
end

-- A place for a name that is not there, at the head of the object.
local function json_room(bytes, at, name)
  local is_empty = bytes:find("^%s*}", at + 1)
  return at + 1, at, json.encode(name) .. ":", is_empty and "" or ","
end

-- Where the value of a name lies; of a name that comes twice the last one
-- counts, as for who reads it.
local function json_value(bytes, column)
  local at, first, last = bytes:find("{", 1, true), nil, nil
  local quote = bytes:find("%S", at + 1)
  while bytes:byte(quote) == 34 do
    local close = json.string_end(bytes, quote)
    local begins = bytes:match("^%s*:%s*()", close + 1)
    local ends = value_end(bytes, begins)
    if json.values(bytes:sub(quote, close), "a name") == column.name then
      first, last = begins, ends
    end
    quote = bytes:match("^%s*,?%s*()", ends + 1)
  end
  if not first then return json_room(bytes, at, column.name) end
  return first, last
end

local function is_number(text)
  return text:find "^-?[1-9]%d*$" or text:find "^-?[1-9]%d*%.%d+$"
    or text:find "^-?0%.%d+$" or text == "0"
end

-- a number stays one where the new value may be, and an array one
local function json_written(new, old, several)
  if old:sub(1, 1) == "[" then
    return json.encode(json.array(several or { new }))
  elseif old:find "^[-%d]" and is_number(new)
      or (old == "true" or old == "false")
      and (new == "true" or new == "false") then
    return new
  end
  return json.encode(new)
end

-- }========

local function plain(bytes)
  return bytes:sub(1, 3) == MARK and 4 or 1, line_end(bytes)
end

local FORMATS = {
  csv = { find = field(csv_end), write = csv_value },
  tsv = { find = field(tab_end),
    write = without("[\t\r\n]", "a tab or the end of a line, which a TSV "
      .. "can't hold") },
  jsonl = { find = json_value, write = json_written },
  lines = { find = plain,
    write = without("[\r\n]", "the end of a line, which would make it two "
      .. "texts") },
}

local edit = {}

--- The bytes of a record with a new value in one column.
-- @string format "csv", "tsv", "jsonl" or "lines"
-- @string bytes of the record, blank lines before it and its end included
-- @tparam table column as from `records:column`; of no use for plain lines
-- @string value
-- @tparam[opt] {string,...} several what the value says, where it says several
--   labels: an array of JSON stays one
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] string what the format can't hold
-- @usage edit.value("csv", "1,bad\n", { position = 2 }, "good")  --> 1,good
function edit.value(format, bytes, column, value, several)
  local how = FORMATS[format]
  local first, last, before, after = how.find(bytes, column)
  local written, why = how.write(value, bytes:sub(first, last), several)
  if not written then return nil, why end
  return bytes:sub(1, first - 1) .. (before or "") .. written
    .. (after or "") .. bytes:sub(last + 1)
end

return edit
