--- lunula active: which of these texts to label next.
-- The chosen rows come as they stand in their file, all of their columns, the
-- most wanted first: CSV of CSV and TSV, a JSON object a line of JSONL, and of
-- a text a line a CSV with the column text.
-- @module lunula.cli.active

local csv = require "lunula.data.csv"
local line_reader = require "lunula.data.lines"
local model = require "lunula.cli.model"
local output = require "lunula.cli.output"

local active = {
  name = "active",
  summary = "choose which texts to label next",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    { name = "F", what = "texts without labels: .csv, .tsv, .jsonl, .txt" },
  },
  options = model.with_options {
    { name = "count", type = "integer", value = "N", min = 1, default = 16,
      what = "how many" },
    { name = "strategy", value = "NAME", default = "margin",
      choices = { "coreset", "entropy", "margin", "random" },
      what = "coreset, entropy, margin or random" },
    { name = "labelled", value = "F",
      what = "texts with labels, which are not chosen again" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "of random" },
  },
}

local function next_line(input)
  local line = input:next()
  return line, input.number
end

-- each format: how a record is read, and how it is written
local FORMATS = {
  csv = { read = csv.record, write = csv.line, header = true },
  tsv = { read = csv.tab_record, write = csv.line, header = true },
  jsonl = { read = next_line, write = function(line) return line end },
  lines = { read = next_line,
    write = function(line) return csv.line { line } end, first = "text" },
}

-- The chosen records of a file as lines, in the order of the rows.
local function records(path, format, chosen)
  local file = assert(io.open(path, "rb"))
  local input, at, found = line_reader.of(file, path), {}, {}
  for rank, row in ipairs(chosen) do at[row.line] = rank end
  local head = format.header and format.write((format.read(input)))
    or format.first
  for record, line in format.read, input do
    if at[line] then found[at[line]] = format.write(record) end
  end
  file:close()
  return head, found
end

--- Runs the command.
-- @tparam table values of its arguments
function active.run(values)
  local lunula = require "lunula"
  local columns = { text = values.text, label = false }
  local format = lunula.data.format_of(values.f)
  local rows = lunula.data.read(values.f, columns)
  local labelled = values.labelled
    and lunula.data.read(values.labelled, columns)
  local chosen = lunula.active.select(model.load(values), rows, {
    strategy = values.strategy, count = values.count, labelled = labelled,
    seed = values.seed })
  local head, found = records(values.f, FORMATS[format], chosen)
  if head then output.line(head) end
  output.lines(found)
end

return active
