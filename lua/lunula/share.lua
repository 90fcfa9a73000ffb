--- One model for several Lua states of a process, with one copy of its weights.
-- A state shares a classifier and gets a handle, a string that it hands to
-- another state by whatever way the host has. That one opens it:
--
--    -- in one state
--    local handle = lunula.share(model)
--    -- in another, on any thread
--    local model = lunula.open(handle)
--    print(model:predict("What a quiet, lovely film.").label)
--
-- A handle is good for as long as somebody holds what it stands for: the
-- classifier that was shared, or a model that was opened. So keep the
-- classifier until the other state has opened it. After that either may go,
-- and the weights go with the last.
-- @module lunula.share

local check = require "lunula.check"
local core = require "lunula.core"
local job = require "lunula.job"
local options = require "lunula.options"
local predictions = require "lunula.predictions"
local problem = require "lunula.problem"

local share = {}

local KNOWN = { queue_capacity = 64 }

-- {======== what goes along ========

-- Strings of any bytes: each has its length before it.
local function packed(model)
  local thresholds = model.thresholds or {}
  local parts = { tostring(model.max_length), model.problem.name,
    tostring(#model.labels) }
  for _, label in ipairs(model.labels) do parts[#parts + 1] = label end
  for _, threshold in ipairs(thresholds) do
    parts[#parts + 1] = ("%.17g"):format(threshold)
  end
  -- not by %s, which ends at a zero byte in Lua 5.1
  for i, part in ipairs(parts) do parts[i] = ("%d:"):format(#part) .. part end
  return table.concat(parts)
end

local function strings_of(bytes)
  local parts, at = {}, 1
  while at <= #bytes do
    local length, from = bytes:match("^(%d+):()", at)
    at = from + tonumber(length)
    parts[#parts + 1] = bytes:sub(from, at - 1)
  end
  return parts
end

local function unpacked(bytes)
  local parts = strings_of(bytes)
  local count, labels, thresholds = tonumber(parts[3]), {}, nil
  for i = 1, count do labels[i] = parts[3 + i] end
  for i = 4 + count, #parts do
    thresholds = thresholds or {}
    thresholds[i - 3 - count] = tonumber(parts[i])
  end
  return { max_length = tonumber(parts[1]), labels = labels,
    problem = problem.of(parts[2], "open"), thresholds = thresholds }
end

-- }========

-- {======== opened models ========

local Opened = {}

-- what a classifier has and an opened model has not
local ABSENT = {
  infer = true, train = true, forward = true, logits = true, explain = true,
  parameters = true, weights = true, save = true, seed = true,
  set_dropout = true, set_max_length = true, set_thresholds = true,
}

function Opened.__index(_, name)
  if ABSENT[name] then
    error(("'%s': a model that another state shares can predict and submit; "
      .. "train, evaluate, explain and save it where it was made")
      :format(name), 0)
  end
  return Opened[name]
end

--- As `classifier:predict`; on the thread that calls.
-- @function Opened:predict
-- @tparam string|{string,...} texts
-- @tparam[opt] table given
-- @treturn table
function Opened:predict(texts, given)
  return predictions.now(self, texts, given)
end

--- As `classifier:submit`.
-- @function Opened:submit
-- @tparam string|{string,...} texts
-- @tparam[opt] table given
-- @treturn[1] job
-- @treturn[2] nil
-- @treturn[2] string that the queue is full
function Opened:submit(texts, given)
  return job.submit(self.queue, self, texts, given)
end

function Opened:__tostring()
  local what = self.problem.fixed_labels and "a number"
    or ("%d labels"):format(#self.labels)
  return ("shared classifier (%s; %d tokens of a text)"):format(what,
    self.max_length)
end

-- }========

--- Opens a model that another Lua state of this process shares, or this one.
-- @string handle what `lunula.share` gave
-- @tparam[opt] table given
-- @int[opt=64] given.queue_capacity most jobs under way of this opened model
-- @treturn table with the methods `predict`, `submit`, and the fields `labels`
--   and `max_length`
-- @raise when nobody in this process holds what the handle stands for
-- @usage local model = lunula.open(handle)
function share.open(handle, given)
  local o = options.check(given, KNOWN, "open")
  check.string(handle, "open: handle")
  local held = core.share.find(handle)
  if not held then
    error(("open: nothing is shared as '%s' in this process; the classifier "
      .. "that was shared must be kept until it is opened"):format(handle), 0)
  end
  local opened = unpacked(held:about())
  opened.held, opened.core = held, held:model()
  opened.space = core.jobs.space()
  opened.queue = job.queue(o.queue_capacity, "open")
  return setmetatable(opened, Opened)
end

--- Makes a share of a model.
-- @tparam table model `core` (core.model), `problem`, `labels`, `thresholds`
--   and `max_length`
-- @treturn table `handle`, which is good for as long as this is held, `model`
--   (core.model), `max_length` and `thresholds`
function share.new(model)
  local held = core.share.new(model.core, packed(model))
  return {
    held = held, handle = held:handle(), model = model.core,
    max_length = model.max_length, thresholds = model.thresholds,
  }
end

return share
