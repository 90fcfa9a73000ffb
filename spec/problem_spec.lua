local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local evaluate = require "lunula.evaluate"
local json = require "lunula.json"
local lunula = require "lunula"
local problem = require "lunula.problem"
local quantize = require "lunula.quantize"
local tensor = require "lunula.tensor"
local thresholds = require "lunula.thresholds"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

-- what reviews are asked for, of each type of problem
local ASKED = {
  multi_label_classification = function(row)
    local labels = {}
    if row.text:find "film" then labels[1] = "film" end
    if row.label == "positive" then labels[#labels + 1] = "good" end
    return { text = row.text, labels = labels }
  end,
  regression = function(row)
    return { text = row.text, label = 1000
      + (row.label == "positive" and 300 or 0)
      + (row.text:find "film" and 100 or 0) }
  end,
  ordinal = function(row)
    local above = row.text:find "film" and "best" or "good"
    return { text = row.text,
      label = row.label == "negative" and "bad" or above }
  end,
  single_label_classification = function(row) return row end,
}

local LABELS = {
  multi_label_classification = { "film", "good" },
  ordinal = { "bad", "good", "best" },
  single_label_classification = { "negative", "positive" },
}

local TEXTS = { "the film is lovely.", "the plot is awful.",
  "the plot is good, fine.", "the film is dull." }
local LONG = ("the film is lovely. "):rep(20) .. ("the plot is bad. "):rep(20)

describe("A problem of", function()
  local dir

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  local function rows_of(kind, from, to)
    local rows, all = {}, tiny.reviews(to)
    for i = from, to do rows[#rows + 1] = ASKED[kind](all[i]) end
    return rows
  end

  local function new_model(kind, given)
    local o = { problem_type = kind, labels = LABELS[kind], pooling = "mean",
      seed = 1 }
    for name, value in pairs(given or {}) do o[name] = value end
    return classifier(dir .. "/encoder", o)
  end

  local function fit(model, given)
    local kind = model.problem.name
    local o = { epochs = 8, batch_size = 8, learning_rate = 0.01,
      validation = rows_of(kind, 65, 96) }
    for name, value in pairs(given or {}) do o[name] = value end
    o.validation = o.validation or nil  -- false: without
    return train(model, rows_of(kind, 1, 64), o)
  end

  -- one of each, trained once for all that only ask it
  local trained = {}
  local function trained_model(kind)
    trained[kind] = trained[kind] or new_model(kind)
    if not trained[kind].result then
      trained[kind].result = fit(trained[kind])
    end
    return trained[kind]
  end

  local function logits_of(model, texts)
    return model:infer(model.forward, model,
      model.tokenizer:encode(texts, { max_length = model.max_length }))
  end

  -- numbers are equal but for rounding; all else is
  local function same_but_for_rounding(expected, got, most)
    if type(expected) ~= "table" then
      if type(expected) ~= "number" then
        return assert.are.equal(expected, got)
      end
      return assert.is_near(expected, got, most * math.max(1,
        math.abs(expected)))
    end
    for name, value in pairs(expected) do
      same_but_for_rounding(value, got[name], most)
    end
    for name in pairs(got) do assert.is_not_nil(expected[name]) end
  end

  for kind in pairs(problem.TYPES) do
    describe(kind, function()
      it("is saved, and loads as what it was", function()
        local model = trained_model(kind)
        model:save(dir .. "/saved")
        local again = classifier(dir .. "/saved")
        assert.are.equal(kind, again.problem.name)
        assert.are.same(model.labels, again.labels)
        assert.are.same(model.thresholds, again.thresholds)
        assert.are.same(model:predict(TEXTS), again:predict(TEXTS))
        again:parameters()  -- its layers too, not only what answers
        assert.are.same(model:predict(TEXTS), again:predict(TEXTS))
        again:save(dir .. "/again")
        assert.are.same(checkpoint.read(dir .. "/saved").config,
          checkpoint.read(dir .. "/again").config)
      end)

      it("is answered alike by all that answer", function()
        local model = trained_model(kind)
        local expected = model:predict(TEXTS)
        assert.are.same(expected, model:submit(TEXTS):result())
        assert.are.same(expected, lunula.open(lunula.share(model))
          :predict(TEXTS))
        assert.matches(#model.labels == 0 and "%(a number; 128 tokens"
          or "labels; 128 tokens", tostring(lunula.open(lunula.share(model))))
        same_but_for_rounding(expected[1], model:predict(TEXTS[1]), 1e-5)
      end)

      it("is judged by what it answers", function()
        local model, rows = trained_model(kind), rows_of(kind, 97, 120)
        local report = evaluate(model, rows)
        assert.are.equal(24, report.n)
        assert.is_true(report[model.problem.quality] > 0.8)
        for _, name in ipairs(model.problem.scores) do
          assert.is_number(report[name])
        end
        assert.is_string(tostring(report))
      end)

      it("tells its own scores while it learns", function()
        local history = trained_model(kind).result.history
        for _, name in ipairs(problem.of(kind, "spec").scores) do
          assert.is_number(history[1].validation[name])
        end
      end)

      it("answers long texts with the mean of their windows", function()
        local model = trained_model(kind)
        local whole = model:predict(LONG, { truncation = "windows" })
        local head = model:predict(LONG)
        local tail = model:predict(LONG, { truncation = "tail" })
        local function number(answer)
          return answer.value or answer.scores[model.labels[1]]
        end
        assert.is_true(number(whole) > math.min(number(head), number(tail)))
        assert.is_true(number(whole) < math.max(number(head), number(tail)))
      end)

      it("is much the same in 8 bits", function()
        local model, rows = trained_model(kind), rows_of(kind, 97, 120)
        local made = quantize(model, dir .. "/int8-" .. kind,
          { check = rows, max_drop = 25 })
        local small = classifier(dir .. "/int8-" .. kind)
        assert.are.equal(model.problem.quality, made.score)
        assert.is_near(made.after,
          evaluate(small, rows)[model.problem.quality], 1e-12)
        assert.are.equal(kind, small.problem.name)
        assert.are.same(model.thresholds, small.thresholds)
      end)

      it("goes on with a folder's head, of which it begins as it was",
        function()
          local model = trained_model(kind)
          model:save(dir .. "/first")
          local again = classifier(dir .. "/first")
          fit(again, { max_steps = 1, learning_rate = 1e-12, keep_best = false,
            tune_thresholds = false })
          same_but_for_rounding(model:predict(TEXTS), again:predict(TEXTS),
            1e-4)
        end)

      local function check_resumed(keep_best)
        local function run(folder, stop)
          local model, steps = new_model(kind), 0
          local ok, result = pcall(fit, model, { epochs = 2, resume = true,
            checkpoint = ("%s/%s-%s-%s"):format(dir, folder, kind,
              tostring(keep_best)), keep_best = keep_best,
            on_step = function()
              steps = steps + 1
              if steps == stop then error("stop", 0) end
            end })
          return ok and result, model
        end
        local whole, model = run("whole")
        assert.is_false((run("part", 11)))
        local rest, resumed = run("part")
        assert.are.same(whole.history, rest.history)
        assert.are.same(model.thresholds, resumed.thresholds)
        for name, t in pairs(model:weights()) do
          assert.are.equal(t:checksum(), resumed:weights()[name]:checksum())
        end
        local _, done = run("part", 1)
        assert.are.same(model.thresholds, done.thresholds)
        assert.are.same(model:predict(TEXTS), done:predict(TEXTS))
      end

      it("ends with the same bits when it was stopped and resumed", function()
        check_resumed(true)
        check_resumed(false)
      end)

      it("learns with techniques that fit it", function()
        for _, given in ipairs { { mixup_alpha = 0.5 }, { tune = "head" },
            { adversarial = "fgm" }, { averaging = "ema" } } do
          given.epochs = 3
          local result = fit(new_model(kind), given)
          assert.is_true(result.history[3].train_loss
            < result.history[1].train_loss)
        end
      end)

      it("is an adapter of LoRA, with its head", function()
        local model = new_model(kind)
        fit(model, { tune = "lora", epochs = 2 })
        model:save_adapter(dir .. "/adapter-" .. kind)
        local again = new_model(kind)
        lunula.lora.load(again, dir .. "/adapter-" .. kind)
        same_but_for_rounding(model:infer(logits_of, model, TEXTS):totable(),
          again:infer(logits_of, again, TEXTS):totable(), 1e-5)
      end)

      it("has in its folder what its last epoch leaves", function()
        for _, keep_best in ipairs { true, false } do
          local folder, model = dir .. "/kept", new_model(kind)
          fit(model, { epochs = 3, checkpoint = folder, keep_best = keep_best,
            validation = keep_best and rows_of(kind, 65, 96) })
          assert.are.same(model:predict(TEXTS),
            classifier(folder):predict(TEXTS))
        end
      end)

      it("refuses another type than the folder's", function()
        trained_model(kind):save(dir .. "/typed")
        local other = kind == "regression" and "ordinal" or "regression"
        assert.has_error(function()
          classifier(dir .. "/typed", { problem_type = other })
        end, ("classifier: %s is for %s, not %s"):format(dir .. "/typed", kind,
          other))
      end)
    end)
  end

  describe("several labels", function()
    local KIND = "multi_label_classification"

    it("says all labels at or above their thresholds, or none", function()
      local model = trained_model(KIND)
      local found = model:predict(TEXTS)
      assert.are.same({ "film", "good" }, found[1].labels)
      assert.are.same({}, found[2].labels)
      assert.are.same({ "good" }, found[3].labels)
      assert.are.same({ "film" }, found[4].labels)
      local scores = logits_of(model, TEXTS):sigmoid():totable()
      for i, answer in ipairs(found) do
        assert.is_near(scores[i][1], answer.scores.film, 1e-5)
        assert.is_near(scores[i][2], answer.scores.good, 1e-5)
      end
    end)

    it("has the loss of PyTorch's binary cross entropy", function()
      local of = problem.of(KIND, "spec")
      local logits = tensor.from { { 0, 2 }, { -1, 0.5 } }
      local targets = { { 1, 0 }, { 0, 1 } }
      local function softplus(x) return math.log(1 + math.exp(x)) end
      assert.is_near((softplus(0) + softplus(2) + softplus(-1)
        + softplus(-0.5)) / 4, of.loss(logits, targets):item(), 1e-6)
      local how = of.loss_options({ { 1, 0 }, { 1, 0 }, { 0, 1 } },
        { "a", "b" }, { class_weights = "balanced", label_smoothing = 0 })
      assert.are.same({ 0.5, 2 }, how.pos_weight)
      assert.is_near((0.5 * softplus(0) + softplus(2) + softplus(-1)
        + 2 * softplus(-0.5)) / 4, of.loss(logits, targets, how):item(), 1e-6)
    end)

    it("smooths each label's target towards a half", function()
      local of = problem.of(KIND, "spec")
      local logits = tensor.from { { 0.3, 2 } }
      assert.is_near(of.loss(logits, { { 0.9, 0.1 } }):item(),
        of.loss(logits, { { 1, 0 } }, { label_smoothing = 0.2 }):item(), 1e-6)
    end)

    local function f1(scores, right, threshold)
      local both, said, there = 0, 0, 0
      for i, score in ipairs(scores) do
        local is_said = score >= threshold and 1 or 0
        both, said, there = both + is_said * right[i], said + is_said,
          there + right[i]
      end
      return 2 * both / (said + there)
    end

    it("gives each label the threshold with the best F1", function()
      local of, rng = problem.of(KIND, "spec"), lunula.core.rng(3)
      local found, targets, scores, right = {}, {}, {}, {}
      for i = 1, 60 do
        scores[i], right[i] = rng:below(20) / 20, rng:below(3) == 0 and 1 or 0
        found[i], targets[i] = { scores[i], 0.9 }, { right[i], 0 }
      end
      local model = { labels = { "a", "b" } }
      of.tune(model, found, targets)
      local best = 0
      for threshold = 0, 1, 1 / 40 do
        best = math.max(best, f1(scores, right, threshold))
      end
      assert.is_near(best, f1(scores, right, model.thresholds[1]), 1e-12)
      assert.are.equal(0.5, model.thresholds[2])
    end)

    it("has the thresholds that it is told, or that rows say", function()
      local model = new_model(KIND)
      assert.are.same({ film = 0.5, good = 0.5 }, thresholds.of(model))
      thresholds.set(model, 0)
      assert.are.same({ "film", "good" }, model:predict(TEXTS[2]).labels)
      thresholds.set(model, { good = 1 })
      assert.are.same({ film = 0, good = 1 }, thresholds.of(model))
      assert.are.same({ "film" }, model:predict(TEXTS[1]).labels)
      local rows = rows_of(KIND, 1, 40)
      local report = thresholds.tune(model, rows)
      assert.are.equal(report.macro_f1, evaluate(model, rows).macro_f1)
      assert.are_not.same({ film = 0, good = 1 }, thresholds.of(model))
      for _, wrong in ipairs { 2, "x", { bad = 0.1 }, { good = -1 } } do
        assert.has_error(function() thresholds.set(model, wrong) end)
      end
      assert.has_error(function()
        thresholds.of(trained_model "regression")
      end, "thresholds.of: expected a model of multi_label_classification, got "
        .. "one of regression")
    end)

    it("keeps its thresholds where a training is told so", function()
      local model = new_model(KIND)
      fit(model, { epochs = 1, tune_thresholds = false })
      assert.are.same({ film = 0.5, good = 0.5 }, thresholds.of(model))
    end)

    it("explains each label by itself", function()
      local model = trained_model(KIND)
      for _, label in ipairs(model.labels) do
        local found = model:explain(TEXTS[1], { label = label })
        assert.is_near(model:predict(TEXTS[1]).scores[label], found.score,
          1e-5)
        local sum = 0
        for _, word in ipairs(found.words) do sum = sum + word.score end
        assert.is_near(found.score - found.baseline, sum, 0.02)
      end
    end)

    it("can't be calibrated, nor abstained from by a score", function()
      local model = trained_model(KIND)
      assert.has_error(function()
        lunula.calibrate(model, rows_of(KIND, 65, 96))
      end, "calibrate: expected a model of single_label_classification, got "
        .. "one of multi_label_classification")
      assert.has_error(function() model:predict("a", { min_score = 0.5 }) end,
        "predict: min_score: an answer of multi_label_classification has no "
        .. "score")
      assert.is_true(trained_model "ordinal":predict(TEXTS[1],
        { min_score = 1 }).abstained)
    end)

    it("refuses rows that are not what it needs", function()
      local model = new_model(KIND)
      for message, rows in pairs {
        ["train: row 1: labels: expected an array of strings, got nil"] =
          { { text = "a", label = "film" } },
        ["train: none of 1 rows has a label"] =
          { { text = "a", labels = {} } },
        ["train: row 1: label 'odd' is none of the 2 known: film, good"] =
          { { text = "a", labels = { "odd" } } },
      } do
        assert.has_error(function() train(model, rows) end, message)
      end
      assert.has_error(function()
        fit(model, { validation = { { text = "a", labels = { "x" } } } })
      end, "train: validation: row 1: label 'x' is that of no training row")
      assert.has_error(function() fit(model, { metric = "accuracy" }) end)
      for _, given in ipairs { { adversarial = "smart" },
          { focal_gamma = 2 } } do
        assert.has_error(function() fit(model, given) end)
      end
      assert.has_error(function() fit(model, { rdrop_alpha = 1 }) end,
        "train: rdrop: only for single_label_classification, not "
        .. "multi_label_classification")
    end)

    it("refuses thresholds in a folder that can't be", function()
      local model = trained_model(KIND)
      model:save(dir .. "/wrong")
      local saved = checkpoint.read(dir .. "/wrong")
      for _, wrong in ipairs { { 0.5 }, { 0.5, 2 }, { 0.5, "x" }, "x" } do
        saved.config.classifier_thresholds = wrong
        assert.has_error(function() classifier.from(saved) end)
      end
      saved.config.classifier_thresholds = json.null
      assert.are.same({ film = 0.5, good = 0.5 },
        thresholds.of(classifier.from(saved)))
    end)
  end)

  describe("a number", function()
    it("is learnt in whatever units it is in", function()
      local rows, small = rows_of("regression", 1, 64), {}
      for i, row in ipairs(rows) do
        small[i] = { text = row.text, label = row.label * 1e-6 - 7 }
      end
      local given = { epochs = 4, batch_size = 8, learning_rate = 0.01,
        dropout = 0 }
      local model, other = new_model "regression", new_model "regression"
      local losses = train(model, rows, given).steps
      for i, step in ipairs(train(other, small, given).steps) do
        assert.is_near(losses[i].loss, step.loss, 0.01)
      end
      local a, b = model:predict(TEXTS[1]).value, other:predict(TEXTS[1]).value
      assert.is_near(a * 1e-6 - 7, b, 1e-5)
    end)

    it("begins as the rows' mean, whose loss is 1", function()
      local model = new_model("regression", { dropout = 0 })
      model.head.weight:copy(tensor.zeros(model.head.weight:shape()))
      local result = fit(model, { epochs = 1, batch_size = 64 })
      assert.is_near(1, result.steps[1].loss, 1e-5)
    end)

    it("is what the head says, without an activation", function()
      local model = trained_model "regression"
      for i, row in ipairs(logits_of(model, TEXTS):totable()) do
        assert.is_near(row[1], model:predict(TEXTS[i]).value, 0.01)
      end
    end)

    it("is taken for one where a folder's head has one output", function()
      trained_model "regression":save(dir .. "/one")
      local saved = checkpoint.read(dir .. "/one")
      saved.config.problem_type = json.null
      assert.are.equal("regression", classifier.from(saved).problem.name)
    end)

    it("has no label to explain, and no use for some options", function()
      assert.has_error(function() trained_model "regression":explain "a" end,
        "explain: a regression has no label whose probability could be "
        .. "explained")
      assert.has_error(function()
        fit(new_model "regression", { label_smoothing = 0.1 })
      end, "train: label_smoothing: not of use for regression")
      assert.has_error(function()
        new_model("regression", { labels = { "a", "b" } })
      end, "classifier: labels: a regression has none")
    end)

    it("refuses rows that are not what it needs", function()
      for message, rows in pairs {
        ["train: row 1: label: expected a number, got string"] =
          { { text = "a", label = "1" } },
        ["train: all 2 rows have the label 3; there is nothing to learn"] =
          { { text = "a", label = 3 }, { text = "b", label = 3 } },
      } do
        assert.has_error(function() train(new_model "regression", rows) end,
          message)
      end
      assert.has_error(function()
        train(new_model "regression", { { text = "a", label = 0 / 0 } })
      end)
    end)

    it("refuses numbers that 32 bits don't hold, or tell apart", function()
      for message, pair in pairs {
        ["mean 5e+15 and standard deviation 5e+15"] = { 0, 1e16 },
        ["mean 5e-21 and standard deviation 5e-21"] = { 0, 1e-20 },
        ["mean 1e+09 and standard deviation 0.5"] = { 1e9, 1e9 + 1 },
      } do
        local model = new_model "regression"
        assert.has_error(function()
          train(model, { { text = "a", label = pair[1] },
            { text = "b", label = pair[2] } })
        end, "train: labels of " .. message .. ": more than 32 bits hold; "
          .. "subtract the mean, or take another unit")
        assert.is_nil(model.head.scale)
      end
      assert.has_error(function()
        evaluate(trained_model "regression", { { text = "a", label = 1e19 } })
      end, "evaluate: row 1: label: expected a number within 1e+18, whose "
        .. "square 32 bits hold, got 1e+19")
    end)
  end)

  describe("a rank", function()
    local function saved_head()
      local model = trained_model "ordinal"
      model:save(dir .. "/ranks")
      local tensors = checkpoint.read(dir .. "/ranks").tensors
      return tensors["classifier.weight"]:totable(),
        tensors["classifier.bias"]:totable(), model
    end

    it("is saved as a plain head, whose rows are alike", function()
      local weight, bias = saved_head()
      assert.are.equal(2, #weight)
      assert.are.same(weight[1], weight[2])
      assert.is_true(bias[1] > bias[2])
      local config = checkpoint.read(dir .. "/ranks").config
      assert.are.equal("multi_label_classification", config.problem_type)
      assert.are.same({ ["0"] = "above bad", ["1"] = "above good" },
        config.id2label)
    end)

    it("refuses a head whose outputs don't share their weights", function()
      saved_head()
      local saved = checkpoint.read(dir .. "/ranks")
      local weight = saved.tensors["classifier.weight"]:totable()
      weight[2][1] = weight[2][1] + 0.5
      saved.tensors["classifier.weight"] = tensor.from(weight)
      local model = classifier.from(saved)
      assert.has_error(function() return model.head end, dir
        .. "/ranks: the head 'classifier': its outputs don't share their "
        .. "weights")
    end)

    it("has probabilities that are differences, and sum to 1", function()
      local model = trained_model "ordinal"
      local above = logits_of(model, TEXTS):sigmoid():totable()
      for i, answer in ipairs(model:predict(TEXTS)) do
        assert.is_near(1 - above[i][1], answer.scores.bad, 1e-5)
        assert.is_near(above[i][1] - above[i][2], answer.scores.good, 1e-5)
        assert.is_near(above[i][2], answer.scores.best, 1e-5)
        assert.are.equal(answer.scores[answer.label], answer.score)
      end
    end)

    it("is the median: neither the likeliest label nor out of order",
      function()
        local of = problem.of("ordinal", "spec")
        local model = { labels = { "a", "b", "c" } }
        local answer = of.answer({ 0.6, 0.45 }, model)
        assert.are.equal("b", answer.label)
        assert.is_near(0.15, answer.score, 1e-12)
        answer = of.answer({ 0.2, 0.7 }, model)
        assert.are.equal("a", answer.label)
        assert.are.equal(0, answer.scores.b)
        assert.is_near(1, answer.scores.a + answer.scores.c, 1e-12)
      end)

    it("begins with how frequent each is", function()
      local of = problem.of("ordinal", "spec")
      local model = new_model "ordinal"
      of.begin(model.head, { 0, 0, 0, 1, 2, 2 })
      local bias = model.head.bias:totable()
      assert.is_near(0, bias[1], 1e-6)
      assert.is_near(math.log(2.5 / 4.5), bias[2], 1e-6)
    end)

    it("explains the label that it says", function()
      local model = trained_model "ordinal"
      local found = model:explain(TEXTS[1])
      assert.are.equal(model:predict(TEXTS[1]).label, found.label)
      assert.is_near(model:predict(TEXTS[1]).score, found.score, 1e-5)
    end)

    it("has the order that it is given, or that numbers have", function()
      local of = problem.of("ordinal", "spec")
      assert.are.same({ "-1", "2", "10" }, of.labels { { label = "10" },
        { label = "2" }, { label = "-1" }, { label = "2" } })
      assert.has_error(function()
        of.labels { { label = "good" }, { label = "bad" } }
      end, "ordinal: which order do the labels have? Name them, the lowest "
        .. "first; there are: bad, good")
      trained_model "ordinal":save(dir .. "/order")
      assert.has_error(function()
        classifier(dir .. "/order", { labels = { "best", "bad" } })
      end, "classifier: " .. dir .. "/order has its labels in the order bad, "
        .. "good, best")
      assert.are.same({ "bad", "good", "best" },
        classifier(dir .. "/order", { labels = { "bad", "best" } }).labels)
    end)
  end)

  it("one label is what it is when nobody says", function()
    local model = classifier(dir .. "/encoder", { labels = { "a", "b" } })
    assert.are.equal("single_label_classification", model.problem.name)
    assert.has_error(function()
      classifier(dir .. "/encoder", { problem_type = "odd" })
    end, "classifier: problem_type: expected one of "
      .. "multi_label_classification, ordinal, regression, "
      .. "single_label_classification, got 'odd'")
  end)
end)
