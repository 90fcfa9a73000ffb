--- R-Drop: each row is read twice, under two dropout masks, and the two
-- answers should agree (Liang et al. 2021, "R-Drop: Regularized Dropout for
-- Neural Networks", https://arxiv.org/abs/2106.14448):
--
--   loss = mean of both cross entropies
--     + alpha (KL(p || q) + KL(q || p)) / 4
--
-- which is half the paper's sum of both, so that a learning rate goes on to
-- fit. A step costs twice as much.
-- @module lunula.train.rdrop

local rdrop = { single_label = true }

rdrop.options = {
  { name = "rdrop_alpha", type = "number", least = 0, default = 0,
    what = "weight of the two answers' disagreement; the paper's 1 to 5" },
}

local Rdrop = {}
Rdrop.__index = Rdrop

function Rdrop:rows(item) -- luacheck: no self
  local twice = {}
  for _ = 1, 2 do
    for _, row in ipairs(item.rows) do twice[#twice + 1] = row end
  end
  item.rows = twice
end

-- KL(p || q) + KL(q || p) = sum of (p - q)(log p - log q)
function Rdrop:loss(_, loss, logits)
  local n = #logits / 2
  local p = logits:slice(1, 1, n):log_softmax(-1)
  local q = logits:slice(1, n + 1):log_softmax(-1)
  local divergence = ((p:exp() - q:exp()) * (p - q)):sum() * (1 / n)
  return loss + divergence * (self.alpha / 4)
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function rdrop.new(run)
  local alpha = run.options.rdrop_alpha
  if alpha == 0 then return nil end
  return setmetatable({ alpha = alpha }, Rdrop)
end

return rdrop
