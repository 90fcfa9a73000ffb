local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local evaluate = require "lunula.evaluate"
local metrics = require "lunula.metrics"
local run = require "spec.support.run"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }

describe("Training", function()
  local dir, encoder_dir
  local rows = tiny.reviews(64)
  local validation, wrong = {}, {}
  for i = 1, 20 do
    validation[i] = tiny.reviews(84)[64 + i]
    wrong[i] = { text = validation[i].text, label = validation[i].label ==
      "positive" and "negative" or "positive" }
  end

  setup(function()
    dir = tiny.temporary()
    encoder_dir = dir .. "/encoder"
    tiny.write_encoder(encoder_dir)
  end)

  teardown(function() tiny.remove(dir) end)

  local function new_model(labels)
    return classifier(encoder_dir, { labels = labels or LABELS, seed = 1 })
  end

  local function fit(given, model)
    model = model or new_model()
    local options = { epochs = 2, batch_size = 8, learning_rate = 3e-3 }
    for name, value in pairs(given or {}) do options[name] = value end
    return train(model, rows, options), model
  end

  local function weights(model)
    local all = {}
    for _, p in ipairs(model:parameters()) do
      all[p.name] = p.tensor:totable()
    end
    return all
  end

  local function losses(result)
    local list = {}
    for i, step in ipairs(result.steps) do list[i] = step.loss end
    return list
  end

  local function lowest_loss(list)
    local lowest = math.huge
    for _, entry in ipairs(list) do
      lowest = math.min(lowest, entry.validation.loss)
    end
    return lowest
  end

  it("learns what can be learnt", function()
    local result, model = fit { epochs = 6, learning_rate = 0.01,
      validation = validation }
    assert.is_true(result.history[6].train_loss < 0.15)
    assert.are.equal(1, result.history[6].validation.accuracy)
    assert.are.equal("positive", model:predict("the plot is lovely.").label)
    assert.are.equal("negative", model:predict("the film is awful.").label)
  end)

  it("takes what is not given from a recipe", function()
    local short = { recipe = "small-data", max_steps = 2, batch_size = 8 }
    local result, model = fit(short), new_model()
    assert.are.equal(2, #result.steps)
    local rate = require "lunula.recipes"["small-data"].learning_rate
    local told = train(model, rows, { recipe = "small-data", epochs = 1 })
    assert.are.equal(4, #told.steps)  -- of 16, as the recipe says
    assert.is_near(rate, told.steps[1].learning_rate, 1e-12)
    assert.has_error(function() fit { recipe = "bset" } end, "recipes: no "
      .. "recipe 'bset'; there are: default, small-data, few-shot, best")
  end)

  it("tells what happened", function()
    local told, epochs = {}, {}
    local result = fit {
      validation = validation, seed = 5, dropout = 0,
      on_step = function(info) told[#told + 1] = info end,
      on_epoch = function(entry) epochs[#epochs + 1] = entry end,
    }
    assert.are.equal(16, #result.steps)
    assert.are.equal(5, result.seed)
    assert.are.equal(core.threads(), result.threads)
    assert.is_true(result.train_seconds > 0)
    assert.are.same(result.history, epochs)
    assert.are.equal(16, told[3].steps)
    assert.are.equal(2, told[16].epoch)
    assert.are.equal(result.steps[16].loss, told[16].loss)
    local tokens = 0
    for _, info in ipairs(told) do tokens = tokens + info.tokens end
    assert.is_near(tokens / result.train_seconds, result.tokens_per_second, 1)
    assert.are.equal(0, result.truncated)
  end)

  it("counts what max_length cuts", function()
    local result, model = fit { max_length = 6, epochs = 1 }
    assert.is_true(result.truncated >= #rows)
    assert.are.equal(6, model.max_length)
  end)

  it("warms the learning rate up and lets it fall", function()
    local result = fit { warmup_ratio = 0.25 }
    assert.are.equal(0, result.steps[1].learning_rate)
    assert.is_near(3e-3 * 3 / 4, result.steps[4].learning_rate, 1e-12)
    assert.is_near(3e-3, result.steps[5].learning_rate, 1e-12)
    assert.is_near(3e-3 / 12, result.steps[16].learning_rate, 1e-12)
  end)

  it("gives the same bits with 1, 2, 3 and 7 threads", function()
    local before = core.threads()
    core.threads(1)
    local result, model = fit()
    for _, threads in ipairs { 2, 3, 7 } do
      core.threads(threads)
      local other_result, other = fit()
      assert.are.same(losses(result), losses(other_result))
      assert.are.same(weights(model), weights(other))
    end
    core.threads(before)
  end)

  it("learns in bfloat16 too, with the same bits with 1 and 3 threads",
  function()
    local threads = core.threads()
    local function learn(n)
      core.threads(n)
      local result, model = fit { epochs = 6, learning_rate = 0.01,
        validation = validation, precision = "bf16" }
      assert.are.equal("bf16", result.precision)
      assert.are.equal("fp32", model.encoder.precision)
      assert.are.equal(1, result.history[6].validation.accuracy)
      return weights(model)
    end
    local one = learn(1)
    assert.are.same(one, learn(3))
    core.threads(threads)
    local exact = fit { epochs = 6, learning_rate = 0.01 }
    assert.are.equal("fp32", exact.precision)
    assert.is_true(exact.history[6].train_loss < 0.15)
  end)

  it("depends on the seed", function()
    assert.are_not.same(losses((fit { seed = 1 })), losses((fit { seed = 2 })))
  end)

  it("follows no dropout's losses with dropout 0", function()
    local a = losses((fit { dropout = 0, shuffle = false, seed = 1 }))
    local b = losses((fit { dropout = 0, shuffle = false, seed = 2 }))
    assert.are.same(a, b)
  end)

  describe("in batches", function()
    local function fit_plain(given)
      local model, options = new_model(), { epochs = 2, dropout = 0,
        learning_rate = 3e-3 }
      for name, value in pairs(given) do options[name] = value end
      return train(model, rows, options), model
    end

    local WAYS = {
      { batch_size = 7 }, { batch_tokens = 40 },
      { batch_size = 7, group_by_length = true },
      { batch_tokens = 40, group_by_length = true },
      { batch_size = 7, gradient_accumulation_steps = 3 },
      { batch_tokens = 20, gradient_accumulation_steps = 3 },
    }

    it("sees each row once an epoch, and knows how many steps that is",
    function()
      for _, way in ipairs(WAYS) do
        local seen, steps = { {}, {} }, nil
        way.on_step = function(info)
          steps = info.steps
          for _, row in ipairs(info.rows) do
            assert.is_nil(seen[info.epoch][row])
            seen[info.epoch][row] = true
          end
        end
        local result = fit_plain(way)
        assert.are.same({ 64, 64 }, { #seen[1], #seen[2] })
        assert.are.equal(#result.steps, steps)
      end
    end)

    it("repeats itself with the same seed", function()
      for _, way in ipairs(WAYS) do
        way.on_step, way.seed = nil, 3
        local first = losses((fit_plain(way)))
        assert.are.same(first, losses((fit_plain(way))))
        way.seed = 4
        assert.are_not.same(first, losses((fit_plain(way))))
      end
    end)

    it("keeps to a budget of tokens", function()
      local most = 0
      fit_plain { batch_tokens = 40, on_step = function(info)
        most = math.max(most, info.tokens)
      end }
      assert.is_true(most <= 40 and most > 30)
    end)

    -- 64 rows: the last step of an epoch has fewer batches, of which the last
    -- has fewer rows
    local function accumulates(given, batch_size, steps)
      given.batch_size, given.gradient_accumulation_steps = batch_size, steps
      local parts, by_parts = fit_plain(given)
      given.batch_size = batch_size * steps
      given.gradient_accumulation_steps = 1
      local whole, at_once = fit_plain(given)
      assert.are.equal(#whole.steps, #parts.steps)
      for i, step in ipairs(whole.steps) do
        assert.is_near(step.loss, parts.steps[i].loss, 1e-5)
        assert.are.equal(step.learning_rate, parts.steps[i].learning_rate)
      end
      assert.is_near(whole.history[2].train_loss,
        parts.history[2].train_loss, 1e-5)
      for i, p in ipairs(by_parts:parameters()) do
        local apart = p.tensor - at_once:parameters()[i].tensor
        -- a key's bias moves no probability: its gradient is rounding alone
        assert.is_true(p.name:find "key.bias$" ~= nil
          or (apart * apart):max():item() < 1e-8, p.name)
      end
    end

    it("learns from several as from one of all their rows", function()
      accumulates({}, 4, 4)
      accumulates({}, 6, 3)
      accumulates({ class_weights = { positive = 5 } }, 6, 3)
    end)

    it("counts steps, not batches", function()
      local result = fit_plain { batch_size = 7, epochs = 3,
        gradient_accumulation_steps = 3, warmup_ratio = 0.5,
        validation = validation, validate_every = 3 }
      assert.are.equal(3 * 4, #result.steps)
      assert.is_near(3e-3, result.steps[7].learning_rate, 1e-12)
      assert.is_near(3e-3 / 6, result.steps[12].learning_rate, 1e-12)
      local at = {}
      for i, entry in ipairs(result.validations) do at[i] = entry.step end
      assert.are.same({ 3, 4, 6, 8, 9, 12 }, at)
    end)

    it("stops after max_steps, in whichever epoch that is", function()
      local result = fit_plain { batch_size = 8, max_steps = 20 }
      assert.are.equal(20, #result.steps)
      assert.are.equal(3, #result.history)
      assert.is_near(3e-3 / 18, result.steps[20].learning_rate, 1e-12)
      assert.are.equal(3, #fit_plain { max_steps = 3 }.steps)
    end)
  end)

  -- rows with wrong labels: the more is learnt, the worse it looks
  local function fit_wrong(given)
    given.epochs, given.learning_rate = 4, 0.01
    given.metric, given.validation = "loss", wrong
    return fit(given)
  end

  it("ends with the best weights", function()
    local result, model = fit_wrong {}
    assert.is_true(result.best_epoch < 4)
    assert.is_near(lowest_loss(result.history), evaluate(model, wrong).loss,
      1e-6)
  end)

  it("ends with the last weights when told", function()
    local result, model = fit_wrong { keep_best = false }
    assert.is_near(result.history[4].validation.loss,
      evaluate(model, wrong).loss, 1e-6)
  end)

  it("takes the lower loss where the metric is the same", function()
    local result = fit { epochs = 8, learning_rate = 0.01,
      validation = validation }
    local last = result.history[8].validation
    assert.are.equal(1, last.accuracy)
    assert.are.equal(1, result.history[7].validation.accuracy)
    assert.is_true(last.loss < result.history[7].validation.loss)
    assert.are.equal(8, result.best_epoch)
  end)

  it("keeps the best weights in the checkpoint", function()
    local folder = dir .. "/checkpoint"
    local result, model = fit_wrong { checkpoint = folder }
    local lowest = lowest_loss(result.history)
    assert.is_true(result.best_epoch < 4)
    assert.is_near(lowest, evaluate(model, wrong).loss, 1e-6)
    assert.is_near(lowest, evaluate(classifier(folder), wrong).loss, 1e-6)
  end)

  it("saves each epoch where there is no validation", function()
    local folder, saves = dir .. "/epochs", 0
    fit { checkpoint = folder, on_epoch = function()
      saves = saves + 1
      assert.are.equal("BertForSequenceClassification",
        checkpoint.read(folder).config.architectures[1])
      tiny.remove(folder)
    end }
    assert.are.equal(2, saves)
  end)

  it("stops when patience is at its end", function()
    local result = fit { epochs = 30, learning_rate = 0.01, metric = "loss",
      validation = wrong, patience = 2 }
    assert.are.equal(result.best_epoch + 2, #result.history)
    assert.is_true(#result.history < 30)
  end)

  it("validates in the middle of an epoch when told", function()
    local result = fit { validation = validation, validate_every = 3 }
    local at = {}
    for i, entry in ipairs(result.validations) do at[i] = entry.step end
    assert.are.same({ 3, 6, 8, 9, 12, 15, 16 }, at)
    assert.are.equal(2, #result.history)
  end)

  it("can weigh labels", function()
    local few = { rows[2] }
    for i = 1, 32 do few[#few + 1] = rows[2 * i - 1] end
    local function positive(class_weights)
      local model = new_model()
      train(model, few, { epochs = 3, learning_rate = 1e-3,
        class_weights = class_weights })
      return model:predict("is").scores.positive
    end
    local plain = positive()
    assert.is_true(positive "balanced" > plain)
    assert.is_true(positive { positive = 20 } > plain)
    assert.are.equal(plain, positive { positive = 1, negative = 1 })
  end)

  it("frees the gradients and turns dropout off at its end", function()
    local _, model = fit()
    assert.is_false(model.encoder.training)
    for _, p in ipairs(model:parameters()) do
      assert.is_nil(p.tensor:grad())
    end
  end)

  it("leaves the model whole when a callback fails", function()
    local model = new_model()
    assert.has_error(function()
      fit({ on_step = function() error("no", 0) end }, model)
    end, "no")
    assert.is_false(model.encoder.training)
    assert.is_nil(model.head.weight:grad())
  end)

  it("takes no more memory at the end than in the middle", function()
    local said, _, complaint = run.lua([[
      package.path = "./?.lua;" .. package.path
      print(require "spec.support.steady".growth(480))]],
      run.MEASURED)
    assert.is_truthy(tonumber(said), complaint)
    assert.is_true(tonumber(said) < 4, said .. " MiB more")
  end)

  it("stops at Ctrl-C, and what was saved stays", function()
    local folder, model = dir .. "/interrupted", new_model()
    core.system.catch_interrupt(true)
    local ok, why = pcall(fit, {
      epochs = 50, validation = validation, checkpoint = folder,
      on_epoch = function(entry)
        if entry.epoch == 2 then io.popen("kill -INT $PPID"):close() end
      end,
    }, model)
    core.system.catch_interrupt(false)
    assert.is_false(ok)
    assert.are.equal("interrupted", why)
    assert.is_not_nil(classifier(folder):predict("good").label)
  end)

  -- what a training raises that is sent Ctrl-C by one of its callbacks
  local function interrupted_in(given)
    core.system.catch_interrupt(true)
    local ok, why = pcall(fit, given)
    core.system.catch_interrupt(false)
    return not ok and why
  end

  local function interrupt()
    io.popen("kill -INT $PPID"):close()
  end

  it("stops at Ctrl-C in the middle of a validation, the last too", function()
    local folder, ended = dir .. "/unjudged", false
    assert.are.equal("interrupted", interrupted_in {
      epochs = 1, validation = validation, checkpoint = folder,
      on_step = function(info)
        if info.step == info.steps then interrupt() end
      end,
      on_epoch = function() ended = true end,
    })
    assert.is_false(ended)
    assert.is_nil(core.io.stat(folder))
  end)

  it("does not lose a Ctrl-C that comes after the last step", function()
    assert.are.equal("interrupted",
      interrupted_in { epochs = 1, on_epoch = interrupt })
  end)

  it("stops when the loss is no number, and says at which step", function()
    local ok, why = pcall(fit, { learning_rate = 1e30 })
    assert.is_false(ok)
    assert.is_truthy(why:find("^train: step %d+: the loss is .* a lower "
      .. "learning_rate than 1e%+30 may help$"), why)
  end)

  describe("refuses", function()
    local function refuses(message, given_rows, given)
      assert.has_error(function() train(new_model(), given_rows, given) end,
        message)
    end

    it("rows that can't be learnt from", function()
      refuses("train: no rows", {})
      refuses("train: expected an array of rows, got nil", nil)
      refuses("train: row 1: text: expected a string, got nil",
        { { label = "positive" } })
      refuses("train: all 2 rows have the label 'positive'; at least two "
        .. "labels are needed", { rows[2], rows[4] })
    end)

    it("labels that the model does not have", function()
      refuses("train: row 3: label 'neutral' is none of the 2 known: "
        .. "negative, positive",
        { rows[1], rows[2], { text = "a film", label = "neutral" } })
    end)

    it("a validation label that was never seen in training", function()
      refuses("train: validation: row 2: label 'neutral' is that of no "
        .. "training row", rows,
        { validation = { rows[1], { text = "a", label = "neutral" } } })
    end)

    it("options out of range, or of no use", function()
      refuses("train: epochs: expected an integer of at least 1, got 0", rows,
        { epochs = 0 })
      refuses("max_length of this model: expected an integer from 2 to "
        .. "128, got 1000", rows, { max_length = 1000 })
      refuses("train: metric: expected one of accuracy, loss, macro_f1, mcc, "
        .. "weighted_f1, got 'f1'", rows, { metric = "f1" })
      refuses("train: max_grad_norm: expected a number above 0, got -1", rows,
        { max_grad_norm = -1 })
      refuses("train: dropout: expected a number of at least 0 and below 1, "
        .. "got 1", rows, { dropout = 1 })
      refuses("train: patience: there are no validation rows", rows,
        { patience = 1 })
      refuses("train: class_weights: 'neutral' is none of the labels: "
        .. "negative, positive", rows, { class_weights = { neutral = 2 } })
      refuses("train: class_weights: positive: expected a number above 0, "
        .. "got 0", rows, { class_weights = { positive = 0 } })
      refuses("train: give batch_size or batch_tokens, not both", rows,
        { batch_size = 8, batch_tokens = 100 })
      refuses("train: batch_tokens: expected an integer of at least 2, got 1",
        rows, { batch_tokens = 1 })
      refuses("train: gradient_accumulation_steps: expected an integer of at "
        .. "least 1, got 0.5", rows, { gradient_accumulation_steps = 0.5 })
      refuses("train: group_by_length shuffles: shuffle = false excludes it",
        rows, { group_by_length = true, shuffle = false })
      refuses("train: learning_rate: expected a number above 0, got -1", rows,
        { learning_rate = -1 })
    end)

    it("options of another kind, before the first step", function()
      refuses("train: learning_rate: expected a number above 0, got 'x'", rows,
        { learning_rate = "x" })
      refuses("train: on_step: expected a function, got 'x'", rows,
        { on_step = "x" })
      refuses("train: max_grad_norm: expected a number above 0, got 'x'",
        rows, { max_grad_norm = "x" })
      refuses("train: checkpoint: expected a path, got 5", rows,
        { checkpoint = 5 })
      refuses("train: shuffle: expected true or false, got 'no'", rows,
        { shuffle = "no" })
    end)

    it("what is no classifier", function()
      assert.has_error(function() train({}, rows) end, "train: expected a "
        .. "classifier, as lunula.classifier makes it, got a table")
      assert.has_error(function() evaluate(nil, rows) end, "evaluate: "
        .. "expected a classifier, as lunula.classifier makes it, got nil")
    end)
  end)
end)

describe("evaluate", function()
  local dir, model

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir)
    model = classifier(dir, { labels = LABELS })
  end)

  teardown(function() tiny.remove(dir) end)

  it("counts what predict gets right", function()
    local rows, right = tiny.reviews(30), 0
    for _, row in ipairs(rows) do
      if model:predict(row.text).label == row.label then right = right + 1 end
    end
    local report = evaluate(model, rows, { batch_size = 7 })
    assert.is_near(right / 30, report.accuracy, 1e-12)
    assert.are.equal(30, report.n)
    assert.are.same(LABELS, report.labels)
  end)

  it("gives the mean loss of the rows", function()
    local rows, total = tiny.reviews(9), 0
    for _, row in ipairs(rows) do
      total = total - math.log(model:predict(row.text).scores[row.label])
    end
    assert.is_near(total / 9, evaluate(model, rows, { batch_size = 4 }).loss,
      1e-5)
  end)

  it("says how honest the probabilities are that predict gives", function()
    local rows, probabilities, classes = tiny.reviews(25), {}, {}
    for i, row in ipairs(rows) do
      local scores = model:predict(row.text).scores
      probabilities[i] = { scores.negative, scores.positive }
      classes[i] = row.label == "positive" and 1 or 0
    end
    local confidence, correct = metrics.confidence(probabilities, classes)
    local report = evaluate(model, rows, { batch_size = 7 })
    assert.is_near(metrics.brier(probabilities, classes), report.brier, 1e-6)
    assert.is_near(metrics.calibration(confidence, correct).ece, report.ece,
      1e-6)
    assert.are.same({ 1, report.accuracy },
      { report.selective[1].coverage, report.selective[1].accuracy })
    for i, point in ipairs(metrics.selective(confidence, correct)) do
      assert.is_near(point.threshold, report.selective[i].threshold, 1e-6)
    end
  end)

  it("reports what weights that are no numbers are worth", function()
    local broken = classifier(dir, { labels = LABELS })
    broken.head.bias:copy(tensor.full({ 2 }, 0 / 0))
    local report = evaluate(broken, tiny.reviews(4))
    assert.is_true(report.loss ~= report.loss and report.ece ~= report.ece)
    assert.are.same({}, report.selective)
    assert.is_string(tostring(report))
  end)

  it("is shown as a table", function()
    local text = tostring(evaluate(model, tiny.reviews(4)))
    for _, word in ipairs { "precision", "confusion", "\nECE  ",
      "\nBrier score  ", "\n\ncoverage      1.000  " } do
      assert.is_truthy(text:find(word, 1, true), word)
    end
  end)

  it("says which row has a label that the model lacks", function()
    assert.has_error(function()
      evaluate(model, { { text = "a", label = "neutral" } })
    end, "evaluate: row 1: label 'neutral' is none of the 2 known: "
      .. "negative, positive")
    assert.has_error(function() evaluate(model, {}) end, "evaluate: no rows")
  end)
end)
