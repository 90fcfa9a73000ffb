--- A masked-language model: an encoder, and a head that says which token was
-- where [MASK] is. What transformers calls BertForMaskedLM: a linear layer,
-- the activation, LayerNorm, and the table of words as the decoder, with a
-- bias (Press & Wolf 2017, "Using the Output Embedding to Improve Language
-- Models"). Only masked positions go through it.
-- @classmod lunula.pretrain.model

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local encoder = require "lunula.encoder"
local folder = require "lunula.problem.folder"
local nn = require "lunula.nn"
local options = require "lunula.options"
local tensor = require "lunula.tensor"
local tokenizer = require "lunula.tokenizer"

local Model = {}
Model.__index = Model

local HEAD = "cls.predictions."
local WORDS = "embeddings.word_embeddings.weight"

local ACTIVATIONS = {
  gelu = function(x) return x:gelu() end,
  relu = function(x) return x:relu() end,
  gelu_new = function(x)
    local inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
    return x * (inner:tanh() + 1) * 0.5
  end,
}
ACTIVATIONS.gelu_pytorch_tanh = ACTIVATIONS.gelu_new

-- {======== making ========

-- the head's tensors by name: a new one's
local function new_head(config, seed)
  local size = config.hidden_size
  local dense = nn.linear(size, size,
    { seed = seed, std = config.initializer_range })
  local function leaf(t) return t:requires_grad(true) end
  return dense, {
    ["transform.dense.weight"] = dense.weight,
    ["transform.dense.bias"] = dense.bias,
    ["transform.LayerNorm.weight"] = leaf(tensor.ones { size }),
    ["transform.LayerNorm.bias"] = leaf(tensor.zeros { size }),
    bias = leaf(tensor.zeros { config.vocab_size }),
  }
end

-- Over new values those that the folder has: all, or none.
local function take_head(head, saved)
  local found = {}
  for name, t in pairs(saved.tensors) do
    found[encoder.plain_name(name)] = t
  end
  if not found[HEAD .. "transform.dense.weight"] then return end
  for name, t in pairs(head) do
    local from = found[HEAD .. name]
    local ok, why = pcall(function() t:copy(check.tensor(from, "it")) end)
    if not ok then
      error(("%s/model.safetensors: %s%s: %s"):format(saved.dir, HEAD, name,
        why), 0)
    end
  end
end

local function check_tied(saved)
  if saved.config.tie_word_embeddings == false then
    error(saved.dir .. "/config.json: tie_word_embeddings: only true is "
      .. "supported", 0)
  end
end

--- A masked-language model of what `checkpoint.read` gave.
-- @tparam table saved a folder of an encoder, with or without any head; one
--   that is not of this kind is left out
-- @int seed of a new head
-- @treturn Model with the fields `encoder`, `tokenizer`, `config`
-- @raise naming the file that is wrong
function Model.from(saved, seed)
  check_tied(saved)
  local self = setmetatable({
    encoder = encoder.from(saved, { seed = seed }),
    tokenizer = tokenizer.from(saved),
  }, Model)
  self.config = self.encoder.config
  self.activation = ACTIVATIONS[self.config.hidden_act]
  self.has_pooler = saved.tensors["pooler.dense.weight"] ~= nil
    or saved.tensors["bert.pooler.dense.weight"] ~= nil
  self.dense, self.head = new_head(self.config, seed)
  take_head(self.head, saved)
  for _, p in ipairs(self.encoder:parameters()) do
    if p.name == WORDS then self.words = p.tensor end
  end
  return self
end

-- }========

--- Switches dropout on (for training) or off, as it is at first.
-- @bool[opt=true] on
-- @treturn Model itself
function Model:train(on)
  self.encoder:train(on)
  return self
end

--- Sets the probabilities of dropout of hidden states and attention.
-- @number p at least 0 and below 1
-- @treturn Model itself
function Model:set_dropout(p)
  check.number(p, "dropout", check.PROBABILITY)
  self.encoder.hidden_dropout, self.encoder.attention_dropout = p, p
  return self
end

-- What the decoder reads at some positions of a batch, [masked, hidden_size].
local function transformed(self, batch)
  local hidden = self.encoder:forward(batch).values:index(1, batch.positions)
  return self.activation(self.dense:forward(hidden)):layer_norm(
    self.head["transform.LayerNorm.weight"],
    self.head["transform.LayerNorm.bias"], self.config.layer_norm_eps)
end

--- The logits of all tokens at some positions of a batch.
-- @tparam table batch `ids`, `types` [tokens], `offsets` [sequences + 1], and
--   `positions`, int32 [masked] from 0
-- @treturn tensor float32 [masked, vocab_size]
function Model:forward(batch)
  return transformed(self, batch):matmul(self.words:transpose(1, 2))
    + self.head.bias
end

--- The mean cross entropy of what is to be predicted.
-- @tparam table batch as for `forward`, and `targets`, int32 [masked]
-- @treturn tensor one number
function Model:loss(batch)
  return nn.linear_cross_entropy(transformed(self, batch), self.words,
    self.head.bias, batch.targets)
end

-- {======== training ========

--- What it learns, where a classifier has one of `lunula.problem`.
Model.problem = { name = "masked_lm" }

--- Begins a new sequence of dropout masks.
-- @int seed
-- @treturn Model itself
function Model:seed(seed)
  self.encoder:seed(seed)
  return self
end

--- There is nothing in it that is only there while it learns.
-- @treturn Model itself
function Model:settle() return self end

--- It says no labels, so that none has a threshold.
-- @treturn nil
function Model:get_thresholds() end  -- luacheck: no self

Model.set_thresholds = Model.get_thresholds

-- }========

-- {======== weights ========

--- The parameters, with the names of transformers' BertForMaskedLM.
-- @treturn {table,...} `{ name = string, tensor = tensor }`
function Model:parameters()
  local list = {}
  for _, p in ipairs(self.encoder:parameters()) do
    if self.has_pooler or not p.name:find "^pooler%." then
      list[#list + 1] = { name = "bert." .. p.name, tensor = p.tensor }
    end
  end
  for _, name in ipairs(options.names(self.head)) do
    list[#list + 1] = { name = HEAD .. name, tensor = self.head[name] }
  end
  return list
end

--- The parameters as a folder has them.
-- @treturn table tensors by name: the model's own, no copies
function Model:weights()
  local tensors = {}
  for _, p in ipairs(self:parameters()) do tensors[p.name] = p.tensor end
  return tensors
end

--- Writes over all weights.
-- @tparam table tensors by the names of `parameters`, as a save has them
-- @treturn Model itself
function Model:set_weights(tensors)
  for _, p in ipairs(self:parameters()) do p.tensor:copy(tensors[p.name]) end
  return self
end

local function saved_config(self)
  local config = {}
  for name, value in pairs(self.config) do config[name] = value end
  for _, name in ipairs(folder.OF_HEAD) do config[name] = nil end
  config._name_or_path, config.dtype = nil, nil
  config.architectures = { "BertForMaskedLM" }
  config.torch_dtype = "float32"
  config.tie_word_embeddings = true
  config.hidden_dropout_prob = self.encoder.hidden_dropout
  config.attention_probs_dropout_prob = self.encoder.attention_dropout
  return config
end

--- Saves the model as a Hugging Face folder, which `lunula.classifier` starts
-- from as from any encoder.
-- @string dir made when it is not there
-- @raise when it can't be written
function Model:save(dir)
  checkpoint.write(check.path(dir, "save"), { config = saved_config(self),
    tensors = self:weights(), files = self.tokenizer.files })
end

-- }========

--- One line: its encoder.
function Model:__tostring()
  return ("masked-language model (%s)"):format(
    encoder.described(self.config))
end

return Model
