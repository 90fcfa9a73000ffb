--- The texts that `predict` and `tokenize` answer one by one: a stream, so
-- that memory does not grow with the input and answers come as it goes on.
-- Several are answered together where they are there together, few at first
-- and more as it goes on; no text waits for one that has not come yet, so
-- that a program may write one to a pipe and wait for its answer.
-- @module lunula.cli.texts

local core = require "lunula.core"
local data = require "lunula.data"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local stdin = require "lunula.cli.stdin"

local texts = {}

-- texts answered together: at first, so that the first answers come soon, and
-- at most; and the bytes from which on a text is the last of them
local FIRST, MOST, FULL = 64, 1024, 2 ^ 18

--- What commands that read texts are given beside the model.
texts.positional = { name = "F", optional = true, what = "texts: .txt (one a "
  .. "line), .csv, .tsv, .jsonl; - or nothing: standard input, a line a text "
  .. "or, when it begins with {, a JSON object" }

texts.options = {
  { name = "text", value = "COL", what = "column or field of the text" },
  { name = "format", value = "FORMAT", what = "lines, csv, tsv or jsonl, "
    .. "whatever the name says", choices = { "lines", "csv", "tsv", "jsonl" } },
}

-- {======== sources ========

local function open_file(path, given)
  local format = given or data.format_of(path)
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local kind, size = core.io.stat(path)
  return { input = file, name = path, format = format, kind = kind,
    size = kind == "file" and size or nil }
end

-- Where the texts come from, in what format, and how errors call it; its size
-- where that is known.
local function open(values, flush)
  local path = values.f
  if path ~= nil and path ~= "-" then return open_file(path, values.format) end
  return { input = stdin.new(flush), name = "stdin", format = values.format }
end

-- }========

-- {======== windows ========

local Window = {}
Window.__index = Window

local function new_window(answer, most)
  return setmetatable({ answer = answer, most = most,
    size = math.min(FIRST, most), texts = {}, pairs = {}, bytes = 0,
    answered = 0, begun = core.system.monotonic(), bar = progress.new() },
    Window)
end

-- Of a pipe with a name nobody tells whether more is there: a text at a time.
local function read_from(self, source)
  self.source = source
  if source.kind == "other" then self.size, self.most = 1, 1 end
end

-- Where the answers themselves come on a terminal, they show how far it is.
local function show(self)
  local source = self.source
  if not source.size or core.system.isatty(1) then return end
  self.bar:texts({ done = source.input:seek "cur", total = source.size,
    texts = self.answered,
    seconds = core.system.monotonic() - self.begun })
end

-- Answers the texts that wait.
function Window:flush()
  local asked, pairs_too = self.texts, self.pairs
  self.texts, self.pairs, self.bytes = {}, {}, 0
  if #asked == 0 then return end
  local lines = self.answer(asked, #pairs_too > 0 and pairs_too or nil)
  self.bar:clear()
  output.lines(lines)
  output.flush()
  self.answered = self.answered + #asked
  show(self)
end

-- A text more, and the answers of all when the window is full. All have a
-- pair, or none.
function Window:add(text, pair)
  self.texts[#self.texts + 1], self.pairs[#self.pairs + 1] = text, pair
  self.bytes = self.bytes + #text + #(pair or "")
  if #self.texts < self.size and self.bytes < FULL then return end
  self:flush()
  self.size = math.min(2 * self.size, self.most)
end

-- }========

local function read(window, values)
  local source = open(values, function() window:flush() end)
  read_from(window, source)
  for row in data.rows(source.input, { text = values.text, label = false,
    text_pair = values.text_pair, format = source.format, empty = true,
    name = source.name }) do
    window:add(row.text, row.text_pair)
  end
end

--- Answers each text of the input with a line.
-- @tparam table values `f`, `text`, `text_pair` and `format` as the command
--   line gave them
-- @func answer from an array of texts, and one of their pairs where they have
--   some, to an array of as many lines
-- @int[opt] most texts answered together: 1 where each takes its time
-- @raise what reading raises, with file and line, once all texts before it
--   have their answers
function texts.answer(values, answer, most)
  local window = new_window(answer, most or MOST)
  window.bar:during(function()
    local ok, why = pcall(read, window, values)
    window:flush()
    if not ok then error(why, 0) end
  end)
end

return texts
