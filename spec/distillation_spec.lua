local distillation = require "lunula.train.distillation"
local evaluate = require "lunula.evaluate"
local fits = require "spec.support.fits"
local tensor = require "lunula.tensor"

describe("Distillation", function()
  local fit = fits.fit

  local function row_of(p, label)
    return { text = "fine.", label = label or "positive",
      scores = { positive = p, negative = 1 - p } }
  end

  local function made_of(given, plan)
    local run = { options = given, plan = plan,
      model = { labels = { "negative", "positive" } } }
    return distillation.new(run)
  end

  -- KL of the first of two probabilities
  local function kl(p, q)
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
  end

  it("adds T^2 KL(teacher || student), both softened", function()
    local made = made_of({ distillation_weight = 0.25,
      distillation_temperature = 2 },
      { rows = { row_of(0.5), row_of(0.9) }, loss = {} })
    local logits = tensor.from { { 0, 2 * math.log(2) } }
    local loss = made:loss({ rows = { 2 } }, tensor.from(8), logits):item()
    -- odds of 9 become those of 3, the student's are e^(log 2)
    assert.is_near(0.75 * 8 + 0.25 * 4 * kl(3 / 4, 2 / 3), loss, 1e-5)
  end)

  it("weighs rows as the loss does", function()
    local made = made_of({ distillation_weight = 1,
      distillation_temperature = 1 },
      { rows = { row_of(0.5), row_of(0.8, "negative") },
        targets = { 1, 0 }, loss = { weight = { 3, 1 } } })
    local loss = made:loss({ rows = { 1, 2 } }, tensor.from(8),
      tensor.from { { 0, 1 }, { 0, 0 } }):item()
    local q = 1 / (1 + math.exp(-1))
    assert.is_near((kl(0.5, q) + 3 * kl(0.8, 0.5)) / 4, loss, 1e-5)
  end)

  it("is 0, with a gradient of 0, where the student is the teacher",
  function()
    for _, temperature in ipairs { 0.5, 1, 3 } do
      local made = made_of({ distillation_weight = 1,
        distillation_temperature = temperature },
        { rows = { row_of(0.75) }, loss = {} })
      local logits = tensor.from { { 1, 1 + math.log(3) } }
        :requires_grad(true)
      local loss = made:loss({ rows = { 1 } }, tensor.from(0), logits)
      loss:backward()
      assert.is_near(0, loss:item(), 1e-6)
      assert.is_near(0, logits:grad():max():item(), 1e-6)
    end
  end)

  it("takes a teacher that is sure, and leaves labels out", function()
    local made = made_of({ distillation_weight = 1,
      distillation_temperature = 2 },
      { rows = { { text = "a", label = "positive",
        scores = { positive = 1 } } }, loss = {} })
    local logits = tensor.from { { 0, 0 } }
    assert.is_near(4 * math.log(2),
      made:loss({ rows = { 1 } }, tensor.from(0), logits):item(), 1e-5)
  end)

  it("takes a temperature near 0", function()
    local made = made_of({ distillation_weight = 1,
      distillation_temperature = 1e-4 },
      { rows = { row_of(0.5) }, loss = {} })
    assert.is_near(0, made:loss({ rows = { 1 } }, tensor.from(0),
      tensor.from { { 0, 0 } }):item(), 1e-5)
  end)

  it("learns from a teacher against the labels", function()
    local taught = {}
    for i, row in ipairs(fits.rows) do
      local p = row.label == "positive" and 0.98 or 0.02
      taught[i] = row_of(p, "negative")
      taught[i].text = row.text
    end
    taught[1].label = "positive"
    local _, model = fit({ distillation_weight = 1, epochs = 12,
      learning_rate = 2e-3 }, taught)
    assert.is_true(evaluate(model, fits.rows).accuracy > 0.9)
  end)

  it("names a row whose scores are missing or no probabilities", function()
    local function refuses(scores, why)
      local plan = { rows = { row_of(1),
        { file = "x.jsonl", line = 7, scores = scores } } }
      local _, message = pcall(made_of,
        { distillation_weight = 1, distillation_temperature = 1 }, plan)
      assert.are.equal("x.jsonl:7: scores: " .. why, message)
    end
    refuses(nil, "expected a table from label to the teacher's probability, "
      .. "got nil")
    refuses({ positive = 0.9 }, "expected a sum of 1, got 0.9")
    refuses({ positive = 1.5, negative = -0.5 },
      "negative: expected a probability, got -0.5")
    refuses({ positive = 0 / 0, negative = 1 },
      "positive: expected a probability, got " .. tostring(0 / 0))
    refuses({ good = 1 },
      "'good' is none of the labels: negative, positive")
  end)
end)
