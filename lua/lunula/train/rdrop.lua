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

local objective = require "lunula.train.objective"

local unpack = table.unpack or unpack -- luacheck: ignore

local rdrop = {
  single_label = function(o) return o.rdrop_alpha > 0 end,
}

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

function Rdrop:loss(item, loss, logits)
  local n = #logits / 2
  local apart = objective.divergence(logits:slice(1, 1, n),
    logits:slice(1, n + 1))
  local rows = { unpack(item.rows, 1, n) }
  return loss + objective.mean(self.run, apart, rows) * (self.alpha / 4)
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function rdrop.new(run)
  local alpha = run.options.rdrop_alpha
  if alpha == 0 then return nil end
  return setmetatable({ run = run, alpha = alpha }, Rdrop)
end

return rdrop
