local cjson = require "cjson"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local encoded = require "lunula.encoded"
local run = require "spec.support.run"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"
local tokenizer = require "lunula.tokenizer"
local windows = require "lunula.windows"

local FIXTURE = "spec/fixtures/tokenizer"

-- The fixture's tokenizer with those of its added tokens that are named: what
-- is added decides whether, and where, a text may be cut while it is read.
local function load_with(names)
  local file = assert(io.open(FIXTURE .. "/tokenizer.json", "rb"))
  local made, dir = cjson.decode(file:read "*a"), tiny.temporary()
  file:close()
  local kept, next_id = {}, 0
  for _ in pairs(made.model.vocab) do next_id = next_id + 1 end
  for _, token in ipairs(made.added_tokens) do
    if token.id < 5 or names:find(token.content, 1, true) then
      if not made.model.vocab[token.content] then
        token.id, next_id = next_id, next_id + 1
      end
      kept[#kept + 1] = token
    end
  end
  made.added_tokens = kept
  file = assert(io.open(dir .. "/tokenizer.json", "wb"))
  file:write(cjson.encode(made))
  file:close()
  local loaded = tokenizer.load(dir)
  tiny.remove(dir)
  return loaded
end

local TOKENIZERS = {
  ["all the fixture's added tokens"] = tokenizer.load(FIXTURE),
  ["special tokens alone"] = load_with "",
  ["added tokens as written"] = load_with "<e1> <E2>",
  ["added tokens in the normalised text"] = load_with "word Zo\195\171",
}
local t = load_with "<e1> <E2>"
local WORDS = { "the", "cat", "un", "hello", "word", "zoe", "a", "b", "c" }

-- n words, the same ones always
local function words(n, seed)
  local rng, list = core.rng(seed or 1, 0), {}
  for i = 1, n do list[i] = WORDS[rng:below(#WORDS) + 1] end
  return table.concat(list, " ")
end

local function concat(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, value in ipairs(list) do all[#all + 1] = value end
  end
  return all
end

local function slice(list, from, to)
  local piece = {}
  for i = from, to do piece[#piece + 1] = list[i] end
  return piece
end

-- the tokens of a text alone, and their spans
local function whole(text, with)
  local batch = (with or t):encode(text,
    { max_length = false, add_special_tokens = false, spans = true })
  return batch.ids:totable(), batch.spans:totable()
end

-- the ids of each sequence
local function sequences(batch)
  local ids, offsets, list = batch.ids:totable(), batch.offsets:totable(), {}
  for i = 1, #offsets - 1 do
    list[i] = slice(ids, offsets[i] + 1, offsets[i + 1])
  end
  return list
end

local function around(ids)
  return concat({ t.cls_id }, ids, { t.sep_id })
end

local function encode(texts, truncation, max_length, more)
  local given = { truncation = truncation, max_length = max_length,
    count_truncated = true, spans = true }
  for name, value in pairs(more or {}) do given[name] = value end
  return t:encode(texts, given)
end

describe("truncation", function()
  -- shorter than max_length, as long, longer, and so long that what is not
  -- kept is let go on the way
  local TEXTS = {}
  for i, n in ipairs { 0, 1, 5, 13, 14, 15, 40, 1000, 6000 } do
    TEXTS[i] = words(n, i)
  end

  it("keeps the head", function()
    local batch = encode(TEXTS, "head", 16)
    for i, ids in ipairs(sequences(batch)) do
      assert.are.same(around(slice(whole(TEXTS[i]), 1, 14)), ids)
    end
    assert.are.same(batch.ids:totable(),
      t:encode(TEXTS, { max_length = 16 }).ids:totable())
  end)

  it("keeps the tail", function()
    for i, ids in ipairs(sequences(encode(TEXTS, "tail", 16))) do
      local all = whole(TEXTS[i])
      assert.are.same(around(slice(all, math.max(#all - 13, 1), #all)), ids)
    end
  end)

  it("keeps a quarter of the head and the rest from the end", function()
    for most, quarter in pairs { [512] = 128, [16] = 4, [7] = 1, [3] = 0 } do
      for i, ids in ipairs(sequences(encode(TEXTS, "head_tail", most))) do
        local all, room = whole(TEXTS[i]), most - 2
        local kept = all
        if #all > room then
          kept = concat(slice(all, 1, quarter),
            slice(all, #all - (room - quarter) + 1, #all))
        end
        assert.are.same(around(kept), ids)
      end
    end
  end)

  it("keeps all in windows that overlap", function()
    for _, stride in ipairs { 0, 1, 7, 13 } do
      local batch = encode(TEXTS, "windows", 16, { stride = stride })
      local of, expected, text_of = sequences(batch), {}, {}
      for i, text in ipairs(TEXTS) do
        local all, start = whole(text), 0
        repeat
          expected[#expected + 1] =
            around(slice(all, start + 1, math.min(start + 14, #all)))
          text_of[#text_of + 1] = i - 1
          start = start + 14 - stride
        until start + stride >= #all
      end
      assert.are.same(expected, of)
      assert.are.same(text_of, batch.text_of:totable())
      assert.are.equal(0, batch.truncated)
    end
  end)

  it("gives windows half of what they have in common unless told", function()
    assert.are.same(
      encode(TEXTS, "windows", 16, { stride = 7 }).ids:totable(),
      encode(TEXTS, "windows", 16).ids:totable())
  end)

  it("does nothing where there is no limit", function()
    for _, how in ipairs { "head", "tail", "head_tail", "windows" } do
      local batch = encode(TEXTS, how, false)
      for i, ids in ipairs(sequences(batch)) do
        assert.are.same(around(whole(TEXTS[i])), ids)
      end
      assert.are.equal(0, batch.truncated)
    end
  end)

  it("says how many bytes of each text it cut", function()
    local text = "the cat  sat. zoe "  -- blanks at the end are no loss
    local _, spans = whole(text)
    local function cut(how, most)
      return encode({ text, "", "cat" }, how, most).cut:totable()
    end
    for _, how in ipairs { "head", "tail", "head_tail", "windows" } do
      assert.are.same({ 0, 0, 0 }, cut(how, #spans + 2))
    end
    assert.are.same({ #text - spans[2][2], 0, 0 }, cut("head", 4))
    assert.are.same({ spans[#spans - 1][1], 0, 0 }, cut("tail", 4))
    assert.are.same({ spans[#spans - 2][1] - spans[1][2], 0, 0 },
      cut("head_tail", 6))
    assert.are.same({ 0, 0, 0 }, cut("windows", 4))
    assert.are.same({ #text, 0, #"cat" }, cut("head", 2))
  end)

  it("counts the tokens that it cut, when asked", function()
    local ids = whole(TEXTS[9])
    for _, how in ipairs { "head", "tail", "head_tail" } do
      assert.are.equal(#ids - 14, encode(TEXTS[9], how, 16).truncated)
    end
    assert.is_nil(t:encode(TEXTS[9], { max_length = 16 }).truncated)
  end)

  describe("of pairs", function()
    local short, long = words(6, 3), words(40, 4)

    -- the two texts of a sequence, without special tokens
    local function parts(ids)
      local first, second, at = {}, {}, 2
      while ids[at] ~= t.sep_id do
        first[#first + 1], at = ids[at], at + 1
      end
      for i = at + 1, #ids - 1 do second[#second + 1] = ids[i] end
      return first, second
    end

    it("cuts each to its share of the longest first", function()
      local a, b = whole(short), whole(long)
      local function cut(how)
        return parts(sequences(encode(short, how, 23,
          { text_pairs = long }))[1])
      end
      local head, head_of_pair = cut "head"
      assert.are.same(a, head)
      assert.are.same(slice(b, 1, 20 - #a), head_of_pair)
      local tail, tail_of_pair = cut "tail"
      assert.are.same(a, tail)
      assert.are.same(slice(b, #b - (20 - #a) + 1, #b), tail_of_pair)
    end)

    it("gives the longer of two long ones the odd token, as the library",
    function()
      for _, texts in ipairs { { 300, 301 }, { 301, 300 }, { 300, 300 },
                               { 5000, 300 }, { 300, 5000 } } do
        local a, b = words(texts[1], 5), words(texts[2], 6)
        local n, m = #whole(a), #whole(b)
        for _, count in ipairs { false, true } do
          local first, second = parts(sequences(encode(a, "head", 20,
            { text_pairs = b, count_truncated = count }))[1])
          assert.are.same({ n > m and 9 or 8, n > m and 8 or 9 },
            { #first, #second })
        end
      end
    end)

    it("has the shorter one whole in every window of the longer", function()
      for _, swapped in ipairs { false, true } do
        local text = swapped and long or short
        local pair = swapped and short or long
        local batch = encode(text, "windows", 23,
          { text_pairs = pair, stride = 4 })
        local a, b = whole(short), whole(long)
        local room, start = 20 - #a, 0
        for _, ids in ipairs(sequences(batch)) do
          local first, second = parts(ids)
          if swapped then first, second = second, first end
          assert.are.same(a, first)
          assert.are.same(slice(b, start + 1, math.min(start + room, #b)),
            second)
          start = start + room - 4
        end
        assert.is_true(start + 4 >= #b)
        assert.are.same({ 0 }, batch.cut:totable())
      end
    end)

    it("has the first half of all the room of the shorter of two long ones",
    function()
      local a, b = words(50, 7), words(90, 8)
      local batch = encode(a, "windows", 23, { text_pairs = b })
      for _, ids in ipairs(sequences(batch)) do
        assert.are.same(slice(whole(a), 1, 10), (parts(ids)))
      end
      assert.are.equal(#whole(a) - 10, batch.truncated)
    end)
  end)

  it("says what is wrong with its options", function()
    assert.has_error(function() encode("a", "middle", 16) end,
      "encode: truncation: expected one of head, head_tail, tail, windows, "
        .. "got 'middle'")
    assert.has_error(function() encode("a", "tail", 16, { stride = 2 }) end,
      "encode: stride: only for truncation = 'windows'")
    assert.has_error(function() encode("a", "windows", 16, { stride = -1 }) end)
    assert.has_error(function()
      encode(("a "):rep(15), "windows", 16, { stride = 14 })
    end, "encode: texts[1]: stride 14: a window has 14 tokens of text")
    assert.are.equal(3, #encode("a", "windows", 16, { stride = 14 }).ids)
    assert.are.equal(2, #encode("", "windows", 2).ids)
    assert.has_error(function() encode("a", "windows", 2) end,
      "encode: texts[1]: a window has no room for a token")
    assert.has_error(function() encode({ "", "a" }, "windows", 1) end)
  end)
end)

describe("a text of any length", function()
  local JOINTS = { " ", ".", "\t", "\228\184\173", " \204\129", "\204\129 ",
    "\195\169", "\1", "  [SEP] ", "<E2>  ", " \227\128\128<e1>", "-", "x", "" }

  -- a text of `bytes` bytes or more: the pieces, and something between them
  local function long_text(rng, bytes)
    local parts, n = {}, 0
    while n < bytes do
      local part = WORDS[rng:below(#WORDS) + 1]
        .. JOINTS[rng:below(#JOINTS) + 1]
      parts[#parts + 1], n = part, n + #part
    end
    return table.concat(parts)
  end

  -- tokens with their spans, moved by `at`
  local function placed(all, text, with, at)
    local ids, spans = whole(text, with)
    for k, id in ipairs(ids) do
      all[#all + 1] = { id, spans[k][1] + at, spans[k][2] + at }
    end
    return all
  end

  for name, with in pairs(TOKENIZERS) do
    -- lines are shorter than what is read at once, and no token and no mark
    -- goes across their ends
    it("has the tokens of its lines, with " .. name, function()
      local rng = core.rng(9, 0)
      for _ = 1, 10 do
        local lines, expected, at = {}, {}, 0
        for i = 1, 30 do
          lines[i] = "the " .. long_text(rng, rng:below(300)) .. " cat"
          placed(expected, lines[i], with, at)
          at = at + #lines[i] + 1
        end
        assert.are.same(expected,
          placed({}, table.concat(lines, "\n"), with, 0))
      end
    end)

    it("has one token for a word that is too long, with " .. name, function()
      for _, letters in ipairs { "a", "\195\169", "\204\129a" } do
        for _, n in ipairs { 101, 127, 128, 129, 255, 256, 257, 1024, 4000 } do
          local text = "the " .. letters:rep(n) .. " cat"
          assert.are.same({ { with:id "the", 0, 3 },
            { with.unk_id, #letters > 2 and 6 or 4, #text - 4 },
            { with:id "cat", #text - 3, #text } },
            placed({}, text, with, 0))
        end
      end
    end)
  end

  it("is read in one go where signs are tokens that repeat", function()
    local n = 300000
    local batch = TOKENIZERS["added tokens in the normalised text"]:encode(
      ("[SEP]"):rep(n), { max_length = false })
    assert.are.equal(n + 2, #batch.ids)
  end)

  it("costs what its head costs", function()
    local said, _, complaint = run.lua([[
      local system = require "lunula.core".system
      local checkpoint = require "lunula.checkpoint"
      local files = checkpoint.tokenizer_files "spec/fixtures/tokenizer"
      local t = require "lunula.tokenizer".from { dir = "fixture",
        files = { ["vocab.txt"] = files["vocab.txt"] } }
      local text = ("the cat, "):rep(500000)
      local pair = ("\228\184\173\230\150\135 "):rep(500000)
      collectgarbage()
      local before = system.peak_rss()
      for _, how in ipairs { "head", "tail", "head_tail" } do
        t:encode({ text, pair, text }, { max_length = 64, truncation = how })
        t:encode(text, { text_pairs = pair, max_length = 64,
          truncation = how })
      end
      t:encode(text, { max_length = 64, count_truncated = true })
      print(system.peak_rss() - before)]], run.MEASURED)
    assert.is_truthy(tonumber(said), complaint)
    assert.is_true(tonumber(said) < 4, said .. " MiB more")
  end)
end)

describe("windows", function()
  it("are put together as their mean", function()
    assert.are.same({ { 0.5, 0.5 }, { 0.125, 0.875 }, { 1, 0 } },
      windows.mean({ { 0.5, 0.5 }, { 0.25, 0.75 }, { 0, 1 }, { 1, 0 } },
        tensor.from({ 0, 1, 1, 2 }, "int32")))
    assert.are.same({}, windows.mean({}, tensor.zeros({ 0 }, "int32")))
    assert.has_error(function()
      windows.mean({ { 1 } }, tensor.zeros({ 2 }, "int32"))
    end, "windows.mean: 1 arrays for 2 windows")
  end)

  it("are rows of an encoded set", function()
    local rows = { { text = words(30) }, { text = words(3) } }
    local set = encoded.new(t, rows, 16, "spec", { truncation = "windows" })
    assert.are.equal(#set.lengths, #set.text_of)
    assert.is_true(#set.lengths > 3)
    assert.are.same({ 0, 0 }, set.cut:totable())
  end)
end)

describe("a classifier's predict", function()
  local dir, model = tiny.temporary(), nil

  setup(function()
    tiny.write_encoder(dir)
    model = classifier(dir, { labels = { "negative", "positive" },
      max_length = 16, seed = 3 })
  end)

  teardown(function() tiny.remove(dir) end)

  local function scores_of(texts, truncation, stride)
    local list = {}
    for i, p in ipairs(model:predict(texts,
        { truncation = truncation, stride = stride })) do
      list[i] = p.scores
    end
    return list
  end

  local function is_near(expected, scores)
    for label, score in pairs(expected) do
      assert.is_near(score, scores[label], 1e-6)
    end
  end

  it("reads the part of a text that it is told to", function()
    local head, tail = words(14, 1), words(14, 2)
    local text = head .. " zoe zoe zoe " .. tail
    local of = scores_of { head, tail }
    local of_head, of_tail = of[1], of[2]
    is_near(of_head, scores_of({ text }, "head")[1])
    is_near(of_tail, scores_of({ text }, "tail")[1])
    local p = model:predict(text, { truncation = "tail" })
    assert.are.equal(#text - #tail, p.cut)
    assert.is_nil(model:predict("the cat").cut)
  end)

  it("gives the mean of a text's windows", function()
    local head, tail = words(14, 1), words(14, 2)
    local of = scores_of { head, tail }
    local mean = {}
    for label in pairs(of[1]) do
      mean[label] = (of[1][label] + of[2][label]) / 2
    end
    local got = scores_of({ "the cat", head .. " " .. tail }, "windows", 0)
    assert.are.equal(2, #got)
    is_near(scores_of({ "the cat" })[1], got[1])
    is_near(mean, got[2])
    is_near(mean, model:predict(head .. " " .. tail,
      { truncation = "windows", stride = 0 }).scores)
  end)

  it("says what is wrong with its options", function()
    assert.has_error(function() model:predict("a", { truncation = 1 }) end,
      "predict: truncation: expected one of head, head_tail, tail, windows, "
        .. "got 1")
    assert.has_error(function() model:predict("a", { stride = 1 }) end,
      "predict: stride: only for truncation = 'windows'")
  end)
end)
