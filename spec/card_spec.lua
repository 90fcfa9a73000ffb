local card = require "lunula.card"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local file = require "spec.support.file"
local files = require "lunula.card.files"
local footprint = require "lunula.card.footprint"
local form = require "lunula.card.form"
local front = require "lunula.card.front"
local json = require "lunula.json"
local kept = require "lunula.card.kept"
local markdown = require "lunula.card.markdown"
local run = require "spec.support.run"
local scores = require "lunula.card.scores"
local tiny = require "spec.support.tiny"
local yaml = require "lunula.card.yaml"

describe("YAML of a card", function()
  it("quotes what a reader could take for something else than a text",
    function()
      for _, text in ipairs { "no", "Yes", "NULL", "true", "off", "y", "NaN",
          "", "1", "1.5", "2026-11-25", "a: b", "a #b", "- a", "---", "~",
          "[a", "{a", "*a", "&a", "!a", "%a", "@a", "`a", "'a", "a b", ".a",
          "1e5", "0x1f", "é" } do
        assert.are.equal('"' .. text .. '"', yaml.text(text))
      end
      for _, text in ipairs { "en", "apache-2.0", "org/name", "f1", "note" } do
        assert.are.equal(text, yaml.text(text))
      end
    end)

  it("escapes what would end a text or its line", function()
    for text, expected in pairs {
      ['a"b\\c'] = [["a\"b\\c"]], ["a\n---\nb"] = [["a\n---\nb"]],
      ["\0\1\127"] = '"\\x00\\x01\\x7F"', ["a\194\133b"] = '"a\\x85b"',
      ["a\226\128\168b"] = '"a\\u2028b"', ["\239\187\191a"] = '"\\uFEFFa"',
      ["\255"] = '"\239\191\189"',
    } do
      assert.are.equal(expected, yaml.text(text))
    end
  end)

  it("writes numbers as YAML 1.1 reads them", function()
    assert.are.equal("a: 3\nb: 0.25\nc: 1.0e-07\nd: 1.5e+300\n",
      yaml.document(yaml.mapping { { "a", 3 }, { "b", 0.25 }, { "c", 1e-7 },
        { "d", 1.5e300 } }))
  end)

  it("nests mappings and sequences, and leaves out what is empty", function()
    assert.are.equal([[
tags:
- a
- "no"
model-index:
- name: m
  results:
  - task:
      type: t
    rows: 1
]], yaml.document(yaml.mapping { { "language", {} }, { "license", nil },
      { "tags", { "a", "no" } },
      { "model-index", { yaml.mapping { { "name", "m" }, { "results", {
        yaml.mapping { { "task", yaml.mapping { { "type", "t" } } },
          { "rows", 1 } } } } } } } }))
  end)
end)

describe("Markdown of a card", function()
  it("shows what somebody wrote, and does nothing of it", function()
    for text, expected in pairs {
      ["a|b"] = "a\\|b", ["<b>&"] = "&lt;b&gt;&amp;",
      ["*a* _b_ `c` [d](e)"] = "\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e)",
      ["snake_case_name"] = "snake_case_name", ["a\nb"] = "a b",
      ["a\0\27[31mb"] = "a\\[31mb", ["\255"] = "\239\191\189",
      ["see https://a.b/c_d?e=f|g."] = "see <https://a.b/c_d?e=f>\\|g.",
      ["<https://a.b>"] = "&lt;<https://a.b>&gt;",
    } do
      assert.are.equal(expected, markdown.line(text))
    end
  end)

  it("begins no heading, list, rule or comment with it", function()
    assert.are.equal("\\# a\n\\- b\n1\\. c\n\\---\n\\===\n&gt; d\n"
      .. "&lt;!-- keep --&gt;\n\ne", markdown.text("# a\n- b\n1. c\n---\n===\n"
      .. "> d\n<!-- keep -->\n\n\n\n    e\n"))
  end)

  it("has tables of as many cells as columns", function()
    assert.are.equal("| a | b |\n| --- | ---: |\n| x\\|y | 1 |",
      markdown.table({ "a", "b" }, { { markdown.line "x|y", "1" } }))
  end)

  it("counts as people do", function()
    for n, text in pairs { [0] = "0", [999] = "999", [1000] = "1,000",
        [22713216] = "22,713,216" } do
      assert.are.equal(text, scores.count(n))
    end
  end)
end)

describe("What was written into a card by hand", function()
  it("stays in its section, or has one at the end", function()
    local text = "# m\n\n<!-- keep -->\nfirst\n<!-- /keep -->\n\n## Uses\nx\n"
      .. "<!-- keep -->\n## no heading\n<!-- /keep -->\n## Gone\r\n"
      .. "  <!-- keep -->  \r\nlast\r\n<!-- /keep -->\r\n"
    local put = kept.put({ { heading = "", text = "# m" },
      { heading = "Uses", text = "y" }, { heading = "Data", text = "z" } },
      kept.read(text, "README.md"))
    assert.are.same({
      { heading = "", text = "# m\n\n<!-- keep -->\nfirst\n<!-- /keep -->" },
      { heading = "Uses",
        text = "y\n\n<!-- keep -->\n## no heading\n<!-- /keep -->" },
      { heading = "Data", text = "z" },
      { heading = "Notes", text = "  <!-- keep -->  \nlast\n<!-- /keep -->" },
    }, put)
  end)

  it("has an end, else nothing is written over", function()
    for text, message in pairs {
      ["a\n<!-- keep -->\nb"] = "README.md:2: <!-- keep --> without "
        .. "<!-- /keep -->: where does it end?",
      ["<!-- /keep -->"] = "README.md:1: <!-- /keep --> without "
        .. "<!-- keep -->",
      ["<!-- keep -->\n<!-- keep -->"] = "README.md:2: <!-- keep --> within "
        .. "another",
    } do
      assert.are.same({ false, message },
        { pcall(kept.read, text, "README.md") })
    end
  end)
end)

describe("The form of data.json", function()
  local function check(given) return form.check(given, "data.json") end

  it("takes texts, arrays of them, and what its template has", function()
    assert.are.same({ licence = "CC0", language = { "en", "de" },
      consent = "yes" }, check { licence = "CC0", language = { "en", "de", "" },
      consent = { question = "?", answer = "yes" }, source = "  ",
      contact = json.null, annotators = { question = "?", answer = "" } })
  end)

  it("refuses what it does not ask for, and what is no text", function()
    for message, given in pairs {
      ["data.json: unknown field 'license'; known: model_name, model_licence, "
        .. "developers"] = { license = "x" },
      ["data.json: consent: unknown field 'why'; known: answer, question"] =
        { consent = { answer = "yes", why = "x" } },
      ["data.json: source: expected a text or an array of texts, got a "
        .. "number"] = { source = 3 },
      ["data.json: source: expected a text or an array of texts"] =
        { source = { "a", 3 } },
      ["data.json: expected an object of answers"] = { "a" },
    } do
      local ok, why = pcall(check, given)
      assert.is_false(ok)
      assert.are.equal(message, why:sub(1, #message))
    end
  end)

  it("is empty in its template, where each question stands", function()
    local given = json.decode(form.empty(), "template")
    assert.are.same({}, check(given))
    for _, question in ipairs(form.QUESTIONS) do
      assert.are.equal(question.question, given[question.name].question)
    end
  end)
end)

describe("Carbon dioxide", function()
  it("is seconds times watts times grams a kWh", function()
    assert.are.equal(12, footprint.grams(3600, 30, 400))
    assert.are.equal("CO2: about 12 g (assuming 30 W, 400 g/kWh)",
      footprint.line(3600, 30, 400))
    assert.are.equal("CO2: about 0.0417 g (assuming 250 W, 60 g/kWh)",
      footprint.line(10, 250, 60))
  end)
end)

describe("A card", function()
  local dir, model

  local function path(name) return dir .. "/" .. name end

  local function write_rows(name, first, last, label)
    local rows, lines = tiny.reviews(120), { "text,label" }
    for i = first, last do
      lines[#lines + 1] = ('"%s",%s'):format(rows[i].text,
        label and label(rows[i]) or rows[i].label)
    end
    file.write(path(name), table.concat(lines, "\n") .. "\n")
  end

  local function lunula(words, environment)
    local out, code, errors = run.lunula(words, environment)
    assert.are.equal(0, code, errors)
    return out
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(path "encoder")
    write_rows("train.csv", 1, 80)
    write_rows("validation.csv", 81, 100)
    write_rows("test.csv", 101, 120)
    model = path "model"
    lunula { "train", "--model", path "encoder", "--train", path "train.csv",
      "--validation", path "validation.csv", "--test", path "test.csv",
      "--output", model, "--epochs=2", "--batch-size=8",
      "--learning-rate=0.003", "--json", path "train.json" }
  end)

  teardown(function() tiny.remove(dir) end)

  local function write_json(name, value)
    file.write(path(name), json.encode(value))
    return path(name)
  end

  local function has(text, part)
    assert.is_truthy(text:find(part, 1, true), part .. "\n\nin:\n\n" .. text)
  end

  it("knows of a folder what its training left there", function()
    local text = card.text(model)
    for _, name in ipairs { "train", "validation", "test" } do
      local sha256 = core.io.sha256(path(name .. ".csv"))
      has(text, ("| %s.csv | %s | `%s` |"):format(name, name, sha256))
    end
    has(text, "| positive | 40 (50.0 %) | 10 (50.0 %) | 10 (50.0 %) |")
    has(text, core.io.sha256(model .. "/model.safetensors"))
    has(text, "| `learning_rate` | 0.003 |")
    has(text, "Trained from encoder (a folder of which nothing more is known).")
    has(text, "### On test.csv")
    has(text, "CO2: about ")
    local n = 0
    for _, p in ipairs(classifier(model):parameters()) do
      local size = 1
      for _, d in ipairs(p.tensor:shape()) do size = size * d end
      n = n + size
    end
    has(text, "| Parameters | " .. scores.count(n) .. " |")
  end)

  it("tells neither texts nor where files lie", function()
    local text = card.text(model, { training_data = { path "train.csv" } })
    local record = file.read(model .. "/training.json")
    for _, row in ipairs(tiny.reviews(120)) do
      assert.is_nil(text:find(row.text, 1, true))
      assert.is_nil(record:find(row.text, 1, true))
    end
    assert.is_nil(text:find(dir, 1, true))
    assert.is_nil(record:find(dir, 1, true))
  end)

  it("says of what nobody answered that it is unknown", function()
    local text = card.text(model)
    for _, question in ipairs(form.QUESTIONS) do
      if question.unknown then
        has(text, ("**%s.** Unknown: nobody said %s."):format(question.title,
          question.unknown))
      end
    end
    has(text, "\nlicense: unknown\n")
    has(text, "Unknown: whether the model does worse for some groups")
    text = card.text(path "encoder")
    for _, part in ipairs { "Unknown: nobody noted how the model was trained",
        "Unknown: nobody said which files the model learnt from",
        "Unknown: nobody said how the model does on texts",
        "Unknown: nobody noted how long the training took" } do
      has(text, part)
    end
    assert.is_nil(text:find("CO2:", 1, true))
  end)

  it("has front matter of what is known", function()
    local text = card.text(model, { data = { model_name = 'A "name": x\n---',
      model_licence = "Apache-2.0", language = "en, no, German",
      hub_name = "me/reviews" } })
    local head = text:match "^%-%-%-\n(.-\n)%-%-%-\n"
    has(head, 'language:\n- en\n- "no"\nlicense: apache-2.0\n'
      .. "library_name: transformers\npipeline_tag: text-classification\n")
    has(head, '- name: "A \\"name\\": x ---"\n')
    has(head, "    dataset:\n      name: test.csv\n      type: me/reviews\n")
    has(head, "    - type: accuracy\n      name: Accuracy\n      value: ")
    assert.is_nil(head:find("base_model", 1, true))
    has(text, '\n# A "name": x ---\n')
    has(card.text(model, { data = { model_licence = "Our own, v. 1" } }),
      "\nlicense: other\nlicense_name: our-own-v.-1\n")
  end)

  it("names the model on the hub that it was trained from, and what came "
    .. "between", function()
    local hub = { hub = "org/base", name = "base", licence = "MIT" }
    local training = { train_seconds = 3600, base = { name = "mine",
      record = { train_seconds = 1800, base = hub,
        files = { texts = { file = "notes.txt" } } } } }
    local text = card.text(path "encoder", { training = training })
    has(text, "\nbase_model: org/base\n")
    has(text, "Trained from mine, which was trained on notes.txt from "
      .. "org/base (licence: MIT).")
    has(text, "CO2: about 18 g (assuming 30 W, 400 g/kWh)")
  end)

  it("shows intervals, honesty, slices and what was asked for", function()
    local evaluation = { kind = "evaluation", file = "/x/far.csv", n = 40,
      model = "/y/another",
      accuracy = 0.9, macro_f1 = 0.85, loss = 0.3,
      intervals = { accuracy = { low = 0.8, high = 0.96 } },
      reliability = { { low = 0.9, high = 1, confidence = 0.97, accuracy = 0.9,
        n = 30 }, { low = 0, high = 0.1, n = 0 } },
      slices = {
        { column = "region", value = "north|east", n = 20, accuracy = 0.6,
          low = 0.4, high = 0.7, macro_f1 = 0.5 },
        { column = "region", value = "<south>", n = 20, accuracy = 0.9,
          low = 0.8, high = 1, macro_f1 = 0.9 },
        { column = "age", value = "", n = 40, accuracy = 0.9 },
        { column = "age", value = "(other)", values = 3, n = 9,
          accuracy = 0.9 },
        { column = "price", value = "x", n = 9, metric = "mse", mse = 1.5,
          low = 1, high = 2 },
      },
      required = { { name = "accuracy", least = 0.95, found = 0.9,
        ok = false }, { name = "slice_accuracy", most = 0.7, found = 0.6,
        ok = true } },
    }
    local text = card.text(model, { evaluation = { evaluation } })
    has(text, "### On far.csv")
    has(text, "| Accuracy | 90.00 % | 80.00 % to 96.00 % |")
    has(text, "| Macro F1 | 85.00 % |  |")
    has(text, "| north\\|east | 20 | 60.00 % | 40.00 % to 70.00 % | 50.00 % |")
    has(text, "From the lowest (north\\|east) to the highest (&lt;south&gt;) "
      .. "it is 30.00 points. Their intervals do not overlap.")
    has(text, "| (empty) | 40 | 90.00 % | unknown | unknown |")
    has(text, "| (other): 3 values | 9 | 90.00 % | unknown | unknown |")
    has(text, "| 90.00 % to 100.00 % | 97.00 % | 90.00 % | 30 |")
    has(text, "- accuracy of at least 95.00 %: missed (90.00 %)\n"
      .. "- slice_accuracy of at most 70.00 %: met (60.00 %)\n")
    has(text, "| Value | Texts | Mean squared error | 95 % interval |")
    has(text, "| x | 9 | 1.5000 | 1.0000 to 2.0000 | unknown |")
    has(text, "40 texts, of the model in another.")
    assert.is_nil(text:find("Unknown: whether the model does worse", 1, true))
    has(text, "    dataset:\n      name: far.csv\n      type: custom\n")
  end)

  it("is not misled by documents of any shape", function()
    local text = card.text(model, { evaluation = { { n = 3, accuracy = "x",
      loss = 0 / 0, intervals = { accuracy = 1 },
      reliability = { 1, { n = {} } }, slices = { { accuracy = {} }, "y" },
      per_class = { a = 1, b = { f1 = {} } },
      required = { {} } } }, training = { train_seconds = 1, base = "x",
      options = { 1 }, history = { { epoch = 1 }, 3 }, files = { train = 7,
        test = { file = "t.csv", labels = { a = "b" }, rows = "x" } } } })
    has(text, "| t.csv | test | unknown | unknown | unknown |")
    has(text, "Unknown: nobody said which model it was trained from.")
    for _, given in ipairs { { kind = "comparison", n = 3 }, { kind = nil } } do
      local at = write_json("other.json", given)
      assert.has_error(function() card.text(model, { evaluation = { at } }) end,
        at .. ": expected what lunula evaluate --json wrote")
      assert.has_error(function() card.text(model, { training = at }) end,
        at .. ": expected what lunula train --json wrote")
    end
  end)

  it("names files that the training did not note", function()
    has(card.text(path "encoder", { training_data = { path "train.csv" } }),
      ("| train.csv | given | `%s` | 80 |"):format(
        core.io.sha256(path "train.csv")))
    core.io.make_folder(path "later")
    write_rows("later/train.csv", 1, 60)
    has(card.text(model, { training_data = { path "later/train.csv" } }),
      "train.csv is not the file of this name that the model learnt from: its "
      .. "hash is another.")
  end)

  it("counts sets of labels, and numbers", function()
    local rows = { { labels = { "a", "b" } }, { labels = {} },
      { labels = { "a" } } }
    local facts = files.of_rows(path "train.csv", rows)
    assert.are.same({ a = 2, b = 1 }, facts.labels)
    assert.are.equal(1, facts.without_label)
    facts = files.of_rows(path "train.csv", { { label = 1 }, { label = 5 } })
    assert.are.same({ least = 1, most = 5, mean = 3, deviation = 2 },
      facts.numbers)
    local text = card.text(model, { training = { train_seconds = 1, files = {
      train = { file = "a.csv", rows = 3, labels = { a = 2, b = 1 },
        without_label = 1 },
      test = { file = "b.csv", rows = 2, numbers = { least = 1, most = 5,
        mean = 3, deviation = 2 } } } } })
    has(text, "| Label | a.csv (train) |\n| --- | ---: |\n"
      .. "| a | 2 (66.7 %) |\n| b | 1 (33.3 %) |\n| *none* | 1 (33.3 %) |\n")
    has(text, "| b.csv (test) | 1 | 3 | 5 | 2 |")
  end)

  it("says so when the model was judged by what it learnt from", function()
    local facts = { file = "a.csv", sha256 = ("0"):rep(64), rows = 3 }
    has(card.text(model, { training = { train_seconds = 1,
      files = { train = facts, validation = facts } } }),
      "The model was judged (validation) by the very file that it learnt from")
    assert.is_nil(card.text(model):find("by the very file", 1, true))
  end)

  it("says so when the weights are no longer those of the training",
    function()
      local text = card.text(model)
      assert.is_nil(text:find("since then", 1, true))
      lunula { "quantize", model, "--output", path "int8" }
      text = card.text(path "int8")
      has(text, "The weights are not those that this training left: since "
        .. "then the model was calibrated, quantized or trained on.")
      has(text, "20 texts, judged before the weights were changed.")
      assert.is_nil(text:find("model-index", 1, true))
      has(text, "\nlibrary_name: lunula\n")
      has(text, card.text(model):match "| Parameters | [%d,]+ |")
    end)

  it("tells what pre-training read, and from what it began", function()
    lunula { "pretrain", "--model", path "encoder", "--texts",
      path "train.csv", "--output", path "at-home", "--max-steps=2" }
    local text = card.text(path "at-home")
    has(text, "\npipeline_tag: fill-mask\n")
    has(text, "| train.csv | texts | `" .. core.io.sha256(path "train.csv"))
    lunula { "train", "--model", path "at-home", "--train",
      path "train.csv", "--output", path "from-home", "--max-steps=2" }
    has(card.text(path "from-home"),
      "Trained from at-home, which was trained on train.csv from encoder")
  end)

  describe("from the command line", function()
    local WHEN = { "SOURCE_DATE_EPOCH=1000000000" }

    local function read(name) return file.read(path(name)) end

    it("is the same again, and the model loads beside it", function()
      assert.are.equal(model .. "/README.md\n", lunula({ "card", model }, WHEN))
      local first = read "model/README.md"
      has(first, "Written on 2001-09-09 by lunula ")
      lunula({ "card", model }, WHEN)
      assert.are.equal(first, read "model/README.md")
      assert.are.same({ "negative", "positive" }, classifier(model).labels)
      lunula({ "card", model, "--watts=300", "--grid-intensity=50" }, WHEN)
      has(read "model/README.md", "(assuming 300 W, 50 g/kWh)")
    end)

    it("reads a form that was filled in, and evaluations", function()
      lunula { "card", "--template", path "data.json" }
      local _, code, errors = run.lunula { "card", "--template",
        path "data.json" }
      assert.are.equal(1, code)
      assert.matches("data.json: is there already", errors, 1, true)
      local answers = json.decode(read "data.json", "data.json")
      answers.annotators.answer = "Two of us."
      write_json("data.json", answers)
      write_json("one.json", { kind = "evaluation", n = 7, accuracy = 1,
        file = "one.csv" })
      write_json("two.json", { kind = "evaluation", n = 8, accuracy = 1,
        file = "two.csv" })
      lunula { "card", model, "--data", path "data.json", "--evaluation",
        path "one.json", "--evaluation", path "two.json", "--train-json",
        path "train.json" }
      local text = read "model/README.md"
      has(text, "**Annotators.** Two of us.")
      has(text, "### On one.csv")
      has(text, "### On two.csv")
      has(text, "### On test.csv")
    end)

    it("keeps what a person wrote, and another's README.md", function()
      lunula { "card", model }
      local hand = "<!-- keep -->\nAsk Ada first.\n<!-- /keep -->"
      file.write(model .. "/README.md", (read "model/README.md"):gsub(
        "\n## Evaluation", "\n" .. hand .. "\n\n## Evaluation"))
      for _ = 1, 2 do lunula { "card", model } end
      local text = read "model/README.md"
      has(text:match "## Uses\n(.-)\n## Evaluation", hand)
      assert.are.equal(1, select(2, text:gsub("Ask Ada first", "")))

      file.write(path "encoder/README.md", "# Theirs\n")
      local _, code, errors = run.lunula { "card", path "encoder" }
      assert.are.equal(1, code)
      assert.matches("not written by lunula card; --force writes over it",
        errors, 1, true)
      assert.are.equal("# Theirs\n", read "encoder/README.md")
      lunula { "card", path "encoder", "--force" }
      assert.is_true(kept.is_ours(read "encoder/README.md"))
    end)

    it("refuses what it can't use", function()
      local function refused(code, message, words, environment)
        local _, status, errors = run.lunula(words, environment)
        assert.are.equal(code, status)
        assert.matches(message, errors, 1, true)
      end
      refused(2, "MODEL is missing: lunula card [options] [MODEL]", { "card" })
      refused(1, "no such folder", { "card", path "nowhere" })
      write_json("wrong.json", { licens = "x" })
      refused(1, "wrong.json: unknown field 'licens'; known: model_name",
        { "card", model, "--data", path "wrong.json" })
      refused(1, "SOURCE_DATE_EPOCH: expected seconds since 1970, got 'today'",
        { "card", model }, { "SOURCE_DATE_EPOCH=today" })
      refused(2, "--data is given twice",
        { "card", model, "--data", "a", "--data", "b" })
    end)
  end)

  it("has licences as the hub knows them", function()
    local facts = { answers = { model_licence = " MIT " }, training = {},
      reports = {}, model = { task = "fill-mask", library = "lunula" } }
    has(front.matter(facts), "\nlicense: mit\n")
  end)
end)
