local classifier = require "lunula.classifier"
local core = require "lunula.core"
local evaluate = require "lunula.evaluate"
local multitask = require "lunula.multitask"
local tiny = require "spec.support.tiny"

describe("Several tasks over one encoder", function()
  local dir
  local reviews, nouns = tiny.reviews(120), {}
  for i, row in ipairs(tiny.reviews(48)) do
    nouns[i] = { text = row.text,
      label = row.text:find "film" and "film" or "plot" }
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  local function new_tasks()
    return multitask.new(dir .. "/encoder", {
      sentiment = { labels = { "negative", "positive" }, seed = 1 },
      noun = { labels = { "film", "plot" }, seed = 2, pooling = "mean" },
    })
  end

  local function part(rows, from, to)
    local some = {}
    for i = from, to do some[#some + 1] = rows[i] end
    return some
  end

  local DATA = {
    sentiment = { rows = part(reviews, 1, 96),
      validation = part(reviews, 97, 120) },
    noun = { rows = part(nouns, 1, 32), validation = part(nouns, 33, 48) },
  }

  local function fit(tasks, given, data)
    local o = { epochs = 2, batch_size = 8, learning_rate = 5e-3 }
    for name, value in pairs(given or {}) do o[name] = value end
    return tasks:train(data or DATA, o)
  end

  local function bits(tasks)
    local sums = {}
    for _, name in ipairs(tasks.names) do
      for _, p in ipairs(tasks.models[name]:parameters()) do
        sums[name .. "." .. p.name] = p.tensor:checksum()
      end
    end
    return sums
  end

  it("may be of different types of problems", function()
    local stars, sets = {}, {}
    for i, row in ipairs(reviews) do
      stars[i] = { text = row.text, label = row.label == "positive" and 5 or 1 }
      sets[i] = { text = row.text,
        labels = row.text:find "film" and { "film" } or {} }
    end
    local tasks = multitask.new(dir .. "/encoder", {
      stars = { problem_type = "regression", seed = 1, pooling = "mean" },
      nouns = { problem_type = "multi_label_classification", seed = 2,
        labels = { "film" }, pooling = "mean" },
    })
    local data = {
      stars = { rows = part(stars, 1, 96), validation = part(stars, 97, 120) },
      nouns = { rows = part(sets, 1, 96), validation = part(sets, 97, 120) },
    }
    local result = fit(tasks, { epochs = 6, learning_rate = 0.01 }, data)
    local scores = result.history[6].validation
    assert.is_nil(scores.macro_f1)
    assert.is_number(scores.loss)
    assert.is_number(scores.tasks.stars.mse)
    assert.is_true(evaluate(tasks.models.stars, data.stars.validation).r2
      > 0.8)
    assert.is_true(evaluate(tasks.models.nouns, data.nouns.validation)
      .macro_f1 > 0.9)
    assert.is_near(5, tasks.models.stars:predict(stars[2].text).value, 1)
    assert.is_number(tasks.models.nouns.thresholds[1])
    assert.has_error(function() fit(tasks, { rdrop_alpha = 1 }, data) end)
  end)

  it("share what learns, and keep their heads", function()
    local tasks = new_tasks()
    local sentiment, noun = tasks.models.sentiment, tasks.models.noun
    assert.are.equal(sentiment.encoder, noun.encoder)
    assert.are_not.equal(sentiment.head, noun.head)
    assert.are.equal("mean", noun.pooling)
  end)

  it("are learnt together", function()
    local tasks = new_tasks()
    local result = fit(tasks, { epochs = 8, learning_rate = 1e-2 })
    for name, model in pairs(tasks.models) do
      assert.is_true(evaluate(model, DATA[name].validation).accuracy > 0.9)
    end
    assert.are.equal(8 * (4 + 12), #result.steps)
    assert.is_false(tasks.models.noun:is_training())
  end)

  it("are learnt with techniques, to the same bits on any threads", function()
    local threads, plain = core.threads(), new_tasks()
    fit(plain)
    for _, o in ipairs {
      { mixup_alpha = 0.4, adversarial = "fgm", mixout = 0.3,
        averaging = "ema", averaging_every = 1 },
      { word_dropout = 0.3, word_swap = 0.1, rdrop_alpha = 1,
        adversarial = "smart", gradient_accumulation_steps = 2 },
    } do
      local found = {}
      for _, n in ipairs { 1, 2 } do
        core.threads(n)
        local tasks = new_tasks()
        fit(tasks, o)
        found[n] = bits(tasks)
      end
      core.threads(threads)
      assert.are.same(found[1], found[2])
      assert.are_not.same(bits(plain), found[1])
    end
  end)

  it("have the best mean of their scores", function()
    local tasks = new_tasks()
    local result = fit(tasks, { epochs = 6, metric = "loss" })
    local best = result.history[result.best_epoch].validation
    assert.is_true(result.best_epoch < 6)  -- else nothing came back
    for _, entry in ipairs(result.history) do
      local of = entry.validation
      assert.is_true(best.loss <= of.loss)
      assert.is_near((of.tasks.noun.loss + of.tasks.sentiment.loss) / 2,
        of.loss, 1e-12)
      assert.are.equal(24 + 16, of.n)
    end
    for name, model in pairs(tasks.models) do
      assert.is_near(best.tasks[name].loss,
        evaluate(model, DATA[name].validation).loss, 1e-5)
    end
  end)

  it("move no head in a step of another task", function()
    local tasks, first = new_tasks(), nil  -- of which one has a pooler
    local before = bits(tasks)
    local ok = pcall(fit, tasks, { warmup_ratio = 0, on_step = function(info)
      first = info.task
      error "stop"
    end })
    assert.is_false(ok)
    local other = first == "noun" and "sentiment" or "noun"
    for name, sum in pairs(bits(tasks)) do
      local is_still = name:find(other .. ".classifier", 1, true)
        or name:find "pooler" and first == "noun"
      assert.are.equal(is_still ~= nil and is_still ~= false,
        sum == before[name], name)
    end
  end)

  it("are drawn by their rows, and more evenly when it is hot", function()
    local counts, names = { a = 900, b = 100 }, { "a", "b" }
    for temperature, share in ipairs { 0.9, 0.75 } do
      local shares = multitask.shares(names, counts, temperature)
      assert.is_near(share, shares.a, 1e-15)
      assert.is_near(1 - share, shares.b, 1e-15)
    end
    local drawn, tasks = { noun = 0, sentiment = 0 }, new_tasks()
    local seen = {}
    fit(tasks, { epochs = 10, learning_rate = 1e-4, on_step = function(info)
      drawn[info.task] = drawn[info.task] + 1
      for _, row in ipairs(info.rows) do
        local key = info.task .. row
        seen[key] = (seen[key] or 0) + 1
      end
    end })
    assert.is_true(math.abs(drawn.noun / 160 - 32 / 128) < 0.1)
    -- each row once before any comes again
    for _, task in ipairs { "noun", "sentiment" } do
      local least, most = math.huge, 0
      for row = 1, #DATA[task].rows do
        local times = seen[task .. row] or 0
        least, most = math.min(least, times), math.max(most, times)
      end
      assert.is_true(most - least <= 1)
    end
  end)

  it("learn the same with the same seed, on any threads", function()
    local all, threads = {}, core.threads()
    for n = 1, 2 do
      core.threads(n)
      local tasks = new_tasks()
      local losses = {}
      for i, step in ipairs(fit(tasks, { seed = 4 }).steps) do
        losses[i] = step.loss
      end
      all[n] = { losses, bits(tasks) }
    end
    core.threads(threads)
    assert.are.same(all[1], all[2])
    local other = new_tasks()
    fit(other, { seed = 5 })
    assert.are_not.same(all[1][2], bits(other))
  end)

  it("learn with what a single task learns with", function()
    local tasks = new_tasks()
    local before = bits(tasks)
    fit(tasks, { tune = "lora", rdrop_alpha = 1, layer_decay = 0.9,
      gradient_accumulation_steps = 2, batch_size = 4 })
    for name, sum in pairs(bits(tasks)) do
      local learns = name:find "classifier" or name:find "query.weight"
        or name:find "value.weight"
      assert.are.equal(learns ~= nil, sum ~= before[name], name)
    end
    tasks.models.noun:save_adapter(dir .. "/adapter")
  end)

  it("learn together with what asks for the model of a step", function()
    local all = {}
    for n = 1, 2 do
      local tasks = new_tasks()
      fit(tasks, { adversarial = n == 1 and "fgm" or "smart", mixup_alpha = 0.4,
        averaging = "ema", averaging_every = 2, mixout = 0.2, focal_gamma = 1,
        epochs = 8, learning_rate = 1e-2 })
      for name, model in pairs(tasks.models) do
        all[n .. name] = evaluate(model, DATA[name].validation).accuracy
      end
    end
    for key, accuracy in pairs(all) do
      assert.is_true(accuracy > 0.7, key .. " " .. accuracy)
    end
  end)

  it("are saved as folders of their own", function()
    local tasks = new_tasks()
    fit(tasks, { epochs = 1 })
    tasks:save(dir .. "/saved")
    for name, model in pairs(tasks.models) do
      local saved = classifier(dir .. "/saved/" .. name)
      assert.are.same(model.labels, saved.labels)
      assert.are.same(model:predict "the film is good.",
        saved:predict "the film is good.")
    end
  end)

  it("are judged by their own validation rows alone", function()
    local tasks = new_tasks()
    local result = fit(tasks, { epochs = 1 }, { sentiment = {
      rows = reviews }, noun = DATA.noun })
    local scores = result.history[1].validation
    assert.is_nil(scores.tasks.sentiment)
    assert.are.equal(16, scores.n)
    assert.are.equal(scores.tasks.noun.loss, scores.loss)
  end)

  it("are drawn at any temperature", function()
    local counts = { a = 10, b = 1000 }
    local shares = multitask.shares({ "a", "b" }, counts, 1e-4)
    assert.are.same({ a = 0, b = 1 }, shares)
    shares = multitask.shares({ "a", "b" }, counts, 1e9)
    assert.is_near(0.5, shares.a, 1e-6)
  end)

  it("say what is wrong with what they are given", function()
    local function refusal(f, ...)
      local ok, why = pcall(f, ...)
      assert.is_false(ok)
      return why
    end
    local tasks = new_tasks()
    assert.are.equal("multitask.new: expected two tasks at least",
      refusal(multitask.new, dir .. "/encoder", { one = {} }))
    assert.are.equal("multitask.new: task 'a/b': a name is of letters, "
      .. "digits, _ and -", refusal(multitask.new, dir, { ["a/b"] = {} }))
    assert.are.equal("multitask.new: task 'encoder': a part of the encoder "
      .. "has this name", refusal(multitask.new, dir, { encoder = {},
      noun = {} }))
    assert.are.equal("multitask: data: nothing for the task 'sentiment'",
      refusal(fit, tasks, {}, { noun = DATA.noun }))
    assert.are.equal("multitask: data: 'verb' is none of the tasks: noun, "
      .. "sentiment", refusal(fit, tasks, {}, { noun = DATA.noun,
      sentiment = DATA.sentiment, verb = DATA.noun }))
    assert.are.equal("multitask: temperature: expected a number above 0, got "
      .. "0", refusal(fit, tasks, { temperature = 0 }))
    assert.matches("^multitask: train: unknown option 'checkpoint'",
      refusal(fit, tasks, { checkpoint = dir }))
    assert.matches("^multitask: train: unknown option 'recipe'",
      refusal(fit, tasks, { recipe = "best" }))
    assert.are.equal("multitask.new: attention: a has causal, b nil; they "
      .. "share one encoder: give each the same", refusal(multitask.new,
      dir .. "/encoder", {
        a = { labels = { "film", "plot" }, attention = "causal" },
        b = { labels = { "film", "plot" } } }))
    assert.matches("^noun: train: row 1: label 'negative' is none",
      refusal(fit, tasks, {}, { sentiment = DATA.sentiment,
        noun = { rows = reviews } }))
    assert.are.equal("train: patience: there are no validation rows",
      refusal(fit, tasks, { patience = 1 }, { sentiment = {
        rows = reviews }, noun = { rows = nouns } }))
  end)
end)
