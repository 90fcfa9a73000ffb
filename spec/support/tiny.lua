--- A model folder and reviews so small that a spec trains in a moment.
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local encoder = require "lunula.encoder"
local shell = require "lunula.shell"

local tiny = {}

local WORDS = {
  "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "film", "plot",
  "is", "what", "good", "lovely", "fine", "great", "bad", "dull", "awful",
  "poor", "quiet", ".", ",",
}
local NOUNS = { "film", "plot" }
local POSITIVE = { "good", "lovely", "fine", "great" }
local NEGATIVE = { "bad", "dull", "awful", "poor" }

tiny.CONFIG = {
  model_type = "bert", hidden_size = 16, num_hidden_layers = 2,
  num_attention_heads = 2, intermediate_size = 32, vocab_size = #WORDS,
  max_position_embeddings = 128, initializer_range = 0.2,
}

--- A new folder under the system's temporary one.
-- @treturn string
function tiny.temporary()
  local name = os.tmpname()
  os.remove(name)
  core.io.make_folder(name)
  return name
end

--- Removes a folder that `temporary` made.
function tiny.remove(dir)
  shell.run { "rm", "-r", dir }
end

--- Writes a pretrained encoder with random weights.
-- @string dir
-- @tparam[opt] table changes to the config
function tiny.write_encoder(dir, changes)
  local config = {}
  for name, value in pairs(tiny.CONFIG) do config[name] = value end
  for name, value in pairs(changes or {}) do config[name] = value end
  local made, tensors = encoder.new(config, { seed = 1 }), {}
  for _, p in ipairs(made:parameters()) do tensors[p.name] = p.tensor end
  checkpoint.write(dir, {
    config = made.config, tensors = tensors,
    files = {
      ["vocab.txt"] = table.concat(WORDS, "\n") .. "\n",
      ["tokenizer_config.json"] = '{"do_lower_case": true, '
        .. '"tokenizer_class": "BertTokenizer"}',
    },
  })
end

--- Reviews, half of them positive, that a word or two decides.
-- @int n
-- @treturn {table,...} rows as from `data.read`
function tiny.reviews(n)
  local rows, rng = {}, core.rng(7)
  local function pick(words) return words[rng:below(#words) + 1] end
  for i = 1, n do
    local words = i % 2 == 0 and POSITIVE or NEGATIVE
    local said = pick(words)
    if rng:below(2) == 0 then said = said .. ", " .. pick(words) end
    rows[i] = {
      text = ("the %s is %s."):format(pick(NOUNS), said),
      label = i % 2 == 0 and "positive" or "negative",
    }
  end
  return rows
end

return tiny
