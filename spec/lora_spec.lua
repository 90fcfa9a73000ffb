local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local effective = require "lunula.train.effective"
local json = require "lunula.json"
local lora = require "lunula.lora"
local safetensors = require "lunula.safetensors"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"
local technique = require "lunula.train.lora"

local FIXTURE = "spec/fixtures/lora"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function flat(t) return t:reshape({ -1 }):totable() end

local function furthest(a, b)
  local x, y, far = flat(a), flat(b), 0
  assert.are.equal(#x, #y)
  for i, value in ipairs(x) do far = math.max(far, math.abs(value - y[i])) end
  return far
end

local function same(a, b) return furthest(a, b) == 0 end

describe("Effective weights", function()
  it("send the gradient on to what they are made of", function()
    local parameter = tensor.from({ 0, 0 }):requires_grad(true)
    local a = tensor.from({ 1, 2 }):requires_grad(true)
    local made = effective.new { { parameter = parameter,
      make = function() return a * a end } }
    made:first()
    assert.are.same({ 1, 4 }, parameter:totable())
    for _ = 1, 2 do  -- as of two batches
      (parameter * tensor.from { 3, 5 }):sum():backward()
    end
    made:gradients()
    assert.are.same({ 2 * 3 * 2 * 1, 2 * 5 * 2 * 2 }, a:grad():totable())
    assert.is_nil(parameter:grad())
    a:copy(tensor.from { 3, 4 })
    made:settle()
    assert.are.same({ 9, 16 }, parameter:totable())
  end)
end)

describe("LoRA", function()
  local dir
  local rows = tiny.reviews(32)

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  local function new_model()
    return classifier(dir .. "/encoder",
      { labels = { "negative", "positive" }, seed = 1 })
  end

  local function fit(model, given)
    local options = { epochs = 1, batch_size = 8, learning_rate = 1e-2,
      tune = "lora" }
    for name, value in pairs(given or {}) do options[name] = value end
    return train(model, rows, options)
  end

  local function weights(model)
    local all = {}
    for _, p in ipairs(model:parameters()) do
      all[p.name] = p.tensor:clone():detach()
    end
    return all
  end

  local function moved(before, model)
    local names = {}
    for name, now in pairs(weights(model)) do
      if not same(before[name], now) then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end

  local function layers(format)
    return { format:format(0), format:format(1) }
  end

  local function joined(...)
    local all = {}
    for _, list in ipairs { ... } do
      for _, name in ipairs(list) do all[#all + 1] = name end
    end
    table.sort(all)
    return all
  end

  local HEAD = { "classifier.bias", "classifier.weight" }
  local QUERY = layers "bert.encoder.layer.%d.attention.self.query.weight"
  local VALUE = layers "bert.encoder.layer.%d.attention.self.value.weight"
  local OUTPUT = layers "bert.encoder.layer.%d.output.dense.weight"

  -- the matrices are what they were, and scale B A
  local function assert_merged(model, before)
    for _, part in ipairs(model.adapter.parts) do
      assert.is_true(same(before[part.name], part.base))
      local change = part.b:matmul(part.a) * model.adapter.scale
      assert.is_true(furthest(change:detach(),
        part.tensor:detach() - part.base) < 1e-5)
      assert.is_true(furthest(change, change * 0) > 1e-4)
    end
  end

  it("moves the matrices that are asked for, and the head", function()
    local model = new_model()
    local before = weights(model)
    fit(model)
    assert.are.same(joined(HEAD, QUERY, VALUE), moved(before, model))
    assert_merged(model, before)
    assert.are.equal(2, model.adapter.scale)
    for _, p in ipairs(model:parameters()) do
      assert.is_true(p.tensor:requires_grad(), p.name)
    end
  end)

  it("takes a rank and modules, and leaves frozen layers", function()
    local model = new_model()
    local before = weights(model)
    fit(model, { lora_modules = { "output.dense" }, lora_rank = 3,
      freeze = { "layer%.0" } })
    assert.are.same(joined(HEAD, { OUTPUT[2] }), moved(before, model))
    assert.are.same({ 3, 32 }, model.adapter.parts[1].a:shape())
    assert.are.same({ 16, 3 }, model.adapter.parts[1].b:shape())
    assert_merged(model, before)
  end)

  it("trains a pooler that is new", function()
    local model = new_model()
    model.encoder:init_pooler(1)
    local before = weights(model)
    fit(model)
    assert.are.same(joined(HEAD, QUERY, VALUE, { "bert.pooler.dense.bias",
      "bert.pooler.dense.weight" }), moved(before, model))
  end)

  it("starts as the model is: B is 0, A uniform", function()
    local model, plain = new_model(), new_model()
    local one = { max_steps = 1, dropout = 0 }
    local first = fit(model, one).steps[1].loss
    one.tune = "all"
    assert.are.equal(first, fit(plain, one).steps[1].loss)
    local a = lora.attach(new_model(), { plain:parameters()[6] }, 64, 1, 0)
      .parts[1].a:reshape { -1 }
    local bound = 1 / math.sqrt(16)
    assert.is_true(a:max():item() <= bound and (-a):max():item() <= bound)
    assert.is_true(math.abs((a * a):mean():item() - bound ^ 2 / 3) < 2e-3)
  end)

  it("is the same with gradients gathered over batches", function()
    local at_once, gathered = new_model(), new_model()
    fit(at_once, { dropout = 0, shuffle = false })
    fit(gathered, { dropout = 0, shuffle = false, batch_size = 2,
      gradient_accumulation_steps = 4 })
    local a, b = weights(at_once), weights(gathered)
    for _, name in ipairs(QUERY) do
      assert.is_true(furthest(a[name], b[name]) < 1e-4, name)
    end
  end)

  it("brings the best A and B back", function()
    local model = new_model()
    local before = weights(model)
    local result = fit(model, { epochs = 6, learning_rate = 0.3,
      validation = rows, metric = "loss" })
    assert.is_true(result.best_epoch < 6)  -- else nothing came back
    assert_merged(model, before)
  end)

  it("goes on with the adapter that a model has", function()
    local model = new_model()
    local before = weights(model)
    fit(model)
    local a = model.adapter.parts[1].a:clone():detach()
    fit(model)
    assert_merged(model, before)
    assert.is_false(same(a, model.adapter.parts[1].a))
    assert.has_error(function() fit(model, { lora_rank = 2 }) end, "train: "
      .. "the model has an adapter of rank 8, alpha 16 and 4 matrices, not "
      .. "the one that is asked for; lunula.lora.unmerge(model) takes it off")
  end)

  it("forgets an adapter when the rest learns", function()
    local model = new_model()
    fit(model)
    fit(model, { tune = "all" })
    assert.has_error(function() model:save_adapter(dir .. "/none") end,
      'lora.save: the model has no adapter; train it with tune = "lora"')
  end)

  it("comes off to the bit", function()
    local model = new_model()
    local before = weights(model)
    fit(model)
    lora.unmerge(model)
    assert.are.same(HEAD, moved(before, model))
    assert.is_nil(model.adapter)
  end)

  it("hands on its state", function()
    local function made(model)
      local run = { model = model, learners = {}, options = { tune = "lora",
        lora_rank = 2, lora_alpha = 4, lora_modules = { "key" }, seed = 3,
        learning_rate = 1, weight_decay = 0 } }
      return technique.new(run), run.learners
    end
    local model, other = new_model(), new_model()
    local from, learnt = made(model)
    for _, learner in ipairs(learnt) do
      learner.tensor:copy(tensor.normal(learner.tensor:shape(), { seed = 5 }))
    end
    from:stepped()
    made(other):load_state(from:state())
    local a, b = weights(model), weights(other)
    for name in pairs(a) do assert.is_true(same(a[name], b[name]), name) end
  end)

  it("goes with what changes batches and losses", function()
    local model = new_model()
    local before = weights(model)
    fit(model, { adversarial = "fgm", rdrop_alpha = 1, mixup_alpha = 0,
      word_dropout = 0.1, focal_gamma = 1, gradient_accumulation_steps = 2 })
    fit(model, { adversarial = "smart", mixup_alpha = 0.4 })
    assert.are.same(joined(HEAD, QUERY, VALUE), moved(before, model))
    assert_merged(model, before)
  end)

  it("refuses what changes the weights themselves", function()
    assert.error_matches(function() fit(new_model(), { averaging = "ema" }) end,
      '^train: averaging: not with tune = "lora"')
    assert.error_matches(function() fit(new_model(), { mixout = 0.5 }) end,
      '^train: mixout and tune = "lora"')
  end)

  it("refuses what it does not know", function()
    assert.has_error(function()
      fit(new_model(), { lora_modules = { "query", "dense" } })
    end, "train: lora_modules: expected query, key, value, "
      .. "attention.output.dense, intermediate.dense or output.dense, got "
      .. "'dense'")
    assert.has_error(function()
      fit(new_model(), { freeze = { "layer" } })
    end, "train: lora_modules: none is left to learn")
  end)

  describe("beside peft", function()
    local expected = json.decode(read(FIXTURE .. "/expected.json"), "expected")

    local function logits_of(model)
      local batch = model.tokenizer:encode(expected.texts)
      return model:infer(model.forward, model, batch)
    end

    local function base() return classifier(FIXTURE .. "/base") end

    for _, name in ipairs { "start", "trained" } do
      it("answers as it does with the adapter " .. name, function()
        local model = base()
        lora.load(model, FIXTURE .. "/" .. name)
        assert.is_true(furthest(logits_of(model),
          tensor.from(expected[name])) < 1e-5)
      end)
    end

    it("learns as it does, step by step, and saves the same", function()
      local model, labelled = base(), {}
      for i, text in ipairs(expected.texts) do
        labelled[i] = { text = text,
          label = model.labels[expected.classes[i] + 1] }
      end
      lora.load(model, FIXTURE .. "/start")
      local result = train(model, labelled, { tune = "lora", lora_rank = 3,
        lora_alpha = 5, lora_modules = { "query", "value",
        "intermediate.dense" }, epochs = #expected.losses, batch_size = 6,
        shuffle = false, learning_rate = 3e-3, schedule = "constant",
        warmup_ratio = 0, dropout = 0 })
      for i, loss in ipairs(expected.losses) do
        assert.is_true(math.abs(result.steps[i].loss - loss) < 1e-4)
      end
      lora.save(model, dir .. "/adapter")
      local ours = safetensors.read(dir .. "/adapter/adapter_model.safetensors")
      local theirs = safetensors.read(FIXTURE
        .. "/trained/adapter_model.safetensors")
      local sorted = { ours.names, theirs.names }
      for _, names in ipairs(sorted) do table.sort(names) end
      assert.are.same(theirs.names, ours.names)
      for _, name in ipairs(theirs.names) do
        assert.is_true(furthest(ours.tensors[name], theirs.tensors[name])
          < 1e-3, name)
      end
    end)
  end)

  describe("in a folder", function()
    it("comes back as it was", function()
      local model, other = new_model(), new_model()
      fit(model, { lora_modules = { "key", "attention.output.dense" } })
      model:save_adapter(dir .. "/saved")
      lora.load(other, dir .. "/saved")
      local a, b = weights(model), weights(other)
      for name in pairs(a) do assert.is_true(same(a[name], b[name]), name) end
      fit(other, { lora_modules = { "key", "attention.output.dense" } })
    end)

    it("holds a pooler that is new", function()
      local model, other = new_model(), new_model()
      model.encoder:init_pooler(9)
      fit(model)
      model:save_adapter(dir .. "/pooled")
      lora.load(other, dir .. "/pooled")
      assert.is_true(same(model.encoder.pooler.weight,
        other.encoder.pooler.weight))
    end)

    it("says what it is an adapter of", function()
      local model = new_model()
      fit(model)
      lora.save(model, dir .. "/said")
      local path = dir .. "/said/adapter_config.json"
      local config = json.decode(read(path), path)
      assert.are.equal(dir .. "/encoder", config.base_model_name_or_path)
      assert.are.same({ "classifier" }, config.modules_to_save)
      assert.are.equal(8, config.r)
      assert.are.equal("bert.encoder.layer.0.attention.self.query",
        config.target_modules[1])
      lora.save(model, dir .. "/said", { base_model_name_or_path = "bert" })
      config = json.decode(read(path), path)
      assert.are.equal("bert", config.base_model_name_or_path)
    end)

    local function write(name, changes, tensors)
      local path = FIXTURE .. "/start/adapter_config.json"
      local config = json.decode(read(path), path)
      for key, value in pairs(changes) do config[key] = value end
      checkpoint.make_folders(dir .. "/" .. name)
      core.io.write(dir .. "/" .. name .. "/adapter_config.json",
        { json.encode(config) })
      safetensors.write(dir .. "/" .. name .. "/adapter_model.safetensors",
        tensors or {})
      return dir .. "/" .. name
    end

    local function refusal(...)
      local folder = write("wrong", ...)
      local model = new_model()
      local before = weights(model)
      local ok, why = pcall(lora.load, model, folder)
      assert.is_false(ok)
      assert.are.same({}, moved(before, model))
      assert.is_nil(model.adapter)
      return (why:gsub("^.*/wrong/", ""))
    end

    it("counts alpha / sqrt rank where it says so, and is saved so", function()
      local tensors = safetensors.read(FIXTURE
        .. "/trained/adapter_model.safetensors").tensors
      local function loaded(folder)
        local model = classifier(FIXTURE .. "/base")
        lora.load(model, folder)
        return model
      end
      local plain = loaded(write("plain", {}, tensors))
      local model = loaded(write("rslora", { use_rslora = true }, tensors))
      assert.is_near(plain.adapter.scale * math.sqrt(plain.adapter.rank),
        model.adapter.scale, 1e-9)
      model:save_adapter(dir .. "/again")
      assert.are.same({}, moved(weights(model), loaded(dir .. "/again")))
    end)

    it("is refused where it asks for more than LoRA", function()
      assert.are.equal("adapter_config.json: use_dora is not supported",
        refusal { use_dora = true })
      assert.are.equal("adapter_config.json: rank_pattern is not supported",
        refusal { rank_pattern = { query = 4 } })
      assert.are.equal("adapter_config.json: expected peft_type LORA, got IA3",
        refusal { peft_type = "IA3" })
      assert.are.equal('adapter_config.json: bias: only "none" is supported, '
        .. "got all", refusal { bias = "all" })
      for _, r in ipairs { 0, 1e300 } do
        assert.are.equal("adapter_config.json: r: expected an integer from 1 "
          .. "to 2147483648, got " .. r, refusal { r = r })
      end
    end)

    it("is refused where its tensors don't fit", function()
      local query = "base_model.model.bert.encoder.layer.0.attention.self."
        .. "query.lora_%s.weight"
      local a, b = query:format "A", query:format "B"
      local file = "adapter_model.safetensors: "
      assert.are.equal(file .. "no tensor '" .. b .. "'",
        refusal({}, { [a] = tensor.zeros { 3, 16 } }))
      assert.are.equal(file .. "tensor '" .. a
        .. "': expected [3, 16], got [2, 16]",
        refusal({}, { [a] = tensor.zeros { 2, 16 },
          [b] = tensor.zeros { 16, 2 } }))
      assert.are.equal(file .. "no tensor '" .. a .. "'",
        refusal({}, { [b] = tensor.zeros { 16, 3 } }))
      assert.are.equal(file .. "tensor '" .. a
        .. "': expected numbers with a fraction, got int64",
        refusal({}, { [a] = tensor.zeros({ 3, 16 }, "int64"),
          [b] = tensor.zeros { 16, 3 } }))
      assert.are.equal(file .. "tensor 'base_model.model.classifier.bias': "
        .. "expected numbers with a fraction, got int64", refusal({}, {
        ["base_model.model.classifier.bias"] = tensor.zeros({ 2 }, "int64") }))
      local norm = a:gsub("attention.self.query", "output.LayerNorm")
      assert.are.equal(file .. "tensor '" .. norm .. "': "
        .. "bert.encoder.layer.0.output.LayerNorm.weight is no matrix",
        refusal({}, { [norm] = tensor.zeros { 3, 16 },
          [norm:gsub("lora_A", "lora_B")] = tensor.zeros { 16, 3 } }))
      assert.are.equal(file .. "tensor 'base_model.model.score.weight': the "
        .. "model has no 'score.weight'",
        refusal({}, { ["base_model.model.score.weight"] = tensor.zeros { 1 } }))
      assert.are.equal(file .. "tensor 'base_model.model.classifier.bias': "
        .. "expected [2], got [3]", refusal({},
        { ["base_model.model.classifier.bias"] = tensor.zeros { 3 } }))
    end)

    it("is not loaded over another", function()
      local model = classifier(FIXTURE .. "/base")
      lora.load(model, FIXTURE .. "/start")
      assert.has_error(function() lora.load(model, FIXTURE .. "/start") end,
        "lora.load: the model has an adapter; lora.unmerge(model) takes it "
        .. "off")
    end)
  end)
end)
