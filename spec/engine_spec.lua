local classifier = require "lunula.classifier"
local core = require "lunula.core"
local engines = require "lunula.engine"
local evaluate = require "lunula.evaluate"
local resident = require "spec.support.resident"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }

-- of the last digit of float32, and of what 8 bits hold of it
local FP32, BF16, INT8 = 1e-5, 0.02, 0.08

-- whole panels, of which the last layer makes what is read; and none
local WHOLE = { hidden_size = 64, intermediate_size = 128 }
local ODD = { hidden_size = 20, intermediate_size = 36 }

local TEXTS = {
  "the film is good.", "bad", "", "what a quiet, lovely film, the plot is fine",
  ("the plot is dull, "):rep(40), "a great film", "awful, awful, awful.",
}

local function temporary_model(given, changes)
  local dir = tiny.temporary()
  tiny.write_encoder(dir .. "/encoder", changes)
  given.labels, given.seed = LABELS, 3
  local model = classifier(dir .. "/encoder", given)
  model:save(dir .. "/model")
  return model, dir
end

local function logits_of(model, texts, how)
  local batch = model.tokenizer:encode(texts,
    { max_length = model.max_length })
  return model:infer(function()
    return model[how](model, batch):totable()
  end)
end

local worst = require("spec.support.rows").difference

describe("The model that answers", function()
  for _, changes in ipairs { WHOLE, ODD } do
    for _, pooling in ipairs { "pooler", "first", "mean" } do
      it(("gives what the model that learns gives, %d wide, of the %s")
        :format(changes.hidden_size, pooling), function()
          for precision, most in pairs { fp32 = FP32, bf16 = BF16,
              int8 = INT8 } do
            local model, dir = temporary_model({ pooling = pooling,
              precision = precision }, changes)
            local found = logits_of(model, TEXTS, "logits")
            local wanted = logits_of(model, TEXTS, "forward")
            assert.is_true(worst(wanted, found) <= most, precision)
            tiny.remove(dir)
          end
        end)
    end
  end

  it("gives what the model that learns gives, with causal attention",
  function()
    for _, changes in ipairs { WHOLE, ODD } do
      for precision, most in pairs { fp32 = FP32, bf16 = BF16,
          int8 = INT8 } do
        local model, dir = temporary_model({ attention = "causal",
          precision = precision }, changes)
        local found = logits_of(model, TEXTS, "logits")
        assert.is_true(worst(logits_of(model, TEXTS, "forward"), found)
          <= most, precision)
        local loaded = classifier(dir .. "/model", { precision = precision })
        assert.are.same(found, logits_of(loaded, TEXTS, "logits"))
        local both = classifier(dir .. "/model", { precision = precision,
          attention = "bidirectional" })
        assert.is_true(worst(found, logits_of(both, TEXTS, "logits"))
          > 2 * most)
        tiny.remove(dir)
      end
    end
  end)

  it("gives first tokens that have seen no other, with causal attention",
  function()
    local dir = tiny.temporary()
    tiny.write_encoder(dir, { hidden_size = 64, is_decoder = true })
    local model = classifier(dir, { labels = LABELS })
    local weights = engines.float_tensors(model)
    local made = core.model(model.config, { precision = "fp32", labels = 0,
      pooling = "first", packed = false, tensors = weights })
    local batch = model.tokenizer:encode(TEXTS, { max_length = 100 })
    local found = made:run(batch.ids, batch.types, batch.offsets):totable()
    local wanted = model:infer(model.encoder.pooled, model.encoder, batch,
      "first"):totable()
    assert.is_true(worst(wanted, found) <= FP32)
    assert.is_true(worst(found, { found[1], found[1], found[1], found[1],
      found[1], found[1], found[1] }) <= FP32)
    tiny.remove(dir)
  end)

  it("gives what the model that learns gives, with adapters", function()
    for _, case in ipairs { { WHOLE, 64, "pooler" }, { WHOLE, 20, "mean" },
        { ODD, 7, "first" }, { ODD, 41, "mean" } } do
      local plain, dir = temporary_model({ pooling = case[3] }, case[1])
      local model = classifier(dir .. "/encoder", { labels = LABELS, seed = 3,
        pooling = case[3], adapter_size = case[2] })
      assert.is_true(worst(logits_of(plain, TEXTS, "logits"),
        logits_of(model, TEXTS, "logits")) < 1e-3)
      for i, p in ipairs(model:parameters()) do
        if p.name:find "adapter" then
          p.tensor:copy(core.ops.normal(p.tensor:shape(), 0, 0.2, 4, i))
        end
      end
      model:save(dir .. "/model")
      local wanted = logits_of(model, TEXTS, "forward")
      assert.is_true(worst(logits_of(plain, TEXTS, "logits"), wanted) > 0.1)
      for precision, most in pairs { fp32 = FP32, bf16 = BF16,
          int8 = INT8 } do
        -- these adapters make logits several times as large
        local loaded = classifier(dir .. "/model", { precision = precision })
        assert.is_true(worst(wanted, logits_of(loaded, TEXTS, "logits"))
          <= 2 * most, precision)
        assert.is_true(worst(wanted, logits_of(loaded, TEXTS, "forward"))
          <= FP32)
      end
      tiny.remove(dir)
    end
  end)

  it("has another precision when told, and shows it", function()
    local model, dir = temporary_model({ precision = "int8" }, WHOLE)
    assert.are.equal("int8", model.precision)
    assert.are.equal("int8", model:model():precision())
    assert.are_not.same(logits_of(model, TEXTS, "forward"),
      logits_of(model, TEXTS, "logits"))
    assert.are.equal("fp32", classifier(dir .. "/model").precision)
    assert.has_error(function()
      classifier(dir .. "/model", { precision = "fp16" })
    end, "classifier: precision: expected one of bf16, fp32, int8, got 'fp16'")
    tiny.remove(dir)
  end)

  it("answers the same for a text alone and among others, on any threads",
    function()
      for _, precision in ipairs { "bf16", "int8" } do
        local model, dir = temporary_model({ precision = precision,
          adapter_size = 20 }, WHOLE)
        local engine = model:model()
        local all = model.tokenizer:encode(TEXTS, { max_length = 100 })
        local together
        for threads = 1, 3 do
          core.threads(threads)
          local found = engine:run(all.ids, all.types, all.offsets, threads)
            :totable()
          together = together or found
          assert.are.same(together, found)
        end
        for i, text in ipairs(TEXTS) do
          local one = model.tokenizer:encode(text, { max_length = 100 })
          assert.are.same(together[i],
            engine:run(one.ids, one.types, one.offsets):totable()[1])
        end
        tiny.remove(dir)
      end
    end)

  it("answers with what was learnt since", function()
    local model, dir = temporary_model({}, WHOLE)
    local before = logits_of(model, TEXTS, "logits")
    assert.are.same(before, logits_of(model, TEXTS, "logits"))
    train(model, tiny.reviews(32), { epochs = 1, learning_rate = 1e-3 })
    local after = logits_of(model, TEXTS, "logits")
    assert.is_true(worst(before, after) > 1e-3)
    assert.is_true(worst(logits_of(model, TEXTS, "forward"), after) <= FP32)
    tiny.remove(dir)
  end)

  it("stays as it is for who holds it, when the classifier learns on",
    function()
      local _, dir = temporary_model({}, WHOLE)
      local model = classifier(dir .. "/model")
      local batch = model.tokenizer:encode(TEXTS, { max_length = 100 })
      local function answers(held)
        return held:run(batch.ids, batch.types, batch.offsets):totable()
      end
      local of_file = model:model(true)
      local first = answers(of_file)
      train(model, tiny.reviews(32), { epochs = 1, learning_rate = 1e-3 })
      local of_copies = model:model(true)
      local second = answers(of_copies)
      train(model, tiny.reviews(32), { epochs = 1, learning_rate = 1e-3 })
      assert.are.same(first, answers(of_file))
      assert.are.same(second, answers(of_copies))
      assert.is_true(worst(second, logits_of(model, TEXTS, "logits")) > 1e-3)
      tiny.remove(dir)
    end)

  it("makes nothing that learns until somebody asks for it", function()
    local _, dir = temporary_model({}, WHOLE)
    local model = classifier(dir .. "/model")
    model:predict(TEXTS)
    evaluate(model, tiny.reviews(8))
    assert.is_nil(rawget(model, "encoder"))
    local before = logits_of(model, TEXTS, "logits")
    assert.are.equal(64, model.encoder.hidden_size)
    assert.is_true(worst(before, logits_of(model, TEXTS, "logits")) <= FP32)
    tiny.remove(dir)
  end)

  it("works in memory that does not grow from call to call", function()
    for _, precision in ipairs { "fp32", "bf16", "int8" } do
      local model, dir = temporary_model({ precision = precision }, WHOLE)
      local engine = model:model()
      local large = model.tokenizer:encode(TEXTS, { max_length = 128 })
      local small = model.tokenizer:encode("good")
      local function both()
        engine:run(large.ids, large.types, large.offsets)
        engine:run(small.ids, small.types, small.offsets)
      end
      for _ = 1, 30 do both() end  -- float32 is packed on the way
      local space, mappings = engine:space(), core.system.mappings()
      for _ = 1, 50 do both() end
      assert.are.equal(space, engine:space())
      assert.are.equal(mappings, core.system.mappings())
      tiny.remove(dir)
    end
  end)

  it("answers the same before float32 is packed and after", function()
    local model, dir = temporary_model({}, WHOLE)
    local first = logits_of(model, TEXTS, "logits")
    for _ = 1, 20 do
      assert.are.same(first, logits_of(model, TEXTS, "logits"))
    end
    tiny.remove(dir)
  end)

  -- what a metamethod makes, nobody keeps
  it("is made of tensors that its table holds", function()
    local model, dir = temporary_model({}, WHOLE)
    local held = engines.float_tensors(model)
    local made = setmetatable({}, { __index = function(_, name)
      return held[name] and held[name]:clone()
    end })
    assert.has_error(function() engines.make(model, made, "fp32") end,
      "no tensor 'embeddings.word_embeddings.weight', which the config asks "
      .. "for")
    tiny.remove(dir)
  end)

  it("refuses what it can't read", function()
    local model, dir = temporary_model({}, WHOLE)
    local engine, from = model:model(), core.tensor.from
    local zero = from({ 0, 0 }, "int32")
    local function fails(message, ids, types, offsets)
      assert.has_error(function()
        engine:run(ids, types, from(offsets, "int32"))
      end, message)
    end
    fails("token 1: id 22, the model has 0 to 21", from({ 0, 22 }, "int32"),
      zero, { 0, 2 })
    fails("token 0: token type 7, the model has 0 to 1", zero,
      from({ 7, 0 }, "int32"), { 0, 2 })
    fails("sequence 1 has 0 tokens, expected 1 to 128", zero, zero,
      { 0, 0, 2 })
    fails("offsets: expected 0 first and 2, the number of tokens, last", zero,
      zero, { 0, 1 })
    tiny.remove(dir)
  end)
end)

describe("Each instruction set", function()
  local PROGRAM = [[
local classifier = require "lunula.classifier"
local model = classifier(%q, { precision = %q })
local batch = model.tokenizer:encode({ "the film is good.",
  ("the plot is dull, "):rep(20), "lovely", "a quiet, awful film" },
  { max_length = 90 })
for _ = 1, %d do
  local out = model:model():run(batch.ids, batch.types, batch.offsets)
  for _, row in ipairs(out:totable()) do print(row[1], row[2]) end
end]]

  local _, dir = temporary_model({}, WHOLE)
  teardown(function() tiny.remove(dir) end)

  -- nil where the processor lacks the level
  local function answers(level, precision, times)
    local said, code, complaint = run.lua(PROGRAM:format(dir .. "/model",
      precision, times), { "LUNULA_CPU=" .. level })
    if complaint:find "not of this processor" then return nil end
    assert.are.equal("", complaint)
    assert.are.equal(0, code)
    local rows = {}
    for a, b in said:gmatch "(%S+)\t(%S+)" do
      rows[#rows + 1] = { tonumber(a), tonumber(b) }
    end
    return rows
  end

  local function repeated(rows, times)
    local all = {}
    for i = 1, #rows * times do all[i] = rows[(i - 1) % #rows + 1] end
    return all
  end

  for _, level in ipairs { "scalar", "neon", "avx2", "avxvnni", "avx512",
      "avx512vnni", "avx512bf16", "" } do
    it(("answers what the portable code answers in float32: %s")
      :format(level == "" and "the best" or level), function()
        local wanted = answers("scalar", "fp32", 1)
        for precision, most in pairs { fp32 = FP32, bf16 = BF16,
            int8 = INT8 } do
          -- float32 is packed on the way
          local times = precision == "fp32" and 12 or 1
          local found = answers(level, precision, times)
          if found then
            assert.are.equal(4 * times, #found)
            assert.is_true(worst(found, repeated(wanted, times)) <= most,
              precision)
            local first = {}
            for i = 1, 4 do first[i] = found[i] end
            assert.are.same(repeated(first, times), found)
          end
        end
      end)
  end
end)

describe("A fresh process", function()
  it("answers one text on its one thread unless told, and writes nothing",
  function()
    if not resident.mib() then
      pending("needs /proc")
      return
    end
    local _, dir = temporary_model({}, WHOLE)
    local function files()
      local list = {}
      for _, name in ipairs(core.io.list(dir .. "/model")) do
        list[name] = select(3, core.io.stat(dir .. "/model/" .. name))
      end
      return list
    end
    local before = files()
    local said, code, complaint = run.lua(([[
      local lunula = require "lunula"
      local model, text = lunula.classifier(%q), ("the good film "):rep(40)
      local function threads()
        for line in io.lines "/proc/self/status" do
          local n = line:match "^Threads:%%s+(%%d+)"
          if n then return n end
        end
      end
      lunula.threads(2)
      model:predict "good"
      model:predict(text)
      io.write(threads())
      model:predict(text, { threads = 2 })
      print(threads())]]):format(dir .. "/model"))
    assert.are.equal("", complaint)
    assert.are.equal(0, code)
    assert.are.equal("12\n", said)
    assert.are.same(before, files())
    tiny.remove(dir)
  end)
end)
