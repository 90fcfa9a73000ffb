local calibrate = require "lunula.calibrate"
local checkpoint = require "lunula.checkpoint"
local cjson = require "cjson"
local classifier = require "lunula.classifier"
local evaluate = require "lunula.evaluate"
local lunula = require "lunula"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }

local function fixture()
  local file = assert(io.open("spec/fixtures/metrics.json"))
  local cases = cjson.decode(file:read("*a")).probabilities
  file:close()
  return cases
end

describe("The best temperature", function()
  for _, case in ipairs(fixture()) do
    it("is what SciPy finds for " .. case.name, function()
      local found = calibrate.temperature(tensor.from(case.logits),
        case.classes)
      assert.is_near(1, found / case.expected.temperature, 1e-9)
    end)
  end

  -- logits 0 and d, of which the larger is right in some rows
  local function two_sided(d, right, wrong)
    local rows, classes = {}, {}
    for i = 1, right + wrong do
      rows[i], classes[i] = { 0, d }, i <= right and 1 or 0
    end
    return tensor.from(rows), classes
  end

  it("is exact where it is known in closed form, however far off", function()
    for _, known in ipairs { { 1, 3, 1 }, { 8, 51, 50 }, { 4096, 9, 1 },
      { 2 ^ -12, 4, 1 }, { 2 ^ 60, 3, 2 } } do
      local d, right, wrong = known[1], known[2], known[3]
      local found = calibrate.temperature(two_sided(d, right, wrong))
      assert.is_near(1, found / (d / math.log(right / wrong)), 1e-9)
    end
  end)

  local function none(why, ...)
    local found, said = calibrate.temperature(...)
    assert.is_nil(found)
    assert.are.equal(why, said)
  end

  it("is none where the loss has no least value", function()
    none("all rows are answered right: nothing says how sure is too sure",
      two_sided(1, 5, 0))
    none("the model is no better than chance on these rows",
      two_sided(1, 1, 1))
    none("the model is no better than chance on these rows",
      two_sided(1, 1, 2))
    none("a logit is not finite", two_sided(1 / 0, 2, 1))
    none("a logit is not finite", two_sided(0 / 0, 2, 1))
  end)

  it("is asked of logits with as many classes", function()
    assert.has_error(function()
      calibrate.temperature(tensor.zeros { 2, 2 }, { 0 })
    end, "calibrate.temperature: expected logits [n, C] and n classes")
    assert.has_error(function()
      calibrate.temperature(tensor.zeros { 1, 2 }, { 2 })
    end, "calibrate.temperature: class of row 1: expected an integer from 0 "
      .. "to 1, got 2")
  end)
end)

describe("Calibrating", function()
  local dir, saved
  local rows = tiny.reviews(60)
  -- every fifth has the other label: never surely right
  for i = 5, 60, 5 do
    rows[i].label = rows[i].label == "positive" and "negative" or "positive"
  end

  setup(function()
    dir = tiny.temporary()
    saved = dir .. "/model"
    tiny.write_encoder(dir .. "/encoder")
    local model = classifier(dir .. "/encoder", { labels = LABELS })
    train(model, tiny.reviews(64), { epochs = 8, batch_size = 8,
      learning_rate = 3e-3, dropout = 0 })
    model:save(saved)
  end)

  teardown(function() tiny.remove(dir) end)

  local function texts()
    local list = {}
    for i, row in ipairs(rows) do list[i] = row.text end
    return list
  end

  local function close(expected, got, within)
    for _, name in ipairs { "ece", "brier", "loss" } do
      assert.is_near(expected[name], got[name], within, name)
    end
  end

  it("makes a model that is too sure less so, and changes no label", function()
    local model = classifier(saved)
    local before, said = evaluate(model, rows), model:predict(texts())
    local done = calibrate(model, rows)
    local after = evaluate(model, rows)
    assert.is_true(done.temperature > 1.5)
    close(before, done.before, 1e-6)
    close(after, done.after, 1e-6)
    assert.is_true(after.loss < before.loss and after.ece < before.ece
      and after.brier < before.brier)
    assert.are.same(before.confusion, after.confusion)
    for i, answer in ipairs(model:predict(texts())) do
      assert.are.equal(said[i].label, answer.label)
      local odds = said[i].score / (1 - said[i].score)
      assert.is_near(1 / (1 + odds ^ (-1 / done.temperature)), answer.score,
        1e-4)
    end
  end)

  it("finds nothing to change when it is done again", function()
    local model = classifier(saved)
    calibrate(model, rows)
    assert.is_near(1, calibrate(model, rows).temperature, 1e-5)
  end)

  it("holds however the model answers", function()
    local model = classifier(saved)
    local handle = lunula.share(model)
    local old = lunula.open(handle)
    local uncalibrated = model:predict(rows[1].text).score
    calibrate(model, rows)
    local score = model:predict(rows[1].text).score
    assert.is_true(score < uncalibrated - 0.01)
    assert.are.equal(score, model:submit(rows[1].text):result().score)
    assert.are.equal(score,
      lunula.open(lunula.share(model)):predict(rows[1].text).score)
    assert.are.equal(uncalibrated, old:predict(rows[1].text).score)
    model:save(dir .. "/calibrated")
    for _, precision in ipairs { "fp32", "bf16", "int8" } do
      local again = classifier(dir .. "/calibrated", { precision = precision })
      assert.is_near(score, again:predict(rows[1].text).score, 0.02)
    end
  end)

  it("is recorded in the folder, as the product of all temperatures",
    function()
      local folder, model = dir .. "/recorded", classifier(saved)
      assert.are.equal(1, model.temperature)
      assert.is_nil(checkpoint.read(saved).config.classifier_temperature)
      local first = calibrate(model, rows).temperature
      assert.are.equal(first, model.temperature)
      model:save(folder)
      local again = classifier(folder)
      assert.is_near(first, again.temperature, 1e-12)
      local some = {}
      for i = 1, 20 do some[i] = rows[i] end
      local second = calibrate(again, some).temperature
      assert.is_true(math.abs(second - 1) > 1e-3)
      again:save(folder)
      assert.is_near(first * second,
        checkpoint.read(folder).config.classifier_temperature, 1e-9)
    end)

  it("is not said of a new head on an encoder that was another's", function()
    local folder = checkpoint.read(dir .. "/encoder")
    folder.config.classifier_temperature = 3
    checkpoint.write(dir .. "/other", { config = folder.config,
      tensors = folder.tensors, files = folder.files })
    local model = classifier(dir .. "/other", { labels = LABELS })
    assert.are.equal(1, model.temperature)
    assert.is_nil(model:saved_config().classifier_temperature)
  end)

  it("is no longer said of a model that has learnt on", function()
    local folder, model = dir .. "/on", classifier(saved)
    calibrate(model, rows)
    evaluate(model, rows)
    assert.is_true(model.temperature > 1)
    train(model, rows, { epochs = 1 })
    assert.are.equal(1, model.temperature)
    model:save(folder)
    assert.is_nil(checkpoint.read(folder).config.classifier_temperature)
  end)

  it("leaves a model as it was when no temperature is best", function()
    local model = classifier(saved)
    local before = model:predict(texts())
    local right = {}
    for i, answer in ipairs(before) do
      right[i] = { text = rows[i].text, label = answer.label }
    end
    local done, why = calibrate(model, right)
    assert.is_nil(done)
    assert.matches("^all rows are answered right", why)
    assert.are.same(before, model:predict(texts()))
    assert.are.equal(1, model.temperature)
  end)

  it("is refused where it can't be applied", function()
    local model = classifier(saved)
    lunula.quantize(model, dir .. "/int8")
    assert.has_error(function()
      calibrate(classifier(dir .. "/int8"), rows)
    end, "calibrate: " .. dir .. "/int8: a quantized model can't be "
      .. "calibrated; calibrate the one that it was made of, and quantize that")
    local opened = lunula.open(lunula.share(model))
    local _, why = pcall(calibrate, opened, rows)
    assert.matches("'infer': a model that another state shares can predict",
      why, 1, true)
    assert.has_error(function() calibrate(model:train(true), rows) end,
      "calibrate: the model learns; model:train(false) ends that")
    assert.has_error(function() calibrate(classifier(saved), {}) end,
      "calibrate: no rows")
    assert.has_error(function() calibrate(nil, rows) end,
      "calibrate: expected a classifier, as lunula.classifier makes it, got "
      .. "nil")
  end)

  it("goes into what is quantized afterwards", function()
    local model = classifier(saved)
    local done = calibrate(model, rows)
    lunula.quantize(model, dir .. "/small")
    local small = classifier(dir .. "/small")
    assert.is_near(done.temperature, small.temperature, 1e-12)
    assert.is_near(done.after.loss, evaluate(small, rows).loss, 0.02)
  end)

  it("is refused by a folder whose record is none", function()
    local folder = checkpoint.read(saved)
    folder.config.classifier_temperature = 0
    checkpoint.write(dir .. "/odd", { config = folder.config,
      tensors = folder.tensors, files = folder.files })
    assert.has_error(function() classifier(dir .. "/odd") end,
      dir .. "/odd/config.json: classifier_temperature: expected a number "
      .. "above 0, got 0")
  end)

  describe("a threshold", function()
    local model

    setup(function() model = classifier(saved) end)

    local function above(threshold)
      local answered, right = 0, 0
      for i, answer in ipairs(model:predict(texts(),
        { min_score = threshold })) do
        if not answer.abstained then
          answered = answered + 1
          right = right + (answer.label == rows[i].label and 1 or 0)
        end
      end
      return answered / #rows, right / answered
    end

    it("answers most texts as accurately as wanted", function()
      local points = evaluate(model, rows)
      local wanted = points.accuracy + 0.02
      local found = calibrate.threshold(model, rows, { accuracy = wanted })
      local coverage, accuracy = above(found.threshold)
      assert.are.same({ coverage, accuracy },
        { found.coverage, found.accuracy })
      assert.is_true(accuracy >= wanted)
      assert.is_true(coverage < 1)
    end)

    it("is midway between the last score answered and the next", function()
      local found = calibrate.threshold(model, rows,
        { accuracy = evaluate(model, rows).accuracy + 0.02 })
      local least, most = 1, 0
      for _, answer in ipairs(model:predict(texts())) do
        if answer.score < found.threshold then
          most = math.max(most, answer.score)
        else
          least = math.min(least, answer.score)
        end
      end
      assert.is_true(most < found.threshold and found.threshold < least)
      assert.is_near((least + most) / 2, found.threshold, 1e-6)
    end)

    it("is 0 where all texts are answered accurately enough", function()
      local found = calibrate.threshold(model, rows, { accuracy = 0.5 })
      assert.are.same({ 0, 1 }, { found.threshold, found.coverage })
      assert.are.equal(evaluate(model, rows).accuracy, found.accuracy)
    end)

    it("is not found where the surest answers are wrong", function()
      local wrong = {}
      for i, answer in ipairs(model:predict(texts())) do
        wrong[i] = { text = rows[i].text,
          label = answer.label == "positive" and "negative" or "positive" }
      end
      local found, why = calibrate.threshold(model, wrong,
        { accuracy = 0.95 })
      assert.is_nil(found)
      assert.are.equal("no threshold makes 0.95 of the answers right", why)
    end)

    it("needs to know what is wanted", function()
      assert.has_error(function() calibrate.threshold(model, rows) end,
        "calibrate.threshold: accuracy: expected a number above 0 and of at "
        .. "most 1, got nil")
    end)
  end)
end)
