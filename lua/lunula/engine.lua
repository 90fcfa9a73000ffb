--- What answers for a classifier: its weights in the form that their precision
-- is multiplied in, without a way back. Made of a folder's tensors as they lie
-- in the file, or of the encoder and head that a training changes; then made
-- anew when they have changed.
-- @module lunula.engine

local core = require "lunula.core"
local plain_name = require "lunula.encoder".plain_name

local engine = {}

--- The precisions: how matrices are multiplied.
engine.PRECISIONS = { fp32 = true, bf16 = true, int8 = true }

local NEEDED = { "classifier.weight", "classifier.bias" }
local POOLER = { "pooler.dense.weight", "pooler.dense.bias" }

local function has(tensors, names)
  for _, name in ipairs(names) do
    if tensors[name] == nil then return false end
  end
  return true
end

--- The tensors of a folder by the names that `core.model` takes.
-- @tparam table saved as from `checkpoint.read`
-- @string pooling
-- @treturn ?table nil where head or pooler are to be made at random
function engine.tensors(saved, pooling)
  local tensors = {}
  for name, tensor in pairs(saved.tensors) do
    tensors[plain_name(name)] = tensor
  end
  for name, bytes in pairs(saved.bytes or {}) do
    tensors[plain_name(name)] = bytes
  end
  local whole = has(tensors, NEEDED)
    and (pooling ~= "pooler" or saved.quantized or has(tensors, POOLER))
  return whole and tensors or nil
end

-- those of the layers that learn; copies when asked
local function live_tensors(model, copied)
  local tensors = {}
  for name, t in pairs(model:weights()) do
    if copied then t = core.tensor.zeros(t:shape()):copy(t) end
    tensors[plain_name(name)] = t
  end
  return tensors
end

--- The float32 tensors of a classifier as they are now.
-- @tparam classifier model
-- @treturn table by the names that `core.model` takes
function engine.float_tensors(model)
  local saved = rawget(model, "saved")
  return saved and engine.tensors(saved, model.pooling) or live_tensors(model)
end

--- Makes an engine.
-- @tparam classifier model whose `config`, `pooling`, `labels` and `tokenizer`
--   it has
-- @tparam table tensors by the names that `core.model` takes
-- @string precision
-- @bool[opt=false] packed whether linear layers are given in 8 bits
-- @treturn userdata core.model
-- @raise when a tensor is missing or has another shape
function engine.make(model, tensors, precision, packed)
  return core.model(model.config, {
    precision = precision, pooling = model.pooling,
    labels = model.problem.outputs(model.labels), packed = packed or false,
    tensors = tensors, tokenizer = model.tokenizer.core,
  })
end

--- Makes the engine of a folder's tensors.
-- @tparam classifier model
-- @tparam table saved as from `checkpoint.read`
-- @treturn ?table core.model; nil where `tensors` gives nothing
-- @raise naming the file, when a tensor is missing or has another shape
function engine.of_saved(model, saved)
  local tensors = engine.tensors(saved, model.pooling)
  if not tensors then return nil end
  local ok, made = pcall(engine.make, model, tensors, model.precision,
    saved.quantized)
  if not ok then
    error(("%s/model.safetensors: %s"):format(saved.dir, made), 0)
  end
  return made
end

-- what changes with any weight
local function version_of(model)
  local written, replaced = model.encoder.core:version()
  local parts = { written, replaced, model.head.scale or false }
  for _, layer in ipairs { model.head, model.encoder.pooler } do
    for _, p in ipairs(layer:parameters()) do
      parts[#parts + 1] = p.tensor
      parts[#parts + 1] = p.tensor:version()
    end
  end
  return parts
end

local function same(a, b)
  if not a or #a ~= #b then return false end
  for i, part in ipairs(a) do
    if not rawequal(part, b[i]) then return false end
  end
  return true
end

--- Makes the engine of a classifier's layers as they are now, unless it has
-- one that is.
-- @tparam classifier model with its encoder and head
-- @tparam ?table last what this returned before
-- @bool lasting whether it must stay as it is when they learn on: of copies
-- @treturn table `core` (core.model)
function engine.of_layers(model, last, lasting)
  local version = version_of(model)
  if last and same(last.version, version)
    and (last.lasting or not lasting) then
    return last
  end
  return { core = engine.make(model, live_tensors(model, lasting),
    model.precision), version = version, lasting = lasting }
end

return engine
