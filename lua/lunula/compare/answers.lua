--- Answers of a large language model, a line of JSON each, that are kept as
-- they come:
--
--   {"answer":"Positive.","finish_reason":"stop","input_tokens":112,
--    "label":"positive","llm":"gpt","output_tokens":2,"prompt":"5f0c...",
--    "seconds":0.61,"text":"What a quiet, lovely film."}
--
-- `prompt` stands for all that was asked but the text. A line is whole or the
-- last: one that was torn, as by a power cut, is left out and asked again.
-- Answers to several prompts may be in one file.
-- @module lunula.compare.answers

local contents = require "lunula.contents"
local core = require "lunula.core"
local json = require "lunula.json"

local answers = {}

local Store = {}
Store.__index = Store

local function fail(message, ...)
  error(message:format(...), 0)
end

local function text_of(path)
  local text, why = contents(path)
  return text or error(why, 0)
end

local function is_answer(entry)
  return type(entry) == "table" and type(entry.text) == "string"
    and type(entry.answer) == "string" and type(entry.prompt) == "string"
    and type(entry.llm) == "string"
end

-- The answers in a file; and how many of its bytes are whole lines.
local function entries_of(path)
  local text, entries, at, number = text_of(path), {}, 1, 0
  while true do
    local stop = text:find("\n", at, true)
    if not stop then return entries, text, at - 1 end
    number = number + 1
    local what = ("%s:%d"):format(path, number)
    local entry = json.values(text:sub(at, stop - 1), what)
    if not is_answer(entry) then
      fail("%s: not an answer that lunula compare wrote", what)
    end
    entry.line = number
    entries[number], at = entry, stop + 1
  end
end

--- Whether a file has such answers: its first line tells.
-- @string path
-- @treturn bool
function answers.is_one(path)
  local file = io.open(path, "rb")
  local line = file and file:read "*l"
  if file then file:close() end
  if not line or line:sub(1, 1) ~= "{" then return false end
  local ok, entry = pcall(json.values, line, path)
  return ok and is_answer(entry)
end


--- Answers as `compare` takes them: one that is no label is wrong.
-- @tparam {table,...} entries
-- @string path of their file
-- @treturn table `name`, `rows` with `input_tokens`, `output_tokens` and
--   `seconds` where they are known, `unknown`
function answers.as_rows(entries, path)
  local rows = {}
  for i, entry in ipairs(entries) do
    rows[i] = { text = entry.text, text_pair = entry.text_pair,
      said = entry.answer, file = path, line = entry.line,
      input_tokens = entry.input_tokens, seconds = entry.seconds,
      output_tokens = entry.output_tokens }
  end
  return { name = entries[1].llm, rows = rows, unknown = "wrong" }
end

--- Reads the answers to the prompt that was asked last.
-- @string path
-- @treturn table as from `answers.as_rows`; `other_prompts`, how many answers
--   there are to others
-- @raise when it has no whole line, or one that is no answer
function answers.read(path)
  local entries, kept = entries_of(path), {}
  if #entries == 0 then fail("%s: no answer in it", path) end
  local last = entries[#entries].prompt
  for _, entry in ipairs(entries) do
    if entry.prompt == last then kept[#kept + 1] = entry end
  end
  local theirs = answers.as_rows(kept, path)
  theirs.other_prompts = #entries - #kept
  return theirs
end

-- as it will be read back: JSON is UTF-8
local function key_of(row)
  return json.utf8(row.text) .. "\0" .. json.utf8(row.text_pair or "")
end

local function open_to_append(path)
  local file, why = io.open(path, "ab")
  return file or error("answers: " .. why, 0)
end

--- Opens a file to go on with: a torn last line is taken away.
-- @string path made when it is not there
-- @string prompt whose answers are looked at
-- @treturn Store with the methods below
-- @raise when it can't be written, or has something else in it
function answers.open(path, prompt)
  local self = setmetatable({ path = path, prompt = prompt, by_text = {},
    lines = 0 }, Store)
  if core.io.stat(path) == "file" then
    local entries, text, whole = entries_of(path)
    if whole < #text then core.io.write(path, { text:sub(1, whole) }) end
    self.lines = #entries
    for _, entry in ipairs(entries) do
      if entry.prompt == prompt then self.by_text[key_of(entry)] = entry end
    end
  end
  self.file = open_to_append(path)
  return self
end

--- The answer to a text, nil where there is none yet.
function Store:find(row)
  return self.by_text[key_of(row)]
end

--- Writes an answer at once.
-- @tparam table entry what was answered; `text`
-- @raise when it can't be written
function Store:add(entry)
  entry.prompt = self.prompt
  local written, why = self.file:write(json.encode(entry), "\n")
  if written then written, why = self.file:flush() end
  if not written then fail("%s: %s", self.path, why) end
  self.lines = self.lines + 1
  entry.line = self.lines
  self.by_text[key_of(entry)] = entry
end

--- Closes the file.
function Store:close()
  self.file:close()
end

return answers
