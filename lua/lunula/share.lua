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

local share = {}

local KNOWN = { queue_capacity = 64 }

-- {======== what goes along ========

-- labels may be any bytes: each has its length before it
local function packed(max_length, labels)
  local parts = { ("%d\n"):format(max_length) }
  for _, label in ipairs(labels) do
    parts[#parts + 1] = ("%d:%s"):format(#label, label)
  end
  return table.concat(parts)
end

local function unpacked(bytes)
  local max_length, at = bytes:match "^(%d+)\n()"
  local labels = {}
  while at <= #bytes do
    local length, from = bytes:match("^(%d+):()", at)
    at = from + tonumber(length)
    labels[#labels + 1] = bytes:sub(from, at - 1)
  end
  return tonumber(max_length), labels
end

-- }========

-- {======== opened models ========

local Opened = {}

-- what a classifier has and an opened model has not
local ABSENT = {
  infer = true, train = true, forward = true, logits = true, explain = true,
  parameters = true, save = true, seed = true, set_dropout = true,
  set_max_length = true,
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
  return ("shared classifier (%d labels; %d tokens of a text)"):format(
    #self.labels, self.max_length)
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
  local max_length, labels = unpacked(held:about())
  return setmetatable({
    held = held, core = held:model(), space = core.jobs.space(),
    max_length = max_length, labels = labels,
    queue = job.queue(o.queue_capacity, "open"),
  }, Opened)
end

--- Makes a share of a model.
-- @tparam userdata model of `core.model`
-- @int max_length
-- @tparam {string,...} labels
-- @treturn table `handle`, which is good for as long as this is held, `model`
--   and `max_length`
function share.new(model, max_length, labels)
  local held = core.share.new(model, packed(max_length, labels))
  return {
    held = held, handle = held:handle(), model = model,
    max_length = max_length,
  }
end

return share
