--- A smaller encoder to learn from a larger one: with some of its layers
-- (Sanh et al. 2019, "DistilBERT", https://arxiv.org/abs/1910.01108; Sun et
-- al. 2019, "Patient Knowledge Distillation",
-- https://arxiv.org/abs/1908.09355, choose which), or new and of other sizes.
-- @module lunula.distil.student

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local encoder = require "lunula.encoder"
local folder = require "lunula.problem.folder"
local hub = require "lunula.hub"
local options = require "lunula.options"

local KNOWN = { layers = options.none, config = options.none,
  output = options.none, seed = 0 }

local LAYER = "^(.*encoder%.layer%.)(%d+)(%..*)$"

-- what else is said of a model that an encoder of other sizes is not
local OF_MODEL = { "classifier_dropout", "_name_or_path", "dtype" }

local function fail(message, ...)
  error("distil.student: " .. message:format(...), 0)
end

-- A folder's model as `checkpoint.read` gives it, or a classifier as it is.
local function model_of(teacher)
  if type(teacher) == "string" then
    return checkpoint.read(hub.resolve(teacher))
  end
  check.classifier(teacher, "distil.student")
  return { config = teacher:saved_config(), tensors = teacher:weights(),
    files = teacher.tokenizer.files }
end

-- {======== some of the layers ========

-- n of all, evenly, with the first and the last: of 12, six are 1 3 5 8 10 12,
-- as DistilBERT has them
local function spread(n, all)
  local list = { 1 }
  for i = 2, n do
    list[i] = 1 + math.floor((i - 1) * (all - 1) / (n - 1) + 0.5)
  end
  return list
end

local function layers_of(given, all)
  if type(given) == "number" then
    check.integer(given, "distil.student: layers", { least = 1, most = all })
    return spread(given, all)
  end
  check.table(given, "distil.student: layers")
  if #given == 0 then fail("layers: none") end
  for i, layer in ipairs(given) do
    check.integer(layer, ("distil.student: layers: %d"):format(i),
      { least = 1, most = all })
    if i > 1 and layer <= given[i - 1] then
      fail("layers: expected them in rising order, got %d after %d", layer,
        given[i - 1])
    end
  end
  return given
end

-- the tensors, with new numbers for the layers that stay
local function thinned(tensors, layers)
  local number, kept = {}, {}
  for i, layer in ipairs(layers) do number[layer - 1] = i - 1 end
  for name, t in pairs(tensors) do
    local front, layer, rest = name:match(LAYER)
    local now = layer and number[tonumber(layer)]
    if now then kept[("%s%d%s"):format(front, now, rest)] = t end
    if not layer then kept[name] = t end
  end
  return kept
end

local function with_layers(saved, given)
  local layers = layers_of(given, saved.config.num_hidden_layers)
  local config = {}
  for name, value in pairs(saved.config) do config[name] = value end
  config.num_hidden_layers = #layers
  return { config = config, tensors = thinned(saved.tensors, layers),
    files = saved.files }
end

-- }========

local function with_config(saved, changes, seed)
  local config, tensors = {}, {}
  check.table(changes, "distil.student: config")
  for name, value in pairs(saved.config) do config[name] = value end
  for name, value in pairs(changes) do config[name] = value end
  for _, names in ipairs { folder.OF_HEAD, OF_MODEL } do
    for _, name in ipairs(names) do config[name] = nil end
  end
  config.architectures = { "BertModel" }
  local made = encoder.new(config, { seed = seed })
  for _, p in ipairs(made:parameters()) do tensors[p.name] = p.tensor end
  return { config = config, tensors = tensors, files = saved.files }
end

--- Makes a student's folder, which `lunula.classifier` loads.
-- With `layers`, the encoder has these of the teacher's, in their order, and
-- its embeddings, pooler, head and tokenizer go along. With `config`, it is new
-- and random, of the teacher's config with these changes, and has its
-- tokenizer.
-- @function student
-- @tparam string|classifier teacher a folder or a name, or a classifier
-- @tparam table given
-- @tparam[opt] int|{int,...} given.layers which layers, from 1; or how many:
--   evenly among all, with the first and the last
-- @tparam[opt] table given.config instead: what differs, with the names of
--   `encoder.new`
-- @string given.output the folder, made when it is not there
-- @int[opt=0] given.seed of new weights
-- @treturn string that folder
-- @raise when the teacher has no such layers, or can't be read
-- @usage lunula.distil.student("my-model", { layers = 3, output = "small" })
-- local model = lunula.classifier "small"
return function(teacher, given)
  local o = options.check(given, KNOWN, "distil.student")
  check.path(o.output, "distil.student: output")
  check.integer(o.seed, "distil.student: seed")
  if (o.layers == nil) == (o.config == nil) then
    fail("give layers or config, one of them")
  end
  local saved = model_of(teacher)
  if saved.quantized then fail("%s: a quantized model", saved.dir) end
  checkpoint.write(o.output, o.layers and with_layers(saved, o.layers)
    or with_config(saved, o.config, o.seed))
  return o.output
end
