--- Text classifiers: an encoder, its tokenizer, and a linear head.
-- What transformers calls BertForSequenceClassification: a pooled vector,
-- dropout, a linear layer. Folders go both ways: a classifier that is saved
-- loads in transformers and predicts the same there.
-- @classmod lunula.classifier

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local encoder = require "lunula.encoder"
local engine = require "lunula.engine"
local explain = require "lunula.explain"
local grad = require "lunula.grad"
local hub = require "lunula.hub"
local job = require "lunula.job"
local folder = require "lunula.problem.folder"
local heads = require "lunula.problem.head"
local lora = require "lunula.lora"
local nn = require "lunula.nn"
local options = require "lunula.options"
local predictions = require "lunula.predictions"
local problem = require "lunula.problem"
local share = require "lunula.share"
local tokenizer = require "lunula.tokenizer"

local Classifier = {}

local none = options.none
local KNOWN = {
  labels = none, pooling = none, dropout = none, max_length = none, seed = 0,
  precision = none, queue_capacity = 64, problem_type = none,
  attention = none, adapter_size = none, new_head = false,
}

-- tokens read of a text where neither the caller nor the folder says: enough
-- for most, and a fraction of the cost of all positions
local MAX_LENGTH = 128

local POOLINGS = { pooler = true, first = true, mean = true }

-- a stream of random numbers that nothing else uses: the encoder's are small,
-- its pooler's 1000000
local DROPOUT_PURPOSE = 2000000

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== making ========

local function saved_tensor(saved, name)
  return saved.tensors[name] or fail("%s: no tensor '%s'", saved.dir, name)
end

local function make_head(self, saved, seed)
  local outputs = self.problem.outputs(self.labels)
  local head = heads.new(self.config.hidden_size, outputs, { seed = seed,
    std = self.config.initializer_range, shared = self.problem.shares_weights })
  if saved.tensors["classifier.weight"] then
    local weight = saved_tensor(saved, "classifier.weight")
    local bias = saved_tensor(saved, "classifier.bias")
    local ok, why = pcall(head.set, head, weight, bias)
    if not ok then
      fail("%s: the head 'classifier': %s", saved.dir, why)
    end
  end
  return head
end

local function make_dropout(self, seed)
  local p = self.config.classifier_dropout
  return nn.dropout(p or self.encoder.hidden_dropout,
    { seed = seed, purpose = DROPOUT_PURPOSE }):train(false)
end

-- The layers that learn, which answering needs none of: made when somebody
-- asks for one. Weights that others answer with are not theirs to change.
local function make_layers(self)
  local saved, o = self.saved, self.given
  if saved.quantized then
    fail("%s: a quantized model can't be trained, explained or saved; use the "
      .. "one that it was made of", saved.dir)
  end
  if self.lent then
    for name, t in pairs(saved.tensors) do
      saved.tensors[name] = core.tensor.zeros(t:shape(), t:dtype()):copy(t)
    end
  end
  self.saved, self.given, self.answering = nil, nil, nil
  self.encoder = encoder.from(saved, { seed = o.seed })
  self.head = make_head(self, saved, o.seed)
  self.dropout = make_dropout(self, o.seed)
  if o.dropout then self:set_dropout(o.dropout) end
end

local LAYERS = { encoder = true, head = true, dropout = true }

function Classifier.__index(self, name)
  if LAYERS[name] and rawget(self, "saved") then
    make_layers(self)
    return rawget(self, name)
  end
  return Classifier[name]
end

-- what the folder's model was trained with, else the usual
local function default_max_length(self, dir)
  local saved, most = self.config.classifier_max_length,
    self.config.max_position_embeddings
  if saved == nil then return math.min(MAX_LENGTH, most) end
  return check.integer(saved, dir .. "/config.json: classifier_max_length",
    { least = 2, most = most })
end

-- with causal attention the first token has seen nothing but itself
local function pooling_of(self, given, dir)
  local causal = self.config.is_decoder
  local saved = self.config.classifier_pooling
  local pooling = given or saved or causal and "mean" or "pooler"
  check.choice(pooling, given and "classifier: pooling"
    or dir .. "/config.json: classifier_pooling", POOLINGS)
  if causal and pooling ~= "mean" then
    fail("classifier: pooling '%s' reads the first token, which sees no other "
      .. "with causal attention; use 'mean'", pooling)
  end
  return pooling
end

local function precision_of(given, saved)
  if given == nil then return saved.quantized and "int8" or "fp32" end
  check.choice(given, "classifier: precision", engine.PRECISIONS)
  if saved.quantized and given ~= "int8" then
    fail("%s: quantized to int8, which can't be used as %s", saved.dir, given)
  end
  return given
end

-- By what the head was divided: see lunula.calibrate.
local function temperature_of(saved)
  local given = saved.tensors["classifier.weight"]
    and saved.config.classifier_temperature or 1
  return check.number(given, saved.dir .. "/config.json: "
    .. "classifier_temperature", { above = 0 })
end

local function config_of_folder(saved)
  local where = saved.dir .. "/config.json"
  local config = encoder.complete(saved.config, where)
  if config.classifier_dropout then
    check.number(config.classifier_dropout, where .. ": classifier_dropout",
      check.PROBABILITY)
  end
  return config
end

--- Makes a classifier of a folder: with the head that it holds, or with a new
-- one on a pretrained encoder.
-- A new head (and pooler, where the folder has none) starts at random:
-- normal(0, 0.02), from the seed.
-- @function classifier
-- @string name_or_dir a folder, or a name as in `hub.resolve`
-- @tparam[opt] table given
-- @tparam[opt] {string,...} given.labels in the order of the classes; those of
--   the folder's head when not given. A head that is there keeps its own:
--   given ones must be among them, or name those that nobody named
-- @string[opt] given.pooling "pooler" (BERT's, and the default), "first" or
--   "mean" (the default, and the only one, with causal attention);
--   transformers only knows the first
-- @string[opt] given.attention "bidirectional", or "causal": a token sees none
--   that is behind it, `is_decoder` in the folder's config. That of the folder
--   when not given
-- @int[opt] given.adapter_size of adapters behind each half of each layer (see
--   `encoder.changed`), made where the folder has none; transformers does not
--   know them, and loads the rest. Those of the folder when not given
-- @number[opt] given.dropout of hidden states, attention and the pooled
--   vector; the folder's config's when not given, 0.1 in most
-- @int[opt] given.max_length most tokens of a text; what the folder's model
--   was trained with when not given, else 128, or all that the encoder has
--   positions for where they are fewer
-- @int[opt=0] given.seed of a new head
-- @bool[opt=false] given.new_head leaves out the head that the folder holds,
--   for what was learnt of one task to be of use for another (Phang et al.
--   2018, https://arxiv.org/abs/1811.01088)
-- @string[opt] given.precision of answers (`predict`, `evaluate`): "fp32",
--   "bf16" or "int8"; "fp32" when not given, "int8" for a folder that was
--   quantized. Training has one of its own
-- @int[opt=64] given.queue_capacity most jobs under way (see `submit`)
-- @string[opt] given.problem_type what a text's target is (see
--   `lunula.problem`): "single_label_classification",
--   "multi_label_classification", "regression" (which has no labels) or
--   "ordinal" (whose labels are given in their order, the lowest first); that
--   of the folder's head when not given, else the first
-- @treturn classifier with the fields `encoder`, `tokenizer`, `head`,
--   `labels`, `max_length`, `pooling`, `precision`, `config`, `problem`,
--   `temperature` (see `lunula.calibrate`)
-- @raise naming the file that is missing or wrong; when the folder's head
--   lacks a label that is given; when the first token is to be pooled and
--   attention is causal
-- @usage local model = lunula.classifier("all-MiniLM-L6-v2",
--   { labels = { "negative", "positive" } })
local function classifier(name_or_dir, given)
  local o = options.check(given, KNOWN, "classifier")
  check.integer(o.seed, "classifier: seed")
  if o.dropout then check.number(o.dropout, "dropout", check.PROBABILITY) end
  return Classifier.from(checkpoint.read(hub.resolve(name_or_dir)), o)
end

--- A classifier of what `checkpoint.read` gave.
-- @tparam table saved
-- @tparam ?table given options of `classifier`
-- @treturn classifier
-- @raise as `classifier`
function Classifier.from(saved, given)
  local o = options.check(given, KNOWN, "classifier")
  saved = encoder.changed(saved, { attention = o.attention,
    adapter_size = o.adapter_size, seed = o.seed })
  check.boolean(o.new_head, "classifier: new_head")
  if o.new_head then saved = folder.without_head(saved) end
  local kind = problem.of_folder(saved, o.problem_type)
  local labels, more = folder.labels(saved, kind, o.labels)
  local self = setmetatable({
    saved = saved, given = o, config = config_of_folder(saved),
    tokenizer = tokenizer.from(saved), base = saved.dir,
    problem = kind, labels = labels, thresholds = more.thresholds,
    precision = precision_of(o.precision, saved),
    temperature = temperature_of(saved),
    queue = job.queue(o.queue_capacity, "classifier"),
  }, Classifier)
  self.pooling = pooling_of(self, o.pooling, saved.dir)
  self:set_max_length(o.max_length or default_max_length(self, saved.dir))
  local made = engine.of_saved(self, saved)
  if made then self.answering = { core = made } else make_layers(self) end
  return self
end

-- }========

--- Sets how much of a text is read.
-- @int max_length most tokens, from 2 to what the encoder has positions for
-- @treturn classifier itself
function Classifier:set_max_length(max_length)
  self.max_length = check.integer(max_length, "max_length of this model",
    { least = 2, most = self.config.max_position_embeddings })
  return self
end

-- {======== training ========

--- Switches dropout on (for training) or off, as it is at first.
-- What a model learns is not calibrated (`lunula.calibrate`): on sets
-- `temperature` back to 1.
-- @bool[opt=true] on
-- @treturn classifier itself
function Classifier:train(on)
  on = on ~= false
  if on then self.answering, self.temperature = nil, 1 end
  self.encoder:train(on)
  self.dropout.training = on
  return self
end

--- Whether dropout is on.
-- @treturn bool
function Classifier:is_training()
  return rawget(self, "encoder") ~= nil and self.encoder.training
end

--- Sets all probabilities of dropout.
-- @number p at least 0 and below 1
-- @treturn classifier itself
function Classifier:set_dropout(p)
  check.number(p, "dropout", check.PROBABILITY)
  self.encoder.hidden_dropout, self.encoder.attention_dropout = p, p
  self.dropout.p = p
  return self
end

--- Begins a new sequence of dropout masks.
-- @int seed the same seed gives the same masks, forward by forward
-- @treturn classifier itself
function Classifier:seed(seed)
  check.integer(seed, "seed")
  self.encoder:seed(seed)
  self.dropout.seed, self.dropout.position = seed, 0
  return self
end

local function finish(self, was, ok, ...)
  if was then self:train(true) end
  if not ok then error((...), 0) end
  return ...
end

--- Ends what the head does only while it learns: it is as it is saved.
-- @treturn classifier itself
function Classifier:settle()
  self.head:finish()
  return self
end

--- The thresholds of a multi-label model, in the order of its labels.
-- @treturn ?{number,...} nil: 0.5 for each, or another type of problem
function Classifier:get_thresholds()
  return self.thresholds
end

--- Sets them: see `lunula.thresholds`, which does by name.
-- @tparam ?{number,...} thresholds
function Classifier:set_thresholds(thresholds)
  self.thresholds = thresholds
end

--- Calls a function with dropout off and nothing recorded; afterwards both are
-- as they were.
-- @func f
-- @param ... its arguments
-- @return what f returns
function Classifier:infer(f, ...)
  local was = self:is_training()
  if was then self:train(false) end
  return finish(self, was, pcall(grad.no_grad, f, ...))
end

--- The logits of a batch.
-- @tparam table batch as from `tokenizer:encode`
-- @tparam[opt] table given as for `encoder:forward`
-- @treturn tensor float32 [texts, labels]
-- @usage local logits = model:forward(model.tokenizer:encode(texts))
function Classifier:forward(batch, given)
  return self:classify(self:pooled(batch, given))
end

--- The vectors that the head reads, one for each text.
-- @tparam table batch as from `tokenizer:encode`
-- @tparam[opt] table given as for `encoder:forward`
-- @treturn tensor float32 [texts, hidden_size]
-- @usage local vectors = model:pooled(model.tokenizer:encode(texts))
function Classifier:pooled(batch, given)
  return self.encoder:pooled(batch, self.pooling, given)
end

--- The logits of pooled vectors: dropout and the head, the rest of `forward`.
-- @tparam tensor vectors float32 [texts, hidden_size]
-- @treturn tensor float32 [texts, labels]
-- @usage local logits = model:classify(model:pooled(batch))
function Classifier:classify(vectors)
  return self.head:forward(self.dropout:forward(vectors))
end

--- The model that answers: the weights as they are now, in the form that its
-- precision is multiplied in.
-- @bool[opt=false] lasting whether it must not change when the classifier
--   learns on, as for one that is shared
-- @treturn userdata core.model
function Classifier:model(lasting)
  if rawget(self, "saved") then
    self.lent = self.lent or lasting
  else
    self.answering = engine.of_layers(self, self.answering, lasting or false)
  end
  return self.answering.core
end

--- The logits of a batch, where nothing is to be learnt: by the model that
-- answers, in its precision.
-- @tparam table batch as from `tokenizer:encode`
-- @treturn tensor float32 [texts, labels]
-- @usage local logits = model:logits(model.tokenizer:encode(texts))
function Classifier:logits(batch)
  return self:model():run(batch.ids, batch.types, batch.offsets)
end

--- The parameters, with the names of transformers'
-- BertForSequenceClassification.
-- A head's may be fewer while it learns: see `weights`.
-- @treturn {table,...} `{ name = string, tensor = tensor }`
function Classifier:parameters()
  local list = {}
  for _, p in ipairs(self.encoder:parameters()) do
    list[#list + 1] = { name = "bert." .. p.name, tensor = p.tensor }
  end
  for _, p in ipairs(self.head:parameters()) do
    list[#list + 1] = { name = "classifier." .. p.name, tensor = p.tensor }
  end
  return list
end

--- The parameters as a folder has them: those of plain linear layers.
-- @treturn table tensors by name; most are the model's own, no copies
function Classifier:weights()
  local tensors = {}
  for _, p in ipairs(self:parameters()) do tensors[p.name] = p.tensor end
  tensors["classifier.weight"], tensors["classifier.bias"] = self.head:whole()
  return tensors
end

--- Takes parameters as a folder has them.
-- @tparam table tensors by name, of a model like this one
function Classifier:set_weights(tensors)
  for _, p in ipairs(self.encoder:parameters()) do
    p.tensor:copy(tensors["bert." .. p.name])
  end
  self.head:set(tensors["classifier.weight"], tensors["classifier.bias"])
end

-- }========

-- {======== predicting ========

-- What predictions are made with.
local function answering(self, model)
  return { core = model, labels = self.labels, problem = self.problem,
    thresholds = self.thresholds, max_length = self.max_length,
    space = self.space }
end

--- The label of a text, or of each of several.
-- @tparam string|{string,...} texts
-- @tparam[opt] table given
-- @tparam[opt] string|{string,...} given.text_pairs the other text of each,
--   for models of pairs
-- @int[opt=32] given.batch_size most texts of a batch, in which there are
--   fewer where they are long
-- @int[opt] given.batch_tokens instead: the most tokens of a batch, at least
--   2; a text that has more is a batch of its own
-- @string[opt="head"] given.truncation what is read of a text that has more
--   than `max_length` tokens: "head", "tail", "head_tail", or all, in
--   "windows": then the probabilities are the mean of those of its windows
-- @int[opt] given.stride tokens that two windows have in common: half of one
--   when not given (see `tokenizer:encode`)
-- @int[opt] given.threads that may work on a batch: 1 for a single text and all
--   (`lunula.threads`) for several when not given
-- @number[opt] given.min_score below which an answer is marked as `abstained`:
--   for the caller not to act on (see `lunula.calibrate.threshold`)
-- @treturn table `{ label =, score =, scores =, cut =, abstained = }`: the most
--   probable label, its probability, those of all labels by name, how many
--   bytes of the text (and its pair) were not read, nil where all were, and
--   true where the score is below `min_score`, else nil; for an array, an array
--   in its order. Of a multi-label model `{ labels =, scores =, cut = }`, an
--   array of those at or above their thresholds, each a probability of its own;
--   of a regression `{ value =, cut = }`
-- @raise when a text is no string; on options of which one excludes another
-- @usage print(model:predict("What a quiet, lovely film.").label)
function Classifier:predict(texts, given)
  self.space = self.space or core.jobs.space()
  return predictions.now(answering(self, self:model()), texts, given)
end

--- Predicts while the program goes on.
-- The texts are copied, all else happens on other threads: this returns at
-- once. What the job answers with is the model as it is now.
-- @tparam string|{string,...} texts
-- @tparam[opt] table given as for `predict`
-- @treturn[1] job see `lunula.job`: `done`, `wait`, `result`, `cancel`, `fd`
-- @treturn[2] nil when as many jobs are under way as the queue has room for
-- @treturn[2] string saying so
-- @raise when a text is no string
-- @usage local job = assert(model:submit("What a quiet, lovely film."))
-- while not job:done() do draw_a_frame() end
-- print(job:result().label)
function Classifier:submit(texts, given)
  return job.submit(self.queue, answering(self, self:model(true)), texts,
    given)
end

--- Shares the model as it is now with other Lua states: `lunula.share(model)`.
-- @treturn string a handle
function Classifier:share()
  local model, last = self:model(true), self.shared
  if not last or last.model ~= model or last.max_length ~= self.max_length
      or last.thresholds ~= self.thresholds then
    self.shared = share.new(answering(self, model))
  end
  return self.shared.handle
end

--- How much each word of a text speaks for a label: see `lunula.explain`.
-- @function Classifier:explain
-- @string text
-- @tparam[opt] table given
-- @string[opt] given.label the predicted one when not given
-- @treturn table `{ label =, score =, baseline =, words =, completeness = }`
-- @raise when the text is no string, or the model has no such label
-- @usage for _, word in ipairs(model:explain("A lovely film.").words) do
--   print(word.text, word.score)
-- end
Classifier.explain = explain

-- }========

-- {======== saving ========

--- The config that the classifier is saved with.
-- @treturn table for config.json
function Classifier:saved_config()
  local config = {}
  for name, value in pairs(self.config) do config[name] = value end
  for _, name in ipairs { "_name_or_path", "dtype", "classifier_labels",
      "classifier_problem_type", "classifier_thresholds" } do
    config[name] = nil
  end
  config.architectures = { "BertForSequenceClassification" }
  config.torch_dtype = "float32"
  self.problem.write_config(config, self)
  config.classifier_pooling = self.pooling ~= "pooler" and self.pooling or nil
  config.classifier_max_length = self.max_length
  config.classifier_temperature = self.temperature ~= 1 and self.temperature
    or nil
  return config
end

-- with the dropout that it learns with
local function trained_config(self)
  local config = self:saved_config()
  config.hidden_dropout_prob = self.encoder.hidden_dropout
  config.attention_probs_dropout_prob = self.encoder.attention_dropout
  config.classifier_dropout = self.dropout.p
  return config
end

--- Saves the classifier as a Hugging Face folder.
-- The folder holds the old model or the new one, whatever happens meanwhile.
-- @string dir made when it is not there
-- @raise when it can't be written
-- @usage model:save "my-model"
function Classifier:save(dir)
  check.path(dir, "save")
  checkpoint.write(dir, { config = trained_config(self),
    tensors = self:weights(), files = self.tokenizer.files })
end

--- Saves what LoRA has learnt, and the head: see `lunula.lora.save`.
-- @function Classifier:save_adapter
-- @string dir
-- @tparam[opt] table given
-- @usage model:save_adapter "my-adapter"
Classifier.save_adapter = lora.save

-- }========

--- One line: its labels, its encoder, how much of a text it reads.
function Classifier:__tostring()
  return ("classifier (%s; %s; %d tokens of a text)"):format(
    folder.counted(self.labels), encoder.described(self.config),
    self.max_length)
end

--- The names of the options that a classifier takes, each with its default;
-- and how many tokens it reads of a text where nobody says.
return setmetatable({ from = Classifier.from, options = KNOWN,
  max_length = MAX_LENGTH }, {
  __call = function(_, ...) return classifier(...) end,
})
