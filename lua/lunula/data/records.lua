--- The records of a file with the bytes in which they stand there.
-- They are read by `data.rows`, and each line that it takes is kept until it
-- is asked for: a record that is written back as it came is the same to the
-- byte, with its other columns, its quotes and the end of its line. Memory
-- does not grow with the file.
-- @module lunula.data.records

local columns = require "lunula.data.columns"
local core = require "lunula.core"
local csv = require "lunula.data.csv"
local data = require "lunula.data"
local json = require "lunula.json"
local lines = require "lunula.data.lines"
local sorted = require("lunula.options").names

local records = {}

local Records = {}
Records.__index = Records

local HEADERS = { csv = csv.record, tsv = csv.tab_record }

-- What `data.rows` reads lines from; `take` gives those it has read.
local function tee(file, hasher)
  local taken = {}
  local source = {}
  function source.read()
    local line, why = core.io.line(file)
    if line then
      taken[#taken + 1] = line
      hasher:add(line)
    end
    return line, why
  end
  local function take()
    local bytes = table.concat(taken)
    for i = #taken, 1, -1 do taken[i] = nil end
    return bytes
  end
  return source, take
end

--- Opens a file.
-- @string path
-- @tparam[opt] table options as for `data.rows`, but `header` and `name`
-- @treturn Records with `format`, and `head`, the bytes of its header
-- @raise as `data.rows`
-- @usage local source = records.open "reviews.csv"
-- for row, bytes in source.next, source do out:write(bytes) end
function records.open(path, options)
  local how = { name = path }
  for name, value in pairs(options or {}) do how[name] = value end
  how.format = how.format or data.format_of(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local hasher = core.hasher()
  local source, take = tee(file, hasher)
  local next_row = data.rows(source, how)
  return setmetatable({ path = path, format = how.format, file = file,
    options = how, hasher = hasher, next_row = next_row, take = take,
    head = take() }, Records)
end

--- The next row and its bytes.
-- @treturn ?table a row as from `data.rows`; nil when there is no more
-- @treturn ?string all bytes from the end of the row before to its own; after
--   the last row those that are left
-- @raise as `data.rows`
function Records:next()
  local row = self.next_row()
  local bytes = self.take()
  if row then return row, bytes end
  self.rest = bytes
  self:close()
end

--- Closes the file, which is closed anyway after its last row.
function Records:close()
  if self.file then self.file:close() end
  self.file = nil
end

--- The SHA-256 of all that was read so far.
-- @treturn string 64 hexadecimal digits
function Records:sha256()
  return self.hasher:text()
end

local function reader(bytes)
  local at = 1
  return { read = function()
    local line, after = bytes:match("^([^\n]*\n?)()", at)
    at = after
    return line ~= "" and line or nil
  end }
end

local function names_of(self, bytes)
  local header = HEADERS[self.format]
  if header then return (header(lines.of(reader(self.head), self.path))) end
  local start = bytes:find("{", 1, true)
  return sorted(json.values(bytes:sub(start), self.path))
end

--- Where a role stands in a record.
-- @string role "text", "label" ...
-- @string bytes of the first record
-- @treturn ?table with `name` and `position`; nil when no column has the role,
--   and for plain lines
-- @raise as `data.rows`
function Records:column(role, bytes)
  if self.format == "lines" then return nil end
  local input = lines.of(reader "", self.path)
  for _, column in ipairs(columns.find(names_of(self, bytes), self.options,
      input, 1)) do
    if column.role == role then return column end
  end
end

return records
