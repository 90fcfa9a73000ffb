local json = require "lunula.json"

describe("json.decode", function()
  it("reads values, null and empty arrays", function()
    local value = json.decode('{"a":[1,2.5,null],"b":[ ],"c":{},"d":"[]"}',
      "x.json")
    assert.are.same({ 1, 2.5, json.null }, value.a)
    assert.are.equal('{"a":[1,2.5,null],"b":[],"c":{},"d":"[]"}',
      json.encode(value))
  end)

  it("keeps 1.0 apart from 1, for readers that do", function()
    local text = '{"a":2.0,"b":2,"c":[1.0,1,0.5],"d":"1.0","e":-3.0}'
    local value = json.decode(text, "x.json")
    assert.are.equal(2, value.a)
    assert.are.equal(text, json.encode(value))
    value.a, value.b = 0.25, 7
    assert.are.equal('{"a":0.25,"b":7,', json.encode(value):sub(1, 16))
    assert.are.equal("[100.0,0,1e-12]",
      json.encode(json.decode("[1e2,0,1e-12]", "x")))
  end)

  it("is not misled by brackets and quotes inside strings", function()
    local text = [=[{"a\"[]":["\\",[],"\\\"[ ]"],"b":[]}]=]
    assert.are.equal(text, json.encode(json.decode(text, "x.json")))
  end)

  it("names the file when the text is not valid", function()
    for _, text in ipairs { "", "{", '{"a":NaN}', "[0x10]", "[1]]", "[\255]",
      "[]\0x", '["\1"]', '"\237\160\128"', ("["):rep(129) .. ("]"):rep(129) } do
      local ok, why = pcall(json.decode, text, "config.json")
      assert.is_false(ok)
      assert.are.equal("config.json: not valid JSON: ", why:sub(1, 29))
    end
  end)

  it("reads whole numbers that look like such in messages", function()
    assert.are.equal("384", tostring(json.decode("[384]", "x")[1]))
  end)
end)

describe("json.values", function()
  it("reads what decode reads", function()
    local text = '{"a":[1,2.5,null],"b":[],"c":{"d":"[]"},"e":1.0}'
    assert.are.same({ a = { 1, 2.5, json.null }, b = {}, c = { d = "[]" },
      e = 1 }, json.values(text, "x.json"))
  end)

  it("is as strict", function()
    for _, text in ipairs { "", "[0x10]", "[\255]", "[]\0x", '["\1"]',
      ("["):rep(129) .. ("]"):rep(129) } do
      local ok, why = pcall(json.values, text, "tokenizer.json")
      assert.is_false(ok)
      assert.are.equal("tokenizer.json: not valid JSON: ", why:sub(1, 32))
    end
  end)
end)

describe("json.encode", function()
  it("sorts keys", function()
    assert.are.equal('{"a":1,"b":[true,false],"c":{}}',
      json.encode { c = {}, b = { true, false }, a = 1 })
  end)

  it("writes numbers that read back the same", function()
    for _, x in ipairs { 0.1, 1e-12, 1 / 3, 2 ^ 53 - 1, -2.5e300, 5e-324,
      123456789.123 } do
      assert.are.equal(x, tonumber(json.encode(x)))
    end
    assert.are.equal("30522", json.encode(30522))
    assert.are.equal("1e-12", json.encode(1e-12))
    assert.are.equal("0.1", json.encode(0.1))
    -- between two numbers of 17 digits: the even one, under any Lua
    assert.are.equal("0.06250381469726562", json.encode(16385 / 2 ^ 18))
  end)

  it("escapes what JSON wants escaped and leaves the rest", function()
    assert.are.equal([["a\"\\/\n\u0001é\u0000"]],
      json.encode("a\"\\/\n\1é\0"))
  end)

  it("replaces bytes that are not UTF-8", function()
    assert.are.equal('"a\239\191\189b\239\191\189\239\191\189"',
      json.encode("a\255b\192\128"))
  end)

  it("refuses what JSON can't say", function()
    local ring = {}
    ring.ring = ring
    for _, value in ipairs { 0 / 0, 1 / 0, print, ring, { 1, a = 2 },
      { [2] = 1 } } do
      assert.has_error(function() json.encode(value) end)
    end
  end)
end)

describe("json.pretty", function()
  it("has null where a number is none, and keeps an empty array", function()
    assert.are.equal('{"list":[],"loss":null,"n":1}', json.encode(
      json.finite { loss = 0 / 0, n = 1, list = json.array() }))
  end)

  it("is indented as Hugging Face's files", function()
    assert.are.equal('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {},\n'
      .. '  "c": []\n}\n',
      json.pretty { a = { 1, 2 }, b = {}, c = json.array() })
  end)
end)
