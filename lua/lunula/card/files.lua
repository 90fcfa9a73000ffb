--- What a file of data is, for who wants to know later which one it was: its
-- hash, its size, its rows, how often each label is there. Never a text of it,
-- nor the folder that it lies in.
-- @module lunula.card.files

local contents = require "lunula.contents"
local core = require "lunula.core"
local data = require "lunula.data"
local json = require "lunula.json"

local files = {}

--- The name of a file without its folder.
-- @string path
-- @treturn string
function files.name(path)
  return path:match "([^/]+)/*$" or path
end

-- {======== counting ========

local Count = {}
Count.__index = Count

local function count()
  return setmetatable({ rows = 0, labels = {}, without = 0, numbers = 0,
    sum = 0, squares = 0 }, Count)
end

local function see_number(self, x)
  self.numbers, self.sum = self.numbers + 1, self.sum + x
  self.squares = self.squares + x * x
  self.least = math.min(self.least or x, x)
  self.most = math.max(self.most or x, x)
end

local function see_label(self, label)
  self.labels[label] = (self.labels[label] or 0) + 1
end

function Count:see(row)
  self.rows = self.rows + 1
  if type(row.label) == "number" then return see_number(self, row.label) end
  local list = row.labels or { row.label }
  for _, label in ipairs(list) do see_label(self, label) end
  if row.labels and list[1] == nil then self.without = self.without + 1 end
end

-- as a file of facts has it
function Count:facts()
  local facts = { rows = self.rows }
  if self.numbers > 0 then
    local mean = self.sum / self.numbers
    local variance = math.max(0, self.squares / self.numbers - mean * mean)
    facts.numbers = { least = self.least, most = self.most, mean = mean,
      deviation = math.sqrt(variance) }
  elseif next(self.labels) then
    facts.labels = self.labels
    facts.without_label = self.without > 0 and self.without or nil
  end
  return facts
end

-- }========

local function with_file(facts, path)
  local _, bytes = core.io.stat(path)
  facts.file, facts.bytes = files.name(path), bytes
  facts.sha256 = core.io.sha256(path)
  return facts
end

--- The facts of a file whose rows have been read.
-- @string path
-- @tparam {table,...} rows as from `data.read`
-- @treturn table `file`, `bytes`, `sha256`, `rows`; and `labels`, how often
--   each is there, or `numbers`: `least`, `most`, `mean`, `deviation`
-- @raise when the file can't be read
function files.of_rows(path, rows)
  local counted = count()
  for _, row in ipairs(rows) do counted:see(row) end
  return with_file(counted:facts(), path)
end

--- The facts of a file, whose rows are read one at a time.
-- @string path
-- @tparam[opt] table columns options of `data.rows`
-- @treturn table as `of_rows`
-- @raise as `data.rows`
function files.of_file(path, columns)
  local counted = count()
  for row in data.rows(path, columns) do counted:see(row) end
  return with_file(counted:facts(), path)
end

-- without null, which is as good as nothing
local function cleaned(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in pairs(value) do
    if item ~= json.null then copy[key] = cleaned(item) end
  end
  return copy
end

--- Reads a document of JSON.
-- @string path
-- @treturn table in which null is nil
-- @raise when it can't be read, or is no object
function files.document(path)
  local text, why = contents(path)
  if not text then error(why, 0) end
  local value = json.values(text, path)
  if type(value) ~= "table" or value[1] ~= nil then
    error(path .. ": expected a JSON object", 0)
  end
  return cleaned(value)
end

return files
