local cjson = require "cjson"
local classifier = require "lunula.classifier"
local compare = require "lunula.compare"
local csv = require "lunula.data.csv"
local data = require "lunula.data"
local file = require "spec.support.file"
local mcnemar = require "lunula.metrics.mcnemar"
local parse = require "lunula.compare.parse"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"
local train = require "lunula.train"

local unpack = table.unpack or unpack  -- luacheck: ignore

describe("An answer", function()
  local parser = parse.new({ "Joy", "not joy", "No. 5" },
    { glad = "Joy", ["0"] = "not joy" }, "none")

  it("is a label as it is written, but for case, quotes and a full stop",
    function()
      for _, said in ipairs { "Joy", "joy", " JOY\n", '"Joy"', "'joy'.",
        '"joy."', "“Joy”", "`joy`", "«Joy».", "joy .", "glad", "'Glad.'" } do
        assert.are.equal("Joy", parser:read(said).label, said)
      end
      assert.are.equal("not joy", parser:read("0.").label)
      assert.are.equal("No. 5", parser:read("no. 5.").label)
    end)

  it("is nothing when there is more around a label, or less of it",
    function()
      for _, said in ipairs { "", " ", ".", '""', "Joy!", "Label: Joy",
        "joy, I think", "**Joy**", "jo", "Joy..", '""Joy""', "joy\nnot joy",
        "not_joy", '"Joy' } do
        assert.is_true(parser:read(said).unparsed, said)
      end
    end)

  it("takes no time to speak of, however much space is in it", function()
    local space = (" "):rep(2 ^ 20)
    assert.is_true(parser:read("joy" .. space .. "!").unparsed)
    assert.are.equal("Joy", parser:read(space .. '"joy' .. space .. '".').label)
    assert.is_true(parser:read(space).unparsed)
  end)

  it("may say that there is none", function()
    assert.is_true(parser:read("None.").abstained)
    assert.is_true(parse.new({ "a" }, nil, ""):read(" ").abstained)
  end)

  it("is unclear where two labels differ in case alone", function()
    local both = parse.new { "us", "US" }
    assert.are.equal("US", both:read("US.").label)
    assert.are.equal("us", both:read("us").label)
    assert.is_true(both:read("Us").unparsed)
  end)

  it("may be mapped to a label only, and a label is no abstention",
    function()
      assert.has_error(function() parse.new({ "a", "b" }, { x = "c" }) end,
        "compare: map: 'x' is to be 'c', which is no label; there are: a, b")
      assert.has_error(function() parse.new({ "a" }, nil, "a") end,
        "compare: abstain: 'a' is a label")
      assert.has_error(function() parse.new({ "a" }, { x = "a" }, "x") end,
        "compare: abstain: 'x' is a label's other name in the map")
    end)

  it("may be mapped to the label that another one has the name of",
    function()
      local swapped = parse.new({ "0", "1" }, { ["0"] = "1", ["1"] = "0" })
      assert.are.equal("1", swapped:read("0").label)
      assert.are.equal("0", swapped:read("1").label)
    end)
end)

describe("A comparison", function()
  local dir, model, rows, ours

  local function path(name) return dir .. "/" .. name end

  local function write(name, records)
    local lines = {}
    for i, record in ipairs(records) do lines[i] = csv.line(record) .. "\n" end
    file.write(path(name), table.concat(lines))
    return path(name)
  end

  local OTHER = { positive = "negative", negative = "positive" }

  -- right but on each fifth text
  local function answer_to(i)
    return i % 5 == 0 and OTHER[rows[i].label] or rows[i].label
  end

  -- answers to all texts, which a function may change
  local function records_of(change)
    local records = { { "query", "said" } }
    for i, row in ipairs(rows) do
      local record = { row.text, answer_to(i) }
      if change then record = change(i, record) end
      records[#records + 1] = record
    end
    return records
  end

  local function theirs_of(records, given)
    given = given or { prediction = "said", text = "query" }
    return compare.read(write("theirs.csv", records), given)
  end

  local function compared(records, given)
    given = given or {}
    given.against = theirs_of(records)
    return compare(model, rows, given)
  end

  local function refusal(records, given)
    local ok, why = pcall(compared, records, given)
    assert.is_false(ok)
    return why
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(path "encoder")
    local all = tiny.reviews(100)
    for i, row in ipairs(all) do row.text = row.text .. " " .. i end
    local learnt, records = {}, { { "text", "label" } }
    rows = {}
    for i, row in ipairs(all) do
      table.insert(i <= 60 and learnt or rows, row)
    end
    for i, row in ipairs(rows) do records[i + 1] = { row.text, row.label } end
    write("test.csv", records)
    model = classifier(path "encoder", { labels = { "negative", "positive" } })
    train(model, learnt, { epochs = 2, batch_size = 8, learning_rate = 2e-3 })
    model:save(path "model")
    rows = data.read(path "test.csv")
    ours = {}
    for i, row in ipairs(rows) do ours[i] = model:predict(row.text).label end
  end)

  teardown(function() tiny.remove(dir) end)

  it("counts what both, one or none got right", function()
    local found, n = compared(records_of()), { 0, 0, 0, 0 }
    for i, row in ipairs(rows) do
      local a, b = ours[i] == row.label, answer_to(i) == row.label
      local cell = (a and 0 or 2) + (b and 1 or 2)
      n[cell] = n[cell] + 1
    end
    assert.are.equal(40, found.n)
    assert.are.same(n, { found.both, found.mcnemar.only_a,
      found.mcnemar.only_b, found.neither })
    assert.are.equal(mcnemar(n[2], n[3]), found.mcnemar.p)
    assert.is_near((n[1] + n[2]) / 40, found.a.accuracy, 1e-12)
    assert.is_near(32 / 40, found.b.accuracy, 1e-12)
    assert.is_near(found.a.accuracy - found.b.accuracy, found.difference.mean,
      1e-12)
    assert.is_true(found.b.low < 0.8 and 0.8 < found.b.high)
    assert.is_true(found.difference.low <= found.difference.mean
      and found.difference.mean <= found.difference.high)
  end)

  it("gives each label its recall, and the mean F1 of all", function()
    local found = compared(records_of(function(i, record)
      return { record[1], i and "positive" }
    end))
    local recall = {}
    for _, one in ipairs(found.per_label) do recall[one.label] = one.b end
    assert.are.same({ negative = 0, positive = 1 }, recall)
    assert.is_near((0 + 2 * 20 / (20 + 40)) / 2, found.b.macro_f1, 1e-12)
    assert.are.equal("negative", found.per_label[1].label)
  end)

  it("shows texts on which one is right and the other not", function()
    local found = compared(records_of(function(i, record)
      record[2] = OTHER[ours[i]]
      return record
    end), { examples = 3 })
    assert.are.equal(0, found.both)
    assert.are.equal(0, found.neither)
    local wins = #found.wins.a > 0 and found.wins.a or found.wins.b
    for _, one in ipairs(wins) do
      assert.are.equal(rows[one.row].text, one.text)
      assert.are.equal(rows[one.row].label, one.label)
      assert.are_not.equal(one.a, one.b)
    end
    assert.is_true(#wins <= 3)
  end)

  it("finds answers by their text, in whatever order they are", function()
    local in_order, records = compared(records_of()), records_of()
    local shuffled = { records[1] }
    for i = #records, 2, -1 do shuffled[#shuffled + 1] = records[i] end
    local found = compared(shuffled)
    for _, name in ipairs { "both", "neither", "mcnemar", "difference" } do
      assert.are.same(in_order[name], found[name])
    end
  end)

  it("looks past space, quotes, dashes and full stops where the bytes of a "
    .. "text are nowhere", function()
    local found = compared(records_of(function(i, record)
      if i == 1 then record[1] = ' "' .. record[1]:gsub(" ", "  ") .. '" ' end
      if i == 2 then record[1] = "\226\128\147 " .. record[1] .. "…" end
      if i == 3 then record[1] = "\194\150“" .. record[1] .. "”" end
      return record
    end))
    assert.are.equal(3, found.matched_loosely)
    assert.is_near(32 / 40, found.b.accuracy, 1e-12)
    assert.matches("3 answers found by text, but for", tostring(found), 1, true)
  end)

  it("takes the answer to the same bytes before one to a like text",
    function()
      local records = records_of()
      for i, row in ipairs(rows) do
        table.insert(records, 2, { row.text .. ".", OTHER[answer_to(i)] })
      end
      local found = compared(records)
      assert.is_near(32 / 40, found.b.accuracy, 1e-12)
      assert.are.equal(0, found.matched_loosely)
      assert.are.equal(40, found.left_out.extra)
    end)

  it("does not choose between answers to two like texts", function()
    local records = records_of()
    records[2][1] = rows[1].text .. " ."
    table.insert(records, { rows[1].text .. "!", "positive" })
    table.insert(records, { rows[1].text .. "..", OTHER[answer_to(1)] })
    assert.matches("theirs.csv: 1 text has different answers, the first of "
      .. "them '%l+' in .*theirs.csv:2 and '%l+' in .*theirs.csv:43",
      refusal(records))
  end)

  it("is refused where texts have no answer, with how many and the first",
    function()
      local records = records_of()
      table.remove(records, 20)
      table.remove(records, 10)
      assert.matches("theirs.csv: no answer to 2 of 40 texts, the first of "
        .. "them .*test.csv:10; partial", refusal(records))
    end)

  it("may be of those texts alone that have an answer, and says so",
    function()
      local records = records_of()
      for i = #records, 22, -1 do records[i] = nil end
      local found = compared(records, { partial = true })
      assert.are.equal(20, found.n)
      assert.are.equal(20, found.left_out.not_covered)
      assert.is_near(16 / 20, found.b.accuracy, 1e-12)
      assert.matches("20 texts without an answer, not judged",
        tostring(found), 1, true)
    end)

  it("is refused where no text is the same, whatever was asked", function()
    local records = records_of(function(_, record)
      record[1] = "other: " .. record[1]
      return record
    end)
    assert.matches("none of its texts is among the 40",
      refusal(records, { partial = true }), 1, true)
  end)

  it("counts the same answer twice, and refuses two that differ", function()
    local records = records_of()
    records[#records + 1] = { rows[7].text, answer_to(7) }
    records[#records + 1] = { rows[7].text, answer_to(7):upper() .. "." }
    local found = compared(records)
    assert.are.equal(2, found.left_out.doubled)
    assert.is_near(32 / 40, found.b.accuracy, 1e-12)
    records[#records + 1] = { rows[7].text, OTHER[answer_to(7)] }
    records[#records + 1] = { rows[9].text, OTHER[answer_to(9)] }
    assert.matches("theirs.csv: 2 texts have different answers, the first of "
      .. "them '" .. answer_to(7) .. "' in .*theirs.csv:8 and '"
      .. OTHER[answer_to(7)] .. "' in .*theirs.csv:44", refusal(records))
  end)

  it("leaves out answers to other texts, and a row of totals", function()
    local records = records_of()
    table.insert(records, 2, { "a text of no test", "sideways" })
    records[#records + 1] = { "", "1234" }
    local found = compared(records)
    assert.is_near(32 / 40, found.b.accuracy, 1e-12)
    assert.are.equal(1, found.left_out.extra)
    assert.are.equal(1, found.left_out.without_text)
    assert.matches("left out: 1 answer to other texts; 1 answer without a text",
      tostring(found), 1, true)
  end)

  it("refuses answers that are no label, with their values, or counts them as "
    .. "wrong", function()
    local function odd(i, record)
      if i <= 3 then record[2] = i < 3 and "sideways" or "" end
      return record
    end
    assert.matches("theirs.csv: 3 answers are no label, with 2 values: "
      .. "'sideways' (2), '' (1); the first in ", refusal(records_of(odd)), 1,
      true)
    local found = compared(records_of(odd), { unknown = "wrong" })
    assert.are.equal(3, found.b.unparsed)
    assert.is_near(29 / 40, found.b.accuracy, 1e-12)
    assert.matches("B gave 3 answers that are no label: counted as wrong",
      tostring(found), 1, true)
  end)

  it("reads other names of labels, and counts an abstention as wrong",
    function()
      local found = compared(records_of(function(i, record)
        record[2] = i % 10 == 1 and "-1" or record[2] == "positive" and "1"
          or "0"
        return record
      end), { map = { ["0"] = "negative", ["1"] = "positive" },
        abstain = "-1" })
      assert.are.equal(4, found.b.abstained)
      assert.are.equal(36, found.b.answered)
      assert.is_near(28 / 40, found.b.accuracy, 1e-12)
      assert.is_near(28 / 36, found.b.answered_accuracy, 1e-12)
      assert.matches("B abstained from 4 texts: counted as wrong; of the 36 "
        .. "others 0.778 are right", tostring(found), 1, true)
    end)

  it("reads a file without a header by the numbers of its columns", function()
    local records = records_of()
    table.remove(records, 1)
    local theirs = theirs_of(records,
      { header = false, prediction = 2, text = 1 })
    assert.is_near(32 / 40,
      compare(model, rows, { against = theirs }).b.accuracy, 1e-12)
  end)

  it("reads answers whose texts are the rows of another file", function()
    local answers, texts = { { "said" } }, { { "query" } }
    for i = #rows, 1, -1 do
      answers[#answers + 1], texts[#texts + 1] = { answer_to(i) },
        { rows[i].text }
    end
    local given = { prediction = "said", texts = write("texts.csv", texts),
      texts_text = "query" }
    local theirs = theirs_of(answers, given)
    assert.is_near(32 / 40,
      compare(model, rows, { against = theirs }).b.accuracy, 1e-12)
    table.remove(answers)
    local ok, why = pcall(theirs_of, answers, given)
    assert.is_false(ok)
    assert.matches("theirs.csv has 39 rows, and .*texts.csv 40", why)
  end)

  it("refuses rows of two files that have other texts", function()
    local texts = { { "query" } }
    for i, row in ipairs(rows) do texts[i + 1] = { row.text } end
    texts[4], texts[5] = texts[5], texts[4]
    local ok, why = pcall(theirs_of, records_of(), { prediction = "said",
      text = "query", texts = write("texts.csv", texts),
      texts_text = "query" })
    assert.is_false(ok)
    assert.matches("theirs.csv:4 and .*texts.csv:4: other texts in the same "
      .. "row of both", why)
  end)

  it("wants the second texts of both or of neither", function()
    local pairs_of = {}
    for i, row in ipairs(rows) do
      pairs_of[i] = { text = row.text, text_pair = "a film.",
        label = row.label }
    end
    local ok, why = pcall(compare, model, pairs_of,
      { against = theirs_of(records_of()) })
    assert.is_false(ok)
    assert.matches("theirs.csv: what is judged has a second text for each",
      why, 1, true)
    local records = records_of(function(_, record)
      record[3] = "a film."
      return record
    end)
    records[1][3] = "second"
    local found = compare(model, pairs_of, { against = theirs_of(records,
      { prediction = "said", text = "query", text_pair = "second" }) })
    assert.is_near(32 / 40, found.b.accuracy, 1e-12)
  end)

  it("needs of answers no file, only their texts and what was said",
    function()
      local answers = { name = "gpt", rows = {} }
      for i, row in ipairs(rows) do
        answers.rows[i] = { text = row.text, said = row.label }
      end
      assert.are.equal(1, compare(model, rows, { against = answers }).b
        .accuracy)
      answers.rows[1].said = "maybe"
      local ok, why = pcall(compare, model, rows, { against = answers })
      assert.is_false(ok)
      assert.matches("the answer to '" .. rows[1].text .. "'", why, 1, true)
      answers.rows[1].said = nil
      assert.has_error(function()
        compare(model, rows, { against = answers })
      end, "compare: against: row 1: said: expected a string, got nil")
    end)

  it("is of two models where both are", function()
    local other = classifier(path "encoder", { labels = model.labels,
      seed = 3 })
    local found, right = compare(model, rows, { against = other }), 0
    for _, row in ipairs(rows) do
      right = right + (other:predict(row.text).label == row.label and 1 or 0)
    end
    assert.is_near(right / 40, found.b.accuracy, 1e-12)
    assert.is_true(found.b.tokens_per_second > 0)
  end)

  it("is refused of a model that does not know the labels", function()
    local other = classifier(path "encoder", { labels = { "good", "bad" } })
    local ok, why = pcall(compare, model, rows, { against = other })
    assert.is_false(ok)
    assert.are.equal("compare: against: " .. path "test.csv" .. ":2: label '"
      .. rows[1].label .. "' is none of the model's: good, bad", why)
  end)

  it("costs what the hour of the machine does", function()
    local found = compared(records_of(), { price_hour = 3600 })
    assert.is_near(1000 * found.a.seconds / 40, found.a.cost_per_1000, 1e-9)
    assert.is_nil(found.b.cost_per_1000)
  end)

  it("draws the same texts by the same seed", function()
    local some = compare.sample(rows, 10, 4)
    assert.are.same(some, compare.sample(rows, 10, 4))
    assert.are_not.same(some, compare.sample(rows, 10, 5))
    for i, row in ipairs(some) do
      assert.are.equal(rows[row.number].text, row.text)
      assert.is_true(i == 1 or some[i - 1].number < row.number)
    end
    assert.are.equal(40, #compare.sample(rows, 1000))
  end)

  it("is refused of models that say no label", function()
    local other = classifier(path "encoder",
      { labels = { "a", "b" }, problem_type = "multi_label_classification" })
    assert.has_error(function()
      compare(other, rows, { against = theirs_of(records_of()) })
    end, "compare: only models that say one label of each text, not "
      .. "multi_label_classification")
  end)

  describe("on the command line", function()
    local function lunula(...)
      return run.lunula { "compare", path "model", path "test.csv", ... }
    end

    it("prints a page and writes its figures", function()
      local theirs = write("theirs.csv", records_of(function(i, record)
        record[2] = i == 1 and "n/a" or record[2]
        return record
      end))
      local printed, code, said = lunula("--against", theirs,
        "--prediction=said", "--prediction-text=query", "--abstain=N/A",
        "--against-name=gpt",
        "--json", path "compare.json", "--price-hour=2")
      assert.are.equal(0, code, said)
      for line in printed:gmatch "[^\n]+" do
        assert.is_true(#line <= 80 or line:find "test.csv", line)
      end
      assert.matches("40 texts of .*test.csv", printed)
      assert.matches("A  model +0%.%d+", printed)
      assert.matches("B  gpt +0.775", printed)
      local found = cjson.decode(file.read(path "compare.json"))
      assert.are.equal("comparison", found.kind)
      assert.are.equal(path "test.csv", found.file)
      assert.are.equal(1, found.b.abstained)
      assert.is_true(found.a.memory_mib > 0 and found.a.cost_per_1000 > 0)
    end)

    it("compares with another model, each in the memory that it takes",
      function()
        local printed, code, said = lunula("--against", path "model", "--json",
          path "models.json", "--limit=20")
        assert.are.equal(0, code, said)
        assert.matches("20 texts of", printed, 1, true)
        local found = cjson.decode(file.read(path "models.json"))
        assert.are.equal(found.a.accuracy, found.b.accuracy)
        assert.are.equal(1, found.mcnemar.p)
        assert.is_true(found.a.memory_mib > 0 and found.b.memory_mib > 0)
      end)

    it("fails in one line where answers are missing", function()
      local records = records_of()
      table.remove(records)
      local _, code, said = lunula("--against", write("few.csv", records),
        "--prediction=said", "--prediction-text=query")
      assert.are.equal(1, code)
      assert.matches("^lunula: compare: few.csv: no answer to 1 of 40 texts",
        said)
    end)

    it("knows wrong usage", function()
      for words, message in pairs {
        [""] = "--against or --endpoint is needed",
        ["--against=a.csv --endpoint=http://x"] = "give one of them",
        ["--endpoint=http://x"] = "--llm is needed",
        ["--against=a.csv --llm=x"] = "--llm: only with --endpoint",
        ["--against=a.csv --prediction=b --map=x"] = "expected X=Y",
        ["--against=a.csv --prediction=b --map=x=a,x=b"] = "mapped twice",
        ["--against=" .. path "model" .. " --prediction=b"] =
          "only where --against is a file",
      } do
        local list = {}
        for word in words:gmatch "%S+" do list[#list + 1] = word end
        local _, code, said = lunula(unpack(list))
        assert.are.equal(2, code, words)
        assert.matches(message, said, 1, true)
      end
    end)

    it("asks for the column of the answers", function()
      local _, code, said = lunula("--against",
        write("theirs.csv", records_of()))
      assert.are.equal(1, code)
      assert.matches("which column is the prediction?", said, 1, true)
    end)
  end)
end)
