local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local killed = require "spec.support.killed"
local masked_lm = require "lunula.pretrain.model"
local masks = require "lunula.pretrain.masks"
local optim = require "lunula.optim"
local pretrain = require "lunula.pretrain"
local run = require "spec.support.run"
local safetensors = require "lunula.safetensors"
local texts = require "lunula.pretrain.texts"
local tiny = require "spec.support.tiny"
local tokenizer = require "lunula.tokenizer"

local function texts_of(n)
  local list = {}
  for i, row in ipairs(tiny.reviews(n)) do list[i] = row.text end
  return list
end

describe("Masking", function()
  local WORDS = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film",
    "love", "##ly", "##ish", "plot", ".", "the", "bad", "good", "dull" }
  local words = tokenizer.from { dir = "words", files = {
    ["vocab.txt"] = table.concat(WORDS, "\n") .. "\n" } }

  local function rows_of(text, n)
    local list, rows = {}, {}
    for i = 1, n do list[i], rows[i] = text, i end
    return words:encode(list), rows
  end

  local function masks_of(given)
    return masks.new(words, { masking = given.masking or 0.15,
      seed = given.seed or 1, vocab_size = #WORDS })
  end

  local function tokens(ids)
    local list = {}
    for i, id in ipairs(ids:totable()) do list[i] = words:token(id) end
    return list
  end

  it("hides all pieces of a word together", function()
    local batch, rows = rows_of("the lovelyish film", 300)
    local masked, seen = masks_of({ masking = 0.3 }):apply(batch, rows, 1), {}
    for i, at in ipairs(masked.positions:totable()) do
      local token = words:token(masked.targets:totable()[i])
      assert.are.equal(tokens(batch.ids)[at + 1], token)
      seen[math.floor(at / 7)] = (seen[math.floor(at / 7)] or "") .. token
    end
    local count = { ["the"] = 0, ["film"] = 0, ["love##ly##ish"] = 0 }
    for row = 0, 299 do count[seen[row]] = count[seen[row]] + 1 end
    for _, n in pairs(count) do assert.is_true(n > 70 and n < 130) end
  end)

  it("hides, replaces and keeps four fifths, a tenth and a tenth", function()
    local batch, rows = rows_of("a film plot . the bad good dull film a", 2000)
    local masked = masks_of({ masking = 0.4 }):apply(batch, rows, 1)
    local after, count = tokens(masked.ids), { hidden = 0, kept = 0, other = 0 }
    local targets = masked.targets:totable()
    for i, at in ipairs(masked.positions:totable()) do
      local token, target = after[at + 1], words:token(targets[i])
      local kind = token == "[MASK]" and "hidden"
        or token == target and "kept" or "other"
      count[kind] = count[kind] + 1
    end
    assert.are.equal(8000, #targets)
    -- of 11 words that may come in, one is the word itself
    assert.is_true(math.abs(count.hidden - 6400) < 120)
    assert.is_true(math.abs(count.other - 800 * 10 / 11) < 90)
    assert.is_true(math.abs(count.kept - 800 - 800 / 11) < 90)
  end)

  it("takes its share of the words, and one at least", function()
    for words_in, n in pairs { [2] = 1, [7] = 1, [20] = 3, [50] = 8 } do
      local batch = rows_of(("a "):rep(words_in), 1)
      assert.are.equal(n, #masks_of({}):apply(batch, { 1 }, 1).targets)
    end
  end)

  it("leaves what is no word alone, and puts none in", function()
    local batch, rows = rows_of("[UNK] a [SEP] film 漢 [PAD]", 500)
    local masked = masks_of({ masking = 1 }):apply(batch, rows, 1)
    local hidden = {}
    for _, id in ipairs(masked.targets:totable()) do
      hidden[words:token(id)] = true
    end
    assert.are.same({ a = true, film = true }, hidden)
    for i, token in ipairs(tokens(masked.ids)) do
      local was = tokens(batch.ids)[i]
      if was:find "^%[" then assert.are.equal(was, token) end
      if was ~= token and token:find "^%[" then
        assert.are.equal("[MASK]", token)
      end
    end
  end)

  it("is another in each epoch, the same in any batch", function()
    local batch, rows = rows_of("a film plot . the bad good dull", 4)
    local function drawn(given, epoch, numbers)
      return masks_of(given):apply(batch, numbers or rows, epoch).ids:totable()
    end
    assert.are.same(drawn({}, 1), drawn({}, 1))
    assert.are_not.same(drawn({}, 1), drawn({}, 2))
    assert.are_not.same(drawn({}, 1), drawn({ seed = 2 }, 1))
    local one = words:encode "a film plot . the bad good dull"
    local alone = masks_of({}):apply(one, { 3 }, 1).ids:totable()
    local among, length = drawn({}, 1), #alone
    for i = 1, length do
      assert.are.equal(among[2 * length + i], alone[i])
    end
  end)

  it("needs a mask", function()
    local bare = tokenizer.from { dir = "bare", files = {
      ["vocab.txt"] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n" } }
    assert.has_error(function()
      masks.new(bare, { masking = 0.15, seed = 0, vocab_size = 5 })
    end, "pretrain: the vocabulary has no [MASK]")
  end)
end)

describe("Pre-training", function()
  local dir, encoder_dir
  local sentences, others = texts_of(64), {}
  for i = 1, 16 do others[i] = texts_of(80)[64 + i] end

  setup(function()
    dir = tiny.temporary()
    encoder_dir = dir .. "/encoder"
    tiny.write_encoder(encoder_dir)
  end)

  teardown(function() tiny.remove(dir) end)

  local function fit(given, from)
    local o = { epochs = 2, batch_size = 8, learning_rate = 3e-3, seed = 1 }
    for name, value in pairs(given or {}) do o[name] = value end
    return pretrain(from or encoder_dir, sentences, o)
  end

  local function weights(model)
    local all = {}
    for _, p in ipairs(model:parameters()) do
      all[p.name] = p.tensor:totable()
    end
    return all
  end

  local function fresh()
    return masked_lm.from(checkpoint.read(encoder_dir), 1)
  end

  local function batch_of(model)
    local prepared = texts.new(model, texts.rows(others, "spec"), "spec",
      { max_length = 32, masking = 0.5, seed = 3 })
    return prepared:batch({ 1, 2, 3 }, 1)
  end

  it("learns what comes where", function()
    local _, result = fit { epochs = 12, learning_rate = 0.01,
      validation = others }
    local first, last = result.history[1].validation,
      result.history[12].validation
    assert.is_true(last.perplexity < first.perplexity / 2)
    assert.is_true(last.perplexity < 4)
    assert.is_true(math.abs(math.exp(last.loss) - last.perplexity) < 1e-9)
    assert.are.equal(first.n, last.n)
  end)

  it("has the gradients that slopes have", function()
    local model, STEP = fresh(), 1e-2
    local batch = batch_of(model)
    model:loss(batch):backward()
    local checked = 0
    for _, p in ipairs(model:parameters()) do
      local grad = p.tensor:grad()
      if grad then
        local flat = p.tensor:reshape { -1 }:totable()
        local at = #flat > 9 and 9 or 1
        local function loss_with(value)
          local was = flat[at]
          flat[at] = value
          p.tensor:copy(core.tensor.from(flat):reshape(p.tensor:shape()))
          flat[at] = was
          return model:loss(batch):item()
        end
        local was = flat[at]
        local slope = (loss_with(was + STEP) - loss_with(was - STEP))
          / (2 * STEP)
        loss_with(was)
        local is = grad:reshape { -1 }:totable()[at]
        assert.is_true(math.abs(is - slope) < 3e-3 + 0.02 * math.abs(slope),
          ("%s: gradient %g, slope %g"):format(p.name, is, slope))
        checked = checked + 1
      end
    end
    assert.is_true(checked > 35)  -- two layers, embeddings and the head
  end)

  it("follows transformers' BertForMaskedLM step by step", function()
    local FOLDER = "spec/fixtures/pretrain"
    local given = safetensors.read(FOLDER .. "/expected.safetensors").tensors
    local model = masked_lm.from(checkpoint.read(FOLDER), 0)
    local batch = { ids = given.ids, types = given.types,
      offsets = given.offsets, positions = given.positions,
      targets = given.targets }
    local optimizer = optim.adamw(model,
      { learning_rate = 1e-3, weight_decay = 0.01 })
    for step, expected in ipairs(given.losses:totable()) do
      local loss = model:loss(batch)
      assert.is_true(math.abs(loss:item() - expected) < 2e-5 * expected,
        ("step %d: %.7f, expected %.7f"):format(step, loss:item(), expected))
      loss:backward()
      optimizer:step()
    end
  end)

  it("steps a pooler nowhere, and words as often as all else", function()
    local before, model = weights(fresh()), fit { max_steps = 3 }
    local after = weights(model)
    assert.are.same(before["bert.pooler.dense.weight"],
      after["bert.pooler.dense.weight"])
    local name = "bert.embeddings.word_embeddings.weight"
    for id, row in ipairs(after[name]) do
      assert.are_not.same(before[name][id], row)
    end
  end)

  it("is the same again, with any number of threads", function()
    local threads = core.threads()
    local one = weights(fit { max_steps = 4, dropout = 0.1 })
    core.threads(threads == 1 and 2 or 1)
    local other = weights(fit { max_steps = 4, dropout = 0.1 })
    core.threads(threads)
    assert.are.same(one, other)
  end)

  it("saves what is loaded again, with its head", function()
    local model = fit { output = dir .. "/saved" }
    local again = masked_lm.from(checkpoint.read(dir .. "/saved"), 9)
    assert.are.same(weights(model), weights(again))
    local saved = checkpoint.read(dir .. "/saved")
    assert.are.same({ "BertForMaskedLM" }, saved.config.architectures)
    assert.is_nil(saved.tensors["cls.predictions.decoder.weight"])
  end)

  it("is where a classifier starts from, without another's head", function()
    local first = classifier(encoder_dir, { labels = { "a", "b", "c" } })
    first:save(dir .. "/three")
    local model = fit({ output = dir .. "/two" }, dir .. "/three")
    local second = classifier(dir .. "/two", { labels = { "no", "yes" } })
    assert.are.same({ "no", "yes" }, second.labels)
    local words = "bert.embeddings.word_embeddings.weight"
    assert.are.same(weights(model)[words], weights(second)[words])
    assert.are.same(weights(model)["bert.pooler.dense.weight"],
      weights(second)["bert.pooler.dense.weight"])
  end)

  it("ends with the best weights", function()
    local model, result = fit { epochs = 4, learning_rate = 0.2,
      validation = others, output = dir .. "/best" }
    local lowest = math.huge
    for _, entry in ipairs(result.validations) do
      lowest = math.min(lowest, entry.scores.loss)
    end
    assert.are.equal(lowest,
      result.history[result.best_epoch].validation.loss)
    local saved = masked_lm.from(checkpoint.read(dir .. "/best"), 1)
    assert.are.same(weights(saved), weights(model))
  end)

  it("learns from batches of a step as from one of all their texts",
    function()
      local function losses(given)
        local list, _, result = {}, fit(given)
        for i, step in ipairs(result.steps) do list[i] = step.loss end
        return list
      end
      local of_one = losses { batch_size = 16, dropout = 0 }
      local of_four = losses { batch_size = 4, dropout = 0,
        gradient_accumulation_steps = 4 }
      assert.are.equal(8, #of_four)
      for i, loss in ipairs(of_one) do
        assert.is_true(math.abs(loss - of_four[i]) < 1e-4)
      end
    end)

  describe("that was stopped", function()
    -- the weights of one that was stopped at a step, then went on
    local function stopped_at(last, given)
      local o = { output = ("%s/stopped%d"):format(dir, last) }
      for name, value in pairs(given) do o[name] = value end
      o.on_step = function(info)
        if info.step == last then error("stop", 0) end
      end
      assert.has_error(function() fit(o) end, "stop")
      o.resume, o.on_step = true, nil
      local model, result = fit(o)
      tiny.remove(o.output)
      return weights(model), result
    end

    local function assert_same_as_whole(given, steps)
      given.output = dir .. "/whole"
      local model, whole = fit(given)
      given.output = nil
      for _, step in ipairs(steps) do
        local resumed, result = stopped_at(step, given)
        assert.are.same(weights(model), resumed)
        assert.are.same(whole.history, result.history)
        assert.are.equal(whole.best_step, result.best_step)
      end
    end

    it("ends with the bits of one that was not", function()
      assert_same_as_whole({ checkpoint_every = 3, dropout = 0.2,
        validation = others }, { 2, 5, 9, 16 })
    end)

    it("does so with averages, mixout and layers that thaw", function()
      assert_same_as_whole({ checkpoint_every = 2, averaging = "ema",
        averaging_every = 3, mixout = 0.3, layer_decay = 0.9,
        gradient_accumulation_steps = 2, gradual_unfreezing = 1 }, { 3, 7 })
    end)

    it("is not gone on with by one of other texts", function()
      local o = { output = dir .. "/other" }
      fit(o)
      o.resume = true
      local ok, why = pcall(pretrain, encoder_dir, others, o)
      assert.is_false(ok)
      assert.matches("^pretrain: resume: .* was left by a run of other "
        .. "options or data %(.*the rows", why)
    end)

    it("by SIGKILL ends as if it had not been", function()
      assert.are.equal("3 kills", killed.often(3, "pretrain"))
    end)
  end)

  it("reads the whole of a long text", function()
    local model = fresh()
    local text = ("a film , "):rep(30)
    local prepared = texts.new(model, { { text = text } }, "spec",
      { max_length = 32, masking = 0.15, seed = 1 })
    assert.are.equal(3, #prepared.sequences)
    local tokens = 0
    for _, length in ipairs(prepared.lengths) do tokens = tokens + length end
    assert.are.equal(90 + 3 * 2, tokens)
  end)

  it("leaves texts without a word out", function()
    local prepared = texts.new(fresh(), texts.rows({ "", "a film", "漢" },
      "spec"), "spec", { max_length = 32, masking = 0.15, seed = 1 })
    assert.are.same({ 2 }, prepared.sequences)
    assert.has_error(function() pretrain(encoder_dir, { "漢", "" }) end,
      "pretrain: no words in them")
  end)

  it("says what is wrong", function()
    local function refused(message, given, of)
      local ok, why = pcall(pretrain, encoder_dir, of or sentences, given)
      assert.is_false(ok)
      assert.are.equal(message, why)
    end
    refused("pretrain: masking: expected a number above 0 and of at most 1, "
      .. "got 0", { masking = 0 })
    refused("pretrain: patience: there are no validation texts",
      { patience = 1 })
    refused("pretrain: resume: there is no output, the folder to save to",
      { resume = true })
    refused("pretrain: mixout: expected a number of at least 0 and below 1, "
      .. "got 1", { mixout = 1 })
    refused("pretrain: 1: expected a string or a row with a text, got a "
      .. "number", {}, { 7 })
    refused("pretrain: validation: expected a file or an array of texts",
      { validation = {} })
    local ok, why = pcall(fit, { learning_rate = 1e30, max_grad_norm = 1e30 })
    assert.is_false(ok)
    assert.matches("^pretrain: step %d+: the loss is", why)
  end)

  describe("from the command line", function()
    local function write(name, list)
      local file = assert(io.open(dir .. "/" .. name, "wb"))
      file:write(table.concat(list, "\n"), "\n")
      file:close()
      return dir .. "/" .. name
    end

    it("reads files, and tells what it came to", function()
      local out, code, errors = run.lunula { "pretrain", "--model",
        encoder_dir, "--texts", write("texts.txt", sentences), "--validation",
        write("others.txt", others), "--output", dir .. "/cli", "--epochs",
        "2", "--batch-size", "8", "--json", dir .. "/cli.json" }
      assert.are.equal(0, code)
      assert.matches("epoch 2/2  train loss %d+%.%d+  validation loss "
        .. "%d+%.%d+  perplexity %d+%.%d+\n", out)
      assert.matches("saved " .. dir .. "/cli", errors, 1, true)
      classifier(dir .. "/cli", { labels = { "no", "yes" } })
      local file = assert(io.open(dir .. "/cli.json"))
      assert.matches('"perplexity"', file:read "*a")
      file:close()
    end)

    it("leaves the last epoch's model after Ctrl-C", function()
      local output = dir .. "/stopped"
      local _, code, errors = run.interrupted("test -e " .. output
        .. "/config.json", { "pretrain", "--model", encoder_dir, "--texts",
        write("texts.txt", sentences), "--output", output, "--epochs",
        "100000", "--batch-size", "8" })
      assert.are.equal(130, code)
      assert.matches("interrupted; the last checkpoint stays in " .. output
        .. ", --resume goes on from it\n", errors, 1, true)
      classifier(output, { labels = { "no", "yes" } })
    end)

    it("says how it is used", function()
      local _, code, errors = run.lunula { "pretrain", "--model", "x" }
      assert.are.equal(2, code)
      assert.matches("--texts is needed", errors, 1, true)
    end)
  end)
end)
