local cjson = require "cjson"
local metrics = require "lunula.metrics"
local ranking = require "lunula.metrics.ranking"
local tensor = require "lunula.tensor"

local function near(expected, got, what)
  assert.is_true(math.abs(expected - got) < 1e-12,
    ("%s: expected %.15g, got %.15g"):format(what, expected, got))
end

local function read_fixture(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return cjson.decode(text)
end

local function compare_numbers(expected, report)
  for name, value in pairs(expected) do
    if type(value) == "number" then near(value, report[name], name) end
  end
end

local function compare_classes(expected, report)
  for label, scores in pairs(expected.per_class) do
    for name, score in pairs(scores) do
      near(score, report.per_class[label][name], label .. "'s " .. name)
    end
  end
end

local function compare(expected, report)
  compare_numbers(expected, report)
  compare_classes(expected, report)
  for i, row in ipairs(expected.confusion) do
    for j, count in ipairs(row) do
      assert.are.equal(count, report.confusion[i][j])
    end
  end
end

local fixture = read_fixture("spec/fixtures/metrics.json")

describe("metrics.report agrees with scikit-learn on", function()
  for _, case in ipairs(fixture.reports) do
    it(case.name, function()
      compare(case.expected,
        metrics.report(case.gold, case.predicted, case.labels))
    end)
  end
end)

describe("metrics.report", function()
  it("sums recalls in the order of the labels: the same bits each time",
    function()
      for k = 21, 60 do
        local gold, said, sum = {}, {}, 0
        for label = 1, k do
          for row = 1, label + 6 do
            gold[#gold + 1] = ("%02d"):format(label)
            said[#gold] = row % 7 == 0 and "01" or gold[#gold]
          end
        end
        local report = metrics.report(gold, said)
        for _, label in ipairs(report.labels) do
          sum = sum + report.per_class[label].recall
        end
        assert.are.equal(sum / k, report.balanced_accuracy)
      end
    end)

  it("takes the labels that occur, sorted, when none are given", function()
    local report = metrics.report({ "b", "a" }, { "c", "a" })
    assert.are.same({ "a", "b", "c" }, report.labels)
    assert.are.same({ { 1, 0, 0 }, { 0, 0, 1 }, { 0, 0, 0 } },
      report.confusion)
  end)

  it("keeps the order of the labels given", function()
    local report = metrics.report({ "b" }, { "a" }, { "b", "a" })
    assert.are.same({ { 0, 1 }, { 0, 0 } }, report.confusion)
  end)

  it("counts a label that never occurs in the macro F1", function()
    local gold = { "a", "b" }
    near(1, metrics.report(gold, gold).macro_f1, "two labels")
    near(2 / 3, metrics.report(gold, gold, { "a", "b", "c" }).macro_f1,
      "three labels")
  end)

  it("does not share its labels with the caller", function()
    local labels = { "a" }
    local report = metrics.report({ "a" }, { "a" }, labels)
    labels[1] = "changed"
    assert.are.same({ "a" }, report.labels)
  end)

  local function fails(message, ...)
    local arguments = { ... }
    assert.has_error(function()
      metrics.report(arguments[1], arguments[2], arguments[3])
    end, "metrics.report: " .. message)
  end

  it("refuses nothing to compare", function()
    fails("no labels", {}, {})
    fails("expected two arrays of labels, got table and nil", {})
  end)

  it("refuses arrays of different lengths", function()
    fails("2 right labels, but 1 predicted", { "a", "b" }, { "a" })
  end)

  it("names a label that is not among those given", function()
    fails("predicted label 2 is 'c', which is not among the labels",
      { "a", "b" }, { "a", "c" }, { "a", "b" })
    fails("right label 1 is 'c', which is not among the labels",
      { "c" }, { "a" }, { "a", "b" })
  end)

  it("refuses labels that are no strings, or listed twice", function()
    fails("predicted label 1: expected a string, got number", { "1" }, { 1 })
    fails("label 'a' is listed twice", { "a" }, { "a" }, { "a", "a" })
  end)
end)

describe("metrics.multi_label agrees with scikit-learn on", function()
  for _, case in ipairs(fixture.multi_label) do
    it(case.name, function()
      local report = metrics.multi_label(case.gold, case.predicted,
        case.labels)
      compare_numbers(case.expected, report)
      compare_classes(case.expected, report)
    end)
  end
end)

describe("metrics.regression agrees with scikit-learn and SciPy on", function()
  for _, case in ipairs(fixture.regression) do
    it(case.name, function()
      compare_numbers(case.expected,
        metrics.regression(case.gold, case.predicted))
    end)
  end
end)

describe("metrics.ordinal agrees with scikit-learn on", function()
  for _, case in ipairs(fixture.ordinal) do
    it(case.name, function()
      compare_numbers(case.expected,
        metrics.ordinal(case.gold, case.predicted, case.labels))
    end)
  end
end)

describe("metrics of other targets", function()
  it("have a score where there is nothing to divide by", function()
    local same = metrics.regression({ 2, 2 }, { 2, 2 })
    assert.are.same({ 0, 0, 1 }, { same.pearson, same.spearman, same.r2 })
    assert.are.equal(0, metrics.regression({ 2, 2 }, { 2, 3 }).r2)
    assert.are.equal(1, metrics.ordinal({ "b" }, { "b" }, { "a", "b" })
      .quadratic_kappa)
    local none = metrics.multi_label({ {} }, { {} }, { "a" })
    assert.are.same({ 0, 0, 1 },
      { none.macro_f1, none.samples_f1, none.subset_accuracy })
  end)

  it("refuse what can't be compared", function()
    for message, f in pairs {
      ["metrics.multi_label: 1 right sets, but 2 predicted"] = function()
        metrics.multi_label({ {} }, { {}, {} }, { "a" })
      end,
      ["metrics.multi_label: predicted labels 1: 'b' is not among the labels"]
        = function() metrics.multi_label({ {} }, { { "b" } }, { "a" }) end,
      ["metrics.multi_label: labels: expected an array of one string or more"]
        = function() metrics.multi_label({ {} }, { {} }) end,
      ["metrics.multi_label: labels: 'a' comes twice"] = function()
        metrics.multi_label({ {} }, { {} }, { "a", "a" })
      end,
      ["metrics.regression: right number 1: expected a number, got inf"]
        = function() metrics.regression({ math.huge }, { 1 }) end,
      ["metrics.multi_label: no rows"] = function()
        metrics.multi_label({}, {}, { "a" })
      end,
      ["metrics.regression: predicted number 2: expected a number, got string"]
        = function() metrics.regression({ 1, 2 }, { 1, "2" }) end,
      ["metrics.regression: predicted number 1: expected a number, got NaN"]
        = function() metrics.regression({ 1 }, { 0 / 0 }) end,
      ["metrics.regression: no numbers"] = function()
        metrics.regression({}, {})
      end,
    } do
      assert.has_error(f, message)
    end
  end)

  it("are shown as tables", function()
    assert.are.equal([[
                 precision  recall     F1  support
joy                  1.000   0.500  0.667        2
rage                 1.000   1.000  1.000        1

macro F1                            0.833        2
micro F1                            0.800        2
weighted F1                         0.778        2
samples F1                          0.833        2
subset accuracy                     0.500        2
]], tostring(metrics.multi_label({ { "joy", "rage" }, { "joy" } },
      { { "rage" }, { "joy" } }, { "joy", "rage" })))
    assert.are.equal([[
                      score  rows
mean squared error    0.625     2
mean absolute error   0.750     2
Pearson               1.000     2
Spearman              1.000     2
R2                   -1.500     2
]], tostring(metrics.regression({ 1, 2 }, { 2, 2.5 })))
  end)
end)

describe("a report", function()
  it("is shown as metrics.format writes it", function()
    local report = metrics.report({ "a", "b" }, { "a", "a" })
    assert.are.equal(metrics.format(report), tostring(report))
  end)
end)

describe("metrics.format", function()
  it("aligns scores and confusion matrix", function()
    local report = metrics.report({ "no", "yes", "yes", "größe" },
      { "no", "yes", "no", "größe" })
    assert.are.equal([[
             precision  recall     F1  support
größe            1.000   1.000  1.000        1
no               0.500   1.000  0.667        1
yes              1.000   0.500  0.667        2

accuracy                        0.750        4
macro F1                        0.778        4
weighted F1                     0.750        4
MCC                             0.700        4

confusion (rows: right label, columns: predicted)
       größe  no  yes
größe      1   0    0
no         0   1    0
yes        0   1    1
]], metrics.format(report))
  end)

  local function many_labels()
    local gold, predicted = {}, {}
    for i = 1, 40 do
      gold[i] = ("label %02d"):format(i)
      predicted[i] = gold[i]
    end
    predicted[1], predicted[2] = gold[3], gold[3]
    return metrics.report(gold, predicted)
  end

  it("lists the confusions where a matrix would be too wide", function()
    local text = metrics.format(many_labels())
    assert.is_truthy(text:find([[
most frequent confusions (2 of 2)
right label  predicted  rows
label 01     label 03      1
label 02     label 03      1
]], 1, true))
  end)

  it("stays within 80 columns and the terminal's control", function()
    local long = ("\195\164"):rep(100)
    local report = metrics.report({ long, "a\27[31m\nb" }, { long, long })
    for line in metrics.format(report):gmatch("[^\n]+") do
      local _, continued = line:gsub("[\128-\191]", "")
      assert.is_true(#line - continued <= 80, line)
      assert.is_nil(line:find("%c"))
    end
    assert.is_truthy(metrics.format(report):find("a?[31m?b", 1, true))
  end)
end)

-- every number of a nested table
local function all_near(expected, got, what)
  if type(expected) == "number" then return near(expected, got, what) end
  assert.are.equal(type(expected), type(got), what)
  if type(expected) ~= "table" then
    return assert.are.equal(expected, got, what)
  end
  for key, value in pairs(expected) do
    all_near(value, got[key], what .. "." .. key)
  end
  for key in pairs(got) do
    assert.is_not_nil(expected[key], what .. "." .. key)
  end
end

describe("Probabilities are judged as NumPy judges them:", function()
  for _, case in ipairs(fixture.probabilities) do
    local expected = case.expected
    local confidence, correct

    before_each(function()
      confidence, correct = metrics.confidence(case.probabilities,
        case.classes)
    end)

    it(case.name .. ": how sure and whether right", function()
      all_near(expected.confidence, confidence, "confidence")
      assert.are.same(expected.correct, correct)
    end)

    it(case.name .. ": Brier score", function()
      local score = metrics.brier(case.probabilities, case.classes)
      near(expected.brier, score, "Brier score")
      if expected.brier_score_loss then
        near(2 * expected.brier_score_loss, score, "scikit-learn's")
      end
    end)

    it(case.name .. ": expected calibration error, by bins", function()
      for bins, found in pairs(expected.calibration) do
        all_near(found, metrics.calibration(confidence, correct,
          { bins = tonumber(bins) }), bins .. " bins")
      end
      near(expected.calibration["15"].ece,
        metrics.calibration(confidence, correct).ece, "of 15 bins")
    end)

    it(case.name .. ": coverage against accuracy", function()
      for _, name in ipairs { "coverages", "thresholds" } do
        all_near(expected[name], metrics.selective(confidence, correct,
          { [name] = fixture[name] }), name)
      end
      near(expected.aurc, metrics.aurc(confidence, correct), "area")
    end)

    it(case.name .. ": log loss", function()
      near(expected.log_loss,
        metrics.log_loss(case.probabilities, case.classes), "log loss")
    end)

    it(case.name .. ": how labels rank rows", function()
      local found = ranking.macro(case.probabilities, function(i, label)
        return case.classes[i] == label - 1
      end)
      near(expected.roc_auc, found.roc_auc, "area under the ROC curve")
      near(expected.average_precision, found.average_precision,
        "average precision")
    end)
  end
end)

describe("metrics of probabilities", function()
  it("take a tensor as they take tables", function()
    local rows = { { 0.75, 0.25 }, { 0.5, 0.5 }, { 0.125, 0.875 } }
    local classes = { 0, 1, 1 }
    assert.are.equal(metrics.brier(rows, classes),
      metrics.brier(tensor.from(rows), classes))
    local confidence, correct = metrics.confidence(tensor.from(rows), classes)
    assert.are.same({ 0.75, 0.5, 0.875 }, confidence)
    assert.are.same({ true, false, true }, correct)
  end)

  it("count 0 and 1 in the first bin and the last", function()
    local bins = metrics.calibration({ 0, 0.5, 1 }, { true, true, true },
      { bins = 2 }).bins
    assert.are.same({ 2, 1 }, { bins[1].count, bins[2].count })
  end)

  it("answer rows of the same confidence together", function()
    local points = metrics.selective({ 0.5, 0.9, 0.5, 0.5 },
      { false, true, true, true }, { coverages = { 0.5 } })
    assert.are.same({ { coverage = 1, accuracy = 0.75, threshold = 0.5 } },
      points)
  end)

  it("cover as many rows as are asked for, rounding or not", function()
    local confidence, correct = {}, {}
    for i = 1, 100 do confidence[i], correct[i] = i / 100, true end
    local function covered(coverage)
      return metrics.selective(confidence, correct,
        { coverages = { coverage } })[1].coverage
    end
    assert.are.equal(0.55, covered(0.55))
    assert.are.equal(0.56, covered(0.551))
    assert.are.equal(0.01, covered(0))
  end)

  it("have no accuracy where nothing is answered", function()
    assert.are.same({ { coverage = 0, threshold = 0.6 } },
      metrics.selective({ 0.5 }, { true }, { thresholds = { 0.6 } }))
  end)

  it("rank by scores, of which equal ones are one step", function()
    local right = { true, false, true, false }
    assert.are.equal(0.75, metrics.roc_auc({ 0.9, 0.6, 0.5, 0.1 }, right))
    assert.are.equal(0.875, metrics.roc_auc({ 0.9, 0.6, 0.6, 0.1 }, right))
    assert.are.equal(0.5, metrics.roc_auc({ 1, 1, 1, 1 }, right))
    near(5 / 6, metrics.average_precision({ 9, 6, 5, 1 }, right), "of ranks")
    assert.are.equal(0.5, metrics.average_precision({ 1, 1, 1, 1 }, right))
  end)

  it("leave out of a mean over labels those that have no rank", function()
    local rows = { { 0.7, 0.2, 0.1 }, { 0.1, 0.6, 0.3 }, { 0.4, 0.5, 0.1 } }
    local classes, two = { 1, 2, 1 }, {}
    local function is_right(i, label) return classes[i] == label end
    for i, row in ipairs(rows) do two[i] = { row[1], row[2] } end
    assert.are.same(ranking.macro(two, is_right),
      ranking.macro(rows, is_right))
    assert.is_nil(metrics.roc_auc({ 0.5, 0.4 }, { true, true }))
    assert.are.equal(1, metrics.average_precision({ 0.5, 0.4 },
      { true, true }))
    assert.is_nil(metrics.average_precision({ 0.5 }, { false }))
  end)

  it("bound what a certain answer that is wrong adds to the log loss",
    function()
      near(52 * math.log(2), metrics.log_loss({ { 0, 1 } }, { 0 }), "wrong")
      near(2 ^ -52, metrics.log_loss({ { 0, 1 } }, { 1 }), "right")
    end)

  local function fails(message, f, ...)
    local arguments = { ... }
    assert.has_error(function()
      f(arguments[1], arguments[2], arguments[3])
    end, message)
  end

  it("refuse what is no probability or no class", function()
    fails("metrics.brier: row 2: class 1: expected a probability, got 1.5",
      metrics.brier, { { 1, 0 }, { 0, 1.5 } }, { 0, 1 })
    fails("metrics.brier: row 2: expected an array of 2 probabilities",
      metrics.brier, { { 1, 0 }, { 1 } }, { 0, 0 })
    fails("metrics.confidence: class of row 1: expected an integer from 0 to "
      .. "1, got 2", metrics.confidence, { { 1, 0 } }, { 2 })
    fails("metrics.confidence: 1 rows of probabilities, but 2 classes",
      metrics.confidence, { { 1, 0 } }, { 0, 1 })
    fails("metrics.brier: 0 rows of probabilities, but 0 classes",
      metrics.brier, {}, {})
  end)

  it("refuse rows of which not all is known", function()
    fails("metrics.roc_auc: 1 scores, but 2 rows that are right or not",
      metrics.roc_auc, { 1 }, { true, false })
    fails("metrics.average_precision: right: row 1: expected true or false, "
      .. "got 1", metrics.average_precision, { 1 }, { 1 })
    fails("metrics.calibration: 1 rows of confidence, but 0 that are right or "
      .. "not", metrics.calibration, { 1 }, {})
    fails("metrics.aurc: correct: row 1: expected true or false, got 1",
      metrics.aurc, { 1 }, { 1 })
    fails("metrics.selective: coverages: 2: expected a number from 0 to 1, "
      .. "got 90", metrics.selective, { 1 }, { true },
      { coverages = { 1, 90 } })
    fails("metrics.selective: coverages and thresholds: give one of them",
      metrics.selective, { 1 }, { true }, { coverages = {}, thresholds = {} })
  end)
end)
