local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local encoder = require "lunula.encoder"
local evaluate = require "lunula.evaluate"
local files = require "spec.support.file"
local json = require "lunula.json"
local quantize = require "lunula.quantize"
local run = require "spec.support.run"
local safetensors = require "lunula.safetensors"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }
local WHOLE = { hidden_size = 64, intermediate_size = 256 }
local ODD = { hidden_size = 20, intermediate_size = 37 }
local TEXTS = { "the film is good.", "bad", "a quiet, lovely plot", "" }

local function write_model(dir, changes, pooling)
  tiny.write_encoder(dir .. "/encoder", changes)
  local model = classifier(dir .. "/encoder",
    { labels = LABELS, seed = 3, pooling = pooling })
  model:save(dir .. "/model")
  return dir .. "/model"
end

local read, write = files.read, files.write

local function size(path)
  local _, bytes = core.io.stat(path .. "/model.safetensors")
  return bytes
end

local function scores(model)
  local list = {}
  for i, answer in ipairs(model:predict(TEXTS)) do
    list[i] = answer.scores.positive
  end
  return list
end

describe("A quantized folder", function()
  local dir

  before_each(function() dir = tiny.temporary() end)
  after_each(function() tiny.remove(dir) end)

  for _, changes in ipairs { WHOLE, ODD } do
    for _, pooling in ipairs { "pooler", "mean" } do
      it(("loads as any other and answers alike, %d wide, of the %s"):format(
        changes.hidden_size, pooling), function()
          local from = write_model(dir, changes, pooling)
          quantize(from, dir .. "/int8")
          local model = classifier(dir .. "/int8")
          assert.are.equal("int8", model.precision)
          assert.are.same(LABELS, model.labels)
          assert.are.equal(pooling, model.pooling)
          local wanted = scores(classifier(from))
          for i, score in ipairs(scores(model)) do
            assert.is_near(wanted[i], score, 0.02)
          end
          local report = evaluate(model, tiny.reviews(10))
          assert.are.equal(10, report.n)
        end)
    end
  end

  -- it has more tensors beside its layers than others
  it("may have no layer", function()
    local from = write_model(dir, { hidden_size = 64, num_hidden_layers = 0 })
    quantize(from, dir .. "/int8")
    local wanted = scores(classifier(from))
    for i, score in ipairs(scores(classifier(dir .. "/int8"))) do
      assert.is_near(wanted[i], score, 0.02)
    end
  end)

  it("is the model in 8 bits, but for its words", function()
    local from = write_model(dir, WHOLE)
    quantize(from, dir .. "/int8")
    local made, saved = checkpoint.read(from), checkpoint.read(dir .. "/int8")
    local words = made.tensors["bert.embeddings.word_embeddings.weight"]
    local rounded = {}
    local scale =
      saved.tensors["bert.embeddings.word_embeddings.weight_scale"]:totable()
    for i, row in ipairs(words:totable()) do
      rounded[i] = {}
      for c, x in ipairs(row) do
        local q = x / scale[i]
        local below = math.floor(q)
        local up = q - below > 0.5 or q - below == 0.5 and below % 2 == 1
        rounded[i][c] = scale[i] * (up and below + 1 or below)
      end
    end
    local model = classifier(from, { precision = "int8" })
    for _, p in ipairs(model:parameters()) do
      if p.name == "bert.embeddings.word_embeddings.weight" then
        p.tensor:copy(core.tensor.from(rounded))
      end
    end
    local wanted = scores(model)
    for i, score in ipairs(scores(classifier(dir .. "/int8"))) do
      assert.is_near(wanted[i], score, 1e-6)
    end
  end)

  it("is about four times smaller", function()
    local from = write_model(dir, { hidden_size = 256,
      intermediate_size = 1024, max_position_embeddings = 32 })
    quantize(from, dir .. "/int8")
    assert.is_true(size(from) / size(dir .. "/int8") > 3.7)
  end)

  it("takes no place of a model in float32", function()
    local from = write_model(dir, WHOLE)
    local before = size(from)
    assert.has_error(function() quantize(from, from) end, "quantize: " .. from
      .. " holds a model that is not quantized, which would be lost: name "
      .. "another folder")
    assert.are.equal(before, size(from))
    quantize(from, dir .. "/int8")
    quantize(from, dir .. "/int8")
  end)

  it("says in its config what it is", function()
    quantize(write_model(dir, WHOLE), dir .. "/int8")
    local config = json.decode(read(dir .. "/int8/config.json"), "config")
    assert.are.equal("lunula", config.quantization_config.quant_method)
    assert.are.equal(8, config.quantization_config.bits)
    assert.is_nil(config.torch_dtype)
  end)

  it("can't be trained, saved, quantized again or used otherwise", function()
    quantize(write_model(dir, WHOLE), dir .. "/int8")
    local model = classifier(dir .. "/int8")
    local message = dir .. "/int8: a quantized model can't be trained, "
      .. "explained or saved; use the one that it was made of"
    assert.has_error(function() model:explain "a film" end, message)
    assert.has_error(function() train(model, tiny.reviews(8)) end, message)
    assert.has_error(function() model:save(dir .. "/again") end, message)
    assert.has_error(function() return model.encoder end, message)
    assert.has_error(function() quantize(model, dir .. "/again") end,
      "quantize: " .. dir .. "/int8 is quantized already")
    assert.has_error(function()
      classifier(dir .. "/int8", { precision = "fp32" })
    end, dir .. "/int8: quantized to int8, which can't be used as fp32")
    assert.has_error(function() encoder.load(dir .. "/int8") end, dir
      .. "/int8/config.json: a quantized model can't be trained; "
      .. "lunula.classifier answers with it")
  end)

  -- a head that hardly prefers one of its classes: rounding turns answers
  local function undecided()
    local from = write_model(dir, WHOLE)
    local model = classifier(from)
    local rows = model.head.weight:totable()
    for c, x in ipairs(rows[1]) do
      rows[2][c] = x * (1 + 1e-4 * (c % 2 == 0 and 1 or -1))
    end
    model.head.weight:copy(core.tensor.from(rows))
    model:save(from)
    local texts = {}
    for i, review in ipairs(tiny.reviews(40)) do texts[i] = review.text end
    local labelled = {}
    for i, answer in ipairs(classifier(from):predict(texts)) do
      labelled[i] = { text = texts[i], label = answer.label }
    end
    return from, labelled
  end

  it("is not written where accuracy falls too far", function()
    local from, labelled = undecided()
    local seen
    local ok, why = pcall(quantize, from, dir .. "/int8", {
      check = labelled, max_drop = 0,
      on_check = function(result) seen = result end,
    })
    assert.are.equal(1, seen.before)
    assert.is_true(seen.after < 1)
    assert.is_false(ok)
    assert.matches("^quantize: accuracy falls by [%d.]+ points, from 100.00 "
      .. "%% to [%d.]+ %%; at most 0 are allowed, and nothing was written$",
      why)
    assert.is_nil(core.io.stat(dir .. "/int8"))
    local result = quantize(from, dir .. "/int8",
      { check = labelled, max_drop = 100 })
    assert.are.same(seen, result)
    local rows = evaluate(classifier(dir .. "/int8"), labelled)
    assert.are.equal(result.after, rows.accuracy)
  end)

  it("is made by the command", function()
    local from, labelled = undecided()
    local lines = { "text,label" }
    for _, row in ipairs(labelled) do
      lines[#lines + 1] = ('"%s",%s'):format(row.text, row.label)
    end
    write(dir .. "/check.csv", table.concat(lines, "\n") .. "\n")
    local words = { "quantize", from, "--output", dir .. "/int8", "--check",
      dir .. "/check.csv", "--max-drop", "0" }
    local said, code, complaint = run.lunula(words)
    assert.are.equal(1, code)
    assert.matches("^accuracy before 100.00 %%, after [%d.]+ %% %(40 texts%)"
      .. "\n$", said)
    assert.matches("^lunula: quantize: accuracy falls by ", complaint)
    said, code, complaint = run.lunula { "quantize", from, "--output",
      dir .. "/int8", "--text", "text" }
    assert.are.same({ "", 2 }, { said, code })
    assert.matches("^lunula: %-%-text: only with %-%-check", complaint)
    words[#words] = "100"
    said, code, complaint = run.lunula(words)
    assert.are.equal("", complaint)
    assert.are.equal(0, code)
    assert.matches("40 texts%)\n" .. dir:gsub("%p", "%%%0") .. "/int8\n$",
      said)
    said, code = run.lunula { "evaluate", dir .. "/int8", dir .. "/check.csv" }
    assert.are.equal(0, code)
    assert.matches("accuracy", said)
  end)
end)

describe("A quantized file that is broken", function()
  local dir, folder, path, good, config

  setup(function()
    dir = tiny.temporary()
    folder = dir .. "/int8"
    path = folder .. "/model.safetensors"
    quantize(write_model(dir, WHOLE), folder)
    good, config = read(path), read(folder .. "/config.json")
  end)

  after_each(function()
    write(path, good)
    write(folder .. "/config.json", config)
  end)

  teardown(function() tiny.remove(dir) end)

  -- the file again with some of its entries changed
  local function rewrite(change)
    write(path, good)
    local file, entries = safetensors.read(path), {}
    local shapes = json.decode(good:sub(9, 8 + good:byte(1)
      + 256 * good:byte(2)), "header")
    for _, name in ipairs(file.names) do
      local entry = shapes[name]
      local first = #good - (shapes[file.names[#file.names]].data_offsets[2]
        - entry.data_offsets[1])
      local last = first + entry.data_offsets[2] - entry.data_offsets[1]
      entries[name] = rawget(file.tensors, name)
        or { bytes = good:sub(first + 1, last), shape = entry.shape }
    end
    change(entries)
    safetensors.write(path, entries)
  end

  local QUERY = "bert.encoder.layer.0.attention.self.query_key_value."

  local function fails(message, change)
    rewrite(change)
    local ok, why = pcall(classifier, folder)
    assert.is_false(ok)
    assert.are.equal(path .. ": " .. message, why)
  end

  it("is told by what is missing, or of another shape", function()
    local plain = QUERY:sub(6)
    fails("no tensor '" .. plain .. "weight_scale', which the config asks for",
      function(e) e[QUERY .. "weight_scale"] = nil end)
    fails("no tensor '" .. plain .. "weight', which the config asks for",
      function(e) e[QUERY .. "weight"] = nil end)
    fails("tensor '" .. plain .. "weight_scale' is [7], the config asks for "
      .. "[192]", function(e)
        e[QUERY .. "weight_scale"] = core.tensor.zeros { 7 }
      end)
    fails("tensor '" .. plain .. "weight' has 64 numbers, the config asks for "
      .. "12288", function(e)
        e[QUERY .. "weight"] = { bytes = ("x"):rep(64), shape = { 64 } }
      end)
    fails("tensor '" .. plain .. "weight' is not I8", function(e)
      e[QUERY .. "weight"] = core.tensor.zeros { 192, 64 }
    end)
  end)

  it("is told by scales and sums that can't be", function()
    local function repeated(x, dtype)
      local list = {}
      for i = 1, 192 do list[i] = x end
      return core.tensor.from(list, dtype)
    end
    for _, scale in ipairs { 0 / 0, math.huge, -1 } do
      rewrite(function(e)
        e[QUERY .. "weight_scale"] = repeated(scale, "float32")
      end)
      local ok, why = pcall(classifier, folder)
      assert.is_false(ok)
      assert.matches("weight_scale' holds %-?%w+, expected finite scales$",
        why)
    end
    fails("tensor '" .. QUERY:sub(6) .. "weight_sum' holds 9000, no sum of 64 "
      .. "numbers of 8 bits", function(e)
        e[QUERY .. "weight_sum"] = repeated(9000, "int32")
      end)
  end)

  it("never crashes the program, whatever its bytes", function()
    local said, code, complaint = run.lua(([[
      local classifier = require "lunula.classifier"
      local core = require "lunula.core"
      local folder, path = %q, %q
      local file = assert(io.open(path, "rb"))
      local good = file:read "*a"
      file:close()
      local rng, failed = core.rng(5), 0
      for i = 1, 150 do
        local bytes = good
        local n = i %% 3 == 0 and 2600 or #good
        for _ = 1, 1 + rng:below(8) do
          local at = rng:below(n) + 1
          bytes = bytes:sub(1, at - 1) .. string.char(rng:below(256))
            .. bytes:sub(at + 1)
        end
        if i %% 10 == 0 then bytes = bytes:sub(1, rng:below(#bytes)) end
        core.io.write(path, { bytes })
        local ok = pcall(function()
          return classifier(folder):predict { "the film is good.", "bad" }
        end)
        if not ok then failed = failed + 1 end
      end
      print(failed > 10, failed < 150)]]):format(folder, path))
    assert.are.equal("", complaint)
    assert.are.equal(0, code)
    assert.are.equal("true\ttrue\n", said)
  end)

  it("is told by a config that says it is another's", function()
    local other = config:gsub('"lunula"', '"gptq"')
    write(folder .. "/config.json", other)
    assert.has_error(function() classifier(folder) end, folder
      .. "/config.json: quantized by 'gptq', which lunula can't read")
    write(folder .. "/config.json", (config:gsub('"version": 1',
      '"version": 2')))
    assert.has_error(function() classifier(folder) end, folder
      .. "/config.json: quantized by version 2 of lunula's format, this reads "
      .. "1")
  end)
end)
