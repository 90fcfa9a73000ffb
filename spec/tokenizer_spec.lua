local cjson = require "cjson"
local file = require "spec.support.file"
local lfs = require "lfs"
local run = require "spec.support.run"
local tokenizer = require "lunula.tokenizer"

local FIXTURE = "spec/fixtures/tokenizer"

local read, write = file.read, file.write

local folders = {}

-- a new folder with these files, removed when the specs are done
local function folder(files)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  folders[#folders + 1] = dir
  for name, bytes in pairs(files) do write(dir .. "/" .. name, bytes) end
  return dir
end

local function settings()
  return cjson.decode(read(FIXTURE .. "/tokenizer.json"))
end

-- the fixture with its tokenizer.json changed
local function changed(change)
  local made = settings()
  change(made)
  return folder { ["tokenizer.json"] = cjson.encode(made) }
end

local function changed_vocab(change)
  return changed(function(made) change(made.model.vocab) end)
end

local function lines(text)
  local config = read(FIXTURE .. "/tokenizer_config.json")
  return folder { ["vocab.txt"] = text, ["tokenizer_config.json"] = config }
end

local function unhex(hex)
  return (hex:gsub("..", function(two)
    return string.char(tonumber(two, 16))
  end))
end

local function cases()
  local all = {}
  for line in io.lines(FIXTURE .. "/cases.jsonl") do
    local case = cjson.decode(line)
    case.text = case.text or unhex(case.text_hex)
    case.pair = case.pair or case.pair_hex and unhex(case.pair_hex)
    all[#all + 1] = case
  end
  return all
end

local SETTINGS = {
  uncased = {},
  cased = { lowercase = false },
  stripped = { lowercase = false, strip_accents = true },
  accented = { strip_accents = false },
}

local function encode(t, case)
  local most = case.max_length or 0
  return t:encode(case.text, {
    text_pairs = case.pair, spans = true, count_truncated = true,
    max_length = most > 0 and most or false,
    add_special_tokens = case.add_special_tokens ~= false,
  })
end

-- what a case says of a setting: left out where it is as for "uncased"
local function check_case(t, case, name)
  local expected = case.expected[name] or case.expected.uncased
  local batch = encode(t, case)
  assert.are.same(expected.ids, batch.ids:totable(), case.text)
  assert.are.same(expected.spans, batch.spans:totable(), case.text)
  if name == "uncased" then
    assert.are.same(expected.types, batch.types:totable())
    assert.are.equal(expected.truncated, batch.truncated)
    assert.are.equal(expected.decoded, t:decode(batch.ids))
  end
end

describe("lunula.tokenizer", function()
  teardown(function()
    for _, dir in ipairs(folders) do
      for name in lfs.dir(dir) do os.remove(dir .. "/" .. name) end
      lfs.rmdir(dir)
    end
  end)

  for name, changes in pairs(SETTINGS) do
    it("gives the ids and spans of the library, " .. name, function()
      local t = tokenizer.load(changed(function(made)
        for field, value in pairs(changes) do made.normalizer[field] = value end
      end))
      for _, case in ipairs(cases()) do
        if name == "uncased" or not case.pair then check_case(t, case, name) end
      end
    end)
  end

  describe("encode", function()
    local t = tokenizer.load(FIXTURE)

    it("makes a ragged batch of several texts", function()
      local batch = t:encode({ "the cat", "", "hello" }, { spans = true })
      local ids = batch.ids:totable()
      assert.are.same({ 0, 4, 6, 9 }, batch.offsets:totable())
      assert.are.same({ t.cls_id, t.sep_id }, { ids[5], ids[6] })
      assert.are.equal("hello", t:token(ids[8]))
      assert.are.same({ 9, 2 }, batch.spans:shape())
    end)

    it("takes no texts at all", function()
      local batch = t:encode {}
      assert.are.same({ 0 }, batch.offsets:totable())
      assert.are.same({}, batch.ids:totable())
    end)

    it("leaves spans out unless asked", function()
      assert.is_nil(t:encode("the cat").spans)
    end)

    it("cuts at the folder's model_max_length unless told", function()
      local long = ("cat "):rep(100)
      assert.are.equal(64, t.max_length)
      local function cut(texts, max_length)
        return t:encode(texts, { max_length = max_length,
          count_truncated = true }).truncated
      end
      assert.are.equal(38, cut { long, "cat" })
      assert.are.equal(0, cut(long, false))
      assert.are.equal(99, cut(long, 3))
    end)

    it("says when max_length has no room for the special tokens", function()
      assert.has_error(function() t:encode({ "a" }, { max_length = 1 }) end,
        "encode: texts[1]: max_length 1: the special tokens alone are 2")
      assert.has_error(function()
        t:encode("a", { text_pairs = "b", max_length = 2 })
      end, "encode: texts[1]: max_length 2: the special tokens alone are 3")
    end)

    it("finds each of many added tokens that strip", function()
      local stripping = tokenizer.load(changed(function(made)
        local added = made.added_tokens
        added[#added].content, added[#added].normalized = " ", false
        added[#added].lstrip, added[#added].rstrip = true, false
      end))
      local batch = stripping:encode((" "):rep(60000),
        { max_length = false, add_special_tokens = false })
      assert.are.equal(60000, #batch.ids)
    end)

    it("gives back at once what it needs to encode", function()
      local said, _, complaint = run.lua([[
        local system = require "lunula.core".system
        local t = require "lunula.tokenizer".load "spec/fixtures/tokenizer"
        local text, before = ("cat "):rep(13000), nil
        collectgarbage "stop"
        for i = 1, 200 do
          t:encode(text, { max_length = 64 })
          if i == 40 then before = system.peak_rss() end
        end
        print(system.peak_rss() - before)]], run.MEASURED)
      assert.is_truthy(tonumber(said), complaint)
      assert.is_true(tonumber(said) < 16, said .. " MiB more")
    end)

    it("says what is wrong with an argument", function()
      assert.has_error(function() t:encode { "a", 3 } end,
        "encode: texts[2]: expected a string, got number")
      assert.has_error(function() t:encode(7) end,
        "encode: texts: expected a string or an array of strings, got number")
      assert.has_error(function()
        t:encode({ "a", "b" }, { text_pairs = { "c" } })
      end, "encode: 2 texts, but 1 text_pairs")
      assert.has_error(function() t:encode("a", { max_length = 0 }) end,
        "encode: max_length (false: no limit): expected an integer from 1 "
          .. "to 2147483647, got 0")
      assert.has_error(function() t:encode("a", { max_len = 1 }) end)
    end)

    it("is quick on a text that is all marks", function()
      local marks = ("\204\129\204\163"):rep(50000)  -- U+0301 U+0323
      local batch = t:encode(marks .. "a", { spans = true })
      assert.are.same({ 200000, 200001 }, batch.spans:totable()[2])
    end)
  end)

  describe("decode", function()
    local t = tokenizer.load(FIXTURE)

    it("joins pieces and leaves special tokens out", function()
      local ids = t:encode("Unaffable, the cat!").ids
      assert.are.equal("unaffable, the cat!", t:decode(ids))
      assert.are.equal("[CLS] unaffable, the cat! [SEP]",
        t:decode(ids, { skip_special_tokens = false }))
    end)

    it("takes a table, and leaves out an id that no token has", function()
      assert.are.equal("the", t:decode { t:id "the", 100000, -1, 0.5 })
    end)
  end)

  it("knows its tokens", function()
    local t = tokenizer.load(FIXTURE)
    assert.are.same({ 0, 1, 2, 3, 4 },
      { t.pad_id, t.unk_id, t.cls_id, t.sep_id, t.mask_id })
    assert.are.equal(329, t.vocabulary_size)
    assert.are.equal("[MASK]", t:token(4))
    assert.are.equal("<E2>", t:token(t:id "<E2>"))
    assert.is_nil(t:id "no such token")
    assert.is_nil(t:token(t.vocabulary_size))
  end)

  it("knows the tokens that go on with a word", function()
    local t = tokenizer.load(FIXTURE)
    local found = {}
    for i, id in ipairs(t:encode("unaffable #").ids:totable()) do
      found[i] = t:continues(id)
    end
    assert.are.same({ false, false, true, true, false, false }, found)
    assert.is_false(t:continues(t.vocabulary_size))
  end)

  describe("a folder with vocab.txt", function()
    local vocab = read(FIXTURE .. "/vocab.txt")

    it("gives the same ids as tokenizer.json", function()
      local t = tokenizer.load(lines(vocab))
      local json = tokenizer.load(changed(function(made)
        for i = #made.added_tokens, 6, -1 do made.added_tokens[i] = nil end
      end))
      for _, case in ipairs(cases()) do
        assert.are.same(encode(json, case).ids:totable(),
          encode(t, case).ids:totable(), case.text)
      end
      assert.are.equal(64, t.max_length)
    end)

    it("may have Windows line ends and no configuration", function()
      local t = tokenizer.load(folder {
        ["vocab.txt"] = vocab:gsub("\n", "\r\n"),
      })
      assert.are.equal(tokenizer.load(lines(vocab)).vocabulary_size,
        t.vocabulary_size)
      assert.are.equal(512, t.max_length)
    end)

    it("follows do_lower_case", function()
      local t = tokenizer.load(folder {
        ["vocab.txt"] = vocab,
        ["tokenizer_config.json"] = '{"do_lower_case": false}',
      })
      assert.are.equal(t:id "Hello", t:encode("Hello").ids:totable()[2])
    end)

    it("names a token that is there twice", function()
      local dir = lines("[UNK]\na\na\n")
      local _, why = pcall(tokenizer.load, dir)
      assert.are.equal(dir .. "/vocab.txt:3: token 'a' was on line 2", why)
    end)

    it("names a special token that is missing", function()
      local dir = lines("[UNK]\n[CLS]\na\n")
      assert.has_error(function() tokenizer.load(dir) end,
        dir .. "/vocab.txt: sep_token: '[SEP]' is not in the vocabulary")
    end)
  end)

  it("reads BertProcessing too", function()
    local t = tokenizer.load(changed(function(made)
      made.post_processor = {
        type = "BertProcessing", cls = { "[CLS]", 2 }, sep = { "[SEP]", 3 },
      }
    end))
    local given = { text_pairs = "hello" }
    local plain = tokenizer.load(FIXTURE)
    assert.are.same(plain:encode("the cat", given).ids:totable(),
      t:encode("the cat", given).ids:totable())
  end)

  it("saves the files that it was loaded from", function()
    local dir = folder {}
    tokenizer.load(FIXTURE):save(dir)
    for _, name in ipairs { "tokenizer.json", "tokenizer_config.json" } do
      assert.are.equal(read(FIXTURE .. "/" .. name), read(dir .. "/" .. name))
    end
    tokenizer.load(dir):save(dir .. "/new/folder")
    assert.are.equal(read(dir .. "/tokenizer.json"),
      read(dir .. "/new/folder/tokenizer.json"))
    assert.has_error(function()
      tokenizer.load(FIXTURE):save(dir .. "/tokenizer.json")
    end)
    assert.has_error(function() tokenizer.load(FIXTURE):save() end,
      "save: expected a path, got nil")
  end)

  it("is read alike, whatever settings a host gives to lua-cjson", function()
    cjson.decode_max_depth(2)
    local ok, t = pcall(tokenizer.load, FIXTURE)
    cjson.decode_max_depth(1000)
    assert.is_true(ok, t)
    assert.are.equal("tokenizer (329 tokens)", tostring(t))
  end)

  describe("load", function()
    local function fails(dir, message)
      local ok, why = pcall(tokenizer.load, dir)
      assert.is_false(ok)
      assert.are.equal(dir .. message, why)
    end

    it("says when a folder has no tokenizer", function()
      fails(folder {}, ": neither tokenizer.json nor vocab.txt there")
    end)

    it("says when a file is not JSON", function()
      local dir = folder { ["tokenizer.json"] = '{"model": {' }
      local ok, why = pcall(tokenizer.load, dir)
      assert.is_false(ok)
      assert.matches("tokenizer.json: not valid JSON: ", why, 1, true)
    end)

    it("says what is not supported", function()
      fails(changed(function(made) made.model.type = "BPE" end),
        "/tokenizer.json: model.type: expected WordPiece, got BPE: "
        .. "not supported")
      fails(changed(function(made) made.normalizer.type = "NFC" end),
        "/tokenizer.json: normalizer.type: expected BertNormalizer, got NFC: "
        .. "not supported")
      fails(changed(function(made) made.pre_tokenizer = cjson.null end),
        "/tokenizer.json: pre_tokenizer.type: missing")
    end)

    it("says when ids are not 0 to n - 1", function()
      local count = 325
      local message = "/tokenizer.json: model.vocab: token 'a' has id %s, "
        .. "but the %d tokens must have the ids 0 to %d"
      for _, id in ipairs { -1, 0.5, count, 1e300 } do
        fails(changed_vocab(function(vocab) vocab.a = id end),
          message:format(("%.14g"):format(id), count, count - 1))
      end
    end)

    it("says when two tokens have one id", function()
      local dir = changed_vocab(function(vocab) vocab.a = vocab.b end)
      local ok, why = pcall(tokenizer.load, dir)
      assert.is_false(ok)
      assert.matches("both have id", why, 1, true)
    end)

    it("says when the unknown token is missing", function()
      fails(changed(function(made) made.model.unk_token = "<unk>" end),
        "/tokenizer.json: model.unk_token: '<unk>' is not in the vocabulary")
    end)

    it("says when an added token has another id than its place", function()
      fails(changed(function(made) made.added_tokens[6].id = 7000 end),
        "/tokenizer.json: added_tokens: token 'word' has id 7000, expected 12")
    end)

    it("says when a template names no token or no text", function()
      fails(changed(function(made)
        made.post_processor.special_tokens["[SEP]"] = nil
      end), "/tokenizer.json: post_processor.single: '[SEP]' is not in "
        .. "special_tokens")
      fails(changed(function(made)
        table.remove(made.post_processor.single, 2)
      end), "/tokenizer.json: post_processor.single: expected each text once")
    end)

    it("says when a field has the wrong type", function()
      fails(changed(function(made) made.normalizer.lowercase = "yes" end),
        "/tokenizer.json: normalizer.lowercase: expected a boolean, "
        .. "got string")
      fails(changed(function(made) made.model.vocab = 7 end),
        "/tokenizer.json: model.vocab: expected a table, got number")
    end)

    it("refuses a token that is not UTF-8", function()
      local dir = lines("[UNK]\n[CLS]\n[SEP]\n\255\n")
      fails(dir, "/vocab.txt:4: token 3 is not valid UTF-8")
    end)

    it("takes tokens with zeros in them", function()
      local t = tokenizer.load(lines("[UNK]\n[CLS]\n[SEP]\na\0b\n"))
      assert.are.equal(3, t:id "a\0b")
    end)
  end)
end)
