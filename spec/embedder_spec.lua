local checkpoint = require "lunula.checkpoint"
local embedder = require "lunula.embedder"
local file = require "spec.support.file"
local files = require("lunula.core").io
local json = require "lunula.json"
local no_grad = require("lunula.grad").no_grad
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

local FIXTURE = "spec/fixtures/embedder"

local read = file.read

local largest_difference = require("spec.support.rows").difference

describe("An embedder", function()
  local expected = json.values(read(FIXTURE .. "/expected.json"), "expected")
  local texts = expected.texts
  local made = embedder(FIXTURE)

  it("gives what sentence-transformers gives", function()
    local vectors = made:encode(texts)
    assert.are.same({ #texts, 16 }, vectors:shape())
    assert.is_true(largest_difference(expected.embeddings, vectors:totable())
      < 1e-5)
    assert.are.equal(12, made.max_length)
    assert.are.equal("embedder (encoder (2 layers of 16); mean, normalised; "
      .. "12 tokens of a text)", tostring(made))
  end)

  it("keeps the order of the texts, whatever the batches", function()
    local vectors = made:encode(texts):totable()
    for _, size in ipairs { 1, 2, 3 } do
      assert.is_true(largest_difference(vectors,
        made:encode(texts, { batch_size = size }):totable()) < 1e-6)
    end
    for i, text in ipairs(texts) do
      local one = made:encode(text)
      assert.are.same({ 16 }, one:shape())
      assert.is_true(largest_difference({ vectors[i] }, { one:totable() })
        < 1e-6)
    end
    assert.are.same({ 0, 16 }, made:encode({}):shape())
  end)

  it("records nothing", function()
    assert.is_false(made:encode(texts):requires_grad())
  end)

  it("pools, normalises and cuts otherwise when told", function()
    local plain = embedder(FIXTURE, { normalize = false, pooling = "first",
      max_length = 24 })
    local batch = plain.tokenizer:encode(texts, { max_length = 24 })
    local wanted = no_grad(plain.encoder.pooled, plain.encoder, batch, "first")
    assert.is_true(largest_difference(wanted:totable(),
      plain:encode(texts):totable()) < 1e-6)
  end)

  it("says what is wrong with what it is given", function()
    for message, f in pairs {
      ["embedder: pooling: expected one of first, mean, got 'max'"] =
        function() embedder(FIXTURE, { pooling = "max" }) end,
      ["embedder: normalize: expected true or false, got 1"] =
        function() embedder(FIXTURE, { normalize = 1 }) end,
      ["embedder: max_length: expected an integer from 2 to 24, got 25"] =
        function() embedder(FIXTURE, { max_length = 25 }) end,
      ["encode: row 2: text: expected a string, got number"] =
        function() made:encode { "a", 3 } end,
      ["encode: texts: expected a table, got 3"] =
        function() made:encode(3) end,
      ["encode: unknown option 'batch'; known: batch_size"] =
        function() made:encode("a", { batch = 3 }) end,
    } do
      assert.has_error(f, message)
    end
  end)

  describe("of a folder", function()
    local dir, at

    setup(function() dir = tiny.temporary() end)
    teardown(function() tiny.remove(dir) end)

    before_each(function()
      at = dir .. "/model"
      shell.must { "rm", "-rf", at }
      shell.must { "cp", "-R", FIXTURE, at }
    end)

    local function put(name, text)
      checkpoint.make_folders(at .. "/1_Pooling")
      files.write(at .. "/" .. name, { text })
    end

    it("without a list of modules takes the mean, normalised", function()
      shell.must { "rm", at .. "/modules.json" }
      assert.are.same(made:encode(texts):totable(),
        embedder(at):encode(texts):totable())
    end)

    it("as older versions wrote it is read too", function()
      put("modules.json", [[[
        {"idx": 0, "name": "0", "path": "",
         "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling",
         "type": "sentence_transformers.models.Pooling"}]
      ]])
      put("1_Pooling/config.json", [[{"word_embedding_dimension": 16,
        "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}]])
      put("sentence_bert_config.json",
        '{"max_seq_length": 7, "do_lower_case": false}')
      local older = embedder(at)
      assert.are.same({ "first", false, 7 },
        { older.pooling, older.normalize, older.max_length })
    end)

    it("is read as far as there are positions", function()
      put("sentence_bert_config.json", '{"max_seq_length": 512}')
      assert.are.equal(24, embedder(at).max_length)
    end)

    it("may put a prompt before each text", function()
      put("config_sentence_transformers.json", [[{"prompts":
        {"query": "the "}, "default_prompt_name": "query"}]])
      assert.is_true(largest_difference(made:encode({ "the parcel" }):totable(),
        embedder(at):encode({ "parcel" }):totable()) < 1e-6)
    end)

    it("that asks for more is refused", function()
      local pooling = at .. "/1_Pooling/config.json"
      local function refuses(message)
        local ok, why = pcall(embedder, at)
        assert.is_false(ok)
        assert.are.equal(message, why)
      end
      local only = "only mean and cls are supported, each alone, got "
      for said, text in pairs {
        ["pooling_mode_max_tokens"] = '{"pooling_mode_max_tokens": true}',
        ["pooling_mode_cls_token, pooling_mode_mean_tokens"] = [[{
          "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}]],
        ["lasttoken"] = '{"pooling_mode": "lasttoken"}',
        ["none"] = "{}",
      } do
        put("1_Pooling/config.json", text)
        refuses(pooling .. ": pooling: " .. only .. said)
      end
      put("sentence_bert_config.json", '{"max_seq_length": 0.5}')
      put("1_Pooling/config.json", '{"pooling_mode": "mean"}')
      refuses(at .. "/sentence_bert_config.json: max_seq_length: expected an "
        .. "integer of at least 2, got 0.5")
      put("sentence_bert_config.json", '{}')
      put("modules.json", [=[[{"path": "",
        "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Dense", "type": "sentence_transformers.models.Dense"}]]=])
      refuses(at .. "/modules.json: module 2: expected a Transformer, then a "
        .. "Pooling, then Normalize or nothing, got Dense")
      for _, odd in ipairs { "3", "[3]", "[]", "{}", "{",
          '[{"type": 3, "path": 4}]' } do
        put("modules.json", odd)
        assert.is_false((pcall(embedder, at)))
      end
    end)
  end)
end)
