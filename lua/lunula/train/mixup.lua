--- Mixup: a batch's rows are mixed in pairs, and so are their targets (Zhang et
-- al. 2018, "mixup: Beyond Empirical Risk Minimization",
-- https://arxiv.org/abs/1710.09412). Words can't be mixed; the vectors that the
-- head reads can (Verma et al. 2019, "Manifold Mixup"; of sentences: Guo et al.
-- 2019, "Augmenting Data with Mixup for Sentence Classification"):
--
--   vectors = l vectors + (1 - l) vectors of other rows of the batch
--   loss    = l loss for the rows' targets + (1 - l) loss for the others'
--
-- with one l of Beta(alpha, alpha) for each batch.
-- @module lunula.train.mixup

local core = require "lunula.core"
local draw = require "lunula.train.draw"
local objective = require "lunula.train.objective"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local mixup = {}

mixup.options = {
  { name = "mixup_alpha", type = "number", least = 0, default = 0,
    what = "how evenly rows are mixed; the papers' 0.2 to 1" },
}

--- @raise beside what compares a row's answer with one that isn't mixed
function mixup.check(o)
  if o.mixup_alpha == 0 then return end
  for _, name in ipairs { "rdrop_alpha", "distillation_weight" } do
    if o[name] > 0 then
      error(("train: mixup_alpha and %s: give one of them: mixed rows have no "
        .. "answer of their own"):format(name), 0)
    end
  end
end

local Mixup = {}
Mixup.__index = Mixup

function Mixup:first(run)
  self.rng = core.rng(draw.seed(run.options.seed, "mixup", run.step))
end

-- Drawn once for a batch, however often it is read.
function Mixup:batch(item)
  local order = draw.order(self.rng, #item.rows)
  item.mixed = { share = draw.beta(self.rng, self.alpha, self.alpha),
    order = order, rows = sampler.pick(item.rows, order) }
end

function Mixup:vectors(item, vectors) -- luacheck: no self
  local numbers, l = {}, item.mixed.share
  for i, row in ipairs(item.mixed.order) do numbers[i] = row - 1 end
  local others = vectors:index(1, tensor.from(numbers, "int32"))
  return vectors * l + others * (1 - l)
end

function Mixup:loss(item, loss, logits)
  local l = item.mixed.share
  local others = objective.of_logits(self.run, logits, item.mixed.rows)
  return loss * l + others * (1 - l)
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function mixup.new(run)
  local alpha = run.options.mixup_alpha
  if alpha == 0 then return nil end
  return setmetatable({ run = run, alpha = alpha }, Mixup)
end

return mixup
