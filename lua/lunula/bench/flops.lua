--- FLOPs of an encoder: of its matrix products alone, over real tokens.
-- For T tokens in sequences of n each, with L layers, H = hidden_size and I =
-- intermediate_size, a forward has
--
--    L (2 T (4 H H + 2 H I) + 4 H sum of n n)
--
-- where 4 H H are Q, K, V and the attention's output, 2 H I the feed-forward
-- layers, and 4 H n n the scores and the context of all heads. A backward has
-- twice as many.
-- @module lunula.bench.flops

local flops = {}

local BACKWARD = 2  -- FLOPs of the backward to those of the forward

--- Of reading a batch.
-- @tparam table config of an encoder
-- @tparam {int,...} lengths tokens of each sequence
-- @treturn number
function flops.forward(config, lengths)
  local tokens, squares = 0, 0
  for _, n in ipairs(lengths) do
    tokens, squares = tokens + n, squares + n * n
  end
  local hidden = config.hidden_size
  local weights = 4 * hidden * hidden + 2 * hidden * config.intermediate_size
  return config.num_hidden_layers
    * (2 * tokens * weights + 4 * hidden * squares)
end

--- Of a training step.
-- @tparam table config of an encoder
-- @tparam {int,...} lengths tokens of each sequence
-- @treturn number
function flops.step(config, lengths)
  return (1 + BACKWARD) * flops.forward(config, lengths)
end

return flops
