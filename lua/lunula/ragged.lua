--- What an encoder gives: a vector for each token of a ragged batch.
-- @classmod lunula.ragged

local core = require "lunula.core"

local ragged = {}
ragged.__index = ragged

local KNOWN = { first = true, mean = true, pooler = true }

--- Wraps token vectors.
-- @param values tensor float32 [tokens, hidden_size]
-- @param offsets tensor int32 [sequences + 1], where each sequence begins
-- @param[opt] pooler what `pool "pooler"` sends the first token through: an
-- object with `forward`
-- @treturn ragged with the fields `values`, `offsets`
function ragged.new(values, offsets, pooler)
  return setmetatable({ values = values, offsets = offsets, pooler = pooler },
    ragged)
end

--- What pooling is made of; for `ragged:pool` and `encoder:pooled`.
-- @string how as for `pool`
-- @param pooler an object with `forward`
-- @func pool makes the vectors that core knows: "first" or "mean"
-- @return tensor float32 [sequences, hidden_size]
function ragged.pooled(how, pooler, pool)
  if not KNOWN[how] then
    error(("pool: expected first, mean or pooler, got %s")
      :format(tostring(how)), 0)
  end
  if how ~= "pooler" then return pool(how) end
  return pooler:forward(pool "first"):tanh()
end

--- One vector for each sequence.
-- @string how `"first"`: that of the first token; `"mean"`: the mean of all
-- tokens; `"pooler"`: tanh of a linear layer over the first (Devlin et al.
-- 2019)
-- @return tensor float32 [sequences, hidden_size]
-- @raise when `how` is none of these
-- @usage local sentence = encoder:forward(batch):pool "mean"
function ragged:pool(how)
  return ragged.pooled(how, self.pooler, function(kind)
    return core.pool(self.values, self.offsets, kind)
  end)
end

function ragged:__tostring()
  return ("ragged (%d sequences) %s"):format(#self.offsets - 1,
    tostring(self.values))
end

return ragged
