local cjson = require "cjson"
local classifier = require "lunula.classifier"
local files = require("lunula.core").io
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

describe("The commands, of a problem with", function()
  local dir

  local function path(name) return dir .. "/" .. name end

  -- a file of reviews, whose label is what f says of each
  local function write(name, from, to, f)
    local lines, rows = { "text,about,target" }, tiny.reviews(to)
    for i = from, to do
      lines[#lines + 1] = ('"%s",%s,"%s"'):format(rows[i].text,
        rows[i].text:find "film" and "a film" or "a plot", f(rows[i]))
    end
    files.write(path(name), { table.concat(lines, "\n"), "\n" })
  end

  local function write_all(f)
    write("train.csv", 1, 64, f)
    write("validation.csv", 65, 90, f)
    write("test.csv", 91, 120, f)
  end

  local function read_json(name)
    local file = assert(io.open(path(name), "rb"))
    local value = cjson.decode(file:read("*a"))
    file:close()
    return value
  end

  local function lunula(words, more)
    for _, word in ipairs(more or {}) do words[#words + 1] = word end
    return run.lunula(words)
  end

  local function train(output, more)
    return lunula({ "train", "--model", path "encoder",
      "--train", path "train.csv", "--validation", path "validation.csv",
      "--test", path "test.csv", "--label=target", "--output", path(output),
      "--json", path "train.json", "--batch-size=8", "--learning-rate=0.01",
      "--threads=1", "--pooling=mean" }, more)
  end

  local function predict(model, input, more)
    local words = { "predict", path(model) }
    for _, word in ipairs(more or {}) do words[#words + 1] = word end
    local text, status, why = run.with_input(input, words)
    assert.are.equal(0, status, why)
    local answers = {}
    for line in text:gmatch "[^\n]+" do
      answers[#answers + 1] = cjson.decode(line)
    end
    return answers, text
  end

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(path "encoder")
  end)

  teardown(function() tiny.remove(dir) end)

  -- evaluate says of the model what train said of its test texts
  local function is_judged_as(model, more)
    local _, status, why = lunula({ "evaluate", path(model), path "test.csv",
      "--label=target", "--json", path "test.json" }, more)
    assert.are.equal(0, status, why)
    local test = read_json("train.json").test
    local figures = read_json "test.json"
    for name, figure in pairs(test) do
      assert.are.same(figure, figures[name])
    end
    return test
  end

  it("several labels, which a separator stands between", function()
    write_all(function(row)
      local labels = {}
      if row.text:find "film" then labels[1] = "film" end
      if row.label == "positive" then labels[#labels + 1] = "good" end
      return table.concat(labels, ";")
    end)
    local text, status, why = train("labels", { "--epochs=8",
      "--problem-type=multi_label_classification", "--label-separator=;",
      "--class-weights=balanced" })
    assert.are.equal(0, status, why)
    assert.matches("epoch 8/8  train loss %d%.%d+  validation loss %d%.%d+  "
      .. "macro F1 %d%.%d+  micro F1 %d%.%d+\n", text)
    assert.matches("\nsubset accuracy ", text)
    local history = read_json("train.json").history
    for _, name in ipairs { "macro_f1", "micro_f1", "samples_f1",
        "subset_accuracy", "loss" } do
      assert.is_number(history[8].validation[name])
    end
    assert.is_true(is_judged_as("labels", { "--label-separator=;" })
      .macro_f1 > 0.9)
    local answers, lines = predict("labels",
      "the film is lovely.\nthe plot is awful.\n")
    assert.matches('^{"text":"the film is lovely.","labels":%["film","good"%],'
      .. '"scores":{"film":', lines)
    assert.matches('\n{"text":"the plot is awful.","labels":%[%],"scores":{',
      lines)
    local scores = classifier(path "labels"):predict("the film is lovely.")
    assert.is_near(scores.scores.film, answers[1].scores.film, 1e-6)
  end)

  it("numbers", function()
    write_all(function(row)
      return (row.label == "positive" and 4 or 1.5)
        + (row.text:find "film" and 1 or 0)
    end)
    local text, status, why = train("number", { "--epochs=12",
      "--problem-type=regression", "--metric=spearman" })
    assert.are.equal(0, status, why)
    assert.matches("epoch 12/12  train loss %d%.%d+  validation loss "
      .. "%d%.%d+  MSE %d%.%d+  Pearson %d%.%d+\n", text)
    local test = is_judged_as "number"
    assert.is_true(test.r2 > 0.8)
    for _, name in ipairs { "mse", "mae", "pearson", "spearman" } do
      assert.is_number(test[name])
    end
    local answers, lines = predict("number", "the film is lovely.\n")
    assert.matches('^{"text":"the film is lovely.","value":[%d.]+}\n$', lines)
    assert.is_near(5, answers[1].value, 1)
    local judged = run.lunula { "quantize", path "number", "--output",
      path "number8", "--check", path "test.csv", "--max-drop=100" }
    assert.matches("^r2 before 0%.%d%d%d%d, after 0%.%d%d%d%d %(%d+ texts%)\n",
      judged)
    local _
    _, status, why = run.with_input("the film is lovely.\n",
      { "explain", path "number" })
    assert.are.equal(1, status)
    assert.are.equal("lunula: explain: a regression has no label whose "
      .. "probability could be explained\n", why)
    _, status, why = run.with_input("the film is lovely.\n",
      { "predict", path "number", "--min-score=0.5" })
    assert.are.equal(2, status)
    assert.are.equal("lunula: --min-score: an answer of regression has no "
      .. "score (see lunula predict --help)\n", why)
  end)

  it("labels in an order", function()
    local function target(row)
      local above = row.text:find "film" and "best" or "good"
      return row.label == "negative" and "bad" or above
    end
    write_all(target)
    local text, status, why = train("rank", { "--epochs=16",
      "--problem-type=ordinal", "--labels=bad,good,best" })
    assert.are.equal(0, status, why)
    assert.matches("  accuracy %d%.%d+  MAE %d%.%d+\n", text)
    assert.matches("\nquadratic kappa ", text)
    assert.is_true(is_judged_as "rank".quadratic_kappa > 0.8)
    local answers, lines = predict("rank", "the film is lovely.\n")
    assert.matches('^{"text":"the film is lovely.","label":"best","score":',
      lines)
    assert.is_near(1, answers[1].scores.bad + answers[1].scores.good
      + answers[1].scores.best, 1e-5)
  end)

  it("labels in an order that nobody has told", function()
    write_all(function(row) return row.label end)
    local _, status, why = train("unknown", { "--problem-type=ordinal" })
    assert.are.equal(1, status)
    assert.matches("^lunula: ordinal: which order do the labels have?", why)
  end)

  it("a second text", function()
    write_all(function(row) return row.label end)
    local pair = { "--text-pair=about" }
    local _, status, why = train("pair", { "--epochs=4", pair[1] })
    assert.are.equal(0, status, why)
    is_judged_as("pair", pair)
    files.write(path "pairs.jsonl", { '{"text":"the film","about":"is good"}',
      "\n" })
    local answers = predict("pair", "", { path "pairs.jsonl", pair[1] })
    local _, lines = predict("pair",
      '{"text":"the film","about":"is good"}\n', pair)
    assert.matches('^{"text":"the film","text_pair":"is good","label":"',
      lines)
    local expected = classifier(path "pair"):predict("the film",
      { text_pairs = "is good" })
    assert.are.equal(expected.label, answers[1].label)
    assert.is_near(expected.score, answers[1].score, 1e-6)
    assert.are.equal("is good", answers[1].text_pair)
    local _, code, said = run.with_input("the film\n",
      { "predict", path "pair", pair[1] })
    assert.are.equal(1, code)
    assert.are.equal("lunula: stdin:1: a plain line is a text and has no "
      .. "text_pair\n", said)
  end)

  it("a model that goes on as what it was", function()
    write_all(function(row) return row.label == "positive" and 2 or 1 end)
    assert.are.equal(0, select(2, train("first", { "--epochs=1",
      "--problem-type=regression" })))
    local _, status, why = run.lunula { "train", "--model", path "first",
      "--train", path "train.csv", "--label=target",
      "--output", path "second", "--epochs=1", "--threads=1" }
    assert.are.equal(0, status, why)
    assert.are.equal("regression", classifier(path "second").problem.name)
  end)

  it("a new head on what learnt another problem", function()
    write_all(function(row)
      return row.label == "positive" and "good,great" or "dull"
    end)
    local _, status, why = train("several", { "--epochs=1",
      "--problem-type=multi_label_classification" })
    assert.are.equal(0, status, why)
    write_all(function(row) return row.label end)
    local words = { "train", "--model", path "several", "--train",
      path "train.csv", "--label=target", "--output", path "one",
      "--epochs=1", "--threads=1" }
    _, status = run.lunula(words)
    assert.are.equal(1, status)
    words[#words + 1] = "--new-head"
    _, status, why = run.lunula(words)
    assert.are.equal(0, status, why)
    local model = classifier(path "one")
    assert.are.equal("single_label_classification", model.problem.name)
    assert.are.same({ "negative", "positive" }, model.labels)
  end)

  it("mistakes: a label that is no number, a separator of no use", function()
    write_all(function(row) return row.label end)
    local _, status, why = train("wrong", { "--problem-type=regression" })
    assert.are.equal(1, status)
    assert.are.equal("lunula: " .. path "train.csv"
      .. ":2: label: expected a number, got 'negative'\n", why)
    _, status, why = train("wrong", { "--label-separator=;" })
    assert.are.equal(2, status)
    assert.matches("--label-separator: only where a text may have several "
      .. "labels", why, 1, true)
    _, status, why = train("wrong", { "--problem-type=regression",
      "--calibrate" })
    assert.are.equal(2, status)
    assert.matches("--calibrate: not for regression", why, 1, true)
    _, status, why = train("wrong", { "--metric=mse" })
    assert.are.equal(1, status)
    assert.matches("metric: expected one of accuracy", why, 1, true)
    assert.is_nil(files.stat(path "wrong/config.json"))
  end)
end)
