--- Figures of any shape, as tables: records side by side, names and numbers
-- below each other.
-- @module lunula.report.figures

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local e = markup.element

local figures = {}

local MOST_COLUMNS, MOST_ROWS, MOST_IN_LINE = 12, 200, 40
local NAME = " "  -- the column of what a record is called
local TEXT = 200
local DEEPEST = 4

local function is_plain(value)
  local kind = type(value)
  return kind == "number" or kind == "string" or kind == "boolean"
end

local function plain_cell(value)
  if type(value) == "number" then return number.figure(value) end
  if type(value) == "boolean" then return value and "yes" or "no" end
  return markup.data(value, TEXT)
end

-- the plain values of a table, in a line
local function in_line(value)
  local parts = {}
  local function add(name, each)
    if not is_plain(each) or #parts > 3 * MOST_IN_LINE then return end
    parts[#parts + 1] = #parts > 0 and ", " or ""
    parts[#parts + 1] = name and { markup.data(fields.words(name), TEXT),
      " " } or ""
    parts[#parts + 1] = plain_cell(each)
  end
  for _, each in ipairs(value) do add(nil, each) end
  for _, name in ipairs(fields.names(value)) do add(name, value[name]) end
  return parts
end

-- a share with its interval, as audits count them
local function share_cell(value)
  return { number.with_interval(value.share, value.low, value.high), ", ",
    number.count(value.count), " of ", number.count(value.n) }
end

local function cell_of(value)
  if type(value) ~= "table" then return plain_cell(value) end
  local is_share = number.known(value.share) and number.known(value.count)
  return is_share and share_cell(value) or in_line(value)
end

-- {======== records ========

local function are_records(list)
  for _, record in ipairs(list) do
    if type(record) ~= "table" or #record > 0 then return false end
  end
  return #list > 0
end

-- texts first, then numbers, each sorted
local function columns_of(list)
  local is_number, texts, numbers = {}, {}, {}
  for _, record in ipairs(list) do
    for _, name in ipairs(fields.names(record)) do
      is_number[name] = (is_number[name] ~= false)
        and type(record[name]) == "number"
    end
  end
  for _, name in ipairs(fields.names(is_number)) do
    local side = is_number[name] and numbers or texts
    side[#side + 1] = name
  end
  for _, name in ipairs(numbers) do texts[#texts + 1] = name end
  for i = #texts, MOST_COLUMNS + 1, -1 do texts[i] = nil end
  return texts, is_number
end

local function heads_of(names, is_number)
  local heads = {}
  for i, name in ipairs(names) do
    local title = name == NAME and ""
      or { markup.data(fields.words(name), TEXT) }
    heads[i] = is_number[name] and grid.number(title) or grid.text(title)
  end
  return heads
end

local function record_table(name, list)
  local names, is_number = columns_of(list)
  local rows = {}
  for i, record in ipairs(list) do
    if i > MOST_ROWS then break end
    rows[i] = {}
    for j, field in ipairs(names) do rows[i][j] = cell_of(record[field]) end
  end
  return grid.new(name, heads_of(names, is_number), rows)
end

-- }========

-- An object of objects, as records that begin with its names.
local function named_records(value)
  local list = {}
  for _, name in ipairs(fields.names(value)) do
    local record = { [NAME] = name }
    for field, each in pairs(fields.table(value[name])) do
      if type(field) == "string" then record[field] = each end
    end
    list[#list + 1] = record
  end
  return list
end

local function all_tables(value)
  for _, each in pairs(value) do
    if type(each) ~= "table" then return false end
  end
  return next(value) ~= nil
end

local table_of

-- names and values; those that are tables themselves stand below
local function object(name, value, depth)
  local pairs_of, below = {}, {}
  for _, field in ipairs(fields.names(value)) do
    local title = markup.data(fields.words(field), TEXT)
    if type(value[field]) ~= "table" then
      pairs_of[#pairs_of + 1] = { title, cell_of(value[field]) }
    elseif is_plain(value[field][1]) then
      pairs_of[#pairs_of + 1] = { title, in_line(value[field]) }
    else
      below[#below + 1] = { e.p { class = "sub", title },
        table_of(fields.words(field), value[field], depth + 1) }
    end
  end
  return { #pairs_of > 0 and grid.pairs(name, pairs_of), below }
end

--- Figures as tables.
-- @string name what they are, for a screen reader
-- @param value plain tables, numbers and texts
-- @treturn content
function figures.of(name, value)
  return table_of(name, value, 1)
end

function table_of(name, value, depth)
  if type(value) ~= "table" then return e.p { cell_of(value) } end
  if are_records(value) then return record_table(name, value) end
  if #value > 0 then return e.p(in_line(value)) end
  if all_tables(value) then
    return record_table(name, named_records(value))
  end
  if next(value) == nil then return e.p { "nothing" } end
  if depth > DEEPEST then return e.p { "more, too deeply nested" } end
  return object(name, value, depth)
end

return figures
