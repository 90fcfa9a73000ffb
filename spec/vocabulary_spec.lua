local cjson = require "cjson"
local file = require "spec.support.file"
local json = require "lunula.json"
local tiny = require "spec.support.tiny"
local tokenizer = require "lunula.tokenizer"
local vocabulary = require "lunula.core".vocabulary

local WHOLE = { max_length = false }
local FIXTURE = "spec/fixtures/tokenizer"

local read, write = file.read, file.write

describe("core.vocabulary", function()
  it("finds tokens by their ids", function()
    local v = vocabulary.list { "a", "", "b\0c", "\195\169" }
    assert.are.equal(4, v:count())
    for i, token in ipairs { "a", "", "b\0c", "\195\169" } do
      assert.are.equal(i - 1, v:id(token))
    end
    assert.is_nil(v:id "b")
  end)

  it("is read from the lines of a file", function()
    local v = vocabulary.lines "[UNK]\r\n\na\rb\r\n\r\r\n##c"
    assert.are.equal(5, v:count())
    for i, token in ipairs { "[UNK]", "", "a\rb", "\r", "##c" } do
      assert.are.equal(i - 1, v:id(token))
    end
    assert.are.equal(0, vocabulary.lines "":count())
  end)

  it("is read from JSON as the library writes it", function()
    local text = 'x{"a": 0,"\195\169"\n: 1, "\\"\\\\\\/\\t":2 ,"":3}rest'
    local v, behind = vocabulary.json(text, 2)
    assert.are.equal("rest", text:sub(behind))
    for i, token in ipairs { "a", "\195\169", '"\\/\t', "" } do
      assert.are.equal(i - 1, v:id(token))
    end
  end)

  it("leaves all other JSON to the parser", function()
    for _, text in ipairs {
      "", "{", "{}", "[]", '{"a"', '{"a":', '{"a":0', '{"a":0,', '{"a":0,}',
      '{"a":1}', '{"a":0,"b":0}', '{"a":1,"b":0}', '{"a":0,"a":1}',
      '{"a":-0}', '{"a":0.0}', '{"a":0e0}', '{"a":00}', '{"a":"0"}',
      '{"a":0 1}', '{"a":0"b":1}', '{a:0}', "{'a':0}", '{"\\u0061":0}',
      '{"\\x":0}', '{"\n":0}', '{"\0":0}', '{"\255":0}', '{"a\\', '{"a\\"',
      '{"a":0,"b":18446744073709551617}', '{"' .. ("a"):rep(5000) .. '":0}',
    } do
      assert.is_nil(vocabulary.json(text .. " ", 1), text)
    end
    assert.has_error(function() vocabulary.json("{}", 3) end)
    assert.has_error(function() vocabulary.json("{}", 0) end)
  end)

  it("has each token once, as UTF-8", function()
    assert.has_error(function() vocabulary.list { "a", "b", "a" } end,
      "token 'a' has two ids, 0 and 2")
    assert.has_error(function() vocabulary.lines "a\nb\nb\n" end,
      "3: token 'b' was on line 2")
    assert.has_error(function() vocabulary.list { "a", "\255" } end,
      "token 1 is not valid UTF-8")
    assert.has_error(function() vocabulary.list { "a", 3 } end,
      "token 1: expected a string, got number")
  end)

  it("is empty once a tokenizer took it", function()
    local reader = require "lunula.tokenizer.reader"
    local core = require "lunula.core"
    local settings = reader.read("", {
      ["vocab.txt"] = read(FIXTURE .. "/vocab.txt"),
    }).core
    core.tokenizer(settings)
    assert.has_error(function() settings.vocabulary:count() end)
    assert.has_error(function() core.tokenizer(settings) end)
  end)
end)

describe("a tokenizer.json", function()
  local dir = tiny.temporary()
  local settings = cjson.decode(read(FIXTURE .. "/tokenizer.json"))
  local tokens = {}
  for token, id in pairs(settings.model.vocab) do tokens[id + 1] = token end

  teardown(function() tiny.remove(dir) end)

  -- the fixture, its vocabulary written by hand
  local function load_with(entries, change)
    settings.model.vocab = "VOCABULARY"
    local text = cjson.encode(settings)
    local list = "{" .. table.concat(entries, ",") .. "}"
    text = text:gsub('"VOCABULARY"', function() return list end)
    write(dir .. "/tokenizer.json", change and change(text) or text)
    return tokenizer.load(dir)
  end

  local function entries_in(order)
    local entries = {}
    for i = 1, #tokens do
      local at = order(i)
      entries[i] = json.encode(tokens[at]) .. ":" .. at - 1
    end
    return entries
  end

  local IN_ORDER = entries_in(function(i) return i end)
  local plain = tokenizer.load(FIXTURE)

  local function is_the_fixture(t)
    assert.are.equal(#plain, #t)
    for id = 0, #plain - 1 do
      assert.are.equal(plain:token(id), t:token(id))
      assert.are.equal(id, t:id(plain:token(id)))
    end
    for line in io.lines(FIXTURE .. "/cases.jsonl") do
      local text = cjson.decode(line).text or ""
      assert.are.same(plain:encode(text, WHOLE).ids:totable(),
        t:encode(text, WHOLE).ids:totable())
    end
  end

  it("is read alike whatever the order of its vocabulary", function()
    is_the_fixture(load_with(IN_ORDER))
    is_the_fixture(load_with(entries_in(function(i)
      return #tokens + 1 - i
    end)))
  end)

  it("is read right where something else looks like its vocabulary",
  function()
    is_the_fixture(load_with(IN_ORDER, function(text)
      return '{"before":{"vocab":{"a":0}},' .. text:sub(2)
    end))
    is_the_fixture(load_with(IN_ORDER, function(text)
      return '{"before":"\\"vocab\\":{",' .. text:sub(2)
    end))
  end)

  it("is not read when it is broken behind its vocabulary", function()
    for _, cut in ipairs { "}", "" } do
      local ok, why = pcall(load_with, IN_ORDER, function(text)
        return text:gsub("}$", cut) .. (cut == "}" and "," or "")
      end)
      assert.is_false(ok)
      assert.matches("tokenizer.json: not valid JSON: ", why, 1, true)
    end
  end)
end)
