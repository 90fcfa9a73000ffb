--- BERT encoders: made new or loaded from a Hugging Face folder.
-- An encoder reads a ragged batch, as a tokenizer makes it: no padding token
-- is ever computed. Its forward and backward are one node of the tape.
-- @classmod lunula.encoder

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local json = require "lunula.json"
local nn = require "lunula.nn"
local options = require "lunula.options"
local ragged = require "lunula.ragged"
local tensor = require "lunula.tensor"

local encoder = {}
encoder.__index = encoder

-- what a config that doesn't say otherwise means, as in BertConfig
local DEFAULTS = {
  model_type = "bert",
  hidden_act = "gelu",
  layer_norm_eps = 1e-12,
  max_position_embeddings = 512,
  type_vocab_size = 2,
  pad_token_id = 0,
  hidden_dropout_prob = 0.1,
  attention_probs_dropout_prob = 0.1,
  initializer_range = 0.02,
}

-- the only values that are supported, of options that change the computation
local ONLY = {
  model_type = "bert",
  position_embedding_type = "absolute",
  add_cross_attention = false,
}

local function copied(from)
  local copy = {}
  for name, value in pairs(from) do copy[name] = value end
  return copy
end

local function check_supported(config, where)
  for name, supported in pairs(ONLY) do
    local value = config[name]
    if value ~= nil and value ~= json.null and value ~= supported then
      error(("%s: %s: only %s is supported, got %s"):format(where, name,
        tostring(supported), tostring(value)), 0)
    end
  end
end

local function with_defaults(config)
  local full = copied(DEFAULTS)
  for name, value in pairs(config) do
    if value ~= json.null then full[name] = value end
  end
  if config.pad_token_id == json.null then full.pad_token_id = -1 end
  return full
end

-- what the core does not use, and so does not check
local function check_rest(config, where)
  for _, name in ipairs { "hidden_dropout_prob",
      "attention_probs_dropout_prob" } do
    check.number(config[name], where .. ": " .. name, check.PROBABILITY)
  end
  check.number(config.initializer_range, where .. ": initializer_range",
    { least = 0 })
end

-- what f returns; `where` goes in front of what it raises
local function placed(where, f, ...)
  local ok, result = pcall(f, ...)
  if not ok then error(where .. ": " .. result, 0) end
  return result
end

--- A config with what it leaves out filled in, as in BertConfig.
-- @tparam table config as in config.json
-- @string where it is from, for the message
-- @treturn table
-- @raise when it asks for what is not supported
function encoder.complete(config, where)
  check_supported(config, where)
  config = with_defaults(config)
  check_rest(config, where)
  placed(where, core.config, config)
  return config
end

-- an encoder whose parameters have no values yet; `where` its config is from
local function bare(config, where)
  config = encoder.complete(config, where)
  local self = setmetatable({
    config = config,
    core = placed(where, core.encoder, config),
    hidden_size = config.hidden_size,
    hidden_dropout = config.hidden_dropout_prob,
    attention_dropout = config.attention_probs_dropout_prob,
    training = false,
    precision = "fp32",
    checkpointing = false,
    seed_value = 0,
    forwards = 0,
  }, encoder)
  self.names = self.core:names()
  self.pooler = nn.linear(config.hidden_size, config.hidden_size,
    { std = config.initializer_range })
  return self
end

-- streams of random numbers that nothing else uses; the encoder's own
-- parameters are 1, 2, 3 ...
local POOLER_PURPOSE = 1000000
local ADAPTER_PURPOSE = 3000000

-- so that adapters change next to nothing at first; as their authors have it
local ADAPTER_STD = 1e-3

local function is_adapter(name)
  return name:find "%.adapter%." ~= nil
end

-- a stream for each parameter: adapters' are apart, so that others begin the
-- same with them and without
local function purposes_of(names)
  local purposes, plain, adapters = {}, 0, 0
  for i, name in ipairs(names) do
    if is_adapter(name) then
      adapters = adapters + 1
      purposes[i] = ADAPTER_PURPOSE + adapters
    else
      plain = plain + 1
      purposes[i] = plain
    end
  end
  return purposes
end

-- new values of parameter i, as transformers': LayerNorm 1 and 0, biases 0,
-- else normal
local function initial(self, i, seed, purpose)
  local name, shape = self.names[i], self.core:parameter(i):shape()
  if name:find "LayerNorm.weight$" then return tensor.ones(shape) end
  if name:find "bias$" then return tensor.zeros(shape) end
  return tensor.normal(shape, { seed = seed, purpose = purpose,
    std = is_adapter(name) and ADAPTER_STD or self.config.initializer_range })
end

--- A new encoder with random weights.
-- @tparam table config with the names of transformers' BertConfig:
-- `hidden_size`, `num_hidden_layers`, `num_attention_heads`,
-- `intermediate_size`, `vocab_size`; others have BertConfig's defaults.
-- `is_decoder` makes attention causal: no token sees a later one;
-- `adapter_size` puts adapters in (see `changed`)
-- @tparam[opt] table opts
-- @int[opt=0] opts.seed of the weights
-- @treturn encoder
-- @raise when the config asks for what is not supported
-- @usage local small = encoder.new { hidden_size = 64, num_hidden_layers = 2,
--   num_attention_heads = 2, intermediate_size = 128, vocab_size = 1000 }
function encoder.new(config, opts)
  local o = options.check(opts, { seed = 0 }, "encoder.new")
  check.integer(o.seed, "encoder.new: seed")
  local self = bare(check.table(config, "encoder.new"), "config")
  for i, purpose in ipairs(purposes_of(self.names)) do
    self.core:set(i, initial(self, i, o.seed, purpose))
  end
  self:init_pooler(o.seed)
  return self
end

--- Gives the pooler new random weights; it is `pooler_is_new` from then on.
-- @int seed
function encoder:init_pooler(seed)
  self.pooler_is_new = true
  self.pooler.weight:copy(tensor.normal(self.pooler.weight:shape(),
    { std = self.config.initializer_range, seed = seed,
      purpose = POOLER_PURPOSE }))
  self.pooler.bias:copy(tensor.zeros(self.pooler.bias:shape()))
end

--- Gives the top layers, and the pooler, new random weights: those of the
-- pretraining's task are no good start for another (Zhang et al. 2021,
-- "Revisiting Few-sample BERT Fine-tuning", https://arxiv.org/abs/2006.05987).
-- @int layers how many, the top one first
-- @int[opt=0] seed
-- @raise when there are not as many layers
-- @usage encoder:reinit(2, 1)
function encoder:reinit(layers, seed)
  local all = self.config.num_hidden_layers
  check.integer(layers, "reinit: layers", { least = 0, most = all })
  seed = check.integer(seed or 0, "reinit: seed")
  for i, purpose in ipairs(purposes_of(self.names)) do
    local number = tonumber(self.names[i]:match "^encoder%.layer%.(%d+)%.")
    if number and number >= all - layers then
      self.core:parameter(i):copy(initial(self, i, seed, purpose))
    end
  end
  self:init_pooler(seed)
end

--- The name that a parameter has in BertModel: without the "bert." that is in
-- front when a head sits on top, nor TensorFlow's names of LayerNorm.
-- @string name as in a file
-- @treturn string
function encoder.plain_name(name)
  return (name:gsub("^bert%.", ""):gsub("LayerNorm%.gamma$",
    "LayerNorm.weight"):gsub("LayerNorm%.beta$", "LayerNorm.bias"))
end

local function by_plain_name(tensors)
  local plain = {}
  for name, t in pairs(tensors) do plain[encoder.plain_name(name)] = t end
  return plain
end

local function take(self, tensors, where)
  for i, name in ipairs(self.names) do
    if not tensors[name] then
      error(("%s: no tensor '%s', which the config asks for"):format(where,
        name), 0)
    end
    placed(where, self.core.set, self.core, i, tensors[name])
  end
end

-- the pooler is optional: sentence encoders are saved without it
local function take_pooler(self, tensors, where, seed)
  for _, name in ipairs { "weight", "bias" } do
    local saved = tensors["pooler.dense." .. name]
    if not saved then return self:init_pooler(seed) end
    local own = self.pooler[name]
    placed(where .. ": pooler.dense." .. name, own.copy, own, saved)
  end
end

local ATTENTIONS = { bidirectional = true, causal = true }
local CHANGES = { attention = options.none, adapter_size = options.none,
  seed = 0 }

-- whether there are to be adapters, and there are none yet
local function lacks_adapters(saved, size)
  if size == nil then return false end
  check.integer(size, "classifier: adapter_size", { least = 1 })
  local had = saved.config.adapter_size
  if had == size then return false end
  if had ~= nil and had ~= json.null then
    error(("classifier: %s has adapters of size %s, not %s"):format(saved.dir,
      tostring(had), tostring(size)), 0)
  end
  if saved.quantized then
    error(saved.dir .. ": a quantized model takes no adapters, which are to "
      .. "be trained; use the one that it was made of", 0)
  end
  return true
end

local function with_adapters(tensors, config, seed, where)
  local all, model = copied(tensors), bare(config, where)
  for i, purpose in ipairs(purposes_of(model.names)) do
    local name = model.names[i]
    if is_adapter(name) then all[name] = initial(model, i, seed, purpose) end
  end
  return all
end

--- What `checkpoint.read` gave, with another attention or with adapters.
--
-- Causal, a token sees itself and those before it, and no later one. The
-- config says so as transformers' does: `is_decoder`. Weights that were trained
-- one way are simply used the other way.
--
-- Adapters (Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for
-- NLP", https://arxiv.org/abs/1902.00751) are two linear layers with a GELU
-- between, behind each half of a layer: `encoder.layer.N.attention.output
-- .adapter.down` [adapter_size, hidden_size] and `.up`, the same of
-- `encoder.layer.N.output.adapter`, and `adapter_size` in the config. They are
-- lunula's own: transformers does not know them and loads the rest. New ones
-- are normal(0, 0.001), their biases 0, and so change next to nothing.
-- @tparam table saved
-- @tparam table given
-- @string[opt] given.attention "bidirectional" or "causal"; as it is when not
--   given
-- @int[opt] given.adapter_size of adapters, which are made where there are
--   none; as it is when not given
-- @int[opt=0] given.seed of new adapters
-- @treturn table a copy with another config and more tensors
-- @raise when an option is out of range, there are adapters of another size,
--   or the weights are in 8 bits and adapters are to be made
function encoder.changed(saved, given)
  local o = options.check(given, CHANGES, "encoder.changed")
  local changed, config = copied(saved), copied(saved.config)
  changed.config = config
  if o.attention ~= nil then
    check.choice(o.attention, "classifier: attention", ATTENTIONS)
    config.is_decoder = o.attention == "causal"
  end
  if lacks_adapters(saved, o.adapter_size) then
    config.adapter_size = o.adapter_size
    changed.tensors = with_adapters(saved.tensors, config, o.seed,
      saved.dir .. "/config.json")
  end
  return changed
end

--- An encoder from what `checkpoint.read` gave.
-- @tparam table saved `{ config = table, tensors = name to tensor }`, and the
-- `dir` that they are from, for messages
-- @tparam[opt] table opts
-- @int[opt=0] opts.seed of a pooler that the file lacks
-- @treturn encoder
-- @raise naming the file, when the config asks for what is not supported, or
-- a parameter is missing or has another shape
function encoder.from(saved, opts)
  local o = options.check(opts, { seed = 0 }, "encoder.from")
  check.table(saved, "encoder.from")
  local place = saved.dir and saved.dir .. "/" or ""
  if saved.quantized then
    error(place .. "config.json: a quantized model can't be trained; "
      .. "lunula.classifier answers with it", 0)
  end
  local self = bare(saved.config, place .. "config.json")
  local tensors = by_plain_name(saved.tensors)
  take(self, tensors, place .. "model.safetensors")
  take_pooler(self, tensors, place .. "model.safetensors", o.seed)
  return self
end

--- An encoder from a Hugging Face folder.
-- @string dir folder with `config.json` and `model.safetensors`
-- @treturn encoder
-- @raise naming the file when one is missing or wrong
-- @usage local bert = encoder.load(hub.resolve "all-MiniLM-L6-v2")
--   local sentence = bert:forward(tokenizer:encode "Hello."):pool "mean"
function encoder.load(dir)
  check.path(dir, "encoder.load")
  return encoder.from(checkpoint.read(dir))
end

--- Switches dropout on (for training) or off, as it is at first.
-- @bool[opt=true] on
-- @treturn encoder itself
function encoder:train(on)
  self.training = on ~= false
  return self
end

--- Chooses the arithmetic of the matrix products to come.
-- @string precision `"fp32"`, as it is at first, or `"bf16"`: their operands
-- are rounded to bfloat16, sums stay float32; half as fast again where the
-- processor has AVX512-BF16, slower with the same rounding elsewhere
-- @treturn encoder itself
function encoder:set_precision(precision)
  if precision ~= "fp32" and precision ~= "bf16" then
    error("precision: expected fp32 or bf16, got " .. tostring(precision), 0)
  end
  self.core:precision(precision)
  self.precision = precision
  return self
end

--- Keeps less of a forward for its backward: the input of each layer alone.
-- The backward then runs each layer forward once more, to the same bits (Chen
-- et al. 2016, "Training Deep Nets with Sublinear Memory Cost"). For long
-- texts and large models.
-- @bool[opt=true] on
-- @treturn encoder itself
function encoder:gradient_checkpointing(on)
  self.checkpointing = on ~= false
  self.core:checkpointing(self.checkpointing)
  return self
end

--- Gives back the memory that a forward and its backward work in, which is
-- kept for the next ones: they take it again.
-- @treturn encoder itself
-- @usage model.encoder:trim()
function encoder:trim()
  self.core:trim()
  core.system.trim()
  return self
end

--- Begins a new sequence of dropout masks.
-- @int seed the same seed gives the same masks, forward by forward
-- @treturn encoder itself
function encoder:seed(seed)
  check.integer(seed, "seed")
  self.seed_value, self.forwards = seed, 0
  return self
end

-- a seed for each forward, drawn from a stream of the user's seed: seeds that
-- differ in any bit give masks that have nothing in common
local function forward_seed(self)
  self.forwards = self.forwards + 1
  return core.rng(self.seed_value, self.forwards % 2 ^ 32):below(2 ^ 53)
end

-- the word vectors that are given in place of ids, or nil
local function given_words(given)
  if given == nil then return nil end
  local o = options.check(given, { inputs_embeds = options.none }, "forward")
  return o.inputs_embeds and check.tensor(o.inputs_embeds,
    "forward: inputs_embeds")
end

-- the vectors of a batch's tokens; of its sequences, when told how
local function read(self, batch, how, given)
  check.table(batch, "forward: batch")
  local words = given_words(given)
  for _, name in ipairs { "ids", "types", "offsets" } do
    if name ~= "ids" or not words then
      check.tensor(batch[name], "forward: batch." .. name)
    end
  end
  local hidden, attention, seed
  if self.training then
    hidden, attention = self.hidden_dropout, self.attention_dropout
    seed = forward_seed(self)
  end
  return self.core:forward(batch.ids, batch.types, batch.offsets, hidden,
    attention, seed, how, words)
end

--- Reads a batch.
-- @tparam table batch `ids`, `types`: int32 tensors [tokens]; `offsets`:
-- int32 tensor [sequences + 1]; as `tokenizer:encode` gives
-- @tparam[opt] table given
-- @param[opt] given.inputs_embeds tensor float32 [tokens, hidden_size]: these
-- word vectors in place of those of `batch.ids`, which is not needed then. The
-- gradient goes to this tensor and not to the table of words
-- @treturn ragged [tokens, hidden_size]
-- @raise when an id, a type or a length is not one the model has, or
-- inputs_embeds has another shape
-- @usage local words = encoder:embed(batch):detach():requires_grad(true)
--   encoder:forward(batch, { inputs_embeds = words }):pool "mean"
function encoder:forward(batch, given)
  return ragged.new(read(self, batch, nil, given), batch.offsets, self.pooler)
end

--- The word vectors of a batch, which `forward` begins with: what to change
-- and give as `inputs_embeds` (adversarial noise, mixup, attributions). A
-- gradient goes on to the table of words, as from `forward`.
-- @tparam table batch `ids`: int32 tensor [tokens]
-- @return tensor float32 [tokens, hidden_size]
-- @raise when an id is not one the model has
-- @usage local noisy = encoder:embed(batch) + noise
--   local hidden = encoder:forward(batch, { inputs_embeds = noisy })
function encoder:embed(batch)
  check.table(batch, "embed: batch")
  return self.core:embed(check.tensor(batch.ids, "embed: batch.ids"))
end

--- Reads a batch and pools it, as `forward(batch):pool(how)` does, with less
-- memory: no vectors of tokens wait for the collector.
-- @tparam table batch as for `forward`
-- @string how as for `ragged:pool`
-- @tparam[opt] table given as for `forward`
-- @return tensor float32 [sequences, hidden_size]
-- @raise as both
function encoder:pooled(batch, how, given)
  return ragged.pooled(how, self.pooler, function(kind)
    return read(self, batch, kind, given)
  end)
end

--- The parameters, with transformers' names.
-- @treturn {table,...} `{ name = string, tensor = tensor }`
function encoder:parameters()
  local list = {}
  for i, name in ipairs(self.names) do
    list[i] = { name = name, tensor = self.core:parameter(i) }
  end
  for _, p in ipairs(self.pooler:parameters()) do
    list[#list + 1] = { name = "pooler.dense." .. p.name, tensor = p.tensor }
  end
  return list
end

--- An encoder's size, in one line.
-- @tparam table config
-- @treturn string
function encoder.described(config)
  return ("encoder (%d layers of %d)"):format(config.num_hidden_layers,
    config.hidden_size)
end

--- One line: its size.
function encoder:__tostring()
  return encoder.described(self.config)
end

return encoder
