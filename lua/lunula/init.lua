--- lunula: a small encoder, fine-tuned on your own good data.
--
--    local lunula = require "lunula"
--    local reviews = lunula.data.read("reviews.csv", { label = "label" })
--    local parts = lunula.split(reviews,
--      { train = 0.8, validation = 0.1, test = 0.1 })
--    local model = lunula.classifier("all-MiniLM-L6-v2",
--      { labels = parts.labels })
--    lunula.train(model, parts.train, { validation = parts.validation })
--    print(lunula.evaluate(model, parts.test))
--
-- Its fields are modules, each loaded when it is first used: `active`,
-- `baseline`, `batches`, `calibrate`, `card`, `checkpoint`, `classifier`,
-- `compare`, `core`, `curve`, `data`, `distil`, `embedder`, `encoder`,
-- `evaluate`, `explain`, `few_shot`, `hub`, `lora`, `metrics`, `multitask`,
-- `nn`, `optim`, `pretrain`, `problem`, `progress`, `quantize`, `recipes`,
-- `refine`, `report`, `schedule`, `search`, `self_train`, `split`, `sweep`,
-- `tensor`, `thresholds`, `tokenizer`, `train`, `windows`.
-- @module lunula

local lunula = {}

--- The version.
lunula.version = "0.1.0"

local FIELDS = {
  "active", "baseline", "batches", "calibrate", "card", "checkpoint",
  "classifier", "compare", "core", "curve", "data", "distil", "embedder",
  "encoder", "evaluate", "explain", "few_shot", "hub", "lora", "metrics",
  "multitask", "nn", "optim", "pretrain", "problem", "progress", "quantize",
  "recipes", "refine", "report", "schedule", "search", "self_train", "split",
  "sweep", "tensor", "thresholds", "tokenizer", "train", "windows",
}

local MODULE = {}
for _, name in ipairs(FIELDS) do MODULE[name] = "lunula." .. name end

--- How many threads work on a job; sets the number when told.
-- @int[opt] n 1 to 64
-- @treturn int
-- @usage lunula.threads(2)
function lunula.threads(n)
  return lunula.core.threads(n)
end

--- Calls a function while no op is recorded (see `grad.no_grad`).
-- @func f
-- @param ... its arguments
-- @return what f returns
-- @usage local logits = lunula.no_grad(function() return head:forward(x) end)
function lunula.no_grad(f, ...)
  return require "lunula.grad".no_grad(f, ...)
end

--- Lets other Lua states of this process use a model, with one copy of its
-- weights (see `lunula.share`).
-- What is shared is the model as it is now; the classifier keeps it, until it
-- is shared anew.
-- @tparam classifier model
-- @treturn string a handle, good for as long as the classifier is kept, or
--   what was opened with it
-- @usage local handle = lunula.share(model)
function lunula.share(model)
  return require "lunula.check".classifier(model, "share"):share()
end

--- Opens a model that another Lua state of this process shares (see
-- `lunula.share`).
-- @string handle
-- @tparam[opt] table given
-- @int[opt=64] given.queue_capacity most jobs under way
-- @treturn table with `predict`, `submit`, `labels` and `max_length`
-- @raise when nobody holds what the handle stands for
-- @usage local model = lunula.open(handle)
function lunula.open(handle, given)
  return require "lunula.share".open(handle, given)
end

local function load_field(self, name)
  if not MODULE[name] then return nil end
  local module = require(MODULE[name])
  rawset(self, name, module)
  return module
end

return setmetatable(lunula, { __index = load_field })
