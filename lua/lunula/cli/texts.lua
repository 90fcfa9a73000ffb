--- The texts that `predict` and `tokenize` answer one by one: a stream, so
-- that memory does not grow with the input and answers come as it goes on.
-- Several are answered together where they are there together; no text waits
-- for one that has not come yet, so that a program may write one to a pipe
-- and wait for its answer.
-- @module lunula.cli.texts

local data = require "lunula.data"
local output = require "lunula.cli.output"
local files = require("lunula.core").io
local stdin = require "lunula.cli.stdin"

local texts = {}

local BATCH = 64  -- texts answered together at most

--- What commands that read texts are given beside the model.
texts.positional = { name = "F", optional = true, what = "texts: .txt (one a "
  .. "line), .csv, .tsv, .jsonl; - or nothing: standard input, a line a text "
  .. "or, when it begins with {, a JSON object" }

texts.options = {
  { name = "text", value = "COL", what = "column or field of the text" },
  { name = "format", value = "FORMAT", what = "lines, csv, tsv or jsonl, "
    .. "whatever the name says", choices = { "lines", "csv", "tsv", "jsonl" } },
}

-- Where the texts come from, how errors call it, and how many may be answered
-- together: one of a pipe with a name, of which nobody tells whether more is
-- there.
local function source_of(path, flush)
  if path == nil or path == "-" then return stdin.new(flush), "stdin", BATCH end
  return path, path, files.stat(path) == "other" and 1 or BATCH
end

--- Answers each text of the input with a line.
-- @tparam table values `f`, `text` and `format` as the command line gave them
-- @func answer from an array of texts to an array of as many lines
-- @int[opt] most texts answered together: 1 where each takes its time
-- @raise what reading raises, with file and line, once all texts before it
--   have their answers
function texts.answer(values, answer, most)
  local batch = {}
  local function flush()
    local asked = batch
    batch = {}
    if #asked == 0 then return end
    for _, line in ipairs(answer(asked)) do output.line(line) end
    output.flush()
  end
  local source, name, size = source_of(values.f, flush)
  size = math.min(size, most or size)
  local ok, why = pcall(function()
    for row in data.rows(source, { text = values.text, label = false,
      format = values.format, empty = true, name = name }) do
      batch[#batch + 1] = row.text
      if #batch == size then flush() end
    end
  end)
  flush()
  if not ok then error(why, 0) end
end

return texts
