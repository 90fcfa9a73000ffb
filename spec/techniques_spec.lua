local classifier = require "lunula.classifier"
local core = require "lunula.core"
local draw = require "lunula.train.draw"
local mixup = require "lunula.train.mixup"
local objective = require "lunula.train.objective"
local rdrop = require "lunula.train.rdrop"
local techniques = require "lunula.train.techniques"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("Techniques of training", function()
  local dir
  local rows = tiny.reviews(32)

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  local function fit(given)
    local model = classifier(dir .. "/encoder",
      { labels = { "negative", "positive" }, seed = 1 })
    local options = { epochs = 1, batch_size = 8, learning_rate = 3e-3 }
    for name, value in pairs(given) do options[name] = value end
    local result, losses = train(model, rows, options), {}
    for i, step in ipairs(result.steps) do losses[i] = step.loss end
    return losses, model
  end

  it("have a default that is off, or none", function()
    for _, option in ipairs(techniques.options()) do
      local default = option.default
      assert.is_true(default == nil or default == 0 or default == false
        or option.what:find "; of use with" ~= nil, option.name)
    end
  end)

  it("refuse what is out of range", function()
    assert.has_error(function() fit { rdrop_alpha = -1 } end,
      "train: rdrop_alpha: expected a number of at least 0, got -1")
  end)

  describe("Focal loss", function()
    it("is learnt from in place of cross entropy", function()
      local o = { dropout = 0, epochs = 8, learning_rate = 1e-3 }
      local plain = fit(o)
      o.focal_gamma = 2
      local focal = fit(o)
      -- about (1 - 1/2)^2 of it, as long as nothing is known
      assert.is_true(focal[1] > 0.1 * plain[1] and focal[1] < 0.4 * plain[1])
      assert.is_true(focal[#focal] < 0.75 * focal[1])
    end)

    it("refuses smoothed labels", function()
      assert.error_matches(function()
        fit { focal_gamma = 2, label_smoothing = 0.1 }
      end, "^train: focal_gamma and label_smoothing: give one of them")
    end)
  end)

  describe("Mixup", function()
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
        plan = { classes = { 0, 1, 0 }, loss = {} } }
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

  describe("R-Drop", function()
    it("adds the two answers' divergence", function()
      local made = rdrop.new { options = { rdrop_alpha = 2 },
        plan = { loss = {} } }
      local item = { rows = { 5, 7 } }
      made:rows(item)
      assert.are.same({ 5, 7, 5, 7 }, item.rows)
      -- softmax of (0, log 3): 1/4, 3/4; of (0, 0): 1/2, 1/2
      local logits = tensor.from { { 0, math.log(3) }, { 0, 0 }, { 0, 0 },
        { 0, 0 } }
      local loss = made:loss(item, tensor.from(1), logits):item()
      local divergence = 0.25 * math.log(3)  -- summed both ways, of one row
      assert.is_true(math.abs(loss - (1 + 2 / 4 * divergence / 2)) < 1e-6)
    end)

    it("weighs rows as the loss does", function()
      local made = rdrop.new { options = { rdrop_alpha = 2 },
        plan = { loss = { weight = { 1, 3 } }, classes = { 0, 1 } } }
      local item = { rows = { 1, 2 } }
      made:rows(item)
      local logits = tensor.from { { 0, math.log(3) }, { 0, 0 }, { 0, 0 },
        { 0, 0 } }
      local loss = made:loss(item, tensor.from(0), logits):item()
      assert.is_near(2 / 4 * 0.25 * math.log(3) / (1 + 3), loss, 1e-6)
    end)

    it("changes nothing but the cost where no dropout is", function()
      local plain = fit { dropout = 0 }
      for i, loss in ipairs((fit { dropout = 0, rdrop_alpha = 5 })) do
        assert.is_true(math.abs(loss - plain[i]) < 1e-5)
      end
    end)

    it("lets masks agree", function()
      local apart = fit { dropout = 0.3, rdrop_alpha = 1e-9, epochs = 4 }
      local agreed = fit { dropout = 0.3, rdrop_alpha = 5, epochs = 4 }
      assert.is_true(agreed[1] > apart[1])
    end)
  end)
end)
