--- LoRA: a matrix learns as W + alpha / r * B A, of which A [r, in] and
-- B [out, r] alone learn (Hu et al. 2022, "LoRA: Low-Rank Adaptation of Large
-- Language Models", https://arxiv.org/abs/2106.09685).
--
-- `lunula.train` does it with `tune = "lora"`. The encoder's matrices always
-- are the merged ones: predicting and saving know nothing of it. Beside them
-- the model keeps its adapter: A and B, and the matrices as they were. An
-- adapter is a folder of `peft`'s, in both directions.
-- @module lunula.lora

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local grad = require "lunula.grad"
local json = require "lunula.json"
local options = require "lunula.options"
local plain_name = require "lunula.encoder".plain_name
local safetensors = require "lunula.safetensors"
local tensor = require "lunula.tensor"

local lora = {}

local CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
local IN_FRONT = "base_model.model."
local A, B = ".lora_A.weight", ".lora_B.weight"

-- a stream of random numbers for each matrix, that nothing else uses
local PURPOSE = 4000000

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== adapters ========

local function leaf(t)
  return t:requires_grad(true)
end

-- as PEFT has it: Kaiming's uniform with a = sqrt 5
local function initial_a(rank, width, seed, number)
  local bound = 1 / math.sqrt(width)
  return tensor.uniform({ rank, width }, { low = -bound, high = bound,
    seed = seed, purpose = PURPOSE + number })
end

local function part_of(parameter, a, b)
  return {
    name = parameter.name, tensor = parameter.tensor,
    module = parameter.name:gsub("%.weight$", ""),
    base = grad.no_grad(parameter.tensor.clone, parameter.tensor),
    a = leaf(a), b = leaf(b),
  }
end

--- A new adapter, which changes nothing yet: A is random, B is 0.
-- @tparam classifier model
-- @tparam {table,...} parameters of `classifier:parameters`, matrices
-- @int rank
-- @number alpha
-- @int seed
-- @treturn table `rank`, `alpha` and `parts`, of which each has the parameter's
--   `name` and `tensor`, its `module`, the `base` that it was, `a` and `b`
function lora.attach(model, parameters, rank, alpha, seed)
  local adapter = { rank = rank, alpha = alpha, scale = alpha / rank,
    parts = {} }
  for i, parameter in ipairs(parameters) do
    local size = parameter.tensor:shape()
    adapter.parts[i] = part_of(parameter,
      initial_a(rank, size[2], seed, i), tensor.zeros { size[1], rank })
  end
  model.adapter = adapter
  return adapter
end

--- What a matrix is with its adapter.
-- @tparam table adapter
-- @tparam table part one of its parts
-- @treturn tensor recorded
function lora.merged(adapter, part)
  return part.base + (part.b * adapter.scale):matmul(part.a)
end

local function merge(adapter)
  for _, part in ipairs(adapter.parts) do
    part.tensor:copy(lora.merged(adapter, part))
  end
end

local function adapter_of(model, what)
  check.classifier(model, what)
  return model.adapter or fail('%s: the model has no adapter; train it with '
    .. 'tune = "lora"', what)
end

--- Takes the adapter off again: the encoder is what it was, to the bit. The
-- head stays as it is.
-- @tparam classifier model
-- @raise when it has no adapter
-- @usage lunula.lora.unmerge(model)
function lora.unmerge(model)
  for _, part in ipairs(adapter_of(model, "lora.unmerge").parts) do
    part.tensor:copy(part.base)
  end
  model.adapter = nil
end

-- }========

-- {======== saving ========

-- what is saved whole, by PEFT's name of the module
local function whole_modules(model)
  local modules = { "classifier" }
  if model.encoder.pooler_is_new and model.pooling == "pooler" then
    modules[2] = "pooler"
  end
  return modules
end

local function is_in(name, modules)
  for _, module in ipairs(modules) do
    if plain_name(name):find("^" .. module .. "%.") then return true end
  end
  return false
end

local function saved_tensors(model, adapter, modules)
  local tensors = {}
  for _, part in ipairs(adapter.parts) do
    tensors[IN_FRONT .. part.module .. A] = part.a
    tensors[IN_FRONT .. part.module .. B] = part.b
  end
  for name, t in pairs(model:weights()) do
    if is_in(name, modules) then tensors[IN_FRONT .. name] = t end
  end
  return tensors
end

-- Whole names of the modules: PEFT takes "output.dense" for that of attention
-- too.
local function saved_config(adapter, modules, base)
  local names = {}
  for i, part in ipairs(adapter.parts) do names[i] = part.module end
  return {
    peft_type = "LORA", task_type = "SEQ_CLS", inference_mode = true,
    base_model_name_or_path = base, r = adapter.rank,
    lora_alpha = adapter.alpha, use_rslora = adapter.use_rslora or false,
    lora_dropout = 0, bias = "none", target_modules = names,
    modules_to_save = modules,
    fan_in_fan_out = false, init_lora_weights = true,
  }
end

--- Saves the adapter, with the head, as PEFT does: a few hundred kilobytes,
-- which `peft.PeftModel.from_pretrained(base, dir)` loads.
-- transformers pools as "pooler" does: with another pooling the adapter is for
-- `lora.load`.
-- @tparam classifier model
-- @string dir made when it is not there
-- @tparam[opt] table given
-- @string[opt] given.base_model_name_or_path what it is an adapter of; the
--   folder that the model was made of when not given
-- @raise when the model has no adapter, or it can't be written
-- @usage lunula.lora.save(model, "my-adapter")
function lora.save(model, dir, given)
  local o = options.check(given, { base_model_name_or_path = model.base },
    "lora.save")
  local adapter = adapter_of(model, "lora.save")
  check.path(dir, "lora.save")
  local modules = whole_modules(model)
  checkpoint.make_folders(dir)
  safetensors.write(dir .. "/" .. WEIGHTS,
    saved_tensors(model, adapter, modules), { format = "pt" })
  core.io.write(dir .. "/" .. CONFIG, { json.pretty(saved_config(adapter,
    modules, o.base_model_name_or_path)) })
end

-- }========

-- {======== loading ========

-- what else an adapter may ask for, which is not LoRA as above
local REFUSED = {
  "use_dora", "use_qalora", "use_bdlora", "alora_invocation_tokens",
  "arrow_config", "kasa_config", "layer_replication", "fan_in_fan_out",
  "lora_bias", "rank_pattern", "alpha_pattern",
}

local MOST_RANK = 2 ^ 31

local function is_asked(value)
  if type(value) == "table" then return next(value) ~= nil end
  return value ~= nil and value ~= json.null and value ~= false
end

local function check_config(config, path)
  if type(config) ~= "table" or config.peft_type ~= "LORA" then
    fail("%s: expected peft_type LORA, got %s", path,
      tostring(type(config) == "table" and config.peft_type or config))
  end
  for _, name in ipairs(REFUSED) do
    if is_asked(config[name]) then
      fail("%s: %s is not supported", path, name)
    end
  end
  if is_asked(config.bias) and config.bias ~= "none" then
    fail('%s: bias: only "none" is supported, got %s', path,
      tostring(config.bias))
  end
  check.integer(config.r, path .. ": r", { least = 1, most = MOST_RANK })
  check.number(config.lora_alpha, path .. ": lora_alpha", { above = 0 })
  return config
end

local function read_config(dir)
  local path = dir .. "/" .. CONFIG
  local file, why = io.open(path, "rb")
  if not file then error(why, 0) end
  local text = file:read("*a")
  file:close()
  return check_config(json.decode(text, path), path)
end

-- The parameter that a tensor is for, by its name in BertModel.
local function parameter_for(name, parameters, path)
  local plain = plain_name((name:gsub("^base_model%.model%.", "")))
  return parameters[plain] or fail("%s: tensor '%s': the model has no '%s'",
    path, name, plain)
end

local function check_tensor(t, shape, name, path)
  local want, got = table.concat(shape, ", "), table.concat(t:shape(), ", ")
  if want ~= got then
    fail("%s: tensor '%s': expected [%s], got [%s]", path, name, want, got)
  elseif t:dtype() ~= "float32" then
    fail("%s: tensor '%s': expected numbers with a fraction, got %s", path,
      name, t:dtype())
  end
end

local function read_part(adapter, name, file, parameters)
  local stem = name:sub(1, -#A - 1)
  local a, b = file.tensors[name], file.tensors[stem .. B]
  if not b then fail("%s: no tensor '%s'", file.path, stem .. B) end
  local parameter = parameter_for(stem .. ".weight", parameters, file.path)
  local size = parameter.tensor:shape()
  if #size ~= 2 then
    fail("%s: tensor '%s': %s is no matrix", file.path, name, parameter.name)
  end
  check_tensor(a, { adapter.rank, size[2] }, name, file.path)
  check_tensor(b, { size[1], adapter.rank }, stem .. B, file.path)
  return part_of(parameter, a:clone(), b:clone())
end

-- what is saved whole: checked now, copied when all is
local function read_whole(name, file, parameters)
  local parameter = parameter_for(name, parameters, file.path)
  check_tensor(file.tensors[name], parameter.tensor:shape(), name, file.path)
  return { to = parameter.tensor, from = file.tensors[name] }
end

local function by_plain_name(model)
  local parameters = {}
  for name, t in pairs(model:weights()) do
    parameters[plain_name(name)] = { name = name, tensor = t }
  end
  return parameters
end

-- a B without its A would be left out without a word
local function check_pairs(file)
  for _, name in ipairs(file.names) do
    local half = name:sub(-#B) == B and name:sub(1, -#B - 1) .. A
    if half and not file.tensors[half] then
      fail("%s: no tensor '%s'", file.path, half)
    end
  end
end

local function read_adapter(model, dir)
  local config = read_config(dir)
  local file = safetensors.read(dir .. "/" .. WEIGHTS)
  local use_rslora = is_asked(config.use_rslora)
  local divisor = use_rslora and math.sqrt(config.r) or config.r
  local adapter = { rank = config.r, alpha = config.lora_alpha,
    scale = config.lora_alpha / divisor, use_rslora = use_rslora, parts = {} }
  local parameters, whole = by_plain_name(model), {}
  file.path = dir .. "/" .. WEIGHTS
  check_pairs(file)
  for _, name in ipairs(file.names) do
    if name:sub(-#A) == A then
      table.insert(adapter.parts, read_part(adapter, name, file, parameters))
    elseif name:sub(-#B) ~= B then
      whole[#whole + 1] = read_whole(name, file, parameters)
    end
  end
  return adapter, whole, parameters
end

--- Applies an adapter that PEFT or `save` wrote: merges it into the encoder,
-- and takes its head. Training goes on with its A and B.
-- @tparam classifier model of the base that the adapter was trained on, with as
--   many labels
-- @string dir
-- @raise naming the file when it is missing, or asks for what is not supported;
--   when the model has an adapter
-- @usage local model = lunula.classifier("all-MiniLM-L6-v2",
--   { labels = { "negative", "positive" } })
-- lunula.lora.load(model, "my-adapter")
function lora.load(model, dir)
  check.classifier(model, "lora.load")
  check.path(dir, "lora.load")
  if model.adapter then
    fail("lora.load: the model has an adapter; lora.unmerge(model) takes it "
      .. "off")
  end
  local adapter, whole, parameters = read_adapter(model, dir)
  grad.no_grad(merge, adapter)
  for _, pair in ipairs(whole) do pair.to:copy(pair.from) end
  model.head:set(parameters["classifier.weight"].tensor,
    parameters["classifier.bias"].tensor)
  model.adapter = adapter
end

-- }========

return lora
