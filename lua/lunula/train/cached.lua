--- Training of the head alone: the encoder reads each row once, without
-- dropout, and each epoch learns from those vectors. It is then as good as
-- free. With pooling = "pooler", the pooler is part of the encoder.
--
-- The head's own dropout stays, new in each epoch.
-- @module lunula.train.cached

local descent = require "lunula.train.descent"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local cached = {}

cached.options = {}

-- of use to what reads the rows anew in each epoch
local EXCLUDED = { "adversarial", "word_dropout", "word_swap", "mixout" }

--- Checks what goes with what.
-- @tparam table o
function cached.check(o)
  for _, name in ipairs(o.tune == "head" and EXCLUDED or {}) do
    local value = o[name]
    if value and value ~= 0 then
      error(('train: %s: not with tune = "head": the encoder reads each row '
        .. "once"):format(name), 0)
    end
  end
end

-- {======== vectors ========

local Vectors = {}
Vectors.__index = Vectors

local function read(model, tokens, order, all)
  local first = 1
  for _, rows in ipairs(sampler.cut_to_read(order, nil, tokens.lengths)) do
    descent.check_interrupt()
    local last = first + #rows - 1
    all:slice(1, first, last):copy(model:pooled((tokens:batch(rows))))
    first = last + 1
  end
end

-- Those of all rows [rows, hidden], which lie in memory by length.
local function vectors_of(model, tokens)
  local order, place = sampler.by_length(tokens.lengths), {}
  local all = tensor.zeros { #order, model.encoder.hidden_size }
  for i, row in ipairs(order) do place[row] = i - 1 end
  model:infer(read, model, tokens, order, all)
  return setmetatable({ all = all, place = place, lengths = tokens.lengths },
    Vectors)
end

-- those of some rows, in the place of their batch
function Vectors:batch(rows)
  local ids = tensor.from(sampler.pick(self.place, rows), "int32")
  return self.all:index(1, ids)
end

-- }========

local Cached = {}
Cached.__index = Cached

-- Not when it is made: the encoder's precision is that of the training then.
function Cached:first(run)
  if self.rows_read then return end
  self.rows_read = vectors_of(run.model, run.plan.tokens)
  local validation = run.plan.validation
  if not validation then return end
  validation.tokens = vectors_of(run.model, validation.tokens)
  validation.logits = run.model.classify
end

function Cached:batch(item)
  item.vectors = self.rows_read:batch(item.rows)
end

--- Makes it, where the head alone learns.
-- @tparam table run
-- @treturn ?table
function cached.new(run)
  if run.options.tune ~= "head" then return nil end
  return setmetatable({}, Cached)
end

return cached
