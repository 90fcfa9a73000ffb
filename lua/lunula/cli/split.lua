--- lunula split: a file of rows as files to train on, to validate and to test.
-- Each record stands in its part as it stood in the file, with all of its
-- columns, in the order of the file. Which row is in which part is kept in a
-- split file: with it, data that have grown are split as they were.
-- @module lunula.cli.split

local arguments = require "lunula.cli.arguments"
local checkpoint = require "lunula.checkpoint"
local files = require("lunula.core").io
local guarded = require "lunula.cli.guarded"
local joined = require "lunula.data.joined"
local labels = require "lunula.labels"
local options = require "lunula.options"
local output = require "lunula.cli.output"
local places = require "lunula.data.places"
local records = require "lunula.data.records"

local PARTS = { "train", "validation", "test" }

-- what only a new split is told
local DRAWN = { "train", "validation", "test", "stratify", "order" }

local split = {
  name = "split",
  summary = "split a file into files to train on, to validate and to test",
  positional = {
    { name = "F", what = "labelled texts: .csv, .tsv or .jsonl" },
  },
  options = {
    { name = "output", value = "DIR", required = true,
      what = "where train, validation and test are written, in F's format" },
    { name = "train", type = "number", value = "X", above = 0, max = 1,
      what = "share of the rows; a part of which none is given has none, when "
        .. "any is (0.8)" },
    { name = "validation", type = "number", value = "X", above = 0, max = 1,
      what = "likewise (0.1)" },
    { name = "test", type = "number", value = "X", above = 0, max = 1,
      what = "likewise (0.1)" },
    { name = "stratify", type = "boolean", default = true,
      what = "don't give each part its share of every label" },
    { name = "duplicates", value = "WHICH",
      choices = { "together", "near", "ignore" },
      what = "of equal texts: together in one part; near, those that are "
        .. "nearly equal, too; ignore (together)" },
    { name = "group", value = "COL", what = "column of what rows belong to, "
      .. "an author or a product: none is in two parts" },
    { name = "order", value = "COL",
      what = "column of a time: the oldest rows train, the newest test" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "same seed, same split" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "text-pair", value = "COL",
      what = "column or field of a second text" },
    { name = "label", value = "COL", what = "column or field of the label" },
    { name = "label-separator", value = "S",
      what = "between a text's labels, where it may have several" },
    { name = "unlabelled", type = "boolean", what = "there are no labels" },

    { section = "Data that grow",
      name = "file", value = "SPLIT", what = "which row is in which part; when "
        .. "it is there rows keep their parts (DIR/split.jsonl)" },
    { name = "grow", type = "list", value = "PART,...",
      what = "parts that new rows are shared among (train)" },
    { name = "changed", value = "error|report", choices = { "error", "report" },
      what = "test rows that are gone or have another label: fail, or say so "
        .. "and go on (error)" },
  },
}

local function reading_of(values)
  local label = values.label
  if values.unlabelled then label = false end
  return { text = values.text, text_pair = values.text_pair, label = label,
    label_separator = values.label_separator, group = values.group,
    time = values.order }
end

-- All rows, the bytes of each, and the file that they are of.
local function read(values)
  local source = records.open(values.f, reading_of(values))
  local rows, bytes_of = {}, {}
  for row, bytes in source.next, source do
    rows[#rows + 1], bytes_of[row] = row, bytes
  end
  if #rows == 0 then error(values.f .. ": no rows", 0) end
  return rows, bytes_of, source
end

local function check_new(values)
  for _, option in ipairs { "grow", "changed" } do
    if values[option] ~= nil then
      arguments.wrong("--%s: only with a --file that is there", option)
    end
  end
end

local function check_known(values)
  for _, option in ipairs(DRAWN) do
    local given = values[option]
    if option == "stratify" then given = not values.stratify end
    if given then
      arguments.wrong("--%s: %s says how it is split already; remove it to "
        .. "split anew", option == "stratify" and "no-stratify" or option,
        values.file)
    end
  end
end

local function options_of(values)
  local stratify
  if not values.stratify then stratify = false end
  return {
    train = values.train, validation = values.validation, test = values.test,
    stratify = stratify, seed = values.seed, duplicates = values.duplicates,
    group = values.group and "group", order = values.order and "time",
  }
end

local function make(lunula, values, rows, is_known)
  if not is_known then
    return lunula.split(rows, options_of(values)), nil
  end
  return lunula.split.load(values.file, rows, { grow = values.grow,
    changed = values.changed, duplicates = values.duplicates,
    group = values.group and "group", seed = values.seed })
end

-- The parts that there are: a file of the library's may have others.
local function names_of(parts, path)
  local names, others = {}, {}
  for _, name in ipairs(PARTS) do
    names[#names + 1] = parts[name] and name
  end
  for name in pairs(parts) do others[name] = name ~= "labels" or nil end
  for _, name in ipairs(PARTS) do others[name] = nil end
  for _, name in ipairs(options.names(others)) do
    if not name:find "^[%w_-]+$" then
      error(("%s: part '%s' can't be a file's name"):format(path, name), 0)
    end
    names[#names + 1] = name
  end
  return names
end

local function path_of(values, name)
  return ("%s/%s%s"):format(values.output, name,
    values.f:match "%.[^./]+$" or "")
end

-- What was written by hand is not to be lost, nor is the file itself.
local function check_places(values, names, is_known)
  local list = { { path = values.f, what = "the file" },
    { path = values.file, what = "the split's file", written = true } }
  for _, name in ipairs(names) do
    local path = path_of(values, name)
    list[#list + 1] = { path = path, what = name, written = true }
    if not is_known and files.stat(path) then
      error(("split: %s is there already: remove it, or give another folder")
        :format(path), 0)
    end
  end
  places.check(list, "split")
end

-- The rows of a part in the order of the file.
local function in_order(rows, part)
  local is_in, list = {}, {}
  for _, row in ipairs(part) do is_in[row] = true end
  for _, row in ipairs(rows) do
    if is_in[row] then list[#list + 1] = row end
  end
  return list
end

local function write_part(path, source, list, bytes_of)
  local at = -1
  files.write(path, joined(function()
    at = at + 1
    if at == 0 then return source.head end
    return list[at] and bytes_of[list[at]]
  end))
end

local function tell_places(list, what)
  if #list == 0 then return end
  io.stderr:write(("%d %s, the first at %s\n"):format(#list, what,
    labels.place(list, 1, "split")))
end

local function tell(report, names)
  if not report then return end
  local touched = {}
  for i, each in ipairs(report.touched) do touched[i] = each.row end
  tell_places(report.new, "new rows")
  tell_places(touched, "rows with another label")
  tell_places(report.left_out, "new rows left out, since what they say is in "
    .. "a part that may not grow")
  for _, name in ipairs(names) do
    local gone = report.missing[name]
    if gone then io.stderr:write(("%d rows of %s are gone\n"):format(gone,
      name)) end
  end
end

--- Runs the command.
-- @tparam table values of its arguments
function split.run(values)
  local lunula = require "lunula"
  guarded.check_folder(values, "output")
  values.file = values.file or values.output .. "/split.jsonl"
  local is_known = files.stat(values.file) == "file"
  if is_known then check_known(values) else check_new(values) end
  local rows, bytes_of, source = read(values)
  local parts, report = make(lunula, values, rows, is_known)
  local names = names_of(parts, values.file)
  checkpoint.make_folders(values.output)
  check_places(values, names, is_known)
  -- first: with it, parts that a crash leaves out are written the next time
  lunula.split.save(values.file, parts, options_of(values))
  for _, name in ipairs(names) do
    write_part(path_of(values, name), source, in_order(rows, parts[name]),
      bytes_of)
  end
  tell(report, names)
  for _, name in ipairs(names) do
    output.line(("%s  %d"):format(path_of(values, name), #parts[name]))
  end
  output.flush()
end

return split
