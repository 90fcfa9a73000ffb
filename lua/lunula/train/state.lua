--- What a training that was stopped needs to go on as if it had not been: a
-- file `training_state.safetensors` in the checkpoint's folder, written whole
-- or not at all. It holds the weights as they are, the optimizer's moments,
-- what techniques have gathered, and, as JSON in its metadata, where the
-- training stands. All random numbers are functions of a seed and a position,
-- so that positions are all there is to keep of them.
--
-- What always holds: a run that goes on from a state ends with the same bits
-- as one that was not stopped, on the same kind of processor. Where it may
-- stand before the best weights that the folder holds, it finds the same ones
-- again. A run that has ended leaves a state which says how, with weights only
-- where its last ones are not those that the folder holds, and what techniques
-- leave beside them. The head is among them in any case: that of the folder may
-- have been calibrated since.
-- @module lunula.train.state

local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local json = require "lunula.json"
local safetensors = require "lunula.safetensors"

local state = {}

local FILE = "/training_state.safetensors"
local VERSION = 1

-- where a run stands: plain values that are kept as they are
local PLACE = { "step", "epoch", "at", "seen", "epoch_loss", "seconds",
  "tokens", "stopped", "validated", "scores", "result" }
local BEST = { "value", "loss", "epoch", "step", "since", "thresholds" }

local HEAD = { "classifier.weight", "classifier.bias" }

-- options without a say in what is learnt
local SILENT = { on_step = true, on_epoch = true, validation = true,
  checkpoint = true, resume = true }

local function path_of(run)
  return run.options.checkpoint .. FILE
end

-- {======== what is trained on what ========

-- Texts without labels have no targets.
local function checksum_of_rows(problem, rows)
  local tokens = rows.tokens
  return tokens.ids:checksum() .. tokens.offsets:checksum()
    .. (rows.targets and problem.tensor(rows.targets):checksum() or "")
end

-- The weights that the run begins with. A large table of words is left out:
-- it would have to be read from the file for nothing else.
local function checksum_of_model(model)
  local sums = {}
  for _, p in ipairs(model:parameters()) do
    if not p.name:find "word_embeddings" then
      sums[#sums + 1] = p.tensor:checksum()
    end
  end
  return table.concat(sums)
end

-- What beside its weights says how a model reads and learns.
local function nature_of(model)
  local encoder = model.encoder
  return {
    ["the pooling"] = model.pooling, ["the labels"] = model.labels,
    ["the type of problem"] = model.problem.name,
    ["the attention"] = encoder.config.is_decoder and "causal"
      or "bidirectional",
    ["the model's dropout"] = { encoder.hidden_dropout,
      encoder.attention_dropout, model.dropout and model.dropout.p },
  }
end

local function plain(value)
  if type(value) ~= "table" then return tostring(value) end
  return json.encode(value)
end

--- What makes two runs the same one, by name.
-- @tparam table run before its first step
-- @treturn table strings
function state.identity(run)
  local made, problem = run.plan, run.model.problem
  local named = {
    ["the model"] = checksum_of_model(run.model),
    ["the rows"] = checksum_of_rows(problem, made),
    ["the validation rows"] = made.validation
      and checksum_of_rows(problem, made.validation) or "none",
  }
  for name, value in pairs(nature_of(run.model)) do
    named[name] = plain(value)
  end
  for name, value in pairs(run.options) do
    if not SILENT[name] then named[name] = plain(value) end
  end
  for _, technique in ipairs(run.techniques) do
    if technique.identity then
      local name, value = technique:identity()
      named[name] = value
    end
  end
  return named
end

local function check_identity(saved, run)
  local differ = {}
  for name, value in pairs(run.identity) do
    if saved[name] ~= value then differ[#differ + 1] = name end
  end
  for name in pairs(saved) do
    if run.identity[name] == nil then differ[#differ + 1] = name end
  end
  if #differ == 0 then return end
  table.sort(differ)
  error(("train: resume: %s was left by a run of other options or data (%s); "
    .. "give the same, or don't resume"):format(path_of(run),
    table.concat(differ, ", ")), 0)
end

-- }========

-- {======== writing ========

local function pick(values, names)
  local picked = {}
  for _, name in ipairs(names) do picked[name] = values[name] end
  return picked
end

local function add(all, prefix, tensors)
  for name, t in pairs(tensors) do all[prefix .. name] = t end
end

local function add_model(run, all)
  for _, p in ipairs(run.model:parameters()) do
    all["model/" .. p.name] = p.tensor
  end
end

local function add_techniques(run, method, all)
  for i, technique in ipairs(run.techniques) do
    if technique[method] then
      add(all, i .. "/", technique[method](technique))
    end
  end
end

-- The optimizer's first: to tell its moments it brings all words up to date.
local function tensors_of(run)
  local all = {}
  add(all, "optimizer/", run.optimizer:state())
  add_model(run, all)
  add_techniques(run, "state", all)
  return all
end

local function place_of(run)
  local dropout = run.model.dropout  -- the head's, where it has one
  return {
    version = VERSION, identity = run.identity, run = pick(run, PLACE),
    best = pick(run.best, BEST), thresholds = run.model.thresholds,
    forwards = run.model.encoder.forwards,
    position = dropout and dropout.position or 0,
  }
end

local function write(run, tensors, place)
  checkpoint.make_folders(run.options.checkpoint)
  safetensors.write(path_of(run), tensors,
    { training = json.encode(place) })
end

--- Writes where a run stands, over what was written before.
-- @tparam table run between two steps
-- @raise when it can't be written; the state before it stays
function state.write(run)
  run.model.encoder:trim()
  write(run, tensors_of(run), place_of(run))
end

--- Writes that a run has ended.
-- @tparam table run
function state.close(run)
  local place, tensors = place_of(run), {}
  place.ended = true
  if run.options.keep_best then
    local weights = run.model:weights()
    for _, name in ipairs(HEAD) do tensors["head/" .. name] = weights[name] end
  else
    add_model(run, tensors)
  end
  add_techniques(run, "outcome", tensors)
  write(run, tensors, place)
end

--- Forgets what an earlier run left, so that nothing goes on from it.
-- @tparam table run
function state.clear(run)
  os.remove(path_of(run))
end

-- }========

-- {======== reading ========

local function is_count(x)
  return type(x) == "number" and x >= 0 and x % 1 == 0 and x < 2 ^ 53
end

-- thresholds of labels
local function is_thresholds(x)
  if x == nil then return true end
  if type(x) ~= "table" then return false end
  for _, threshold in pairs(x) do
    if type(threshold) ~= "number" then return false end
  end
  return true
end

local function is_number(x) return type(x) == "number" end
local function is_table(x) return type(x) == "table" end
local function is_boolean(x) return type(x) == "boolean" end

local function maybe(is)
  return function(x) return x == nil or is(x) end
end

-- what a place has to be; a table of tests, by name
local SHAPE = {
  identity = is_table, forwards = is_count, position = is_count,
  thresholds = is_thresholds, ended = maybe(is_boolean),
  run = {
    step = is_count, epoch = is_count, at = is_count, seen = is_count,
    epoch_loss = is_number, seconds = is_number, tokens = is_number,
    stopped = is_boolean, validated = maybe(is_count),
    scores = maybe(is_table),
    result = { steps = is_table, history = is_table, validations = is_table },
  },
  best = {
    value = maybe(is_number), loss = maybe(is_number), epoch = maybe(is_count),
    step = maybe(is_count), since = is_count, thresholds = is_thresholds,
  },
}

local function fits(value, shape)
  if type(shape) == "function" then return shape(value) end
  if type(value) ~= "table" then return false end
  for name, inner in pairs(shape) do
    if not fits(value[name], inner) then return false end
  end
  return true
end

-- an epoch has a step at least; beyond the last there would be no end
local function is_before(place, made)
  return place.epoch <= place.step and place.step <= made.steps
end

local function refuse(path)
  error(path .. ": not a state that this version can go on from", 0)
end

local function read(run)
  local path = path_of(run)
  if not core.io.stat(path) then return nil end
  local file = safetensors.read(path)
  local text = file.metadata.training
  local place = text and json.values(text, path)
  if type(place) ~= "table" or place.version ~= VERSION
      or not fits(place, SHAPE) then
    refuse(path)
  end
  return place, file.tensors
end

local function with_prefix(tensors, prefix)
  local found = {}
  for name, t in pairs(tensors) do
    if name:sub(1, #prefix) == prefix then found[name:sub(#prefix + 1)] = t end
  end
  return found
end

local function put(values, into, names)
  for _, name in ipairs(names) do into[name] = values[name] end
end

-- what f makes of a file, whose name goes in front of what it raises
local function of_file(run, f, ...)
  local ok, why = pcall(f, ...)
  if not ok then error(path_of(run) .. ": " .. tostring(why), 0) end
end

local function load_model(run, tensors)
  for _, p in ipairs(run.model:parameters()) do
    local saved = tensors["model/" .. p.name]
    if not saved then error(("no tensor 'model/%s'"):format(p.name), 0) end
    p.tensor:copy(saved)
  end
end

local function load_techniques(run, method, tensors)
  for i, technique in ipairs(run.techniques) do
    if technique[method] then
      technique:load_state(with_prefix(tensors, i .. "/"))
    end
  end
end

local function load_outcome(run, tensors)
  if next(with_prefix(tensors, "model/")) then
    load_model(run, tensors)
  else
    local saved = checkpoint.read(run.options.checkpoint).tensors
    add(saved, "", with_prefix(tensors, "head/"))
    run.model:set_weights(saved)
  end
  load_techniques(run, "outcome", tensors)
end

--- Takes over the weights that a run which had ended left.
-- @tparam table run that `load` has seen
-- @tparam table tensors as from `load`
function state.load_model(run, tensors)
  of_file(run, load_outcome, run, tensors)
end

local function load_tensors(run, tensors)
  load_model(run, tensors)
  run.optimizer:load_state(with_prefix(tensors, "optimizer/"))
  load_techniques(run, "load_state", tensors)
end

--- Goes on from where an earlier run stopped, if one did.
-- @tparam table run made, before its first step
-- @treturn ?table the tensors of a run that had ended, for `load_model`; nil
--   where there is something left to be done
-- @raise when it was one of other options, data or start weights
function state.load(run)
  local place, tensors = read(run)
  if not place then return nil end
  check_identity(place.identity, run)
  if not is_before(place.run, run.plan) then refuse(path_of(run)) end
  put(place.run, run, PLACE)
  put(place.best, run.best, BEST)
  run.model.thresholds = place.thresholds
  run.model.encoder.forwards = place.forwards
  local dropout = run.model.dropout
  if dropout then dropout.position = place.position end
  if place.ended then return tensors end
  of_file(run, load_tensors, run, tensors)
end

-- }========

return state
