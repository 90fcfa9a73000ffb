--- Labelled texts out of files.
-- A row is a table with the strings `text` and `label`, and `text_pair`,
-- `group` and `time` where such columns are asked for; `file` and `line` say
-- where it stands, for messages. A label may be a number, and a row may have
-- several, `labels`. Reading is strict: a
-- row that is not what the file promises is an error with file and line, not
-- a guess, since what is read wrong here is learnt wrong later.
-- @module lunula.data

local check = require "lunula.check"
local core = require "lunula.core"
local counted = require "lunula.counted"
local opt = require "lunula.options"
local columns = require "lunula.data.columns"
local csv = require "lunula.data.csv"
local jsonl = require "lunula.data.jsonl"
local lines = require "lunula.data.lines"

local data = {}

local none = opt.none
local OPTIONS = {
  text = none, text_pair = none, label = none, group = none, time = none,
  format = none, header = true, empty = false, name = none,
  label_separator = none, label_type = "string", keep = none, strict = true,
}

local LABEL_TYPES = { string = true, number = true }

local EXTENSIONS = {
  csv = "csv", tsv = "tsv", jsonl = "jsonl", ndjson = "jsonl", txt = "lines",
}

local function refuse_twice(names, input, line)
  local seen = {}
  for _, name in ipairs(names) do
    if seen[name] and name ~= "" then
      input:fail(line, "two columns are named '%s'", name)
    end
    seen[name] = true
  end
end

local function header_of(input, record)
  local names, line = record(input)
  if not names then error(input.name .. ": empty file", 0) end
  refuse_twice(names, input, line)
  return names, line
end

-- Without a header, columns are named by their numbers.
local function numbers_to(n)
  local names = {}
  for i = 1, n do names[i] = tostring(i) end
  return names
end

local function check_width(fields, width, options, input, line)
  if #fields == width then return end
  input:fail(line, "%s, the %s has %d", counted(#fields, "field"),
    options.header and "header" or "first line", width)
end

local function row_of(fields, chosen, kept)
  local row = { kept = kept and {} or nil }
  for _, column in ipairs(chosen) do
    row[column.role] = fields[column.position]
  end
  for _, column in ipairs(kept or {}) do
    row.kept[column.name] = fields[column.position]
  end
  return row
end

local function tabular_rows(input, options, record)
  local chosen, kept, width
  local function set(names, line)
    chosen, width = columns.find(names, options, input, line), #names
    kept = columns.kept(names, options.keep, input, line)
  end
  if options.header then set(header_of(input, record)) end
  return function()
    local fields, line = record(input)
    if not fields then return nil end
    if not chosen then set(numbers_to(#fields), line) end
    check_width(fields, width, options, input, line)
    return columns.checked(row_of(fields, chosen, options.keep and kept),
      options, input, line)
  end
end

-- The columns that were asked for by name, without a look at the file.
local function asked_for(options)
  local chosen = {}
  for _, role in ipairs(columns.roles) do
    local name = options[role] or role == "text" and role
    if name then chosen[#chosen + 1] = { role = role, name = name } end
  end
  return chosen
end

local function plain_row(line, chosen, options, input)
  local other = chosen[2] and chosen[2].role
    or options.keep and options.keep[1]
  if other then
    input:fail(input.number, "a plain line is a text and has no %s", other)
  end
  return { text = line }
end

-- A text a line. `mixed` lines may also be JSON objects, which begin with a
-- brace; a blank one is a text too, so that answers stay in step with lines.
local function line_rows(input, options, mixed)
  local chosen = asked_for(options)
  return function()
    local line = input:next()
    if not line then return nil end
    local row
    if mixed and line:sub(1, 1) == "{" then
      row = jsonl.row(jsonl.object(input, line), chosen, options, input)
    else
      row = plain_row(line, chosen, options, input)
    end
    return columns.checked(row, options, input, input.number)
  end
end

local READERS = {
  csv = function(input, options)
    return tabular_rows(input, options, csv.record)
  end,
  tsv = function(input, options)
    return tabular_rows(input, options, csv.tab_record)
  end,
  jsonl = jsonl.rows,
  lines = line_rows,
  mixed = function(input, options) return line_rows(input, options, true) end,
}

--- The format that the name of a file tells.
-- @string path
-- @treturn string "csv", "tsv", "jsonl" or "lines"
-- @raise when the extension is none of those that are known
-- @usage data.format_of "reviews.csv"  --> csv
function data.format_of(path)
  local extension = path:match("%.([^./]+)$") or ""
  return EXTENSIONS[extension:lower()] or error(path .. ": what is it? "
    .. "name it .csv, .tsv, .jsonl or .txt, or give a format", 0)
end

local function check_format(format)
  if format == nil or format ~= "mixed" and READERS[format] then return end
  error(("data: unknown format '%s'; known: csv, jsonl, lines, tsv")
    :format(tostring(format)), 0)
end

local function check_label_options(options)
  local separator = options.label_separator
  if separator ~= nil and (type(separator) ~= "string" or separator == "") then
    error("data: label_separator: expected a string that is not empty", 0)
  end
  check.choice(options.label_type, "data: label_type", LABEL_TYPES)
end

local function opened(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  return file
end

local function name_of(source, options)
  if options.name then return options.name end
  if type(source) == "string" then return source end
  return source == io.stdin and "stdin" or "input"
end

local function is_open(source)
  return io.type(source) == "file"
    or type(source) == "table" and type(source.read) == "function"
end

-- The open file, its format, and whether it is ours to close.
local function resolve(source, options)
  if is_open(source) then
    return source, options.format or "mixed", false
  elseif type(source) ~= "string" then
    error("data: expected a path or an open file, got "
      .. (io.type(source) or type(source)), 0)
  end
  local format = options.format or data.format_of(source)
  return opened(source), format, true
end

--- The rows of a file, one at a time.
-- Memory does not grow with the file. A file given by its path is closed
-- when its rows are used up or, in Lua 5.4, the loop over them is left; an
-- open one stays the caller's, and is never read further than the row
-- returned.
-- @tparam string|file source a path, a file open for reading, or a table
--   with a method `read` that gives its next line as `file:read("*L")` does
-- @tparam[opt] table options as for `read`
-- @treturn function the next row at each call, nil after the last
-- @raise as `read`, except that a file may have no rows
-- @usage for row in data.rows(io.stdin, { empty = true }) do
--   print(model:predict(row.text).label) end
function data.rows(source, options)
  options = opt.check(options, OPTIONS, "data")
  check_format(options.format)
  check_label_options(options)
  options.keep = columns.check_keep(options.keep)
  local file, format, ours = resolve(source, options)
  local input = lines.of(file, name_of(source, options))
  local next_row = READERS[format](input, options)
  local function next_or_close()
    local row = next_row and next_row()
    if not row then
      if ours and next_row then file:close() end
      next_row = nil
    end
    return row
  end
  return next_or_close, nil, nil, ours and file or nil
end

--- The rows of a file, in its order.
-- @tparam string|file source a path, or a file open for reading
-- @tparam[opt] table options
-- @tparam[opt] string options.text column of the text; guessed from usual
--   names (text, sentence, review ..., in any case) when not given
-- @tparam[opt] string|boolean options.label column of the label; guessed
--   (label, category, class ...) when not given, none when false
-- @tparam[opt] string options.label_separator what stands between the labels
--   of a row that may have several, or none: rows then have `labels`, an array
--   of strings. In JSON a label may then be such an array, too
-- @string[opt="string"] options.label_type "number": labels are numbers
-- @tparam[opt] string options.text_pair column of a second text
-- @tparam[opt] string options.group column of what a row belongs to: an
--   author, a product; see `split`
-- @tparam[opt] string options.time column to order by; see `split`
-- @tparam[opt] {string,...} options.keep columns to keep beside these, which
--   may be some of these: rows then have `kept`, column to string; in JSON a
--   number or a boolean as it is written, and of null ""
-- @tparam[opt] string options.format "csv" (RFC 4180), "tsv" (no quoting),
--   "jsonl" (an object a line) or "lines" (a text a line, no labels). From
--   the extension when not given (.txt is lines). An open file of no given
--   format holds plain lines and JSON objects mixed: what begins with `{`
--   is an object whose `text` counts.
-- @bool[opt=true] options.header false for a CSV or TSV without: columns
--   are then numbers from 1
-- @bool[opt=false] options.empty whether texts may be empty
-- @bool[opt=true] options.strict false for who looks for what is wrong: texts
--   and labels may be empty or missing, there need be no label column, labels
--   are strings, and what is wrong with a row's is its `fault`. What breaks the
--   structure of the file stays an error
-- @tparam[opt] string options.name what errors call the source
-- @treturn {table,...} rows of strings: text, label (or labels), text_pair,
--   group, time, and the table `kept`.
--   Numbers in JSON become their digits (1 is "1"); in CSV all is as it
--   stands. With `file`, the source's name, and `line`, where the row begins
-- @raise with file and line, when the file can't be read, a row has more or
--   fewer fields than the header, a quote is misplaced, a column is unknown
--   or named twice, a value is empty or of the wrong type, a label comes twice
--   in a row or is no number where one is asked for, the JSON is bad,
--   or there are no rows
-- @usage local reviews = data.read("reviews.csv", { text = "sentence" })
-- print(#reviews, reviews[1].text, reviews[1].label)
function data.read(source, options)
  local rows, n = {}, 0
  for row in data.rows(source, options) do
    n = n + 1
    rows[n] = row
  end
  if n == 0 then error(name_of(source, options or {}) .. ": no rows", 0) end
  return rows
end

-- A label as bytes. Of several the order says nothing.
local function label_bytes(row)
  if type(row.label) == "number" then return core.number_text(row.label) end
  if not row.labels then return row.label or "" end
  local sorted = {}
  for i, label in ipairs(row.labels) do sorted[i] = label end
  table.sort(sorted)
  return table.concat(sorted, "\0")
end

--- By what a row is known again, wherever it stands: the SHA-256 of its text,
-- its second text and its label, with a zero byte after each text.
-- @tparam table row as from `data.read`; what it lacks counts as empty
-- @treturn string 64 hexadecimal digits
-- @usage local known = {}
-- for _, row in ipairs(rows) do known[data.hash(row)] = row end
function data.hash(row)
  check.table(row, "data.hash: row")
  check.string(row.text, "data.hash: text")
  return core.sha256(table.concat({ row.text, row.text_pair or "",
    label_bytes(row) }, "\0"))
end

-- The audit stands on the modules that read: it is loaded when it is used.
return setmetatable(data, { __index = function(self, name)
  if name ~= "audit" then return nil end
  local audit = require "lunula.audit"
  rawset(self, name, audit)
  return audit
end })
