local arguments = require "lunula.cli.arguments"
local cjson = require "cjson"
local json = require "lunula.cli.json"
local progress = require "lunula.progress"
local run = require "spec.support.run"

local unpack = table.unpack or unpack  -- luacheck: ignore

describe("command-line arguments", function()
  local bake = {
    name = "bake", summary = "bake a cake",
    positional = {
      { name = "CAKE", what = "which" },
      { name = "PLATE", what = "for it", optional = true },
    },
    options = {
      { name = "eggs", type = "integer", value = "N", min = 1, max = 9,
        default = 3, what = "how many" },
      { name = "sugar-rate", type = "number", value = "X", above = 0,
        what = "grams a gram" },
      { name = "oven", value = "KIND", choices = { "gas", "wood" },
        what = "to bake in" },
      { name = "glaze", type = "boolean", default = true, what = "leave bare" },
      { name = "nuts", type = "boolean", what = "add some" },
      { name = "minutes-in-the-oven", value = "N", what = "how long" },
      { name = "fruit", type = "list", value = "NAMES", what = "on top" },
    },
  }

  local function parse(...)
    return arguments.parse(bake, { "bake", ... })
  end

  local function mistake(...)
    local ok, why = pcall(parse, ...)
    assert.is_false(ok)
    return why.usage
  end

  it("come with a space or with =, in any order", function()
    assert.are.same({ cake = "tart", plate = "-", eggs = 4, sugar_rate = 5e-5,
      oven = "gas", glaze = true },
      parse("--eggs", "4", "tart", "--sugar-rate=5e-5", "-", "--oven=gas"))
  end)

  it("turn off with --no- what is on, and on what is off", function()
    local values = parse("tart", "--no-glaze", "--nuts")
    assert.is_false(values.glaze)
    assert.is_true(values.nuts)
  end)

  it("take all after -- as it stands", function()
    assert.are.equal("--nuts", parse("--", "--nuts").cake)
  end)

  it("name the closest option when one is unknown", function()
    assert.are.equal("unknown option '--egs'; do you mean --eggs?",
      mistake("tart", "--egs", "3"))
    assert.are.equal("unknown option '--glaze'; do you mean --no-glaze?",
      mistake("tart", "--glaze"))
    assert.are.equal("unknown option '-nuts'; do you mean --nuts?",
      mistake("tart", "-nuts"))
  end)

  it("say what a value should be", function()
    assert.are.equal("--eggs: expected a whole number from 1 to 9, got '0'",
      mistake("tart", "--eggs=0"))
    assert.matches("from 0 to 9007199254740992,", select(2, pcall(
      arguments.parse, { name = "bake", positional = {}, options = { {
        name = "seed", type = "integer", min = 0, max = 2 ^ 53 } } },
      { "bake", "--seed=x" })).usage, 1, true)
    for _, bad in ipairs { "x", "", "0x3", "3.5", "-1", "1e999" } do
      assert.matches("^%-%-eggs: expected", mistake("tart", "--eggs", bad))
    end
    for _, bad in ipairs { "0", "inf", "nan", "1e999", "1e", "0x1p4" } do
      assert.matches("^%-%-sugar%-rate: expected a number above 0",
        mistake("tart", "--sugar-rate", bad))
    end
    assert.are.equal("--oven: expected gas, wood, got 'coal'",
      mistake("tart", "--oven", "coal"))
  end)

  it("say both bounds of a value", function()
    local function said(bounds, value)
      bounds.name, bounds.type = "heat", "number"
      local ok, why = pcall(arguments.parse, { name = "bake",
        positional = {}, options = { bounds } }, { "bake", "--heat=" .. value })
      return not ok and why.usage
    end
    assert.is_false(said({ above = 0, max = 1 }, 1))
    assert.are.equal("--heat: expected a number above 0 and of at most 1, "
      .. "got '1.5'", said({ above = 0, max = 1 }, 1.5))
    assert.is_false(said({ min = 0, below = 1 }, 0.9))
    assert.are.equal("--heat: expected a number of at least 0 and below 1, "
      .. "got '1'", said({ min = 0, below = 1 }, 1))
  end)

  it("are complete, and not too many", function()
    assert.are.equal("CAKE is missing: lunula bake [options] CAKE [PLATE]",
      mistake())
    assert.are.equal("'c' is too much: lunula bake [options] CAKE [PLATE]",
      mistake("a", "b", "c"))
    assert.are.equal("--eggs needs a value", mistake("tart", "--eggs"))
    assert.are.equal("--eggs needs a value",
      mistake("tart", "--eggs", "--nuts"))
    assert.are.equal("--nuts takes no value", mistake("tart", "--nuts=yes"))
    assert.are.equal("--eggs is given twice",
      mistake("tart", "--eggs=1", "--eggs=2"))
  end)

  it("are lists where commas stand between texts", function()
    assert.are.same({ "fig", "red plum" },
      parse("tart", "--fruit=fig,red plum").fruit)
    for _, bad in ipairs { "", ",", "fig,", "fig,,plum" } do
      assert.matches("^%-%-fruit: expected texts with commas between them",
        mistake("tart", "--fruit", bad))
    end
  end)

  it("are written as they are read", function()
    for _, words in ipairs { {}, { "--eggs=4", "--sugar-rate=2e-05",
      "--no-glaze", "--nuts", "--minutes-in-the-oven=a b" },
      { "--sugar-rate=0.3", "--oven=wood",
        "--fruit=fig,plum" } } do
      local values = parse("tart", unpack(words))
      assert.are.same(words, arguments.words(bake.options, values))
    end
    local third = parse("tart",
      unpack(arguments.words(bake.options, { sugar_rate = 1 / 3 })))
    assert.are.equal(1 / 3, third.sugar_rate)
  end)

  it("may be completed before the defaults are", function()
    local asked
    local command = { name = "bake", positional = {}, options = bake.options,
      complete = function(values)
        asked = values.eggs
        values.eggs = values.eggs or 7
      end }
    assert.are.equal(7, arguments.parse(command, { "bake" }).eggs)
    assert.is_nil(asked)
    assert.are.equal(2, arguments.parse(command, { "bake", "--eggs=2" }).eggs)
  end)

  it("explain themselves", function()
    local help = arguments.help(bake)
    assert.matches("usage: lunula bake [options] CAKE [PLATE]\n", help, 1, true)
    assert.matches("\n  --eggs N               how many (3)\n", help, 1, true)
    assert.matches("\n  --no-glaze             leave bare\n", help, 1, true)
    assert.matches("\n  --minutes-in-the-oven N\n" .. (" "):rep(25)
      .. "how long\n", help, 1, true)
    assert.are.same({ help = true }, parse("--help"))
  end)

  it("explain themselves in groups, and in 80 columns", function()
    local said = ("as much as there is of it, "):rep(4) .. "or more"
    local help = arguments.help { name = "bake", summary = "bake a cake",
      positional = {}, options = {
        { name = "eggs", value = "N", what = said },
        { name = "nuts", type = "boolean", section = "Taste",
          what = "add some" } } }
    assert.matches("\n  %-%-eggs N               as much", help)
    assert.matches("\n\nTaste:\n  %-%-nuts                 add some\n$", help)
    local whole = help:match "(as much.-)\n\nTaste"
    assert.are.equal(said, (whole:gsub("\n" .. (" "):rep(25), " ")))
    for line in help:gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
  end)
end)

describe("a message of the library on the command line", function()
  it("names options as they are typed", function()
    local command = { options = {
      { name = "as-is", choices = { "a", "b-c" } },
      { name = "shuffle", type = "boolean", default = true },
      { name = "new-head", type = "boolean" }, { name = "text" } } }
    for said, typed in pairs {
      ["give as_is = 'b-c' to go on"] = "give --as-is b-c to go on",
      ["shuffle = false excludes it"] = "--no-shuffle excludes it",
      ["new_head = true: no"] = "--new-head: no",
      ["text = 'a'"] = "text = 'a'",
      ["reshuffle = false"] = "reshuffle = false",
      ["shuffle = falsely"] = "shuffle = falsely",
    } do
      assert.are.equal(typed, arguments.as_typed(command, said))
    end
  end)
end)

describe("JSON of the command line", function()
  it("keeps the order that it is given", function()
    assert.are.equal('{"text":"x","n":[1,2.5],"label":"\239\191\189"}',
      json.object({ n = { 1, 2.5 }, text = "x", label = "\255" },
        { "text", "n", "label" }))
  end)

  it("refuses what is no number in JSON", function()
    for _, bad in ipairs { 0 / 0, 1 / 0, -1 / 0 } do
      assert.has_error(function() json.object({ score = bad }, { "score" }) end)
    end
  end)

  it("is null in a file where there is no number to write", function()
    local path = os.tmpname()
    json.write(path, { steps = { { loss = 0 / 0, step = 1 } } })
    local file = assert(io.open(path))
    assert.are.same({ steps = { { loss = cjson.null, step = 1 } } },
      cjson.decode(file:read("*a")))
    file:close()
    os.remove(path)
    assert.has_error(function() json.write("/nowhere/x.json", {}) end)
  end)
end)

describe("progress", function()
  local function drawn(terminal, use)
    local path = os.tmpname()
    local file = assert(io.open(path, "w+"))
    use(progress.new(file, terminal))
    file:seek("set")
    local text = file:read("*a")
    file:close()
    os.remove(path)
    return text
  end

  local function run_of(steps)
    return function(bar)
      for i = 1, steps do
        bar:step({ step = i, steps = steps, epoch = 1, loss = 1 / i,
          seconds = i * 0.01, tokens_per_second = 1234.4 })
      end
      bar:say("done")
    end
  end

  it("is a few plain lines where there is no terminal", function()
    local text = drawn(false, run_of(1000))
    local _, lines = text:gsub("\n", "")
    assert.are.equal(1 + 20 + 1, lines)
    assert.matches("step 500/1000  epoch 1  loss 0.0020  1234 tokens/s  "
      .. "0:05 left\n", text, 1, true)
    assert.is_nil(text:find("[\r\27]"))
  end)

  it("is a bar that is taken away, on a terminal", function()
    local text = drawn(true, run_of(1000))
    local _, states = text:gsub("\r%[", "")
    assert.is_true(states > 80 and states < 130)
    assert.matches("\r[=======       ] step 5", text, 1, true)
    assert.matches("0:00 left\27%[K\r\27%[Kdone\n$", text)
  end)

  it("never wraps the terminal's line", function()
    local text = drawn(true, function(bar)
      bar:step({ step = 1234567, steps = 12345678, epoch = 1000, loss = 123.4,
        seconds = 360000, tokens_per_second = 123456 })
      bar:download(("long name "):rep(20), 5, 10)
      bar:step({ step = 5, steps = 5, epoch = 1, loss = 0.5, seconds = 9,
        tokens_per_second = 1234 })
    end)
    local states = 0
    for state in text:gmatch("\r([^\r\27]+)") do
      states = states + 1
      assert.is_true(#state < 80, state)
    end
    assert.are.equal(3, states)
  end)

  it("is taken away when something fails, before anybody says so", function()
    local text = drawn(true, function(bar)
      assert.has_error(function()
        bar:during(function(name)
          bar:download(name, 1, 2)
          error("cut", 0)
        end, "weights")
      end, "cut")
      assert.are.same({ 1, nil, 3 }, { bar:during(function(...)
        return ...
      end, 1, nil, 3) })
    end)
    assert.matches("MB\27%[K\r\27%[K$", text)
  end)

  local function texts_of(seconds)
    return function(bar)
      for i = 1, 1000 do
        bar:texts({ done = i * 1e6, total = 1e9, texts = i * 50,
          seconds = i * seconds / 1000 })
      end
    end
  end

  it("says how far the texts of a file are, unless they are soon answered",
    function()
      assert.are.equal("", drawn(false, texts_of(4.9)))
      local text = drawn(false, texts_of(500))
      local _, lines = text:gsub("\n", "")
      assert.is_true(lines >= 19 and lines <= 21)
      assert.matches("\n 50 %  25000 texts  100 texts/s  4:10 left\n", text,
        1, true)
      local _, states = drawn(true, texts_of(4.9)):gsub("\r%[", "")
      assert.is_true(states > 30 and states < 50)
    end)

  it("shows a download", function()
    local text = drawn(true, function(bar)
      for i = 1, 90 do bar:download("model.safetensors", i * 1e6, 90e6) end
    end)
    assert.matches("[=======       ] model.safetensors  45.0 MB", text,
      1, true)
    assert.are.equal("model.safetensors: 90.0 MB\n",
      drawn(false, function(bar)
        for i = 1, 90 do bar:download("model.safetensors", i * 1e6, 90e6) end
      end))
  end)
end)

describe("lunula", function()
  it("explains itself and each of its commands", function()
    local text, code = run.lunula { "--help" }
    assert.are.equal(0, code)
    for name in ("fetch train evaluate predict tokenize sweep active bench")
      :gmatch("%a+") do
      assert.matches("\n  " .. name .. " +%a", text)
      local help, status, said = run.lunula { name, "--help" }
      assert.are.equal(0, status, said)
      assert.matches("^usage: lunula " .. name .. " .*%-%-help", help)
      for line in help:gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
    end
  end)

  it("ends with 2 and one line when it is used wrongly", function()
    for _, words in ipairs { {}, { "trian" }, { "--versoin" }, { "fetch" },
      { "train" }, { "predict" }, { "evaluate", "m" }, { "tokenize", "--x" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--precision=fp64" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--batch-tokens=1" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--batch-tokens=100", "--batch-size=8" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--group-by-length", "--no-shuffle" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--epochs=none" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--recipe=bset" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--recipe=best", "--patience=2" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--schedule=lineal" },
      { "train", "--model=m", "--train=t.csv", "--output=o",
        "--calibrate" },
      { "predict", "m", "f", "--format=xml" },
      { "predict", "m", "f", "--precision=fp64" },
      { "predict", "m", "f", "--stride=2" },
      { "predict", "m", "f", "--min-score=95" },
      { "predict", "m", "f", "--truncation=middle" },
      { "predict", "m", "f", "--batch-size=2", "--batch-tokens=100" },
      { "evaluate", "m", "f", "--precision=fp64" } } do
      local text, code, said = run.lunula(words)
      assert.are.equal(2, code)
      assert.are.equal("", text)
      assert.matches("^lunula: [^\n]+\n$", said)
    end
  end)

  it("ends with 1 and one line when it fails", function()
    local text, code, said = run.lunula { "fetch", "no-such-thing" }
    assert.are.equal(1, code)
    assert.are.equal("", text)
    assert.matches("^lunula: unknown name 'no%-such%-thing'[^\n]+\n$", said)
  end)
end)

describe("the answers to a stream of texts", function()
  it("take no more memory for a longer stream", function()
    local path = os.tmpname()
    local function peak(lines)
      local file = assert(io.open(path, "w"))
      for _ = 1, lines / 1000 do
        file:write((("a film of words "):rep(6) .. "\n"):rep(1000))
      end
      file:close()
      local text, code, said = run.lua(([[
        local texts = require "lunula.cli.texts"
        local n = 0
        texts.answer({ f = %q, format = "lines" }, function(batch)
          n = n + #batch
          return batch
        end)
        io.stderr:write(n, " ", require("lunula.core").system.peak_rss())
      ]]):format(path), run.MEASURED)
      assert.are.equal(0, code, said)
      local answered, mib = said:match "(%d+) (%S+)$"
      assert.are.equal(lines, tonumber(answered))
      assert.are.equal(lines, select(2, text:gsub("\n", "")))
      return tonumber(mib)
    end
    local before = peak(4000)
    assert.is_true(peak(120000) < before + 4)
    os.remove(path)
  end)

  local ECHO = [[
    local json, texts = require "lunula.json", require "lunula.cli.texts"
    texts.answer({ f = %s, text = %s, format = %s }, function(batch)
      local lines = {}
      for i, text in ipairs(batch) do lines[i] = json.encode(text) end
      return lines
    end)
  ]]

  local function answers(input, format, column)
    local function quoted(s) return s and ("%q"):format(s) or "nil" end
    local text, code, said = run.lua_with_input(input,
      ECHO:format("nil", quoted(column), quoted(format)))
    assert.are.equal(0, code, said)
    local lines = {}
    for line in text:gmatch("[^\n]+") do
      lines[#lines + 1] = cjson.decode(line)
    end
    return lines
  end

  it("are one for each line, in their order", function()
    local input, expected = {}, {}
    for i = 1, 200 do
      input[i], expected[i] = "text " .. i .. "\n", "text " .. i
    end
    assert.are.same(expected, answers(table.concat(input)))
  end)

  it("are given to plain lines and to JSON objects, empty ones too",
    function()
      assert.are.same({ "a", "b \n c", "", "[d]" },
        answers('a\n{"text": "b \\n c", "x": 1}\n\n[d]\n'))
    end)

  it("are given to columns when the format is named", function()
    assert.are.same({ 'x "y", z', "" },
      answers('id,body\n1,"x ""y"", z"\n2,\n', "csv", "body"))
  end)
end)
