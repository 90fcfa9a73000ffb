local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local file = require "spec.support.file"
local killed = require "spec.support.killed"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

describe("A training that was stopped", function()
  local dir
  local rows = tiny.reviews(40)
  local validation = tiny.reviews(56)
  for _ = 1, 40 do table.remove(validation, 1) end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  before_each(function() core.threads(2) end)

  local NONE = {}  -- in place of an option that is there without being given
  local folders = 0

  local function new_folder()
    folders = folders + 1
    return dir .. "/run" .. folders
  end

  local function fit(given, of_model)
    local made = { labels = { "negative", "positive" }, seed = 1 }
    for name, value in pairs(of_model or {}) do made[name] = value end
    local model = classifier(dir .. "/encoder", made)
    local options = { epochs = 3, batch_size = 8, learning_rate = 3e-3,
      checkpoint_every = 2, validation = validation, metric = "loss" }
    for name, value in pairs(given) do
      if value == NONE then value = nil end
      options[name] = value
    end
    return train(model, rows, options), model
  end

  local function bits(model)
    local sums = {}
    for i, p in ipairs(model:parameters()) do sums[i] = p.tensor:checksum() end
    for _, part in ipairs(model.adapter and model.adapter.parts or {}) do
      sums[#sums + 1] = part.a:checksum() .. part.b:checksum()
    end
    return sums
  end

  local function losses(result)
    local list = {}
    for i, step in ipairs(result.steps) do list[i] = step.loss end
    return list
  end

  local function stop_at(last, given)
    local options = { checkpoint = new_folder(), on_step = function(info)
      if info.step == last then error("stop", 0) end
    end }
    for name, value in pairs(given or {}) do options[name] = value end
    assert.has_error(function() fit(options) end, "stop")
    options.on_step = nil
    return options.checkpoint, options
  end

  -- trains until step `last`, then again until the end
  local function stopped_at(last, given)
    local folder, options = stop_at(last, given)
    options.resume = true
    local result, model = fit(options)
    return result, model, folder
  end

  local function assert_same_as_whole(given, steps)
    local options = { checkpoint = new_folder() }
    for name, value in pairs(given) do options[name] = value end
    local whole, model = fit(options)
    for _, step in ipairs(steps) do
      local result, resumed, folder = stopped_at(step, given)
      assert.are.same(bits(model), bits(resumed))
      assert.are.same(losses(whole), losses(result))
      assert.are.same(whole.history, result.history)
      assert.are.equal(whole.best_step, result.best_step)
      for name, t in pairs(checkpoint.read(options.checkpoint).tensors) do
        local other = checkpoint.read(folder).tensors[name]
        assert.are.equal(t:checksum(), other:checksum())
      end
    end
  end

  it("ends with the bits of one that was not, wherever it was stopped",
    function()
      assert_same_as_whole({}, { 1, 2, 5, 6, 9, 14 })
    end)

  it("does so with accumulated gradients, tokens for batches and validations "
    .. "in between", function()
    assert_same_as_whole({ batch_size = NONE, batch_tokens = 40,
      gradient_accumulation_steps = 2, validate_every = 3, dropout = 0.2,
      rdrop_alpha = 1, schedule = "cosine" }, { 3, 7, 10 })
  end)

  it("does so with techniques that gather something, or draw", function()
    assert_same_as_whole({ averaging = "ema", averaging_every = 3,
      mixout = 0.5, mixup_alpha = 1, word_dropout = 0.2 }, { 3, 8 })
    assert_same_as_whole({ averaging = "uniform", averaging_every = 2,
      adversarial = "smart", keep_best = false }, { 9, 14 })
  end)

  it("does so without validation", function()
    assert_same_as_whole({ validation = NONE, metric = "accuracy" },
      { 6, 11 })
  end)

  it("does so with the last weights in place of the best", function()
    assert_same_as_whole({ keep_best = false, learning_rate = 0.05 },
      { 6, 14 })
  end)

  it("does so with LoRA, of which A and B are gone on with", function()
    assert_same_as_whole({ tune = "lora", learning_rate = 0.3 }, { 4, 14 })
  end)

  it("does so with LoRA that was at its best before", function()
    local given = { tune = "lora", learning_rate = 3, validate_every = 1 }
    given.checkpoint_every = NONE
    local whole, model = fit(given)
    given.checkpoint_every = 2
    assert.is_true(whole.best_step < 14)  -- else the state has no best
    local _, resumed = stopped_at(14, given)
    assert.are.same(bits(model), bits(resumed))
  end)

  it("has A and B again when it had ended", function()
    local given = { tune = "lora", checkpoint = new_folder() }
    local _, model = fit(given)
    given.resume = true
    local _, again = fit(given)
    assert.are.same(bits(model), bits(again))
  end)

  it("does so with the head alone", function()
    assert_same_as_whole({ tune = "head", dropout = 0.1 }, { 8 })
  end)

  it("does so with layers that thaw, and some that are random", function()
    assert_same_as_whole({ gradual_unfreezing = 1, layer_decay = 0.9,
      reinit_layers = 1 }, { 6, 12 })
  end)

  it("does so with any number of threads", function()
    local _, model = fit { checkpoint = new_folder() }
    core.threads(1)
    local _, resumed = stopped_at(7)
    assert.are.same(bits(model), bits(resumed))
  end)

  it("has nothing left to do when it had ended", function()
    for _, keep_best in ipairs { true, false } do
      local folder = new_folder()
      local given = { checkpoint = folder, keep_best = keep_best }
      local result, model = fit(given)
      given.resume, given.on_step = true, function() error("a step") end
      local again, same = fit(given)
      assert.are.same(bits(model), bits(same))
      assert.are.same(result.history, again.history)
      assert.are.equal(result.best_step, again.best_step)
    end
  end)

  it("begins where there is nothing to go on from", function()
    local _, model = fit { checkpoint = new_folder() }
    local _, other = fit { checkpoint = new_folder(), resume = true }
    assert.are.same(bits(model), bits(other))
  end)

  it("is forgotten by one that does not resume", function()
    local _, model, folder = stopped_at(7)
    local _, anew = fit { checkpoint = folder }
    assert.are.same(bits(model), bits(anew))
  end)

  it("is not gone on with by one of other options or rows", function()
    local _, _, folder = stopped_at(7)
    assert.has_error(function()
      fit { checkpoint = folder, resume = true, learning_rate = 1e-3,
        epochs = 1 }
    end, ("train: resume: %s/training_state.safetensors was left by a run of "
      .. "other options or data (epochs, learning_rate); give the same, or "
      .. "don't resume"):format(folder))
    local label = rows[1].label
    rows[1].label = "positive"
    local ok, why = pcall(fit, { checkpoint = folder, resume = true })
    rows[1].label = label
    assert.is_false(ok)
    assert.is_truthy(why:find("(the rows)", 1, true))
  end)

  it("is not gone on with by a model that reads or learns otherwise",
    function()
      local folder = stop_at(7)
      for what, of_model in pairs {
        ["the pooling"] = { pooling = "mean" },
        ["the model's dropout"] = { dropout = 0.3 },
        ["the attention, the pooling"] = { attention = "causal" },
        ["the labels"] = { labels = { "positive", "negative" } },
      } do
        local ok, why = pcall(fit, { checkpoint = folder, resume = true },
          of_model)
        assert.is_false(ok)
        assert.is_truthy(why:find("(" .. what, 1, true), why)
      end
    end)

  it("is not gone on with by one of another teacher", function()
    for _, row in ipairs(rows) do row.scores = { [row.label] = 1 } end
    local _, options = stop_at(7, { distillation_weight = 0.5 })
    options.resume = true
    rows[1].scores = { positive = 0.5, negative = 0.5 }
    local ok, why = pcall(fit, options)
    for _, row in ipairs(rows) do row.scores = nil end
    assert.is_false(ok)
    assert.is_truthy(why:find("(the teacher's scores)", 1, true))
  end)

  it("is refused where its state is damaged", function()
    local folder = stop_at(7)
    local path = folder .. "/training_state.safetensors"
    local whole = file.read(path)
    for _, bytes in ipairs { "", "{}", whole:sub(1, 100), whole:sub(1, -2),
        (whole:gsub('version\\":1', 'version\\":7')),
        (whole:gsub('model/bert', 'model/tram')),
        -- each as long as what was there, as the file's header says
        (whole:gsub('epoch\\":2', 'epoch\\":9')),
        (whole:gsub('stopped\\":false', 'stopped\\":12345')),
        (whole:gsub('\\"forwards', '\\"backward')) } do
      file.write(path, bytes)
      local ok, why = pcall(fit, { checkpoint = folder, resume = true })
      assert.is_false(ok)
      assert.is_truthy(why:find(path, 1, true), why)
    end
  end)

  it("needs a folder", function()
    assert.has_error(function()
      fit { checkpoint_every = NONE, resume = true }
    end, "train: resume: there is no checkpoint, the folder to save to")
  end)

  it("by SIGKILL, at any moment, ends as if it had not been", function()
    assert.are.equal("8 kills", killed.often(8, "train"))
  end)
end)
