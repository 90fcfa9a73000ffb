local bars = require "lunula.evaluate.bars"
local classifier = require "lunula.classifier"
local data = require "lunula.data"
local evaluate = require "lunula.evaluate"
local json = require "lunula.json"
local metrics = require "lunula.metrics"
local project = require "spec.support.project"
local proportion = require "lunula.metrics.proportion"
local quantize = require "lunula.quantize"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

-- rows of which some are labelled wrongly; `kept.kind` is how
local function faulty(n)
  local rows = tiny.reviews(n)
  for i, row in ipairs(rows) do
    row.kept = { kind = i % 3 == 0 and "noisy" or "clean",
      number = tostring(i) }
    if i % 6 == 0 then
      row.label = row.label == "positive" and "negative" or "positive"
    end
  end
  return rows
end

local function as_csv(rows)
  local lines = { "text,label,kind,number" }
  for i, row in ipairs(rows) do
    lines[i + 1] = ('"%s",%s,%s,%s'):format(row.text, row.label,
      row.kept.kind, row.kept.number)
  end
  return table.concat(lines, "\n") .. "\n"
end

local folder, model, rows

setup(function()
  folder = project.new()
  local _, code, why = folder.train(folder.path "model", "--epochs=4")
  assert.are.equal(0, code, why)
  model, rows = classifier(folder.path "model"), faulty(120)
end)

teardown(function() folder.remove() end)

local function said_of(list)
  local said = {}
  for i, row in ipairs(list) do said[i] = model:predict(row.text) end
  return said
end

describe("evaluate, of one label a text,", function()
  it("finds no details unless asked", function()
    local report = evaluate(model, rows)
    for _, name in ipairs { "intervals", "reliability", "slices", "worst",
      "roc_auc" } do
      assert.is_nil(report[name])
    end
  end)

  it("changes none of its scores when asked for details", function()
    local plain = evaluate(model, rows)
    local report = evaluate(model, rows, { intervals = true, worst = 3,
      reliability = true, ranking = true, slices = { "kind" } })
    for name, value in pairs(plain) do
      if type(value) == "number" then
        assert.are.equal(value, report[name])
      end
    end
    assert.are.equal(tostring(plain), tostring(report))
  end)

  it("has intervals around its scores, the same for the same seed", function()
    local function intervals(seed)
      return evaluate(model, rows, { intervals = true, seed = seed })
    end
    local report = intervals(0)
    for _, name in ipairs { "accuracy", "macro_f1" } do
      local found = report.intervals[name]
      assert.is_true(found.low < report[name] and report[name] < found.high)
      assert.is_near(0.13, found.high - found.low, 0.03)
    end
    assert.are.same(report.intervals, intervals(0).intervals)
    assert.are_not.same(report.intervals, intervals(1).intervals)
  end)

  it("says how often answers are right that are so sure", function()
    local report = evaluate(model, rows, { reliability = true })
    local n, right, off = 0, 0, 0
    for _, bin in ipairs(report.reliability) do
      assert.is_true(bin.n > 0 and bin.low < bin.confidence
        and bin.confidence <= bin.high)
      n, right = n + bin.n, right + bin.n * bin.accuracy
      off = off + bin.n * math.abs(bin.accuracy - bin.confidence)
    end
    assert.are.equal(120, n)
    assert.is_near(report.accuracy, right / n, 1e-12)
    assert.is_near(report.ece, off / n, 1e-12)
  end)

  it("ranks as the scores of its answers do", function()
    local scores, right = {}, {}
    for i, answer in ipairs(said_of(rows)) do
      scores[i] = answer.scores.positive
      right[i] = rows[i].label == "positive"
    end
    local report = evaluate(model, rows, { ranking = true })
    -- which of equal texts is the surer is the rounding's to say
    assert.is_near(metrics.roc_auc(scores, right), report.roc_auc, 0.005)
    assert.is_true(report.average_precision > 0.6)
  end)

  it("judges the rows of each value, the worst first", function()
    local report = evaluate(model, rows, { slices = { "kind", "number" } })
    local noisy, clean, other = report.slices[1], report.slices[2],
      report.slices[3]
    assert.are.equal(3, #report.slices)
    assert.are.same({ "kind", "noisy", 40, "accuracy" },
      { noisy.column, noisy.value, noisy.n, noisy.metric })
    assert.are.same({ "clean", 80, 1 }, { clean.value, clean.n,
      clean.accuracy })
    assert.is_near(0.5, noisy.accuracy, 0.1)
    assert.are.same({ proportion.interval(80, 80) }, { clean.low, clean.high })
    assert.is_true(noisy.low < noisy.accuracy and noisy.accuracy < noisy.high)
    assert.are.same({ "number", "(other)", 120, 120 },
      { other.column, other.value, other.n, other.values })
    assert.is_near(report.accuracy, other.accuracy, 1e-12)
  end)

  it("takes the macro F1 of a slice over the labels that occur", function()
    local some = {}
    for _, row in ipairs(tiny.reviews(40)) do
      row.kept = { label = row.label }
      some[#some + 1] = row
    end
    for _, slice in ipairs(evaluate(model, some,
        { slices = { "label" } }).slices) do
      assert.are.equal(1, slice.macro_f1)
    end
  end)

  it("folds only values of too few rows", function()
    local report = evaluate(model, rows, { slices = { "kind" },
      slice_least = 41 })
    assert.are.same({ "(other)", 40, 1 }, { report.slices[1].value,
      report.slices[1].n, report.slices[1].values })
    assert.are.equal("clean", report.slices[2].value)
    assert.are.equal(2, #report.slices)
  end)

  it("lists wrong answers, the most confident first", function()
    local report, said = evaluate(model, rows, { worst = 1000 }), said_of(rows)
    assert.are.equal(120 - math.floor(report.accuracy * 120 + 0.5),
      #report.worst)
    local before = 1
    for _, found in ipairs(report.worst) do
      local row, answer = rows[found.row], said[found.row]
      assert.are.same({ row.text, row.label, answer.label }, { found.text,
        found.label, found.predicted })
      assert.are_not.equal(found.label, found.predicted)
      assert.is_near(answer.score, found.score, 1e-6)
      assert.is_near(-math.log(answer.scores[row.label]), found.loss, 1e-4)
      assert.is_true(found.score <= before)
      assert.is_nil(found.words)
      before = found.score
    end
    assert.are.equal(2, #evaluate(model, rows, { worst = 2 }).worst)
  end)

  it("lists none where all are right, and JSON has a list of that", function()
    local right = { { text = rows[1].text, label = said_of(rows)[1].label } }
    assert.are.equal('{"worst":[]}', json.encode { worst =
      evaluate(model, right, { worst = 2 }).worst })
  end)

  it("explains them by their words", function()
    local found = evaluate(model, rows, { worst = 1, explain = true }).worst[1]
    local expected = model:explain(found.text, { label = found.predicted })
    assert.are.equal(#expected.words, #found.words)
    for i, word in ipairs(expected.words) do
      assert.are.same({ text = word.text, weight = word.score },
        found.words[i])
    end
  end)

  it("judges a quantized model, but does not explain it", function()
    local small = folder.path "small"
    quantize(model, small)
    local made = classifier(small)
    local report = evaluate(made, rows, { worst = 2, intervals = true })
    assert.is_near(evaluate(model, rows).accuracy, report.accuracy, 0.05)
    assert.are.equal(2, #report.worst)
    local ok, why = pcall(evaluate, made, rows, { worst = 2, explain = true })
    assert.is_false(ok)
    assert.matches("a quantized model can't be trained, explained or saved",
      why, 1, true)
  end)

  it("refuses what it can't find", function()
    local function fails(message, given, list)
      assert.has_error(function() evaluate(model, list or rows, given) end,
        message)
    end
    fails("evaluate: intervals: expected true or false, got 1",
      { intervals = 1 })
    fails("evaluate: worst: expected an integer of at least 0, got -1",
      { worst = -1 })
    fails("evaluate: slices: 'kind' comes twice",
      { slices = { "kind", "kind" } })
    fails("evaluate: slices: row 1 has no 'town': read it with keep = { "
      .. "'town' }", { slices = { "town" } })
    fails("evaluate: explain: pairs of texts can't be explained",
      { worst = 1, explain = true }, { { text = "good", text_pair = "bad",
        label = "positive" } })
  end)
end)

describe("evaluate, of another problem,", function()
  local function small(given, list)
    given.seed = 1
    local made = classifier(folder.path "encoder", given)
    return made, evaluate(made, list, { intervals = true, worst = 2,
      slices = { "kind" }, reliability = given.problem_type ~= "regression",
      ranking = given.problem_type ~= "regression" })
  end

  local function labelled(f)
    local list = tiny.reviews(60)
    for i, row in ipairs(list) do
      row.kept = { kind = i % 2 == 0 and "even" or "odd" }
      f(row, i)
    end
    return list
  end

  local function has_interval(report, name)
    local found = report.intervals[name]
    assert.is_true(found.low <= report[name] and report[name] <= found.high,
      name)
  end

  it("judges sets of labels", function()
    local _, report = small({ labels = { "film", "good" },
      problem_type = "multi_label_classification" }, labelled(function(row, i)
        row.labels = i % 4 == 0 and {} or { i % 3 == 0 and "film" or "good" }
      end))
    for _, name in ipairs { "macro_f1", "micro_f1", "samples_f1",
      "subset_accuracy" } do
      has_interval(report, name)
    end
    local n = 0
    for _, bin in ipairs(report.reliability) do n = n + bin.n end
    assert.are.equal(120, n)
    assert.is_true(report.ece > 0 and report.brier > 0 and report.brier < 1)
    assert.are.equal("subset_accuracy", report.slices[1].metric)
    assert.is_true(report.slices[1].subset_accuracy
      <= report.slices[2].subset_accuracy)
    local first, second = report.worst[1], report.worst[2]
    assert.are_not.same(first.label, first.predicted)
    assert.is_true(first.loss >= second.loss)
    assert.is_nil(first.score)
  end)

  it("judges labels in an order", function()
    local _, report = small({ labels = { "1", "2", "3" },
      problem_type = "ordinal" }, labelled(function(row, i)
        row.label = tostring(i % 3 + 1)
      end))
    for _, name in ipairs { "accuracy", "macro_f1", "mae",
      "quadratic_kappa" } do
      has_interval(report, name)
    end
    assert.is_true(report.ece >= 0 and report.brier > 0)
    assert.is_number(report.roc_auc)
    assert.is_number(report.slices[1].mae)
    assert.are_not.equal(report.worst[1].label, report.worst[1].predicted)
  end)

  it("judges numbers", function()
    local made, report = small({ problem_type = "regression" },
      labelled(function(row, i) row.label = i % 5 end))
    for _, name in ipairs { "mse", "mae", "pearson", "r2" } do
      has_interval(report, name)
    end
    assert.are.equal("mse", report.slices[1].metric)
    assert.is_true(report.slices[1].mse >= report.slices[2].mse)
    has_interval({ mse = report.slices[1].mse,
      intervals = { mse = report.slices[1] } }, "mse")
    local worst = report.worst[1]
    assert.is_near((worst.label - worst.predicted) ^ 2, worst.loss, 1e-9)
    assert.is_true(worst.loss >= report.worst[2].loss)
    for _, option in ipairs { "reliability", "ranking" } do
      assert.has_error(function()
        evaluate(made, labelled(function(row) row.label = 1 end),
          { [option] = true })
      end, "evaluate: " .. option .. ": a regression has no probabilities")
    end
    assert.has_error(function()
      evaluate(made, labelled(function(row) row.label = 1 end),
        { worst = 1, explain = true })
    end, "evaluate: explain: a regression has no label whose probability "
      .. "could be explained")
  end)
end)

describe("A bar", function()
  it("says at least or at most", function()
    for text, expected in pairs {
      ["accuracy=0.9"] = { name = "accuracy", least = 0.9 },
      ["accuracy >= 0.9"] = { name = "accuracy", least = 0.9 },
      ["ece<=5e-2"] = { name = "ece", most = 0.05 },
      ["mse=0.5"] = { name = "mse", most = 0.5 },
      ["slice_mae=1"] = { name = "slice_mae", most = 1 },
      ["accuracy_low=0.8"] = { name = "accuracy_low", least = 0.8 },
    } do
      assert.are.same(expected, bars.parse(text))
    end
    for _, text in ipairs { "accuracy", "accuracy=", "=1", "accuracy=high",
      "accuracy<0.9", "accuracy=0x1" } do
      assert.is_nil(bars.parse(text))
    end
  end)

  it("is cleared by what is as good, and missed by how much", function()
    local report = { accuracy = 0.875, ece = 0.1, loss = 0 / 0,
      intervals = { accuracy = { low = 0.8, high = 0.9 } },
      slices = { { accuracy = 0.9, mae = 2 }, { accuracy = 0.7, mae = 1 } } }
    local function missed(text)
      return bars.missed(bars.check({ bars.parse(text) }, report))
    end
    for _, text in ipairs { "accuracy=0.875", "ece=0.1", "accuracy_low=0.8",
      "slice_accuracy=0.7", "slice_mae=2", "accuracy<=0.9" } do
      assert.is_nil(missed(text))
    end
    assert.are.equal("accuracy is 0.875, expected at least 0.9: missed by "
      .. "0.025", missed "accuracy=0.9")
    assert.are.equal("ece is 0.1, expected at most 0.05: missed by 0.05",
      missed "ece=0.05")
    assert.matches("^slice_accuracy is 0.7, ", missed "slice_accuracy=0.8")
    assert.matches("^slice_mae is 2, ", missed "slice_mae=1.5")
    assert.matches("^accuracy_low is 0.8, ", missed "accuracy_low=0.85")
    assert.are.equal("roc_auc is not defined for these rows, expected at "
      .. "least 0.5", missed "roc_auc=0.5")
    assert.is_string(missed "loss=1")
  end)
end)

describe("lunula evaluate", function()
  local function lunula(...)
    return run.lunula { "evaluate", folder.path "model",
      folder.path "faulty.csv", ... }
  end

  setup(function()
    local file = assert(io.open(folder.path "faulty.csv", "w"))
    file:write(as_csv(rows))
    file:close()
  end)

  it("writes an evaluation that other programs read", function()
    local _, code, why = lunula("--slice=kind", "--slice", "number", "--json",
      folder.path "x.json", "--require=accuracy>=0.5,slice_accuracy=0.3",
      "--explain")
    assert.are.equal(0, code, why)
    local found = folder.read_json "x.json"
    local list = data.read(folder.path "faulty.csv",
      { keep = { "kind", "number" } })
    local report = evaluate(model, list, { intervals = true, worst = 10,
      reliability = true, ranking = true, slices = { "kind", "number" } })
    assert.are.same({ "evaluation", folder.path "model",
      folder.path "faulty.csv" }, { found.kind, found.model, found.file })
    assert.are.same(report.intervals, found.intervals)
    assert.are.equal(#report.reliability, #found.reliability)
    assert.are.same(report.slices, found.slices)
    assert.are.equal(10, #found.worst)
    assert.are.same({ report.worst[1].text, report.worst[1].row },
      { found.worst[1].text, found.worst[1].row })
    assert.is_number(found.worst[1].words[1].weight)
    assert.are.same({ { name = "accuracy", least = 0.5,
      found = report.accuracy, ok = true },
      { name = "slice_accuracy", least = 0.3,
        found = report.slices[1].accuracy, ok = true } }, found.required)
  end)

  it("shows intervals, a reliability diagram, slices and the worst",
    function()
      local text, code, why = lunula("--slice=kind", "--worst=2")
      assert.are.equal(0, code, why)
      assert.matches("\n95 %% interval +score +low +high\naccuracy +0%.%d+ +"
        .. "0%.%d+ +0%.%d+\nmacro_f1 ", text)
      assert.matches("\nreliability %(ECE 0%.%d+, Brier score 0%.%d+%)", text)
      assert.matches("\n0%.%d+%-0%.%d+ +%d+ +0%.%d+ +0%.%d+  =+ *|=*\n", text)
      assert.matches("\nby kind +rows +accuracy +low +high +macro_f1\nnoisy +"
        .. "40 .-\nclean +80 +1%.000 ", text)
      local _, shown = text:match("\nthe worst answers.*$"):gsub(
        "\n%d+: %l+, %l+, 0%.%d+\n  the ", "")
      assert.are.equal(2, shown)
      for line in text:gmatch "[^\n]+" do assert.is_true(#line <= 80) end
      assert.is_nil(lunula():find("the worst", 1, true))
    end)

  it("fails in one line when a bar is missed, after its report", function()
    local text, code, why = lunula("--require=accuracy=0.99,macro_f1=0.1",
      "--json", folder.path "missed.json")
    assert.are.equal(1, code)
    assert.matches("\n95 % interval", text, 1, true)
    assert.matches("^lunula: %-%-require: accuracy is 0%.%d+, expected at "
      .. "least 0%.99: missed by 0%.%d+\n$", why)
    local required = folder.read_json("missed.json").required
    assert.are.same({ false, true }, { required[1].ok, required[2].ok })
  end)

  it("knows before it judges that a bar or a column is none", function()
    for message, words in pairs {
      ["--require: a report has no 'acuracy'; known: accuracy, macro_f1, "] =
        { "--require=acuracy=0.9" },
      ["--require: expected such as accuracy=0.9 or ece<=0.05, got "
        .. "'accuracy'"] = { "--require=accuracy" },
      ["--require slice_accuracy: only with --slice"] =
        { "--require=slice_accuracy=1" },
      ["--slice: 'kind' comes twice"] = { "--slice=kind,kind" },
    } do
      local text, code, why = lunula(words[1])
      assert.are.equal(2, code, why)
      assert.are.equal("", text)
      assert.matches("lunula: " .. message, why, 1, true)
    end
    local text, code, why = lunula("--slice=town")
    assert.are.equal(1, code)
    assert.are.equal("", text)
    assert.matches("faulty.csv:1: no column 'town'; there are: text, label, "
      .. "kind, number", why, 1, true)
  end)
end)
