--- Makes a model four times smaller, and faster: in 8 bits.
--
-- A folder that holds a quantized classifier loads as any other, and answers
-- as int8. What it holds, all names as transformers' but for the last part:
--
--   config.json        with quantization_config = { quant_method = "lunula",
--                      version = 1, ... }
--   NAME.weight        I8: of a linear layer, its panels as they are
--                      multiplied (src/kernel/int8.h): [out / 64, in / 4, 64,
--                      4], element (o, i) at [o / 64][i / 4][o % 64][i % 4],
--                      filled up with zeros; of the words [words, hidden]
--   NAME.weight_scale  F32 [out]: a weight is scale times its number
--   NAME.weight_sum    I32 [out]: the sums of the numbers of a row
--
-- Query, key and value are one linear layer, `query_key_value`. Biases, norms,
-- positions, token types, adapters and the head stay float32.
-- @module lunula.quantize

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local engine = require "lunula.engine"
local evaluate = require "lunula.evaluate"
local options = require "lunula.options"
local problem = require "lunula.problem"
local tensor = require "lunula.tensor"

local none = options.none
local KNOWN = {
  check = none, max_drop = 0.5, batch_size = 32, on_check = none,
}

local WORDS = "embeddings.word_embeddings.weight"
local PANEL_COLUMNS, UNIT = 64, 4
local PARTS = { "query", "key", "value" }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== names ========

-- linear layers in the order of core.model, without ".weight"
local function linear_names(config)
  local names = {}
  for i = 0, config.num_hidden_layers - 1 do
    for _, name in ipairs { "attention.self.query_key_value",
        "attention.output.dense", "intermediate.dense", "output.dense" } do
      names[#names + 1] = ("encoder.layer.%d.%s"):format(i, name)
    end
  end
  names[#names + 1] = "pooler.dense"
  return names
end

local function with_saved_names(tensors)
  local named = {}
  for name, value in pairs(tensors) do
    named[(name:find "^classifier%." and "" or "bert.") .. name] = value
  end
  return named
end

-- }========

-- {======== converting ========

-- the biases of query, key and value side by side
local function joined_bias(from, fused)
  local all = {}
  for _, part in ipairs(PARTS) do
    local name = fused:gsub("query_key_value$", part) .. ".bias"
    for _, x in ipairs(from[name]:totable()) do all[#all + 1] = x end
  end
  return tensor.from(all)
end

local function drop_parts(to, fused)
  for _, part in ipairs(PARTS) do
    local name = fused:gsub("query_key_value$", part)
    to[name .. ".weight"], to[name .. ".bias"] = nil, nil
  end
end

local function put_linear(to, from, name, made, i)
  local panels, scale, sums, out, depth = made:linear(i)
  if not panels then return end  -- a pooler that is not used
  if name:find "query_key_value$" then
    drop_parts(to, name)
    to[name .. ".bias"] = joined_bias(from, name)
  end
  to[name .. ".weight"] = { bytes = panels, shape = {
    math.ceil(out / PANEL_COLUMNS), math.ceil(depth / UNIT), PANEL_COLUMNS,
    UNIT } }
  to[name .. ".weight_scale"], to[name .. ".weight_sum"] = scale, sums
end

-- the tensors of the folder
local function convert(model)
  local from, to = engine.float_tensors(model), {}
  local made = engine.make(model, from, "int8")
  for name, t in pairs(from) do to[name] = t end
  for i, name in ipairs(linear_names(model.config)) do
    put_linear(to, from, name, made, i)
  end
  local words, scale = core.quantise(from[WORDS])
  to[WORDS] = { bytes = words, shape = from[WORDS]:shape() }
  to[WORDS .. "_scale"] = scale
  return with_saved_names(to)
end

local function config_of(model)
  local config = model:saved_config()
  config.torch_dtype = nil
  config.quantization_config = {
    quant_method = "lunula", version = checkpoint.QUANTIZED, bits = 8,
    weights = "int8, symmetric, a scale for each output",
    activations = "uint8, a scale and a zero point for each token",
    embeddings = "int8, symmetric, a scale for each word",
  }
  return config
end

-- }========

-- {======== checking ========

-- what a folder of these would load as
local function loaded(model, config, tensors, precision)
  local saved = { dir = "quantize", config = config, tensors = {}, bytes = {},
    quantized = precision == "int8", files = model.tokenizer.files }
  for name, value in pairs(tensors) do
    if type(value) == "table" then
      saved.bytes[name] = core.bytes(value.bytes)
    else
      saved.tensors[name] = value
    end
  end
  return classifier.from(saved, { precision = precision })
end

local function compare(model, config, tensors, o)
  local limit = { batch_size = o.batch_size }
  local float = loaded(model, model:saved_config(),
    with_saved_names(engine.float_tensors(model)), "fp32")
  local before = evaluate(float, o.check, limit)
  local after = evaluate(loaded(model, config, tensors, "int8"), o.check,
    limit)
  local score = model.problem.quality
  return { n = before.n, score = score, before = before[score],
    after = after[score], drop = 100 * (before[score] - after[score]) }
end

local function check_drop(result, o)
  if result.drop <= o.max_drop + 1e-9 then return end
  local name = result.score
  fail("quantize: %s falls by %.2f points, from %s to %s; at most %g are "
    .. "allowed, and nothing was written", name, result.drop,
    problem.shown(name, result.before), problem.shown(name, result.after),
    o.max_drop)
end

-- }========

local function source_of(model)
  if type(model) == "string" then model = classifier(model) end
  check.classifier(model, "quantize")
  if rawget(model, "saved") and model.saved.quantized then
    fail("quantize: %s is quantized already", model.saved.dir)
  end
  return model
end

-- What a folder in float holds can't be made again of one in 8 bits.
local function check_place(dir)
  local ok, there = pcall(checkpoint.read, dir)
  if ok and not there.quantized then
    fail("quantize: %s holds a model that is not quantized, which would be "
      .. "lost: name another folder", dir)
  end
end

--- Writes a classifier as a quantized folder.
-- @function quantize
-- @tparam classifier|string model or its folder
-- @string dir made when it is not there
-- @tparam[opt] table given
-- @tparam[opt] {table,...} given.check labelled rows, as from `data.read`: the
--   accuracy is measured on them before and after (of a multi-label model
--   `macro_f1`, of a regression `r2`)
-- @number[opt=0.5] given.max_drop points of it, hundredths, that may be lost on
--   them
-- @int[opt=32] given.batch_size most rows of a batch
-- @func[opt] given.on_check called with what was measured, before it is judged
-- @treturn ?table what was measured: `n`, `score` ("accuracy" or which),
--   `before` and `after` (1 at best), `drop` (points); nil without rows
-- @raise when more than that is lost, and then nothing is written; when the
--   model is quantized already; when the folder holds a model that is not, or
--   can't be written
-- @usage lunula.quantize("my-model", "my-model-int8",
--   { check = parts.validation })
return function(model, dir, given)
  local o = options.check(given, KNOWN, "quantize")
  check.path(dir, "quantize")
  check.number(o.max_drop, "quantize: max_drop", { least = 0 })
  model = source_of(model)
  check_place(dir)
  if o.check then model.problem.check_rows(o.check, "quantize") end
  local config, tensors = config_of(model), convert(model)
  local result = o.check and compare(model, config, tensors, o) or nil
  if result then
    if o.on_check then o.on_check(result) end
    check_drop(result, o)
  end
  checkpoint.write(dir, { config = config, tensors = tensors,
    files = model.tokenizer.files })
  return result
end
