local core = require "lunula.core"
local evaluate = require "lunula.evaluate"
local fits = require "spec.support.fits"
local rdrop = require "lunula.train.rdrop"
local techniques = require "lunula.train.techniques"
local tensor = require "lunula.tensor"
local train = require "lunula.train"

describe("Techniques of training", function()
  local fit = fits.fit

  it("have a default that is off, or none", function()
    for _, option in ipairs(techniques.options()) do
      local default = option.default
      assert.is_true(default == nil or default == 0 or default == false
        or option.needs ~= nil, option.name)
    end
  end)

  it("refuse what is out of range", function()
    assert.has_error(function() fit { rdrop_alpha = -1 } end,
      "train: rdrop_alpha: expected a number of at least 0, got -1")
  end)

  it("leave a model as it was that they refuse to train", function()
    local model = fits.new_model()
    local before = fits.weights(model)
    for _, o in ipairs { { reinit_layers = 1 }, { tune = "lora" } } do
      o.distillation_weight = 0.5  -- of a teacher who said nothing
      assert.error_matches(function() train(model, fits.rows, o) end,
        "row 1: scores: expected a table")
      assert.are.same(before, fits.weights(model))
      assert.is_nil(model.adapter)
    end
  end)

  local taught = {}
  for i, row in ipairs(fits.rows) do
    local p = row.label == "positive" and 0.9 or 0.2
    taught[i] = { text = row.text, label = row.label,
      scores = { positive = p, negative = 1 - p } }
  end

  -- all that there are, in two parts where one excludes another
  local TOGETHER = {
    { focal_gamma = 1, word_dropout = 0.2, word_swap = 0.2, rdrop_alpha = 1,
      distillation_weight = 0.5, adversarial = "smart", averaging = "ema",
      averaging_every = 2, mixout = 0.5, class_weights = "balanced",
      schedule = "cosine", gradient_accumulation_steps = 2, batch_size = 4,
      group_by_length = true },
    { label_smoothing = 0.1, word_dropout = 0.2, mixup_alpha = 0.4,
      adversarial = "fgm", averaging = "uniform", averaging_every = 1,
      mixout = 0.9, class_weights = { positive = 2 }, schedule = "constant",
      gradient_accumulation_steps = 3, batch_size = 3, dropout = 0.2 },
    { gradual_unfreezing = 1, layer_decay = 0.9, mixout = 0.5,
      adversarial = "smart", averaging = "uniform", averaging_every = 1 },
    { tune = "lora", lora_rank = 2, rdrop_alpha = 1, focal_gamma = 1,
      adversarial = "fgm", word_swap = 0.2, distillation_weight = 0.3 },
    { tune = "head", mixup_alpha = 1, averaging = "ema", averaging_every = 1,
      label_smoothing = 0.1, class_weights = "balanced" },
  }

  it("go together, to the same bits with the same seed, on any threads",
  function()
    local threads = core.threads()
    for _, o in ipairs(TOGETHER) do
      local found = {}
      o.epochs, o.validation, o.patience = 2, fits.rows, 2
      for _, n in ipairs { 1, 2, 2 } do
        core.threads(n)
        local losses, model, result = fit(o, taught)
        found[#found + 1] = { losses, fits.weights(model), result.history }
      end
      assert.are.same(found[1], found[2])
      assert.are.same(found[2], found[3])
    end
    core.threads(threads)
  end)

  it("learn together", function()
    for i = 1, 2 do
      local o, options = TOGETHER[i], {}
      for name, value in pairs(o) do options[name] = value end
      options.epochs, options.learning_rate, options.patience = 24, 2e-3, nil
      options.mixout, options.class_weights = 0.3, "balanced"
      local _, model = fit(options, taught)
      local accuracy = evaluate(model, fits.rows).accuracy
      assert.is_true(accuracy > 0.85, ("%d: %g"):format(i, accuracy))
    end
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
        plan = { loss = { weight = { 1, 3 } }, targets = { 0, 1 } } }
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
