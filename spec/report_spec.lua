local documents = require "spec.support.documents"
local html = require "spec.support.html"
local json = require "lunula.json"
local markup = require "lunula.report.markup"
local report = require "lunula.report"

local function page(...)
  return html.parse(report.page { ... })
end

local has, table_named = html.has, html.table_named

-- the table that stands below the figure of this title, as texts
local function figure_of(root, title)
  for _, figure in ipairs(html.all(root, "figure")) do
    if has(html.all(figure, "figcaption")[1], title) then return figure end
  end
  error("no figure " .. title)
end

local function cells_below(root, title)
  return html.cells(html.all(figure_of(root, title), "table")[1])
end

local function everything()
  return documents.training(), documents.evaluation(3),
    documents.comparison(), documents.audit(), documents.effect(),
    { kind = "card", path = "m", text = "# A card\n\nText.\n" }
end

describe("A report", function()
  describe("as a page", function()
    it("is one file of balanced HTML that loads nothing and runs nothing",
      function()
        assert.has_no.errors(function() page(everything()) end)
      end)

    it("has a language, landmarks, and headings that skip no level",
      function()
        local root = page(everything())
        assert.are.equal("en", html.all(root, "html")[1].attributes.lang)
        for _, name in ipairs { "header", "nav", "main", "footer", "h1" } do
          assert.are.equal(1, #html.all(root, name), name)
        end
        local before = 0
        for _, heading in ipairs(html.all(root, "h%d")) do
          local level = tonumber(heading.name:sub(2))
          assert.is_true(level <= before + 1, html.text(heading))
          before = level
        end
      end)

    it("names each picture, and has its data as a table beneath", function()
      local figures = 0
      for _, figure in ipairs(html.all(page(everything()), "figure")) do
        local drawing = html.all(figure, "svg")[1]
        if drawing then
          figures = figures + 1
          assert.are.equal("img", drawing.attributes.role)
          assert.matches("%w", drawing.attributes["aria-label"])
          assert.are.equal(1, #html.all(drawing, "title"))
          assert.are.equal(1, #html.all(drawing, "desc"))
          local details = html.all(figure, "details")[1]
          assert.is_true(#html.cells(html.all(details, "table")[1]) > 1)
        end
      end
      assert.is_true(figures >= 7)
    end)

    it("links its contents to its sections", function()
      local root = page(everything())
      local ids = {}
      for _, section in ipairs(html.all(root, "section")) do
        ids["#" .. (section.attributes.id or "")] = true
      end
      local links = html.all(html.all(root, "nav")[1], "a")
      assert.are.equal(6, #links)
      for _, link in ipairs(links) do
        assert.is_true(ids[link.attributes.href])
      end
    end)

    it("is the same for the same documents", function()
      assert.are.equal(report.page { everything() },
        report.page { everything() })
    end)

    it("has the title that it is given", function()
      local root = html.parse(report.page({ documents.audit() },
        { title = "Films & <more>" }))
      assert.are.equal("Films & <more>",
        html.text(html.all(root, "title")[1]))
      assert.are.equal("Films & <more>", html.text(html.all(root, "h1")[1]))
    end)

    it("begins with the main numbers and their intervals", function()
      local summary = html.all(page(everything()), "section", "first")[1]
      assert.is_true(has(summary, "90.0\194\160%87.1 to 92.4\194\160%"))
      assert.is_true(has(summary, "Best epoch2 of 3"))
      assert.is_true(has(summary, "Difference+5.0points, p = 0.154"))
      assert.is_true(has(summary, "Findings58of 2 kinds"))
    end)
  end)

  describe("of a training", function()
    it("draws the loss by step, raw and smoothed", function()
      local root = page(documents.training())
      local figure = figure_of(root, "Training loss by step")
      local lines = html.all(figure, "path", "line")
      assert.are.equal(2, #lines)
      assert.matches("thin", lines[1].attributes.class, 1, true)
      local cells = html.cells(html.all(figure, "table")[1])
      assert.are.same({ "Step", "Loss", "Smoothed" }, cells[1])
      assert.are.equal("60", cells[#cells][1])
      assert.are.equal("0.017", cells[#cells][2])
    end)

    it("draws 100,000 steps with a few points, extremes among them",
      function()
        local long = documents.training(100000)
        long.steps[77777].loss = 9
        local text = report.page { long }
        assert.is_true(#text < 120000)
        local figure = figure_of(html.parse(text), "Training loss by step")
        local thin = html.all(figure, "path", "thin")[1].attributes.d
        local _, points = thin:gsub("L", "")
        assert.is_true(points >= 300 and points <= 400)
        local highest = math.huge
        for y in thin:gmatch "[ML][%d.]+ ([%d.]+)" do
          highest = math.min(highest, tonumber(y))
        end
        local frame = html.all(figure, "line", "grid")
        local top = tonumber(frame[#frame].attributes.y1)
        assert.is_true(highest >= top and highest < top + 30)
      end)

    it("draws what validation said on axes of its own, the best marked",
      function()
        local figure = figure_of(page(documents.training()),
          "Validation scores by epoch")
        assert.is_true(has(figure, "best epoch"))
        assert.are.equal(1, #html.all(figure, "line", "best"))
        assert.are.same({ { "Epoch", "accuracy", "macro F1" },
          { "1", "70.0\194\160%", "68.0\194\160%" },
          { "2", "90.0\194\160%", "88.0\194\160%" },
          { "3", "80.0\194\160%", "78.0\194\160%" } },
          html.cells(html.all(figure, "table")[1]))
      end)

    it("tells series apart by marks and dashes, not by colour alone",
      function()
        local figure = figure_of(page(documents.training()), "Loss by epoch")
        assert.are.equal(3, #html.all(figure, "circle", "dot"))
        assert.are.equal(3, #html.all(figure, "rect", "dot"))
        assert.is_true(has(figure, "training"))
      end)

    it("names each of few epochs, and close shares by different numbers",
      function()
        local close = documents.training()
        for i, entry in ipairs(close.history) do
          entry.validation.accuracy = 0.9 + i / 500
          entry.validation.macro_f1 = 0.9 + i / 500
        end
        local figure = figure_of(page(close), "Validation scores by epoch")
        local seen = {}
        for _, text in ipairs(html.all(figure, "text")) do
          local name = html.text(text)
          if name:find "^%d" then
            assert.is_nil(seen[name], name)
            seen[name] = true
          end
        end
        assert.is_true(seen["1"] and seen["2"] and seen["3"])
        assert.is_true(seen["90.2\194\160%"])
      end)

    it("draws validations within epochs by step, the best step marked",
      function()
        local often = documents.training()
        often.validations, often.best_step = {}, 20
        for i = 1, 6 do
          often.validations[i] = { step = 10 * i, epoch = 1,
            scores = { accuracy = 0.5 + 0.05 * i, loss = 0.4 } }
        end
        local root = page(often)
        assert.is_true(has(figure_of(root, "Training loss by step"),
          "best step"))
        local figure = figure_of(root, "Validation scores by step")
        assert.is_true(has(figure, "best step"))
        assert.are.same({ "20", "60.0\194\160%" },
          html.cells(html.all(figure, "table")[1])[3])
      end)

    it("counts steps whose loss was no number", function()
      local broken = documents.training()
      broken.steps[5].loss = 0 / 0
      broken.steps[6].loss = json.null
      assert.is_true(has(page(broken), "Of 2 steps the loss is not known."))
    end)

    it("shows its test as an evaluation", function()
      local tested = documents.training()
      tested.test = documents.evaluation(2)
      local root = page(tested)
      assert.are.equal("Test after training",
        html.text(html.all(root, "h2")[3]))
      assert.are.equal("90.0\194\160%", table_named(root, "Scores")[2][2])
    end)
  end)

  describe("of an evaluation", function()
    it("shows the confusions as a matrix of counts and shares", function()
      local cells = table_named(page(documents.evaluation(3)),
        "Confusion matrix")
      assert.are.same({ "right label", "label 1", "label 2", "label 3",
        "rows" }, cells[1])
      assert.are.same({ "label 2", "0", "90 90\194\160%", "10 10\194\160%",
        "100" }, cells[3])
    end)

    it("shows the most confused of 77 labels as pairs", function()
      local many = documents.evaluation(77)
      many.confusion[5][9] = 41
      local root = page(many)
      local cells = table_named(root, "Most confused labels")
      assert.are.same({ "label 5", "label 9", "41", "29\194\160%" }, cells[2])
      assert.are.equal(0, #html.all(root, "table", "matrix"))
    end)

    it("lists the scores of labels, the worst first", function()
      local cells = table_named(page(documents.evaluation(30)),
        "Scores of each label, the worst first")
      assert.are.equal("label 30", cells[2][1])
      assert.are.equal(13, #cells)
    end)

    it("draws bins of confidence, their counts, and what would be honest",
      function()
        local found = documents.evaluation(2)
        found.reliability = {
          { low = 0, high = 0.5, confidence = 0, accuracy = 0, n = 0 },
          { low = 0.5, high = 1, confidence = 0.9, accuracy = 0.8, n = 200 } }
        local figure = figure_of(page(found), "Reliability")
        assert.are.equal(1, #html.all(figure, "circle", "dot"))
        assert.are.equal(1, #html.all(figure, "line", "ideal"))
        assert.is_true(has(figure, "ECE 0.043"))
        -- Wilson's interval of 160 of 200, as statsmodels has it
        assert.are.same({ "50\194\160% to 100\194\160%", "90.0\194\160%",
          "80.0\194\160% (73.9 to 85.0\194\160%)", "200" },
          html.cells(html.all(figure, "table")[1])[2])
      end)

    it("draws slices as dots with whiskers, a figure a column", function()
      local found = documents.evaluation(2)
      found.slices = {
        { column = "length", value = "short", n = 60, accuracy = 0.95,
          low = 0.9, high = 0.98, macro_f1 = 0.94 },
        { column = "length", value = "long", n = 40, accuracy = 0.8,
          low = 0.7, high = 0.9 },
        { column = "source", value = "(other)", values = 3, n = 9,
          accuracy = 0.5, metric = "accuracy" },
        { column = "source", value = 2024.0, n = 5, accuracy = 0.6 } }
      local root = page(found)
      local figure = figure_of(root, "By \226\129\168length\226\129\169")
      assert.are.equal(2, #html.all(figure, "circle", "dot"))
      assert.are.equal(6, #html.all(figure, "line", "whisker"))
      assert.are.same({ "short", "60", "95.0\194\160%",
        "90.0 to 98.0\194\160%", "94.0\194\160%" },
        cells_below(root, "By \226\129\168length\226\129\169")[2])
      local others = cells_below(root, "By \226\129\168source")
      assert.are.same({ "(other): 3 values", "9", "50.0\194\160%",
        "not known" }, others[2])
      assert.are.same({ "2024", "5", "60.0\194\160%", "not known" },
        others[3])
    end)

    it("marks the words that mattered by line and weight", function()
      local found = documents.evaluation(2)
      found.worst = { { row = 4, text = "Not dull, not good.", score = 0.97,
        label = "good", predicted = "bad", loss = 3.5, words = {
          { text = "Not", weight = 0.01 }, { text = "dull", weight = 0.6 },
          { text = "not", weight = 0.25 }, { text = "good", weight = -0.3 },
          { text = "absent", weight = -0.6 } } } }
      local item = html.all(html.all(page(found), "ol")[1], "li")[1]
      local marks = {}
      for i, mark in ipairs(html.all(item, "mark")) do
        marks[i] = html.text(mark) .. " " .. mark.attributes.class
      end
      assert.are.same({ "dull for f3", "not for f2", "good against g2" },
        marks)
      assert.are.equal("Not dull, not good.",
        html.text(html.all(item, "p", "quote")[1]))
      assert.are.same({ "dull", "+0.600", "for" },
        html.cells(html.all(item, "table")[1])[2])
    end)

    it("says which bars were passed and which missed", function()
      local found = documents.evaluation(2)
      found.required = {
        { name = "accuracy", least = 0.8, found = 0.9, ok = true },
        { name = "macro_f1", least = 0.9, found = 0.89, ok = false } }
      found.required[3] = { name = "slice_accuracy_low", least = 0.5 }
      found.required[4] = { name = "ece", most = 0.05, found = 0.043,
        ok = true }
      local cells = table_named(page(found), "Bars to pass")
      assert.are.same({ "accuracy", "at least 80.0\194\160%",
        "90.0\194\160%", "\226\156\147 passed" }, cells[2])
      assert.matches("missed", cells[3][4])
      assert.are.same({ "slice accuracy low", "at least 50.0\194\160%",
        "not known", "\226\156\151 missed" }, cells[4])
      assert.are.equal("at most 0.050", cells[5][2])
    end)

    it("tells slices of a regression by its error", function()
      local root = page { kind = "evaluation", n = 10, mse = 0.5, loss = 0.5,
        slices = { { column = "c", value = "x", n = 5, mse = 0.75, low = 0.5,
          high = 1.25, metric = "mse" } } }
      assert.are.same({ "x", "5", "0.750", "0.500 to 1.250" },
        cells_below(root, "By \226\129\168c")[2])
    end)

    it("shows a regression, which has no labels", function()
      local root = page { kind = "evaluation", n = 10, mse = 0.5, mae = 0.4,
        pearson = 0.91, loss = 0.5 }
      assert.are.same({ "Pearson correlation", "0.910" },
        table_named(root, "Scores")[4])
    end)
  end)

  describe("of a comparison", function()
    local root

    setup(function() root = page(documents.comparison()) end)

    it("draws both accuracies and the difference", function()
      local cells = cells_below(root, "Accuracy of both")
      assert.are.same({ "large", "85.0\194\160%", "80.0 to 90.0\194\160%",
        "not known" }, cells[3])
      assert.are.same({ "+5.0", "+1.0 to +9.0" },
        cells_below(root, "Difference, in points")[2])
    end)

    it("tells who is right where, and the test of it", function()
      local cells = table_named(root, "Texts by who is right")
      assert.are.same({ "small right", "155", "25" }, cells[2])
      assert.are.same({ "small wrong", "15", "5" }, cells[3])
      assert.is_true(has(root, "McNemar's exact test: p = 0.154."))
    end)

    it("takes what both and neither have right as it is told, and tells of "
      .. "labels", function()
        local told = documents.comparison()
        told.both, told.neither = 150, 10
        told.per_label = { { label = "good", n = 90, a = 0.9, b = 0.7 } }
        local other = page(told)
        assert.are.same({ "small right", "150", "25" },
          table_named(other, "Texts by who is right")[2])
        assert.are.same({ "small wrong", "15", "10" },
          table_named(other, "Texts by who is right")[3])
        assert.are.same({ "good", "90", "90.0\194\160%", "70.0\194\160%" },
          table_named(other, "Right by label, where they differ most")[2])
      end)

    it("leaves open what figures that don't agree can't tell", function()
      local odd = documents.comparison()
      odd.b.accuracy = 0.3
      assert.are.same({ "small right", "not known", "25" },
        table_named(page(odd), "Texts by who is right")[2])
    end)

    it("shows costs, examples, and what was left out", function()
      assert.are.same({ "Cost of 1,000 texts", "0.00040", "0.310" },
        table_named(root, "Cost")[3])
      assert.are.same({ "3", "A delight.", "good", "bad" },
        table_named(root, "Where only \226\129\168small\226\129\169 is right")
          [2])
      assert.are.same({ { "Why", "Texts" }, { "missing", "2" } },
        table_named(root, "Left out"))
    end)
  end)

  it("says of rows that a narrow page stacks that they are rows", function()
    local found = html.all(page(documents.audit()), "table", "stacked")
    assert.are.equal(1, #found)
    assert.are.equal("table", found[1].attributes.role)
    local n = {}
    for _, name in ipairs { "tr", "td", "th", "tbody", "thead" } do
      for _, node in ipairs(html.all(found[1], name)) do
        local role = node.attributes.role
        n[role] = (n[role] or 0) + 1
      end
    end
    assert.are.same({ row = 2, cell = 5, columnheader = 5, rowgroup = 2 }, n)
  end)

  describe("of a refinement", function()
    it("draws the accuracy before and after, and tells the changes", function()
      local root = page(documents.effect())
      assert.are.same({ "before", "80.0\194\160%", "70.0 to 90.0\194\160%" },
        cells_below(root, "Accuracy before and after")[2])
      assert.are.same({ "+5.0", "+1.0 to +9.0" },
        cells_below(root, "What the refinement did, in points")[2])
      assert.is_true(has(root, "The refined file is better."))
      assert.are.same({ { "Issue", "Change", "Rows" },
        { "label error", "relabel", "3" }, { "leak", "remove", "2" } },
        table_named(root, "What was changed"))
      assert.are.same({ "after", "refined.csv", "98" },
        table_named(root, "Learnt from")[3])
      assert.is_true(has(root, "Means of 2 pairs of trainings"))
    end)

    it("says of an interval with none in it that nothing is shown", function()
      local found = documents.effect()
      found.difference.low = -0.01
      assert.is_true(has(page(found), "No difference is shown."))
      found.difference = { mean = -0.05, low = -0.09, high = -0.01 }
      assert.is_true(has(page(found), "The refined file is worse."))
    end)
  end)

  describe("of an audit", function()
    local root

    setup(function() root = page(documents.audit()) end)

    it("draws counts by kind and severity, the most frequent first",
      function()
        local figure = figure_of(root, "What was found")
        assert.are.equal(3, #html.all(figure, "rect", "bar"))
        assert.are.same({ { "Kind", "Lines", "By severity" },
          { "near duplicate", "40", "3 high, 37 low" },
          { "leak", "18", "18 high" } },
          cells_below(root, "What was found"))
        assert.is_true(has(figure, "40, 3 high"))
      end)

    it("shows examples with their place", function()
      assert.are.same({ "leak", "train.csv:88", "high",
        "same text as test.csv:17", "remove" },
        table_named(root, "Examples")[2])
    end)

    it("shows figures of any shape", function()
      assert.are.same({ { "longest", "80" }, { "mean", "12.50" } },
        table_named(root, "Lengths"))
      assert.are.same({ { "label", "train" }, { "good", "500" },
        { "bad", "400" } }, table_named(root, "Balance"))
    end)

    it("says what was not looked for and why", function()
      assert.are.same({ "outlier", "needs --model" },
        table_named(root, "Not looked for")[2])
    end)

    it("draws groups with their intervals", function()
      assert.are.same({ "women", "50", "16.0\194\160%",
        "6.0 to 26.0\194\160%" }, cells_below(root, "Errors by group")[2])
      local of_label = figure_of(root, "Share of the label")
      assert.is_true(has(of_label, "good"))
      assert.are.equal(1, #html.all(of_label, "circle", "dot"))
    end)

    it("tells the errors of groups, and what an exchange of terms changed",
      function()
        assert.is_true(has(root, "those of 100 texts that nothing was"))
        assert.are.same({ "women", "good",
          "60.0\194\160% (50.0 to 70.0\194\160%)",
          "90.0\194\160% (80.0 to 100.0\194\160%)", "not known" },
          table_named(root, "Each label of each group")[3])
        assert.are.same({ "women and men", "40", "30",
          "10.0\194\160% (0.0 to 20.0\194\160%)", "0.021" },
          table_named(root, "When the terms of two groups are exchanged")[2])
      end)

    it("takes severities from examples where they are not told", function()
      local old = documents.audit()
      old.severities = nil
      local cells = cells_below(page(old), "What was found")
      assert.are.same({ "near duplicate", "40", "" }, cells[2])
      assert.are.same({ "leak", "18", "18 high" }, cells[3])
    end)

    it("says when nothing was found", function()
      local clean = documents.audit()
      clean.counts, clean.severities, clean.examples = {}, {}, {}
      assert.is_true(has(page(clean), "Nothing was found."))
    end)
  end)

  describe("of hostile documents", function()
    local HOSTILE = "</svg></td></style><script>alert('1')</script>\" "
      .. "onload='x' & \0\7\194\133 \239\191\191 \255\254 &amp; "
      .. "\226\128\174 evil"

    -- each text and each name of a document hostile, but what it is known by
    local function poisoned(value)
      if type(value) == "string" then return HOSTILE .. value end
      if type(value) ~= "table" then return value end
      local copy = {}
      for name, each in pairs(value) do copy[name] = poisoned(each) end
      return copy
    end

    it("keeps texts what they are", function()
      for i, document in ipairs { everything() } do
        local bad = poisoned(document)
        bad.kind = document.kind
        local root
        assert.has_no.errors(function()
          root = html.parse(report.page({ bad }, { title = HOSTILE }))
        end, i)
        assert.is_true(has(root, "</svg></td></style><script>alert('1')"))
        assert.is_false(has(root, "\0"))
      end
    end)

    it("isolates the direction of texts", function()
      local bad = documents.comparison()
      bad.a.name = "\226\128\174evil\226\129\169"
      local root = page(bad)
      local found = false
      for _, bdi in ipairs(html.all(root, "bdi")) do
        found = found or has(bdi, "\226\128\174evil")
      end
      assert.is_true(found)
      for _, text in ipairs(html.all(root, "text")) do
        if has(text, "evil") then
          assert.are.equal("\226\129\168evil\226\129\169", html.text(text))
        end
      end
    end)

    it("cuts a megabyte of text", function()
      local bad = documents.evaluation(2)
      local words = {}
      for i = 1, 5000 do words[i] = { text = "word", weight = 1 } end
      bad.worst = { { text = ("word "):rep(200000), words = words,
        label = ("\240\159\152\128"):rep(100000) } }
      bad.labels = { ("x"):rep(1e6), "b" }
      bad.slices = { { column = ("y"):rep(1e6), value = ("z"):rep(1e6),
        accuracy = 0.5 } }
      local text = report.page { bad }
      assert.is_true(#text < 100000)
      assert.has_no.errors(function() html.parse(text) end)
    end)

    it("replaces what is no UTF-8", function()
      assert.are.equal("a\239\191\189b\239\191\189",
        markup.clean "a\255b\226")
      assert.are.equal("ab\226\128\166", (markup.cut("ab\195\169d", 2)))
    end)

    it("shows what is missing or no number as not known", function()
      local kinds = { "training", "evaluation", "comparison", "audit" }
      for _, kind in ipairs(kinds) do
        assert.has_no.errors(function() page { kind = kind } end, kind)
      end
      local bad = documents.evaluation(2)
      bad.accuracy, bad.ece, bad.loss = 0 / 0, 1 / 0, json.null
      local cells = table_named(page(bad), "Scores")
      assert.are.same({ "accuracy", "not known", "87.1 to 92.4\194\160%" },
        cells[2])
    end)

    -- each field of a document in turn as something else
    it("bears any field of another type", function()
      for _, document in ipairs { documents.training(4),
          documents.evaluation(2), documents.comparison(),
          documents.audit() } do
        for name in pairs(document) do
          for _, other in ipairs { "text", 5, json.null, {},
              { "text", 7, { {} } }, { x = { y = { z = { 1 } } } } } do
            local bad = {}
            for field, value in pairs(document) do bad[field] = value end
            bad[name] = other
            if name ~= "kind" then
              assert.has_no.errors(function() report.page { bad } end, name)
            end
          end
        end
      end
    end)
  end)
end)
