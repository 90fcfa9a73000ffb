--- Files of another system's answers.
-- A file names its texts itself, or another file does, row by row: only where
-- that is said, and only where both have as many rows and no row of theirs
-- disagrees.
-- @module lunula.compare.predictions

local align = require "lunula.compare.align"
local answers = require "lunula.compare.answers"
local data = require "lunula.data"
local options = require "lunula.options"

local predictions = {}

local none = options.none
local KNOWN = {
  prediction = none, text = none, text_pair = none, header = true,
  texts = none, texts_text = none, format = none,
}

local function fail(message, ...)
  error(message:format(...), 0)
end

local function base_name(path)
  return path:match "([^/]+)/*$" or path
end

-- Rows whose `said` is the column of predictions, which may be empty. The
-- column of predictions is asked for as a text where none other is.
local function read_column(path, o, text)
  local column = tostring(o.prediction)
  local rows = data.read(path, { text = text, text_pair = o.text_pair,
    label = false, keep = { column }, header = o.header, empty = true,
    format = o.format })
  for _, row in ipairs(rows) do
    row.said, row.kept = row.kept[column], nil
  end
  return rows
end

local function check_same_text(row, other)
  if align.plain(row.text) == align.plain(other.text) then return end
  fail("%s:%d and %s:%d: other texts in the same row of both: '%s' and '%s'",
    row.file, row.line, other.file, other.line, row.text, other.text)
end

-- The texts of one file, the answers of another.
local function by_row(path, o)
  local named = data.read(o.texts, { text = o.texts_text, label = false,
    header = o.header, empty = true })
  local rows = read_column(path, o, o.text or o.prediction)
  if #rows ~= #named then
    fail("%s has %d rows, and %s %d: no row of the one is that of the other",
      path, #rows, o.texts, #named)
  end
  for i, row in ipairs(rows) do
    if o.text then check_same_text(row, named[i]) end
    row.text, row.text_pair = named[i].text, nil
  end
  return rows
end

--- Reads a file of answers.
-- @string path as for `data.read`; JSON lines that `compare.ask` wrote need no
--   more than that
-- @tparam[opt] table given
-- @tparam string|int given.prediction column of the answers
-- @tparam[opt] string|int given.text column of the text; guessed when not given
-- @tparam[opt] string|int given.text_pair column of a second text
-- @bool[opt=true] given.header false for a file without: columns are then
--   numbers from 1
-- @string[opt] given.texts another file, whose row of each number has the text
--   of that row of answers; with a `text`, those of both must be the same but
--   for space, quotes, dashes and full stops
-- @tparam[opt] string|int given.texts_text column of the text there
-- @string[opt] given.format as for `data.read`
-- @treturn table `name`, `rows` (`{text=, text_pair=, said=, file=, line=}`)
-- @raise as `data.read`; where two files don't have the same rows
-- @usage local theirs = compare.read("gpt.csv", { prediction = "answer" })
function predictions.read(path, given)
  local o = options.check(given, KNOWN, "compare.read")
  if o.prediction == nil then
    if answers.is_one(path) then return answers.read(path) end
    fail("compare.read: %s: which column is the prediction? (of what lunula "
      .. "predict wrote: label)", path)
  end
  local rows = o.texts and by_row(path, o) or read_column(path, o, o.text)
  return { name = base_name(path), rows = rows }
end

return predictions
