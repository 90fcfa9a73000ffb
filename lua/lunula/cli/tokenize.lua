--- lunula tokenize: ids and offsets of each text, as a line of JSON.
-- @module lunula.cli.tokenize

local fetch = require "lunula.cli.fetch"
local array = require("lunula.json").array
local json = require "lunula.cli.json"
local texts = require "lunula.cli.texts"

local tokenize = {
  name = "tokenize",
  summary = "print a line of JSON with the tokens of each text",
  positional = {
    { name = "MODEL", what = "folder or name of a model" },
    texts.positional,
  },
  options = {
    texts.options[1], texts.options[2],
    { name = "max-length", type = "integer", value = "N", min = 2,
      what = "tokens kept of a text; all when not given" },
  },
}

local FIELDS = { "ids", "offsets" }

local function slice(list, from, to)
  local piece = array()
  for i = from, to do piece[#piece + 1] = list[i] end
  return piece
end

-- sequence i of a ragged batch holds its tokens offsets[i] to offsets[i + 1]
local function lines_of(encoded)
  local ids, spans = encoded.ids:totable(), encoded.spans:totable()
  local offsets, lines = encoded.offsets:totable(), {}
  for i = 1, #offsets - 1 do
    local from, to = offsets[i] + 1, offsets[i + 1]
    lines[i] = json.object({ ids = slice(ids, from, to),
      offsets = slice(spans, from, to) }, FIELDS)
  end
  return lines
end

--- Runs the command.
-- @tparam table values of its arguments
function tokenize.run(values)
  local lunula = require "lunula"
  local tokenizer = lunula.tokenizer.load(fetch.model(values.model))
  local options = { max_length = values.max_length or false, spans = true }
  texts.answer(values, function(batch)
    return lines_of(tokenizer:encode(batch, options))
  end)
end

return tokenize
