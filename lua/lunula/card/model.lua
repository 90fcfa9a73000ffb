--- What a model's folder says of the model.
-- @module lunula.card.model

local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local encoder = require "lunula.encoder"
local folder = require "lunula.problem.folder"
local json = require "lunula.json"
local problem = require "lunula.problem"

local model = {}

-- {======== parameters ========

local function size_of(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  return n
end

-- Of a linear layer in 8 bits: its panels are filled up with zeros.
local function packed_size(saved, name)
  local scale = saved.tensors[name .. "_scale"]
  if name:find("embeddings.word_embeddings", 1, true) then
    return #scale * saved.config.hidden_size
  end
  local is_wide = name:find "output%.dense%.weight$"
    and not name:find("attention", 1, true)
  local depth = is_wide and saved.config.intermediate_size
    or saved.config.hidden_size
  return #scale * depth
end

-- How many numbers have been learnt. What a folder in 8 bits holds beside them
-- are scales and sums.
local function parameters_of(saved)
  local n = 0
  for name, t in pairs(saved.tensors) do
    local is_beside = saved.quantized
      and (name:find "_scale$" or name:find "_sum$")
    if not is_beside and t:dtype() == "float32" then
      n = n + size_of(t:shape())
    end
  end
  for name in pairs(saved.quantized and saved.bytes or {}) do
    n = n + packed_size(saved, name)
  end
  return n
end

-- }========

-- {======== kinds of models ========

local function has(tensors, name)
  for known in pairs(tensors) do
    if encoder.plain_name(known) == name then return true end
  end
  return false
end

local function has_adapters(tensors)
  for name in pairs(tensors) do
    if name:find(".adapter.", 1, true) then return true end
  end
  return false
end

-- Whether transformers answers as lunula does.
local function is_of_transformers(saved, facts)
  return not saved.quantized and not facts.has_adapters
    and (facts.pooling == "pooler" or facts.task ~= "text-classification")
    and facts.problem ~= "ordinal" and facts.thresholds == nil
end

local function add_head(facts, saved)
  local kind = problem.of_folder(saved)
  local labels, more = folder.labels(saved, kind)
  facts.task, facts.problem, facts.labels = "text-classification", kind.name,
    labels
  facts.shown, facts.scores = kind.shown, kind.scores
  facts.thresholds = more.thresholds
  facts.max_length = saved.config.classifier_max_length
  facts.pooling = saved.config.classifier_pooling or "pooler"
  facts.temperature = saved.config.classifier_temperature
end

local function add_task(facts, saved)
  if saved.tensors["classifier.weight"] then return add_head(facts, saved) end
  local is_masked = has(saved.tensors, "cls.predictions.bias")
  facts.task = is_masked and "fill-mask" or "feature-extraction"
end

-- }========

-- numbers and texts of a config that the card shows
local SHAPE = { "model_type", "num_hidden_layers", "hidden_size",
  "num_attention_heads", "intermediate_size", "vocab_size",
  "max_position_embeddings" }

local function shape_of(config)
  local shape = {}
  for _, name in ipairs(SHAPE) do
    shape[name] = config[name] ~= json.null and config[name] or nil
  end
  return shape
end

--- The facts of a model.
-- @string dir
-- @treturn table `task`, as the Hugging Face hub names it; `shape` of the
--   encoder; `parameters`, `bytes` and `sha256` of the weights; `precision`;
--   `attention`; `has_adapters`; of a classifier `problem`, `labels`,
--   `scores` and `shown` of its problem, `max_length`, `pooling`,
--   `temperature`, `thresholds`; `library`, what loads it and answers the same
-- @raise naming the file that is missing or wrong
function model.facts(dir)
  local saved = checkpoint.read(dir)
  local weights = dir .. "/model.safetensors"
  local is_one = core.io.stat(weights) == "file"
  local facts = {
    shape = shape_of(saved.config), parameters = parameters_of(saved),
    precision = saved.quantized and "int8" or "fp32",
    attention = saved.config.is_decoder == true and "causal"
      or "bidirectional",
    has_adapters = has_adapters(saved.tensors),
    sha256 = is_one and core.io.sha256(weights) or nil,
    bytes = is_one and select(2, core.io.stat(weights)) or nil,
  }
  add_task(facts, saved)
  facts.library = is_of_transformers(saved, facts) and "transformers"
    or "lunula"
  return facts
end

return model
