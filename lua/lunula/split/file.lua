--- Splits that hold: which part each row is in, written to a file.
-- A file of JSON lines: first what it is, then a line for each row, with its
-- hash (`lunula.data.hash`), that of its texts without the label, and its part;
-- of rows that are equal and in several parts also which of them it is.
-- When the data have grown, known rows keep their parts, so that a test set
-- stays the same; what is gone from it or has another label is noticed. Rows
-- that are gone keep their lines, marked, below the others: forgotten, they
-- would be new when they come back, and what was tested with would be learnt.
-- @module lunula.split.file

local check = require "lunula.check"
local counted = require "lunula.counted"
local data = require "lunula.data"
local files = require("lunula.core").io
local joined = require "lunula.data.joined"
local headed = require "lunula.headed"
local json = require "lunula.json"
local opt = require "lunula.options"

local file = {}

--- Fields of a split that are no parts.
file.RESERVED = { labels = true, gone = true }

local KIND = "split"
local HASH = "^" .. ("%x"):rep(64) .. "$"
local TEXT_DIGITS = 16  -- of the hash of the texts: it only tells who changed
local RECORDED = { "seed", "stratify", "group", "order", "duplicates" }

local function fail(message, ...)
  error(message:format(...), 0)
end

local function text_hash(row)
  return data.hash({ text = row.text, text_pair = row.text_pair })
    :sub(1, TEXT_DIGITS)
end

-- {======== writing ========

local function names_of(parts)
  local named = {}
  for name, part in pairs(parts) do
    if not file.RESERVED[name] then
      named[name] = check.table(part, "split.save: " .. tostring(name))
    end
  end
  if not next(named) then fail("split.save: no parts") end
  return opt.names(named)
end

-- Numbers entries of some hashes, as their rows stand in their file.
local function number(entries, hashes)
  local lists = {}
  for at, entry in ipairs(entries) do
    if hashes[entry.hash] then
      local list = lists[entry.hash] or {}
      lists[entry.hash] = list
      list[#list + 1] = { entry = entry, line = entry.line or 0, at = at }
    end
  end
  for _, list in pairs(lists) do
    table.sort(list, function(a, b)
      if a.line ~= b.line then return a.line < b.line end
      return a.at < b.at
    end)
    for nth, each in ipairs(list) do each.entry.nth = nth end
  end
end

local function entries_of(parts, names)
  local entries, part_of, counts, in_several = {}, {}, {}, {}
  for _, name in ipairs(names) do
    counts[name] = #parts[name]
    for _, row in ipairs(parts[name]) do
      local hash = data.hash(row)
      if (part_of[hash] or name) ~= name then in_several[hash] = true end
      part_of[hash] = name
      entries[#entries + 1] = { hash = hash, text = text_hash(row),
        part = name, line = row.line }
    end
  end
  number(entries, in_several)
  return entries, counts
end

-- Adds the rows that are gone, and counts them by part; nil where none are.
local function add_gone(entries, gone, counts)
  local gone_counts
  for _, entry in ipairs(gone or {}) do
    gone_counts = gone_counts or {}
    gone_counts[entry.part] = (gone_counts[entry.part] or 0) + 1
    counts[entry.part] = counts[entry.part] or 0
    entries[#entries + 1] = { hash = entry.hash, text = entry.text,
      part = entry.part, nth = entry.nth, gone = true }
  end
  return gone_counts
end

-- As JSON: hashes need no escapes, and there may be very many.
local function line_of(entry)
  return ('{%s"hash":"%s",%s"part":%s,"text":"%s"}\n'):format(
    entry.gone and '"gone":true,' or "", entry.hash,
    entry.nth and ('"nth":%d,'):format(entry.nth) or "",
    json.encode(entry.part), entry.text)
end

-- What was said of the split, for who reads the file.
local function recorded(given)
  local said = {}
  for _, name in ipairs(RECORDED) do said[name] = (given or {})[name] end
  return said
end

--- Writes which part each row is in.
-- @string path of the file, replaced when it is there
-- @tparam table parts arrays of rows by name, as from @{split} or @{load};
--   the rows in its field `gone` are written as gone
-- @tparam[opt] table given the options that it was made with, to be read there
-- @raise when the file can't be written
-- @usage split.save("split.jsonl", split(rows, { seed = 1 }), { seed = 1 })
function file.save(path, parts, given)
  check.path(path, "split.save: the file")
  check.table(parts, "split.save: parts")
  local names = names_of(parts)
  local entries, counts = entries_of(parts, names)
  local gone = add_gone(entries, parts.gone, counts)
  local head, at = { kind = KIND, version = require("lunula").version,
    counts = counts, gone = gone, options = recorded(given) }, -1
  files.write(path, joined(function()
    at = at + 1
    if at == 0 then return json.encode(head) .. "\n" end
    return entries[at] and line_of(entries[at])
  end))
end

-- }========

-- {======== reading ========

local function are_counts(counts)
  if type(counts) ~= "table" then return false end
  for name, count in pairs(counts) do
    if type(name) ~= "string" or file.RESERVED[name]
        or type(count) ~= "number" then
      return false
    end
  end
  return true
end

local function is_split(head)
  return type(head) == "table" and head.kind == KIND
    and are_counts(head.counts)
    and (head.gone == nil or are_counts(head.gone))
end

local function head_of(line, path)
  local head = json.values(line, path .. ":1")
  if not is_split(head) then
    fail("%s:1: expected a split that lunula wrote", path)
  end
  return head
end

local function entry_of(line, head, where)
  local entry = json.values(line, where)
  if type(entry) ~= "table" or type(entry.hash) ~= "string"
      or not entry.hash:find(HASH) or type(entry.text) ~= "string"
      or head.counts[entry.part] == nil
      or entry.nth ~= nil and type(entry.nth) ~= "number"
      or entry.gone ~= nil and entry.gone ~= true then
    fail("%s: expected hash, text and one of the parts", where)
  end
  return entry
end

-- Whether the rows that are gone, or those that are not, are as many as said.
local function check_counts(entries, head, is_gone, path)
  local found, said = {}, is_gone and head.gone or not is_gone and head.counts
    or {}
  for _, entry in ipairs(entries) do
    if (entry.gone or false) == is_gone then
      found[entry.part] = (found[entry.part] or 0) + 1
    end
  end
  for _, name in ipairs(opt.names(head.counts)) do
    if (found[name] or 0) ~= (said[name] or 0) then
      fail("%s: %s of '%s'%s, and it says that there are %.14g", path,
        counted(found[name] or 0, "row"), name, is_gone and " gone" or "",
        said[name] or 0)
    end
  end
end

--- Reads a file that `save` wrote.
-- @string path
-- @treturn table what its first line says: `counts`, by part, `options`; and
--   `gone`, by part how many rows are gone, where some are
-- @treturn {table,...} `{ hash=, text=, part= }` for each row, in order; and
--   `nth` of those that have an equal row in another part, `gone` (true) of
--   those that were not there any more
-- @raise with its line, when it is no such file, or rows of it are missing
function file.read(path)
  check.path(path, "split.load: the file")
  local head, entries = headed(path, head_of, entry_of)
  check_counts(entries, head, false, path)
  check_counts(entries, head, true, path)
  return head, entries
end

-- }========

-- {======== known rows ========

-- Rows by what `key_of` says, in order; each is taken once.
local function queues(rows, key_of)
  local waiting = {}
  for i, row in ipairs(rows) do
    local key = key_of(row)
    waiting[key] = waiting[key] or { first = 1 }
    table.insert(waiting[key], i)
  end
  return function(key)
    local queue = waiting[key]
    local i = queue and queue[queue.first]
    if i then queue.first = queue.first + 1 end
    return i
  end
end

-- The numbers of entries as they are to be found: those with an equal one in
-- another part by theirs, and of equal ones those that are gone last.
local function in_order(entries)
  local order, later = {}, {}
  for at, entry in ipairs(entries) do
    local list = (entry.nth or entry.gone) and later or order
    list[#list + 1] = at
  end
  table.sort(later, function(a, b)
    local x, y = entries[a], entries[b]
    if x.gone ~= y.gone then return not x.gone end
    if x.nth ~= y.nth then return (x.nth or 0) < (y.nth or 0) end
    return a < b
  end)
  for _, at in ipairs(later) do order[#order + 1] = at end
  return order
end

-- Finds the row of each entry that is there as it was. Returns the others, and
-- the rows that were gone.
local function find_same(entries, rows, row_of, part_of)
  local take, lost, back = queues(rows, data.hash), {}, {}
  for _, at in ipairs(in_order(entries)) do
    local entry = entries[at]
    local i = take(entry.hash)
    row_of[at] = i
    if not i then
      lost[#lost + 1] = at
    else
      part_of[i] = entry.part
      if entry.gone then
        back[#back + 1] = { row = rows[i], part = entry.part }
      end
    end
  end
  return lost, back
end

-- A row that nobody knows has the texts of one that is lost: it is that one
-- with another label.
local function find_touched(entries, rows, lost, row_of, part_of)
  local unknown = {}
  for i, row in ipairs(rows) do
    if not part_of[i] then unknown[#unknown + 1] = { i = i, row = row } end
  end
  local take = queues(unknown, function(each) return text_hash(each.row) end)
  local touched, missing = {}, {}
  for _, at in ipairs(lost) do
    local entry = entries[at]
    local found = take(entry.text)
    if found then
      local i = unknown[found].i
      row_of[at], part_of[i] = i, entry.part
      touched[#touched + 1] = { row = rows[i], part = entry.part }
    elseif not entry.gone then
      missing[entry.part] = (missing[entry.part] or 0) + 1
    end
  end
  return touched, missing
end

--- Finds the rows that a file knows.
-- @tparam {table,...} entries as from `read`
-- @tparam {table,...} rows
-- @treturn table by the number of an entry its row's, where it is there
-- @treturn table by the number of a row its part, where it is known
-- @treturn table `touched`, `{ row=, part= }` for each whose label is another;
--   `back`, likewise for each that was gone; `missing`, by part how many are
--   not there that were the last time
function file.find(entries, rows)
  local row_of, part_of = {}, {}
  local lost, back = find_same(entries, rows, row_of, part_of)
  local touched, missing = find_touched(entries, rows, lost, row_of, part_of)
  return row_of, part_of, { touched = touched, missing = missing, back = back }
end

-- }========

return file
