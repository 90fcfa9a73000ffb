local core = require "lunula.core"
local draw = require "lunula.train.draw"
local fits = require "spec.support.fits"
local mixup = require "lunula.train.mixup"
local objective = require "lunula.train.objective"
local problem = require "lunula.problem"
local tensor = require "lunula.tensor"

describe("Mixup", function()
  local fit = fits.fit

  it("draws the beta distribution", function()
    local rng, n = core.rng(3), 10000
    for _, a in ipairs { 0.05, 0.4, 1, 4 } do
      local sum, squares = 0, 0
      for _ = 1, n do
        local x = draw.beta(rng, a, 2 * a)
        assert.is_true(x >= 0 and x <= 1)
        sum, squares = sum + x, squares + x * x
      end
      local mean = sum / n
      local variance = squares / n - mean * mean
      assert.is_near(1 / 3, mean, 0.01)
      assert.is_near(2 / 9 / (3 * a + 1), variance, 0.006)
    end
  end)

  it("draws a beta of a shape at which both gammas are 0", function()
    local rng, ones = core.rng(3), 0
    for _ = 1, 1000 do ones = ones + draw.beta(rng, 1e-5, 1e-5) end
    assert.is_near(500, ones, 60)
  end)

  it("draws every order alike", function()
    local rng, seen = core.rng(4), {}
    for _ = 1, 6000 do
      local order = table.concat(draw.order(rng, 3))
      seen[order] = (seen[order] or 0) + 1
    end
    for _, order in ipairs { "123", "132", "213", "231", "312", "321" } do
      assert.is_near(1000, seen[order], 120)
    end
  end)

  local function made_of(alpha, step)
    local run = { options = { mixup_alpha = alpha, seed = 5 }, step = step,
      plan = { targets = { 0, 1, 0 }, loss = {} },
      model = { problem = problem.of(nil, "spec") } }
    local made, item = mixup.new(run), { rows = { 1, 2, 3 } }
    made:first(run)
    made:batch(item)
    return made, item, run
  end

  it("mixes vectors, and the losses of both rows' targets", function()
    local made, item, run = made_of(1, 1)
    local l, order = item.mixed.share, item.mixed.order
    local vectors = { { 1, 10 }, { 2, 20 }, { 4, 40 } }
    local mixed = made:vectors(item, tensor.from(vectors)):totable()
    local logits = tensor.from { { 0, 1 }, { 3, 1 }, { 0, -2 } }
    local loss = made:loss(item, tensor.from(7), logits):item()
    local wanted = 0
    for i, other in ipairs(order) do
      for j = 1, 2 do
        assert.is_near(l * vectors[i][j] + (1 - l) * vectors[other][j],
          mixed[i][j], 1e-5)
      end
      local one = objective.of_logits(run, logits:slice(1, i, i), { other })
      wanted = wanted + one:item() / 3
    end
    assert.is_near(l * 7 + (1 - l) * wanted, loss, 1e-5)
  end)

  it("draws by seed and step", function()
    local _, first = made_of(0.3, 4)
    local _, again = made_of(0.3, 4)
    local _, later = made_of(0.3, 5)
    assert.are.same(first.mixed, again.mixed)
    assert.are_not.equal(first.mixed.share, later.mixed.share)
  end)

  it("is plain training where a row has no other", function()
    local plain = fit { dropout = 0, batch_size = 1 }
    local mixed = fit { dropout = 0, batch_size = 1, mixup_alpha = 1 }
    for i, loss in ipairs(mixed) do assert.is_near(plain[i], loss, 1e-3) end
  end)

  it("refuses what compares a row's own answer", function()
    assert.error_matches(function()
      fit { mixup_alpha = 1, rdrop_alpha = 1 }
    end, "^train: mixup_alpha and rdrop_alpha: give one of them")
  end)
end)
