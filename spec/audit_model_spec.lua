local classifier = require "lunula.classifier"
local core = require "lunula.core"
local cross_predict = require "lunula.cross_predict"
local fairness = require "lunula.audit.fairness"
local file = require "spec.support.file"
local found = require "spec.support.found"
local groups = require "lunula.audit.groups"
local label_errors = require "lunula.audit.label_errors"
local lunula = require "lunula"
local names = require("lunula.options").names
local outliers = require "lunula.audit.outliers"
local semantic = require "lunula.audit.semantic"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

local dir, encoder

setup(function()
  dir = tiny.temporary()
  encoder = dir .. "/encoder"
  tiny.write_encoder(encoder)
end)

teardown(function() tiny.remove(dir) end)

describe("cross_predict", function()
  local function right(p, list, rows)
    local n = 0
    for i, row in ipairs(p:totable()) do
      local best = row[1] > row[2] and 1 or 2
      n = n + (list[best] == rows[i].label and 1 or 0)
    end
    return n / #rows
  end

  it("answers each row by a model of the others, by either method", function()
    local rows = tiny.reviews(60)
    local p, list = cross_predict(encoder, rows, { seed = 3 })
    assert.are.same({ 60, 2 }, p:shape())
    assert.are.same({ "negative", "positive" }, list)
    assert.is_true(right(p, list, rows) > 0.8)
    local told = {}
    p, list = cross_predict(encoder, rows, { method = "train", k = 3,
      train = { epochs = 12, batch_size = 8, learning_rate = 3e-3 },
      on_fold = function(done, all) told[#told + 1] = done .. "/" .. all end })
    assert.is_true(right(p, list, rows) > 0.8)
    assert.are.same({ "1/3", "2/3", "3/3" }, told)
    for _, row in ipairs(p:totable()) do
      assert.is_true(math.abs(row[1] + row[2] - 1) < 1e-5)
    end
  end)

  it("gives the same numbers for the same seed, whatever the threads",
    function()
      local rows = tiny.reviews(40)
      local function numbers(threads, seed)
        local before = core.threads()
        core.threads(threads)
        local p = cross_predict(encoder, rows, { seed = seed })
        core.threads(before)
        return p:checksum()
      end
      assert.are.equal(numbers(1, 5), numbers(2, 5))
      assert.are_not.equal(numbers(1, 5), numbers(1, 6))
    end)

  -- Labels that nothing in the text explains: a model that had seen a row's
  -- twin would know them by heart.
  it("keeps texts that differ in case and punctuation in one fold", function()
    local rows, vectors = {}, {}
    for i = 1, 40 do
      local twin = math.floor((i - 1) / 2)
      rows[i] = { text = (i % 2 == 0 and "No %d, good." or "no %d good")
        :format(twin), label = twin % 2 == 0 and "a" or "b" }
      vectors[i] = {}
      for j = 0, 19 do vectors[i][j + 1] = j == twin and 1 or 0 end
    end
    local p = cross_predict(encoder, rows, { vectors = tensor.from(vectors),
      l2 = 1e-3 }):totable()
    for i = 1, 40, 2 do
      assert.are.same(p[i], p[i + 1])
      assert.is_true(math.abs(p[i][1] - 0.5) < 0.2)
    end
  end)

  it("gives a label that is in one fold alone no probability there",
    function()
      local rows = tiny.reviews(20)
      rows[7].text, rows[7].label = "what a plot.", "mixed"
      local p, list = cross_predict(encoder, rows, {})
      assert.are.same({ "mixed", "negative", "positive" }, list)
      assert.are.equal(0, p:totable()[7][1])
    end)

  it("says what is wrong with what it is given", function()
    local same = { { text = "Good.", label = "a" },
      { text = "good", label = "b" } }
    for message, f in pairs {
      ["cross_predict: no rows"] = function() cross_predict(encoder, {}) end,
      ["cross_predict: 2 rows of one text: expected two texts at least"] =
        function() cross_predict(encoder, same) end,
      ["cross_predict: method: expected one of head, train, got 'guess'"] =
        function() cross_predict(encoder, same, { method = "guess" }) end,
      ["cross_predict: k: expected an integer of at least 2, got 1"] =
        function() cross_predict(encoder, same, { k = 1 }) end,
    } do
      assert.has_error(f, message)
    end
  end)
end)

describe("An audit with an encoder", function()
  local rows = tiny.reviews(400)
  local wrong = { [21] = true, [30] = true, [350] = true }
  for i in pairs(wrong) do
    rows[i].label = rows[i].label == "positive" and "negative" or "positive"
  end
  local parts = { train = {}, validation = {} }
  for i, row in ipairs(rows) do
    table.insert(i <= 300 and parts.train or parts.validation, row)
  end

  it("finds labels that are wrong, in all parts, and names the right one",
    function()
      local told = found.by(label_errors, found.rows(parts),
        { encoder_source = encoder }, { seed = 1 })
      local suggested = {}
      for _, issue in ipairs(told.issues) do
        suggested[issue.file .. ":" .. issue.row] = issue.suggestion
        assert.are.equal("label_error", issue.kind)
        assert.is_truthy(issue.evidence:find '^labelled "%a+tive" ')
      end
      assert.are.equal("relabel: negative", suggested["train.csv:21"])
      assert.are.equal("relabel: positive", suggested["train.csv:30"])
      assert.are.equal("relabel: positive", suggested["validation.csv:50"])
      assert.is_true(#told.issues < 6)
      local figures = told.figures.label_errors
      assert.are.equal(400, figures.rows)
      assert.are.equal(#told.issues, figures.found)
      assert.are.equal(figures.found, figures.labels.negative.found
        + figures.labels.positive.found)
    end)

  it("says why it looks for no label errors", function()
    local one = found.rows { train = { { text = "a", label = "x" },
      { text = "b", label = "x" } } }
    local none = found.rows { train = { { text = "a" } } }
    local source = { encoder_source = encoder }
    assert.are.equal("finding label errors needs an encoder",
      found.by(label_errors, one).not_done.label_error)
    assert.are.equal("all rows have one label",
      found.by(label_errors, one, source).not_done.label_error)
    assert.are.equal("no row has a single label",
      found.by(label_errors, none, source).not_done.label_error)
  end)

  it("takes what differs in case and signs alone for one text, and in the "
    .. "second text for two", function()
      local source, same, pairs_of = { encoder_source = encoder }, {}, {}
      for i = 1, 8 do
        local label = i % 2 == 0 and "x" or "y"
        same[i] = { text = i % 2 == 0 and "The film" or "the film!",
          label = label }
        pairs_of[i] = { text = "the film", text_pair = "number " .. i,
          label = label }
      end
      assert.are.equal("all rows have one text", found.by(label_errors,
        found.rows { train = same }, source).not_done.label_error)
      assert.are.equal(8, found.by(label_errors,
        found.rows { train = pairs_of }, source).figures.label_errors.rows)
    end)

  it("refuses what it can't do before it reads a text", function()
    local rows_of_one = found.rows { train = { { text = "a" } } }
    for message, options in pairs {
      ["audit: label_method: expected one of head, train, got 'guess'"] =
        { label_method = "guess" },
      ["audit: label_filter: expected one of both, confident_learning, "
        .. "prune_by_class, prune_by_noise_rate, got 'all'"] =
        { label_filter = "all" },
      ["audit: folds: expected an integer of at least 2, got 1"] =
        { folds = 1 },
    } do
      assert.has_error(function()
        found.by(label_errors, rows_of_one, {}, options)
      end, message)
    end
    assert.has_error(function()
      found.by(semantic, rows_of_one, {}, { cosine = 1.5 })
    end, "audit: cosine: expected a number above 0 and of at most 1, got 1.5")
    assert.has_error(function()
      found.by(outliers, rows_of_one, {}, { neighbours = 0 })
    end, "audit: neighbours: expected an integer of at least 1, got 0")
  end)

  -- rows of given vectors, each of length 1
  local function with_vectors(texts, angles)
    local of_part, list = { train = {}, test = {} }, {}
    for i, text in ipairs(texts) do
      table.insert(i % 2 == 1 and of_part.train or of_part.test,
        { text = text, label = "x" })
    end
    for i, angle in ipairs(angles) do
      list[i] = { math.cos(angle), math.sin(angle) }
    end
    return found.rows(of_part), tensor.from(list)
  end

  it("finds the text that is like no other", function()
    local texts, angles = {}, {}
    for i = 1, 40 do texts[i], angles[i] = "text " .. i, i % 8 * 0.03 end
    angles[17] = 1.5
    local all, vectors = with_vectors(texts, angles)
    local told = found.by(outliers, all,
      { encoder_source = encoder, vectors = vectors }, { neighbours = 4 })
    assert.are.equal(1, #told.issues)
    assert.are.equal(all[17].number, told.issues[1].row)
    assert.are.equal("outlier", told.issues[1].kind)
    assert.are.equal("look", told.issues[1].suggestion)
    assert.are.equal(1, told.figures.outliers.outliers)
    assert.is_truthy(found.by(outliers, all, {}).not_done.outlier)
    assert.are.equal("40 rows, each of which would be compared with each; "
      .. "more than 39", found.by(outliers, all, { encoder_source = encoder },
        { most_compared = 39 }).not_done.outlier)
  end)

  it("finds the texts that say the same, and leaks among them", function()
    -- train 1 to 4, test 1 to 3; by twos: train, test, train, test ...
    local all, vectors = with_vectors({
      "how do I pay for it", "what is the way to settle my bill",
      "a quiet evening by the sea", "where is my parcel now",
      "the sea on a calm night", "a quiet evening by the lake",
      "nothing of the kind" },
      { 0, 0.8, 1.6, 2.4, 0.1, 0.9, 1.65 })
    -- train: 0 (pay), 0.8 (evening sea), 1.6 (calm night), 2.4 (nothing);
    -- test: 0.1 (bill), 0.9 (parcel), 1.65 (evening lake)
    local told = found.by(semantic, all,
      { encoder_source = encoder, vectors = vectors }, { cosine = 0.99 })
    local lines = {}
    for i, issue in ipairs(told.issues) do
      lines[i] = ("%s:%d %s %s %s"):format(issue.file, issue.row, issue.kind,
        issue.severity, issue.suggestion)
    end
    assert.are.same({
      "train.csv:1 leak medium remove", "train.csv:2 leak medium remove",
      "train.csv:3 leak medium remove", "test.csv:1 leak medium keep",
      "test.csv:2 leak medium keep", "test.csv:3 leak medium keep",
    }, lines)
    assert.are.equal('says the same as test.csv:1 (cosine 0.995, label "x")',
      told.issues[1].evidence)
  end)

  it("takes no label for no other label", function()
    local all, vectors = with_vectors({ "how do I pay for it",
      "what is the way to settle my bill" }, { 0, 0.05 })
    for _, row in ipairs(all) do row.part = "train" end
    all[1].label = nil
    local told = found.by(semantic, all,
      { encoder_source = encoder, vectors = vectors }, { cosine = 0.99 })
    assert.are.equal("low", told.issues[1].severity)
    assert.are.equal('says the same as test.csv:1 (cosine 0.999, label "x")',
      told.issues[1].evidence)
  end)

  it("leaves nearly equal texts to others, but looks behind them", function()
    local texts, angles = {}, {}
    for i = 1, 40 do texts[i], angles[i] = "one and the same text", 0 end
    texts[41], angles[41] = "in other words altogether", 0.1
    local all, vectors = with_vectors(texts, angles)
    for _, row in ipairs(all) do row.part = "train" end
    local told = found.by(semantic, all,
      { encoder_source = encoder, vectors = vectors }, { cosine = 0.99 })
    assert.are.equal(41, #told.issues)
    assert.are.equal("semantic_duplicate", told.issues[1].kind)
    assert.are.equal("low", told.issues[1].severity)
    assert.are.equal(0, told.figures.semantic.leaks)
  end)

  it("does not take a classifier's encoder, which has learnt its labels",
    function()
      local model = classifier(encoder, { labels = { "a", "b" } })
      local all = found.rows { train = tiny.reviews(24) }
      local context = { model = model, encoder_source = encoder }
      assert.are.equal("finding label errors needs an encoder beside the "
        .. "classifier", found.by(label_errors, all, context)
        .not_done.label_error)
      for name, module in pairs { outlier = outliers,
          semantic_duplicate = semantic } do
        assert.are.equal("comparing texts by what they mean needs an encoder "
          .. "beside the classifier", found.by(module, all, context)
          .not_done[name])
        assert.are.same({}, found.by(module, all, context,
          { encoder = encoder }).not_done)
      end
    end)

  it("reads the texts with the encoder itself", function()
    local told = found.by(semantic, found.rows { train = {
      { text = "the film is good.", label = "a" },
      { text = "the film is good.", label = "a" },
    } }, { encoder_source = encoder })
    assert.are.same({}, told.issues)
    assert.are.equal(2, told.figures.semantic.rows)
  end)
end)

describe("The whole audit, with a model", function()
  it("makes these checks of the rows of all files", function()
    local train, test, lines = dir .. "/train.csv", dir .. "/test.csv", {}
    for i, row in ipairs(tiny.reviews(300)) do
      local label = i == 21 and "positive" or row.label
      lines[i] = ('"%s",%s'):format(row.text, label)
    end
    file.write(train, "text,label\n" .. table.concat(lines, "\n", 1, 200))
    file.write(test, "text,label\n" .. table.concat(lines, "\n", 201))
    local document, all = lunula.data.audit({ train, test },
      { label = "label", model = encoder,
        checks = { "label_errors", "semantic", "outliers", "fairness" } })
    local said = {}
    for issue in all:each() do
      if issue.kind == "label_error" then
        said[issue.file .. ":" .. issue.row] = issue.suggestion
      end
    end
    assert.are.equal("relabel: negative", said[train .. ":21"])
    assert.are.equal(300, document.figures.label_errors.rows)
    assert.are.equal(300, document.figures.semantic.rows)
    assert.are.equal(300, document.figures.outliers.rows)
    assert.are.equal(300, document.figures.fairness.all.n)
    assert.are.same({ "counterfactual" }, names(document.skipped))
  end)
end)

describe("Groups", function()
  it("are found in whole words, of whatever case", function()
    local people = groups.new()
    assert.are.same({ "men", "women" }, people.names)
    assert.are.same({ women = true }, people:named "(HER) own, there.")
    assert.are.same({ men = true, women = true },
      people:named "He's with his wife.")
    assert.are.same({}, people:named "Mankind, here, sherry.")
  end)

  it("are exchanged in the case that they had", function()
    local people = groups.new()
    for text, other in pairs {
      ["He told the women."] = "She told the men.",
      ["she's a HEROINE, isn't She?"] = "he's a HERO, isn't He?",
      ["him -- his"] = "her -- her",
      ["Mr. Ma\195\177ana's son"] = "Mrs. Ma\195\177ana's daughter",
    } do
      assert.are.equal(other, people:swapped(text, "men", "women"))
      assert.are.equal(other, people:swapped(text, "women", "men"))
    end
    assert.is_nil(people:swapped("A quiet film.", "men", "women"))
  end)

  it("may have terms of several words, the longest first", function()
    local ages = groups.new { old = { "old", "old people" },
      young = { "young", "the kids" } }
    assert.are.equal("the kids and young men",
      ages:swapped("old people and old men", "old", "young"))
    assert.are.equal("Old people, young",
      ages:swapped("The kids, old", "young", "old"))
  end)

  it("come from a JSON file", function()
    local path = dir .. "/groups.json"
    file.write(path, '{"us": ["we"], "them": ["they"]}')
    assert.are.equal("they came", groups.new(path):swapped("we came", "us",
      "them"))
  end)

  it("say what is wrong with them", function()
    for message, given in pairs {
      ["groups: 'a' has 1 terms and 'b' 2: expected counterparts at the same "
        .. "places"] = { a = { "x" }, b = { "y", "z" } },
      ["groups: a: expected an array of terms"] = { a = {} },
      ["groups: a: '--' has no word"] = { a = { "--" } },
      ["groups: none given"] = {},
    } do
      assert.has_error(function() groups.new(given) end, message)
    end
  end)
end)

describe("Fairness", function()
  local THINGS = { films = { "film" }, plots = { "plot" } }

  local function figures_of(told)
    local by_name = {}
    for _, each in ipairs(told.figures.fairness.groups) do
      by_name[each.group] = each
    end
    return by_name
  end

  -- "the film is ..." is always positive, "the plot is ..." negative
  local function biased(n)
    local rows = tiny.reviews(n)
    for _, row in ipairs(rows) do
      row.label = row.text:find "film" and "positive" or "negative"
    end
    return rows
  end

  local function learnt(rows)
    local model = classifier(encoder, { labels = { "negative", "positive" },
      seed = 1 })
    lunula.train(model, rows, { epochs = 12, batch_size = 8,
      learning_rate = 3e-3, seed = 1 })
    return model
  end

  it("tells the labels of each group, and of each value of the column",
    function()
      local rows = {}
      for i = 1, 10 do
        rows[i] = { text = i <= 8 and "the film" or "a plot and a film",
          label = i <= 4 and "bad" or "good", group = i <= 3 and "x" or "y" }
      end
      local told = found.by(fairness, found.rows { train = rows }, nil,
        { groups = THINGS })
      local by_name = figures_of(told)
      assert.are.equal(10, by_name.films.n)
      assert.are.equal(2, by_name.plots.n)
      local bad = by_name.films.labels.bad
      assert.are.equal(0.4, bad.share)
      -- statsmodels.stats.proportion.proportion_confint(4, 10, 0.05, "wilson")
      assert.is_true(math.abs(bad.low - 0.16818033) < 1e-7)
      assert.is_true(math.abs(bad.high - 0.68732623) < 1e-7)
      assert.are.equal("terms", by_name.plots.by)
      assert.are.equal("column", by_name.y.by)
      assert.are.equal(1 / 7, by_name.y.labels.bad.share)
      assert.are.equal(0.4, told.figures.fairness.all.labels.bad.share)
      assert.is_nil(by_name.films.errors)
      assert.are.equal("a model's errors and counterfactuals need a classifier",
        told.not_done.counterfactual)
    end)

  it("leaves out a column of very many values", function()
    local rows = {}
    for i = 1, 60 do rows[i] = { text = "the film", group = "g" .. i } end
    local told = found.by(fairness, found.rows { train = rows })
    assert.are.same({}, told.figures.fairness.groups)
    assert.are.equal("more than 50 values",
      told.not_done["groups of the column"])
  end)

  it("finds answers that hang on a group's name, and errors that do",
    function()
      local model = learnt(biased(80))
      local told = found.by(fairness, found.rows { test = tiny.reviews(40) },
        { model = model }, { groups = THINGS })
      local counter = told.figures.fairness.counterfactuals[1]
      assert.are.same({ "films", "plots" }, counter.groups)
      assert.are.equal(40, counter.asked)
      assert.is_true(counter.flips.share > 0.9)
      assert.is_true(counter.mean_change > 0.5)
      assert.are.equal(counter.flips.count, #told.issues)
      local issue = told.issues[1]
      assert.are.equal("counterfactual", issue.kind)
      assert.are.equal("look", issue.suggestion)
      assert.is_truthy(issue.evidence:find("with films and plots exchanged",
        1, true))
      local by_name = figures_of(told)
      assert.is_true(by_name.films.false_positives.positive.share > 0.9)
      assert.is_true(by_name.plots.false_positives.positive.share < 0.1)
      assert.is_true(by_name.films.errors.share > 0.2)
    end)

  it("finds few of a model that reads what is said", function()
    local model = learnt(tiny.reviews(80))
    local told = found.by(fairness, found.rows { train = tiny.reviews(40) },
      { model = model }, { groups = THINGS, most_asked = 15 })
    local counter = told.figures.fairness.counterfactuals[1]
    assert.are.equal(40, counter.rows)
    assert.are.equal(15, counter.asked)
    assert.is_true(counter.flips.share < 0.2)
    assert.are.same({ rows = 15, held_out = false },
      told.figures.fairness.judged)
  end)
end)
