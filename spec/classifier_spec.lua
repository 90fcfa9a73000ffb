local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local nn = require "lunula.nn"
local quantize = require "lunula.quantize"
local share = require "lunula.share"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local LABELS = { "negative", "positive" }

describe("A classifier", function()
  local dir, encoder_dir, model

  setup(function()
    dir = tiny.temporary()
    encoder_dir = dir .. "/encoder"
    tiny.write_encoder(encoder_dir)
    model = classifier(encoder_dir, { labels = LABELS, seed = 3 })
  end)

  teardown(function() tiny.remove(dir) end)

  local function saved(changed, name)
    local folder = dir .. "/" .. (name or "saved")
    changed:save(folder)
    return folder
  end

  it("gives a label, its probability, and those of all", function()
    local answer = model:predict("the film is good.")
    assert.is_near(1, answer.scores.negative + answer.scores.positive, 1e-6)
    assert.are.equal(answer.scores[answer.label], answer.score)
    assert.is_true(answer.score >= 0.5)
  end)

  it("takes a new head on the encoder of one that learnt another task",
    function()
      local folder = saved(model, "learnt")
      local other = classifier(folder, { new_head = true, seed = 5,
        labels = { "a", "b", "c" }, problem_type = "multi_label_classification"
      })
      assert.are.same({ "a", "b", "c" }, other.labels)
      for i, p in ipairs(model.encoder:parameters()) do
        assert.are.equal(p.tensor:checksum(),
          other.encoder:parameters()[i].tensor:checksum())
      end
      local fresh = classifier(encoder_dir, { seed = 5,
        labels = { "a", "b", "c" }, problem_type = "multi_label_classification"
      })
      assert.are.equal(fresh.head.weight:checksum(),
        other.head.weight:checksum())
      assert.has_error(function() classifier(folder, { new_head = true }) end,
        folder .. ": an encoder, not a classifier; train one with lunula "
        .. "train, or in Lua name the labels that it is to have, { labels = "
        .. "{...} }")
      assert.are.equal(2, #classifier(folder).labels)
    end)

  it("is shown in a line", function()
    assert.are.equal("classifier (2 labels (negative, positive); encoder (2 "
      .. "layers of 16); 128 tokens of a text)", tostring(model))
  end)

  it("answers an array in its order, whatever the batches", function()
    local texts = { "good", "the plot is awful.", "", "fine film" }
    local all = model:predict(texts, { batch_size = 3 })
    assert.are.equal(4, #all)
    for i, text in ipairs(texts) do
      assert.is_near(model:predict(text).score, all[i].score, 1e-6)
    end
    assert.are.same({}, model:predict {})
  end)

  it("marks answers that are less sure than is asked, and only these",
    function()
      local texts = { "good", "the plot is awful.", "fine film" }
      local all = model:predict(texts)
      local scores = { all[1].score, all[2].score, all[3].score }
      table.sort(scores)
      local marked = model:predict(texts, { min_score = scores[2] })
      local told = model:submit(texts, { min_score = scores[2] }):result()
      assert.are.same(marked, told)
      for _, answer in ipairs(all) do
        answer.abstained = answer.score < scores[2] or nil
      end
      assert.are.same(all, marked)
      assert.is_true(model:predict("good", { min_score = 1 }).abstained)
      assert.is_nil(model:predict("good", { min_score = 0 }).abstained)
    end)

  it("refuses a least score that no probability can have", function()
    for name, how in pairs { predict = model.predict, submit = model.submit } do
      assert.has_error(function() how(model, "good", { min_score = 95 }) end,
        name .. ": min_score: expected a number from 0 to 1, got 95")
    end
  end)

  it("reads pairs of texts", function()
    local alone = model:predict("good")
    local pair = model:predict("good", { text_pairs = "bad" })
    assert.are_not.equal(alone.score, pair.score)
    local both = model:predict({ "good" }, { text_pairs = { "bad" } })
    assert.are.same(pair, both[1])
  end)

  it("gives the same when it was saved and loaded", function()
    local again = classifier(saved(model))
    assert.are.same(LABELS, again.labels)
    assert.are.same(model:predict("the film is good."),
      again:predict("the film is good."))
  end)

  it("is saved as transformers' BertForSequenceClassification", function()
    local folder = checkpoint.read(saved(model))
    assert.are.same({ "BertForSequenceClassification" },
      folder.config.architectures)
    assert.are.same({ ["0"] = "negative", ["1"] = "positive" },
      folder.config.id2label)
    assert.are.same({ negative = 0, positive = 1 }, folder.config.label2id)
    assert.are.same({ 2, 16 }, folder.tensors["classifier.weight"]:shape())
    assert.is_not_nil(
      folder.tensors["bert.encoder.layer.1.attention.self.query.weight"])
    assert.is_not_nil(folder.tensors["bert.pooler.dense.weight"])
    assert.is_not_nil(folder.files["vocab.txt"])
  end)

  it("keeps its pooling and its dropout in the folder", function()
    local mean = classifier(encoder_dir,
      { labels = LABELS, pooling = "mean", dropout = 0.3 })
    local again = classifier(saved(mean, "mean"))
    assert.are.equal("mean", again.pooling)
    assert.are.equal(0.3, again.encoder.hidden_dropout)
    assert.are.equal(0.3, again.dropout.p)
    assert.are.same(mean:predict("good"), again:predict("good"))
  end)

  it("keeps causal attention in the folder, and pools the mean", function()
    local causal = classifier(encoder_dir,
      { labels = LABELS, attention = "causal" })
    local folder = saved(causal, "causal")
    assert.are.equal("mean", causal.pooling)
    assert.is_true(checkpoint.read(folder).config.is_decoder)
    local again = classifier(folder)
    assert.are.equal("mean", again.pooling)
    assert.are.same(causal:predict("a good film"),
      again:predict("a good film"))
    local other = classifier(folder, { attention = "bidirectional" })
    assert.are_not.same(causal:predict("a good film"),
      other:predict("a good film"))
    assert.is_false(checkpoint.read(saved(other, "causal")).config.is_decoder)
  end)

  it("with causal attention is explained, shared, submitted and quantized",
  function()
    local causal = classifier(encoder_dir,
      { labels = LABELS, attention = "causal" })
    local text = "the plot is dull, the film is good."
    local wanted = causal:predict(text)
    assert.are.same(wanted, causal:submit(text):result())
    assert.are.same(wanted, share.open(causal:share()):predict(text))
    local found = causal:explain(text)
    assert.is_near(wanted.score, found.score, 1e-5)
    assert.is_true(math.abs(found.completeness) < 0.01)
    quantize(causal, dir .. "/int8")
    local small = classifier(dir .. "/int8")
    assert.is_true(small.config.is_decoder)
    assert.is_near(wanted.scores.positive,
      small:predict(text).scores.positive, 0.02)
  end)

  it("keeps its adapters in the folder, trained, shared and quantized",
  function()
    local adapted = classifier(encoder_dir,
      { labels = LABELS, adapter_size = 5 })
    train(adapted, tiny.reviews(32), { epochs = 2, learning_rate = 0.02 })
    local folder, text = saved(adapted, "adapted"), "the plot is dull."
    local read = checkpoint.read(folder)
    assert.are.equal(5, read.config.adapter_size)
    local name = "bert.encoder.layer.1.output.adapter.up.weight"
    assert.are.same({ 16, 5 }, read.tensors[name]:shape())
    local wanted = adapted:predict(text)
    for _, size in ipairs { 0, 5 } do
      local again = classifier(folder, { adapter_size = size > 0 and size
        or nil })
      assert.are.same(wanted, again:predict(text))
      assert.are.same(read.tensors[name]:totable(),
        again.encoder.core:parameter(#again.encoder.names - 3):totable())
    end
    assert.are.same(wanted, share.open(adapted:share()):predict(text))
    assert.are.same(wanted, adapted:submit(text):result())
    quantize(adapted, dir .. "/adapted-int8")
    local small = classifier(dir .. "/adapted-int8")
    assert.is_near(wanted.scores.positive,
      small:predict(text).scores.positive, 0.05)
    assert.are.same(read.tensors[name]:totable(),
      checkpoint.read(dir .. "/adapted-int8").tensors[name]:totable())
  end)

  it("starts its adapters by the seed, and what is without them the same",
  function()
    local function parts(seed, size)
      local found = {}
      for _, p in ipairs(classifier(encoder_dir, { labels = LABELS,
          seed = seed, adapter_size = size }):parameters()) do
        if p.name:find "adapter" or p.name:find "^classifier" then
          found[p.name] = p.tensor:totable()
        end
      end
      return found
    end
    assert.are.same(parts(1, 4), parts(1, 4))
    assert.are_not.same(parts(1, 4), parts(2, 4))
    assert.are.same(parts(1)["classifier.weight"],
      parts(1, 4)["classifier.weight"])
  end)

  it("reads as much of a text as it was trained to, once it is saved",
  function()
    local short = classifier(encoder_dir, { labels = LABELS, max_length = 4 })
    local folder = saved(short, "short")
    assert.are.equal(4, classifier(folder).max_length)
    local text = "the film is good. what a lovely, lovely film."
    assert.are.same(short:predict(text), classifier(folder):predict(text))
    assert.are.equal(9, classifier(folder, { max_length = 9 }).max_length)
  end)

  it("reads 128 tokens of a text, or as many as the encoder has positions",
  function()
    assert.are.equal(128, model.max_length)
    local small = dir .. "/small"
    tiny.write_encoder(small, { max_position_embeddings = 16 })
    assert.are.equal(16, classifier(small, { labels = LABELS }).max_length)
    tiny.write_encoder(small, { max_position_embeddings = 256 })
    assert.are.equal(128, classifier(small, { labels = LABELS }).max_length)
  end)

  it("starts its head by the seed", function()
    local function weight(seed)
      return classifier(encoder_dir, { labels = LABELS, seed = seed })
        .head.weight:totable()
    end
    assert.are.same(weight(1), weight(1))
    assert.are_not.same(weight(1), weight(2))
  end)

  it("drops only while training, and the same by the same seed", function()
    local batch = model.tokenizer:encode({ "good film", "bad plot" })
    local function logits() return model:forward(batch):totable() end
    assert.are.same(logits(), logits())
    model:train()
    local first = model:seed(1) and logits()
    assert.are_not.same(first, logits())
    model:seed(1)
    assert.are.same(first, logits())
    model:train(false)
  end)

  it("predicts without dropout in the middle of training", function()
    local quiet = model:predict("good")
    model:train()
    assert.are.same(quiet, model:predict("good"))
    assert.is_true(model.encoder.training)
    model:train(false)
  end)

  it("gives every parameter a gradient", function()
    local loss = nn.cross_entropy(
      model:forward(model.tokenizer:encode { "good", "bad" }), { 1, 0 })
    loss:backward()
    for _, p in ipairs(model:parameters()) do
      assert.is_not_nil(p.tensor:grad(), p.name)
      p.tensor:zero_grad()
    end
  end)

  it("takes names for labels that nobody named", function()
    local unnamed = classifier(encoder_dir,
      { labels = { "LABEL_0", "LABEL_1" } })
    local named = classifier(saved(unnamed, "unnamed"), { labels = LABELS })
    assert.are.same(LABELS, named.labels)
  end)

  it("keeps the order of its labels, in whatever order they are asked for",
  function()
    local again = classifier(saved(model),
      { labels = { "positive", "negative" } })
    assert.are.same(LABELS, again.labels)
  end)

  it("keeps all of its labels where it goes on with some", function()
    local three = classifier(encoder_dir, { labels = { "a", "b", "c" } })
    local folder = saved(three, "three")
    assert.are.same({ "a", "b", "c" },
      classifier(folder, { labels = { "c", "a" } }).labels)
  end)

  describe("says what is wrong with", function()
    local function refuses(message, name, given)
      assert.has_error(function() classifier(name, given) end, message)
    end

    it("labels that the head does not have", function()
      local folder = saved(model)
      refuses(("classifier: %s has 2 labels (negative, positive), not 3 "
        .. "labels (a, b, c)"):format(folder), folder,
        { labels = { "a", "b", "c" } })
    end)

    it("labels that are missing or come twice", function()
      refuses(encoder_dir .. ": an encoder, not a classifier; train one with "
        .. "lunula train, or in Lua name the labels that it is to have, "
        .. "{ labels = {...} }", encoder_dir)
      refuses("classifier: labels: expected an array of two strings or more",
        encoder_dir, { labels = { "a" } })
      refuses("classifier: labels: 'a' comes twice", encoder_dir,
        { labels = { "a", "a" } })
    end)

    it("options out of range", function()
      refuses("classifier: pooling: expected one of first, mean, pooler, "
        .. "got 'max'", encoder_dir, { labels = LABELS, pooling = "max" })
      refuses("classifier: attention: expected one of bidirectional, causal, "
        .. "got 'left'", encoder_dir, { labels = LABELS, attention = "left" })
      for _, pooling in ipairs { "first", "pooler" } do
        refuses(("classifier: pooling '%s' reads the first token, which sees "
          .. "no other with causal attention; use 'mean'"):format(pooling),
          encoder_dir, { labels = LABELS, attention = "causal",
          pooling = pooling })
      end
      refuses("classifier: adapter_size: expected an integer of at least 1, "
        .. "got 0", encoder_dir, { labels = LABELS, adapter_size = 0 })
      refuses("max_length of this model: expected an integer from 2 to 128, "
        .. "got 129", encoder_dir, { labels = LABELS, max_length = 129 })
      refuses("dropout: expected a number of at least 0 and below 1, got 1",
        encoder_dir, { labels = LABELS, dropout = 1 })
    end)

    it("adapters of another size, or that can't be made", function()
      local adapted = classifier(encoder_dir,
        { labels = LABELS, adapter_size = 5 })
      local folder = saved(adapted, "adapted")
      refuses(("classifier: %s has adapters of size 5, not 6"):format(folder),
        folder, { adapter_size = 6 })
      quantize(model, dir .. "/int8")
      refuses(dir .. "/int8: a quantized model takes no adapters, which are "
        .. "to be trained; use the one that it was made of", dir .. "/int8",
        { adapter_size = 5 })
      local read = checkpoint.read(folder)
      for name in pairs(read.tensors) do
        if name:find "1.output.adapter.up.bias" then
          read.tensors[name] = nil
        end
      end
      checkpoint.write(folder, { config = read.config,
        tensors = read.tensors })
      refuses(folder .. "/model.safetensors: no tensor 'encoder.layer.1."
        .. "output.adapter.up.bias', which the config asks for", folder)
    end)

    it("a saved max_length that can't be", function()
      local folder = saved(model, "odd")
      local read = checkpoint.read(folder)
      for _, odd in ipairs { 129, 1, 2.5 } do
        read.config.classifier_max_length = odd
        checkpoint.write(folder,
          { config = read.config, tensors = read.tensors })
        refuses(("%s/config.json: classifier_max_length: expected an integer "
          .. "from 2 to 128, got %s"):format(folder, odd), folder)
      end
    end)

    it("a config that is odd elsewhere, and in which folder", function()
      local folder = saved(model, "odd")
      local read = checkpoint.read(folder)
      for name, case in pairs {
        classifier_dropout = { 1.5, "expected a number of at least 0 and "
          .. "below 1, got 1.5" },
        classifier_pooling = { "max", "expected one of first, mean, pooler, "
          .. "got 'max'" },
        initializer_range = { "wide", "expected a number of at least 0, got "
          .. "'wide'" },
        hidden_dropout_prob = { -1, "expected a number of at least 0 and "
          .. "below 1, got -1" },
        hidden_act = { "swish", "expected gelu, gelu_new, gelu_pytorch_tanh "
          .. "or relu, got swish" },
        model_type = { "roberta", "only bert is supported, got roberta" },
        vocab_size = { 0, "expected an integer from 1 to 268435456, got 0" },
      } do
        local config = {}
        for key, value in pairs(read.config) do config[key] = value end
        config[name] = case[1]
        checkpoint.write(folder, { config = config, tensors = read.tensors })
        local ok, why = pcall(classifier, folder)
        assert.is_false(ok)
        assert.are.equal(("%s/config.json: %s: %s"):format(folder, name,
          case[2]), why)
      end
      checkpoint.write(folder, { config = read.config, tensors = {} })
      refuses(folder .. "/model.safetensors: no tensor 'embeddings."
        .. "word_embeddings.weight', which the config asks for", folder,
        { labels = LABELS })
    end)

    it("arguments of another kind", function()
      local wrong = {
        ["classifier: seed: expected an integer, got 1.5"] = function()
          classifier(encoder_dir, { labels = LABELS, seed = 1.5 })
        end,
        ["save: expected a path, got nil"] = function() model:save() end,
        ["forward: batch.ids: expected a tensor, got nil"] = function()
          model:forward { "a" }
        end,
        ["forward: batch: expected a table, got 'a'"] = function()
          model:forward "a"
        end,
        ["seed: expected an integer, got 'x'"] = function()
          model:seed "x"
        end,
      }
      for message, f in pairs(wrong) do assert.has_error(f, message) end
    end)

    it("a text that is none", function()
      assert.has_error(function() model:predict(3) end,
        "predict: expected a text or an array of texts, got number")
      assert.has_error(function() model:predict { "a", 3 } end,
        "predict: texts[2]: expected a string, got number")
      assert.has_error(function()
        model:predict({ "a", "b" }, { text_pairs = { "c" } })
      end, "predict: text_pairs: expected one for each of 2 texts")
    end)
  end)
end)
