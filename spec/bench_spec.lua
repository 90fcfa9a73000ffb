local answers = require "lunula.bench.answers"
local bench = require "lunula.bench"
local cjson = require "cjson"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local flops = require "lunula.bench.flops"
local quantize = require "lunula.quantize"
local run = require "spec.support.run"
local sentences = require "lunula.bench.sentences"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

local PARTS = { "attention", "data", "elementwise", "gemm", "optimizer" }

local function sum(parts)
  local whole = 0
  for _, name in ipairs(PARTS) do whole = whole + parts[name] end
  return whole
end

describe("core.clock", function()
  after_each(function() core.clock(false) end)

  it("gives every moment to one part", function()
    local a = tensor.ones { 300, 300 }
    local begun = core.system.monotonic()
    core.clock(true)
    for _ = 1, 20 do a:matmul(a) end
    local parts = core.clock()
    local passed = core.system.monotonic() - begun
    assert.is_true(parts.gemm > 0 and parts.data > 0)
    assert.are.equal(0, parts.attention + parts.optimizer
      + parts.elementwise)
    assert.is_true(sum(parts) <= passed and sum(parts) > 0.8 * passed)
  end)

  it("stands still until it is started, and when it is stopped", function()
    core.clock(true)
    core.clock(false)
    local parts = core.clock()
    tensor.ones({ 64, 64 }):matmul(tensor.ones { 64, 64 })
    assert.are.same(parts, core.clock())
  end)

  it("starts from 0 again", function()
    local a = tensor.ones { 300, 300 }
    core.clock(true)
    a:matmul(a)
    core.clock(true)
    assert.are.equal(0, core.clock().gemm)
  end)

  it("is turned on by true alone", function()
    assert.has_error(function() core.clock(1) end)
  end)
end)

describe("core.peak", function()
  it("measures the fastest product", function()
    for _, precision in ipairs { "fp32", "bf16", "int8" } do
      local begun = core.system.monotonic()
      local gflops = core.peak(precision, 0.05)
      assert.is_true(gflops > 0.01 and gflops < 1e6)
      assert.is_true(core.system.monotonic() - begun >= 0.05)
    end
  end)

  it("says what it does not have", function()
    assert.has_error(function() core.peak("fp64", 0) end)
    assert.has_error(function() core.peak("fp32", -1) end)
    assert.has_error(function() core.peak("fp32", 0 / 0) end)
  end)
end)

describe("bench", function()
  local dir, model
  local rows = tiny.reviews(40)

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(dir .. "/encoder")
    model = classifier(dir .. "/encoder",
      { labels = { "negative", "positive" } })
    local lines = { "text,label" }
    for i, row in ipairs(rows) do
      lines[i + 1] = ('"%s",%s'):format(row.text, row.label)
    end
    core.io.write(dir .. "/train.csv", { table.concat(lines, "\n"), "\n" })
  end)

  teardown(function() tiny.remove(dir) end)

  it("counts the FLOPs of the encoder's products", function()
    local config = { hidden_size = 2, intermediate_size = 5,
      num_hidden_layers = 3 }
    -- a token: 2 x (4 x 4 + 2 x 10) FLOPs; two that meet: 4 x 2
    assert.are.equal(3 * 3 * (2 * 36 + 8), flops.step(config, { 1 }))
    assert.are.equal(3 * 3 * (5 * 72 + 8 * (9 + 4)),
      flops.step(config, { 3, 2 }))
    local minilm = { hidden_size = 384, intermediate_size = 1536,
      num_hidden_layers = 6 }
    assert.is_near(64e6, flops.step(minilm, { 1 }), 1e6)
  end)

  it("measures all steps of a training but the first", function()
    local f = bench.train(model, rows, { steps = 7, batch_size = 8,
      peak_seconds = 0.02 })
    assert.are.same({ 6, 48, 40, 8 }, { f.steps, f.texts, f.rows,
      f.batch_size })
    assert.is_true(f.tokens > 5 * f.texts and f.tokens < 12 * f.texts)
    assert.is_near(f.tokens / f.seconds, f.tokens_per_second, 1e-6)
    for _, name in ipairs(PARTS) do
      assert.is_true(f.step[name] > 0, name)
    end
    assert.is_near(1, f.steps * sum(f.step) / f.seconds, 0.3)
    assert.is_true(f.utilisation > 0 and f.utilisation < 1)
    assert.is_near(f.gflops / f.peak_gflops, f.utilisation, 1e-9)
    assert.is_true(f.bytes_per_token > 4 * 16 * 2)
    assert.is_true(f.peak_rss_mib > 1)
  end)

  it("stops the clock at its end", function()
    bench.train(model, rows, { steps = 2, peak_seconds = 0 })
    local parts = core.clock()
    assert.are.same(parts, core.clock())
  end)

  it("measures bfloat16 too", function()
    local f = bench.train(model, rows, { steps = 3, precision = "bf16",
      peak_seconds = 0 })
    assert.are.same({ "bf16", "fp32" },
      { f.precision, model.encoder.precision })
    assert.is_true(f.step.gemm > 0 and f.peak_gflops > 0)
  end)

  it("wants two steps, and a precision that there is", function()
    assert.has_error(function() bench.train(model, rows, { steps = 1 }) end,
      "bench: steps: expected an integer of at least 2, the first of which "
      .. "is not measured, got 1")
    assert.has_error(function()
      bench.train(model, rows, { steps = 2, precision = "fp64" })
    end, "train: precision: expected one of bf16, fp32, got 'fp64'")
  end)

  it("is a command, whose figures other programs can read", function()
    local path = dir .. "/bench.json"
    local text, status, said = run.lunula { "bench", "train", "--steps=5",
      "--model", dir .. "/encoder", "--train", dir .. "/train.csv",
      "--threads=1", "--batch-size=4", "--json", path }
    assert.are.equal(0, status, said)
    assert.matches("tokens/s +%d+\n", text)
    assert.matches("utilisation +%d+%.%d %%: %d+ of %d+ GFLOP/s\n", text)
    for _, name in ipairs(PARTS) do
      assert.matches("\n  " .. name .. " +%d+%.%d %%\n", text)
    end
    local file = assert(io.open(path))
    local f = cjson.decode(file:read "*a")
    file:close()
    assert.are.same({ 4, 16, 1, "fp32" }, { f.steps, f.texts, f.threads,
      f.precision })
    assert.is_true(f.first_step_seconds > 0 and f.first_step_seconds < 60)
  end)

  it("says before it trains that it can't write its figures", function()
    local text, status, said = run.lunula { "bench", "train", "--steps=2",
      "--model", dir .. "/encoder", "--train", dir .. "/train.csv",
      "--json", dir .. "/none/x.json" }
    assert.are.same({ "", 1 }, { text, status })
    assert.are.equal("lunula: --json: no folder '" .. dir .. "/none/'\n", said)
  end)

  it("says what it can't measure", function()
    for _, words in ipairs { { "--precision=fp64" }, { "--steps=1" },
      { "too much" } } do
      local all = { "bench", "train", "--model=m", "--train=t.csv" }
      for _, word in ipairs(words) do all[#all + 1] = word end
      local _, status, said = run.lunula(all)
      assert.are.equal(2, status)
      assert.matches("^lunula: [^\n]+\n$", said)
    end
  end)
end)

describe("sentences to measure with", function()
  it("are the same each time, and of several lengths", function()
    local list = sentences.make(300)
    assert.are.same(list, sentences.make(300))
    local shortest, longest = math.huge, 0
    for _, text in ipairs(list) do
      local _, words = text:gsub("%S+", "")
      shortest, longest = math.min(shortest, words), math.max(longest, words)
    end
    assert.is_true(shortest >= 4 and shortest <= 6, shortest)
    assert.is_true(longest >= 28 and longest <= 40, longest)
  end)
end)

describe("bench of a model", function()
  local dir, model_dir

  setup(function()
    dir = tiny.temporary()
    model_dir = dir .. "/model"
    tiny.write_encoder(dir .. "/encoder")
    classifier(dir .. "/encoder", { labels = { "negative", "positive" } })
      :save(model_dir)
    local lines = { "review" }
    for i, row in ipairs(tiny.reviews(90)) do
      lines[i + 1] = '"' .. row.text .. '"'
    end
    core.io.write(dir .. "/texts.csv", { table.concat(lines, "\n"), "\n" })
  end)

  teardown(function() tiny.remove(dir) end)

  local FIELDS = { "p50_ms", "p95_ms", "p99_ms", "sentences_per_second",
    "tokens_per_second", "peak_rss_mib" }

  local function check_result(f)
    for _, name in ipairs(FIELDS) do assert.is_true(f[name] > 0, name) end
    assert.is_true(f.p50_ms <= f.p95_ms and f.p95_ms <= f.p99_ms)
    -- the n in "the n is n." and up to three more, [CLS] and [SEP]
    local tokens = f.tokens_per_second / f.sentences_per_second
    assert.is_true(tokens > 6 and tokens < 10, tokens)
  end

  it("measures answers one by one, and in batches", function()
    local texts = {}
    for i, row in ipairs(tiny.reviews(90)) do texts[i] = row.text end
    local begun = core.system.monotonic()
    local f = answers.measure(classifier(model_dir), texts,
      { precision = "fp32", seconds = 0.05, peak_seconds = 0.01 })
    assert.is_true(core.system.monotonic() - begun >= 0.05)
    check_result(f)
    assert.is_true(f.latencies >= 20 and f.latencies <= 400)
    assert.is_true(f.utilisation > 0 and f.utilisation < 1)
    assert.is_near(f.gflops / f.peak_gflops, f.utilisation, 1e-9)
  end)

  local function figures_of(...)
    local path = dir .. "/figures.json"
    local text, status, said = run.lunula { "bench", "--seconds=0.02",
      "--json", path, ... }
    assert.are.equal(0, status, said)
    local file = assert(io.open(path))
    local figures = cjson.decode(file:read "*a")
    file:close()
    return figures, text, said
  end

  it("is a command: each precision, with one thread and with all", function()
    local figures, text, said = figures_of(model_dir, "--threads=2",
      "--data", dir .. "/texts.csv", "--text=review")
    assert.are.equal(90, figures.texts)
    local seen = {}
    for i, f in ipairs(figures.results) do
      check_result(f)
      seen[i] = ("%s %d"):format(f.precision, f.threads)
      assert.matches(("\n%s +%d +%%d+%%.%%d%%d "):format(f.precision,
        f.threads), text)
      assert.matches(("%s, %d thread"):format(f.precision, f.threads), said,
        1, true)
    end
    assert.are.same({ "fp32 1", "fp32 2", "bf16 1", "bf16 2", "int8 1",
      "int8 2" }, seen)
    assert.is_true(figures.load_ms > 0)
    assert.is_true(figures.first_answer_ms > figures.load_ms)
    assert.matches("load +%d+%.%d ms\nfirst answer +%d+%.%d ms", text)
  end)

  it("takes an encoder too, and sentences of its own", function()
    local figures = figures_of(dir .. "/encoder", "--threads=1",
      "--precision=fp32")
    assert.are.equal(512, figures.texts)
    assert.are.equal(1, #figures.results)
    assert.are.equal("fp32", figures.results[1].precision)
  end)

  it("measures a quantized model in 8 bits", function()
    quantize(classifier(model_dir), dir .. "/small")
    local figures = figures_of(dir .. "/small", "--threads=1",
      "--data", dir .. "/texts.csv")
    assert.are.equal(1, #figures.results)
    assert.are.equal("int8", figures.results[1].precision)
  end)

  local function refusal(...)
    local text, status, said = run.lunula { "bench", ... }
    assert.are.equal(1, status)
    assert.are.equal("", text)
    return said:match "lunula: ([^\n]+)\n$"
  end

  it("says before it begins what can't be", function()
    core.io.write(dir .. "/none.csv", { "text\n" })
    assert.are.equal(dir .. "/none.csv: no rows",
      refusal(model_dir, "--data", dir .. "/none.csv"))
    assert.are.equal("--json: no folder '" .. dir .. "/none/'",
      refusal(model_dir, "--json", dir .. "/none/x.json"))
    assert.matches("no folder '" .. dir .. "/nothing'",
      refusal(dir .. "/nothing"), 1, true)
  end)

  it("says what the measuring process said", function()
    core.io.write(dir .. "/model/tokenizer_config.json", { "{" })
    assert.matches("model/tokenizer_config.json: not valid JSON: ",
      refusal(model_dir), 1, true)
  end)
end)
