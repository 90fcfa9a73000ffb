--- What a folder's head answers: its labels, and those that were asked for.
-- @module lunula.problem.folder

local labels = require "lunula.labels"

local folder = {}

local function fail(message, ...)
  error(message:format(...), 0)
end

-- transformers' names for labels that nobody named
local function is_unnamed(list)
  for i, label in ipairs(list) do
    if label ~= "LABEL_" .. i - 1 then return false end
  end
  return true
end

local function has_all(list, wanted)
  local known = {}
  for _, label in ipairs(list) do known[label] = true end
  for _, label in ipairs(wanted) do
    if not known[label] then return false end
  end
  return true
end

-- whether those of one list come in the order of another, which has them all
local function in_order(list, some)
  local at = 0
  for _, label in ipairs(list) do
    if label == some[at + 1] then at = at + 1 end
  end
  return at == #some
end

--- Labels for a message.
-- @tparam {string,...} list
-- @treturn string
function folder.counted(list)
  if #list == 0 then return "a number" end
  return ("%d labels (%s)"):format(#list, labels.listed(list))
end

-- The labels of the classes: those of the saved head, which given ones may
-- only name. Given ones may be fewer: rows to go on with need not have all.
local function agree(saved, given, dir)
  if not saved and not given then
    fail("%s: an encoder, not a classifier; train one with lunula train, or "
      .. "in Lua name the labels that it is to have, { labels = {...} }", dir)
  elseif not given or not saved then
    return saved or given
  elseif is_unnamed(saved) and #saved == #given then
    return given
  elseif not has_all(saved, given) then
    fail("classifier: %s has %s, not %s", dir, folder.counted(saved),
      folder.counted(given))
  end
  return saved
end

-- values by key; lists too
local function copied(list)
  local copy = {}
  for key, value in pairs(list) do copy[key] = value end
  return copy
end

--- The labels, and what else a model of this type has of its folder.
-- @tparam table saved as from `checkpoint.read`
-- @tparam table kind the type's module
-- @tparam ?{string,...} given
-- @treturn {string,...} a list of its own
-- @treturn table what else `read_config` gives
-- @raise when the given ones are not those of the folder's head
function folder.labels(saved, kind, given)
  if given then kind.check_labels(given, "classifier") end
  local of_head, more
  if saved.tensors["classifier.weight"] then
    of_head, more = kind.read_config(saved.config, saved.dir .. "/config.json")
  else
    of_head = kind.fixed_labels
  end
  local list = copied(agree(of_head, given, saved.dir))
  if kind.shares_weights and given and not in_order(list, given) then
    fail("classifier: %s has its labels in the order %s", saved.dir,
      labels.listed(list))
  end
  return list, more or {}
end

--- The names of what a config.json says of the head.
folder.OF_HEAD = { "id2label", "label2id", "num_labels", "problem_type",
  "classifier_problem_type", "classifier_labels", "classifier_thresholds",
  "classifier_temperature" }

--- A folder without its head: an encoder, with its pooler.
-- @tparam table saved as from `checkpoint.read`
-- @treturn table likewise
-- @raise when it is quantized
function folder.without_head(saved)
  if saved.quantized then
    fail("%s: quantized: it can't be trained, nor have a new head", saved.dir)
  end
  local bare = copied(saved)
  bare.config, bare.tensors = copied(saved.config),
    copied(saved.tensors)
  for _, name in ipairs(folder.OF_HEAD) do bare.config[name] = nil end
  bare.tensors["classifier.weight"], bare.tensors["classifier.bias"] = nil, nil
  return bare
end

return folder
