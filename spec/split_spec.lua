local core = require "lunula.core"
local split = require "lunula.split"
local quota = require "lunula.split.quota"

-- Rows with labels in given numbers: { a = 10, b = 5 }. Fields beyond the
-- label come from `fields(i)`.
local function rows_of(counts, fields)
  local labels, rows = {}, {}
  for label in pairs(counts) do labels[#labels + 1] = label end
  table.sort(labels)
  for _, label in ipairs(labels) do
    for _ = 1, counts[label] do
      local row = fields and fields(#rows + 1) or {}
      row.text, row.label = "row " .. #rows + 1, label
      rows[#rows + 1] = row
    end
  end
  return rows
end

local function count_labels(rows)
  local counts = {}
  for _, row in ipairs(rows) do
    counts[row.label] = (counts[row.label] or 0) + 1
  end
  return counts
end

local function texts(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.text end
  return list
end

local function assert_each_once(rows, ...)
  local seen, n = {}, 0
  for _, part in ipairs({ ... }) do
    for _, row in ipairs(part) do
      assert.is_nil(seen[row], "a row is in two parts")
      seen[row], n = true, n + 1
    end
  end
  assert.are.equal(#rows, n)
end

local function fields_in(rows, field)
  local set = {}
  for _, row in ipairs(rows) do set[row[field]] = true end
  return set
end

local function assert_disjoint(a, b)
  for value in pairs(a) do
    assert.is_nil(b[value], tostring(value) .. " straddles")
  end
end

local function fails(message, f, ...)
  local ok, raised = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(message, raised)
end

describe("split", function()
  it("puts every row into one part, 80, 10 and 10 % of them", function()
    local rows = rows_of({ a = 60, b = 40 })
    local parts = split(rows)
    assert_each_once(rows, parts.train, parts.validation, parts.test)
    assert.are.same({ a = 48, b = 32 }, count_labels(parts.train))
    assert.are.same({ a = 6, b = 4 }, count_labels(parts.validation))
    assert.are.same({ a = 6, b = 4 }, count_labels(parts.test))
  end)

  it("lists the labels, sorted", function()
    assert.are.same({ "a", "b", "c" },
      split(rows_of({ c = 10, a = 10, b = 10 })).labels)
  end)

  it("makes the parts that are named, and no others", function()
    local parts = split(rows_of({ a = 20 }),
      { train = 0.5, dev = 0.25, test = 0.25 })
    assert.are.equal(10, #parts.train)
    assert.are.equal(5, #parts.dev)
    assert.are.equal(5, #parts.test)
    assert.is_nil(parts.validation)
  end)

  it("is the same for the same seed, else another", function()
    local rows = rows_of({ a = 60, b = 40 })
    local a = split(rows, { seed = 1 })
    assert.are.same(a, split(rows, { seed = 1 }))
    assert.are_not.same(texts(a.test), texts(split(rows, { seed = 2 }).test))
  end)

  it("draws what it drew when this was written", function()
    local parts = split(rows_of({ a = 6, b = 4 }),
      { train = 0.5, test = 0.5, seed = 1 })
    assert.are.same({ "row 2", "row 1", "row 7", "row 4", "row 9" },
      texts(parts.test))
  end)

  it("mixes the labels within a part, and leaves the rows alone", function()
    local rows = rows_of({ a = 50, b = 50 })
    local before = texts(rows)
    local train = split(rows).train
    local changes = 0
    for i = 2, #train do
      if train[i].label ~= train[i - 1].label then changes = changes + 1 end
    end
    assert.is_true(changes > 10)
    assert.are.same(before, texts(rows))
  end)

  it("keeps each label's share to within a row", function()
    local parts = split(rows_of({ a = 33, b = 14, c = 7, d = 101 }))
    for label, n in pairs({ a = 33, b = 14, c = 7, d = 101 }) do
      for name, ratio in pairs({ train = 0.8, validation = 0.1, test = 0.1 })
      do
        local count = count_labels(parts[name])[label] or 0
        assert.is_true(math.abs(count - n * ratio) < 1, label .. name)
      end
    end
  end)

  it("gives many small labels' rests to all parts alike", function()
    local counts = {}
    for i = 1, 100 do counts["label " .. i] = 5 end
    local parts = split(rows_of(counts))
    assert.are.equal(400, #parts.train)
    assert.are.equal(50, #parts.validation)
    assert.are.equal(50, #parts.test)
  end)

  it("has every label in train, the rarest there first", function()
    for seed = 1, 20 do
      local rows = rows_of({ a = 40, b = 40, rare = 1, rarer = 2 })
      local labels = count_labels(split(rows, { seed = seed }).train)
      assert.is_truthy(labels.rare and labels.rarer)
    end
  end)

  it("splits rows of one label, and rows without labels", function()
    assert.are.equal(8, #split(rows_of({ a = 10 })).train)
    local rows = {}
    for i = 1, 10 do rows[i] = { text = "row " .. i } end
    local parts = split(rows)
    assert_each_once(rows, parts.train, parts.validation, parts.test)
    assert.are.same({}, parts.labels)
  end)

  it("does not mind the labels when told so", function()
    local differs = false
    for seed = 1, 20 do
      local parts = split(rows_of({ a = 50, b = 50 }),
        { stratify = false, seed = seed })
      assert.are.equal(10, #parts.test)
      differs = differs or count_labels(parts.test).a ~= 5
    end
    assert.is_true(differs)
  end)

  it("spreads rows of several labels, or of numbers, as they come", function()
    local several, numbers = {}, {}
    for i = 1, 20 do
      several[i] = { text = "t" .. i,
        labels = i % 2 == 0 and { "b", "a" } or {} }
      numbers[i] = { text = "t" .. i, label = i / 2 }
    end
    local parts = split(several)
    assert.are.same({ "a", "b" }, parts.labels)
    assert.are.same({ 16, 2, 2 },
      { #parts.train, #parts.validation, #parts.test })
    parts = split(numbers)
    assert.are.same({}, parts.labels)
    assert.are.equal(16, #parts.train)
  end)
end)

describe("split of equal texts", function()
  -- rows with few texts, of which many have others' words
  local function few_texts(rng, n, texts_n)
    local rows = {}
    for i = 1, n do
      local number = rng:below(texts_n)
      local text = "text number " .. number
      local written = ({ text, text:upper(), text .. "!" })[rng:below(3) + 1]
      rows[i] = { text = written, label = "l" .. number % 3,
        by = "g" .. rng:below(texts_n) }
    end
    return rows
  end

  local function parts_of_texts(...)
    local part_of = {}
    for number, part in ipairs { ... } do
      for _, row in ipairs(part) do
        local key = row.text:lower():gsub("!", "")
        assert.is_true((part_of[key] or number) == number,
          key .. " straddles")
        part_of[key] = number
      end
    end
  end

  it("keeps them in one part, whatever their case and punctuation", function()
    local rng = core.rng(2)
    for seed = 1, 15 do
      local rows = few_texts(rng, 300, 150)
      local parts = split(rows, { seed = seed })
      assert_each_once(rows, parts.train, parts.validation, parts.test)
      parts_of_texts(parts.train, parts.validation, parts.test)
      assert.is_true(math.abs(#parts.test - 30) <= 6, #parts.test)
      assert.is_true(math.abs(#parts.train - 240) <= 8, #parts.train)
    end
  end)

  it("keeps each label's share about as well, and all of them in train",
    function()
      local rng = core.rng(3)
      for seed = 1, 15 do
        local rows = few_texts(rng, 600, 500)
        rows[601] = { text = rows[1].text, label = "rare" }
        local parts = split(rows, { seed = seed })
        local all, test = count_labels(rows), count_labels(parts.test)
        assert.are.equal(1, count_labels(parts.train).rare)
        for _, label in ipairs { "l0", "l1", "l2" } do
          assert.is_true(math.abs(test[label] - all[label] / 10) <= 6)
        end
      end
    end)

  it("puts what is larger than a part where there is room", function()
    local rows = rows_of({ a = 100 })
    for i = 1, 30 do rows[i].text = "ok" end
    for seed = 1, 10 do
      local parts = split(rows, { seed = seed })
      assert.are.same({ 80, 10, 10 },
        { #parts.train, #parts.validation, #parts.test })
    end
  end)

  it("is the same as without a look at them where there are none", function()
    local rows = rows_of({ a = 33, b = 14, c = 7 },
      function(i) return { by = i % 9 } end)
    for _, how in ipairs { { seed = 4 }, { seed = 5, group = "by" },
      { seed = 6, stratify = false } } do
      local without = { duplicates = "ignore" }
      for name, value in pairs(how) do without[name] = value end
      assert.are.same(split(rows, without), split(rows, how))
    end
    assert.are.same(split.folds(rows, { duplicates = "ignore" }),
      split.folds(rows))
  end)

  it("holds groups together that share a text", function()
    local rng = core.rng(5)
    for seed = 1, 10 do
      local rows = few_texts(rng, 200, 190)
      local parts = split(rows, { seed = seed, group = "by", train = 0.6,
        test = 0.4 })
      assert_each_once(rows, parts.train, parts.test)
      parts_of_texts(parts.train, parts.test)
      assert_disjoint(fields_in(parts.train, "by"),
        fields_in(parts.test, "by"))
    end
  end)

  it("may keep nearly equal texts together, too", function()
    local rows, rng = rows_of({ a = 60 }), core.rng(8)
    for i = 1, 60, 2 do
      local words = {}
      for j = 1, 14 do words[j] = "w" .. string.char(97 + rng:below(26),
        97 + rng:below(26), 97 + rng:below(26)) end
      rows[i].text = i .. " " .. table.concat(words, " ")
      words[5] = "another"
      rows[i + 1].text = i .. " " .. table.concat(words, " ")
    end
    local function partings(how)
      local parts, part_of, n = split(rows, how), {}, 0
      for _, name in ipairs { "train", "validation", "test" } do
        for _, row in ipairs(parts[name]) do
          local key = row.text:match "^%d+"
          if (part_of[key] or name) ~= name then n = n + 1 end
          part_of[key] = name
        end
      end
      return n
    end
    assert.is_true(partings { seed = 1 } > 0)
    assert.are.equal(0, partings { seed = 1, duplicates = "near" })
  end)

  it("makes no difference to texts of pairs with other second texts",
    function()
      local rows = rows_of({ a = 20 },
        function(i) return { text_pair = "second " .. i } end)
      for _, row in ipairs(rows) do row.text = "one" end
      assert.are.equal(16, #split(rows).train)
    end)

  it("holds for folds", function()
    local rows = few_texts(core.rng(7), 200, 100)
    for _, fold in ipairs(split.folds(rows, { k = 4 })) do
      assert_each_once(rows, fold.train, fold.test)
      parts_of_texts(fold.train, fold.test)
    end
  end)

  it("says so where they leave a part empty", function()
    local rows = rows_of({ a = 20 })
    for _, row in ipairs(rows) do row.text = "the same" end
    fails("split: 20 rows, equal texts together, leave 'validation' empty",
      split, rows)
    assert.are.equal(16, #split(rows, { duplicates = "ignore" }).train)
  end)

  it("is refused of rows in order, and of a kind that there is not",
    function()
      local rows = rows_of({ a = 20 }, function(i) return { time = i } end)
      fails("split: duplicates of rows in order can't be kept together: give "
        .. "duplicates = 'ignore'", split, rows,
        { order = "time", duplicates = "together" })
      assert.are.equal(16, #split(rows, { order = "time" }).train)
      fails("split: duplicates: expected one of ignore, near, together, got "
        .. "'apart'", split, rows, { duplicates = "apart" })
    end)
end)

describe("split by group", function()
  local function by_author(i) return { author = "author " .. i % 30 } end

  it("lets no group straddle", function()
    local rows = rows_of({ a = 200, b = 100 }, by_author)
    local parts = split(rows, { group = "author", seed = 3 })
    assert_each_once(rows, parts.train, parts.validation, parts.test)
    local train = fields_in(parts.train, "author")
    local test = fields_in(parts.test, "author")
    local validation = fields_in(parts.validation, "author")
    assert_disjoint(train, test)
    assert_disjoint(train, validation)
    assert_disjoint(validation, test)
  end)

  it("still meets the shares, and those of the labels", function()
    local parts = split(rows_of({ a = 200, b = 100 }, by_author),
      { group = "author", seed = 3 })
    assert.are.equal(240, #parts.train)
    assert.are.equal(30, #parts.test)
    local labels = count_labels(parts.test)
    assert.is_true(labels.a >= 15 and labels.b >= 7)
  end)

  it("balances the labels of groups that differ", function()
    local rows = rows_of({ a = 100, b = 100 },
      function(i) return { author = math.ceil(i / 5) } end)
    local parts = split(rows, { train = 0.5, test = 0.5, group = "author" })
    assert.are.same({ a = 50, b = 50 }, count_labels(parts.train))
  end)

  it("has every label in train", function()
    for seed = 1, 10 do
      local rows = rows_of({ a = 40, b = 40, rare = 3 },
        function(i) return { author = math.ceil(i / 4) } end)
      local parts = split(rows, { group = "author", seed = seed })
      assert.is_truthy(count_labels(parts.train).rare)
    end
  end)

  it("is the same for the same seed, else another", function()
    local rows = rows_of({ a = 200, b = 100 }, by_author)
    local a = split(rows, { group = "author", seed = 1 })
    assert.are.same(a, split(rows, { group = "author", seed = 1 }))
    assert.are_not.same(texts(a.test),
      texts(split(rows, { group = "author", seed = 2 }).test))
  end)

  it("names a row without a group", function()
    local rows = rows_of({ a = 30 }, by_author)
    rows[7].author = nil
    fails("split: row 7 has no 'author'", split, rows, { group = "author" })
  end)

  it("refuses fewer groups than parts", function()
    local rows = rows_of({ a = 30 }, function(i) return { by = i % 2 } end)
    fails("split: 2 distinct values of 'by' can't fill 3 parts", split, rows,
      { group = "by" })
  end)

  it("refuses to leave a part empty", function()
    local rows = rows_of({ a = 4, b = 4, c = 4 },
      function(i) return { by = math.ceil(i / 4) } end)
    fails("split: 12 rows in whole groups of 'by' leave 'validation' empty",
      split, rows, { group = "by" })
  end)
end)

describe("split in order", function()
  local function rows_at(times)
    local rows = {}
    for i, time in ipairs(times) do
      rows[i] = { text = "row " .. i, label = "a", time = time }
    end
    return rows
  end

  it("trains on the oldest rows and tests on the newest", function()
    local parts = split(rows_at({ 5, 3, 9, 1, 7 }),
      { train = 0.4, calibration = 0.2, test = 0.4, order = "time" })
    assert.are.same({ "row 4", "row 2" }, texts(parts.train))
    assert.are.same({ "row 1" }, texts(parts.calibration))
    assert.are.same({ "row 5", "row 3" }, texts(parts.test))
  end)

  it("compares digits as numbers, and dates as strings", function()
    local ratios = { train = 0.5, test = 0.5, order = "time" }
    assert.are.same({ "row 2" },
      texts(split(rows_at({ "10", "9" }), ratios).train))
    assert.are.same({ "row 2" },
      texts(split(rows_at({ "2024-02-01", "2023-11-30" }), ratios).train))
  end)

  it("keeps the order of rows of one time", function()
    local times = {}
    for i = 1, 100 do times[i] = i % 2 end
    local train = split(rows_at(times),
      { train = 0.5, test = 0.5, order = "time" }).train
    for i, row in ipairs(train) do
      assert.are.equal("row " .. 2 * i, row.text)
    end
  end)

  it("names a row without a time", function()
    local rows = rows_at({ 1, 2, 3 })
    rows[2].time = nil
    fails("split: row 2 has no 'time'", split, rows, { order = "time" })
    rows[2].time = 0 / 0
    fails("split: row 2 has no 'time'", split, rows, { order = "time" })
  end)

  it("refuses times that do not compare", function()
    fails("split: row 1: 'time' is a number, and others are not", split,
      rows_at({ 1, "2024-02-01" }), { order = "time" })
  end)

  it("is neither grouped nor stratified", function()
    local rows = rows_at({ 1, 2, 3 })
    fails("split: rows in order can't also be grouped", split, rows,
      { order = "time", group = "text" })
    fails("split: rows in order can't also be stratified", split, rows,
      { order = "time", stratify = true })
  end)
end)

describe("split refuses", function()
  local rows = rows_of({ a = 10, b = 10 })

  it("no rows", function()
    fails("split: no rows", split, {})
    fails("split: expected an array of rows, got nil", split)
    fails("split: row 2: expected a table, got string", split,
      { { label = "a" }, "b" })
  end)

  it("ratios that do not sum to 1, or are not positive", function()
    fails("split: the ratios sum to 1.1, not to 1: train 0.9, test 0.2",
      split, rows, { train = 0.9, test = 0.2 })
    fails("split: test: expected a positive ratio, got -0.5", split, rows,
      { train = 1.5, test = -0.5 })
    fails("split: train: expected a ratio, got most", split, rows,
      { train = "most" })
    assert.is_false((pcall(split, rows, { train = 0 / 0, test = 1 })))
  end)

  it("a part that would be empty", function()
    fails("split: 5 rows leave 'test' empty", split, rows_of({ a = 5 }))
  end)

  it("a part with the name of a result", function()
    fails("split: 'labels' can't name a part", split, rows,
      { train = 0.5, labels = 0.5 })
  end)

  it("labels that are missing in some rows, or no strings", function()
    fails("split: row 2 has no 'label'", split, { { label = "a" }, {} })
    fails("split: row 1: expected a string as its label, got boolean", split,
      { { label = true } })
  end)

  it("options it does not know, and seeds that are no integers", function()
    fails("split: unknown option 'stratified'; known: duplicates, group, "
      .. "order, seed, stratify, test, train, validation", split, rows,
      { stratified = true })
    fails("split: seed: expected an integer, got 'x'", split, rows,
      { seed = "x" })
  end)
end)

describe("split.folds", function()
  it("tests every row in one fold, and trains on the others", function()
    local rows = rows_of({ a = 31, b = 17 })
    local folds = split.folds(rows, { k = 4, seed = 1 })
    assert.are.equal(4, #folds)
    local tests = {}
    for i, fold in ipairs(folds) do
      assert_each_once(rows, fold.train, fold.test)
      tests[i] = fold.test
    end
    assert_each_once(rows, tests[1], tests[2], tests[3], tests[4])
  end)

  it("keeps the shares of the labels and the sizes of the folds", function()
    for _, fold in ipairs(split.folds(rows_of({ a = 31, b = 17, c = 6 }))) do
      local labels = count_labels(fold.test)
      assert.is_true(labels.a == 6 or labels.a == 7)
      assert.is_true(labels.b == 3 or labels.b == 4)
      assert.is_true(labels.c == 1 or labels.c == 2)
      assert.is_true(#fold.test == 10 or #fold.test == 11)
    end
  end)

  it("lets no group straddle", function()
    local rows = rows_of({ a = 60, b = 40 },
      function(i) return { by = i % 12 } end)
    for _, fold in ipairs(split.folds(rows, { k = 3, group = "by" })) do
      assert_each_once(rows, fold.train, fold.test)
      assert_disjoint(fields_in(fold.train, "by"), fields_in(fold.test, "by"))
      assert.is_true(#fold.test >= 30)
    end
  end)

  it("leaves one row out where there are as many folds as rows", function()
    local folds = split.folds(rows_of({ a = 5 }), { k = 5 })
    for _, fold in ipairs(folds) do assert.are.equal(1, #fold.test) end
  end)

  it("is the same for the same seed, else another", function()
    local rows = rows_of({ a = 30, b = 20 })
    local a = split.folds(rows, { seed = 1 })
    assert.are.same(a, split.folds(rows, { seed = 1 }))
    assert.are_not.same(a, split.folds(rows, { seed = 2 }))
  end)

  it("refuses more folds than rows or groups", function()
    fails("folds: 3 rows can't fill 5 folds", split.folds, rows_of({ a = 3 }))
    local rows = rows_of({ a = 9 }, function(i) return { by = i % 3 } end)
    fails("folds: 3 distinct values of 'by' can't fill 5 parts", split.folds,
      rows, { group = "by" })
    fails("folds: k: expected an integer of at least 2, got 1", split.folds,
      rows, { k = 1 })
  end)

  it("refuses a label that some fold could not train on", function()
    local rows = rows_of({ a = 20, rare = 1 })
    fails("folds: label 'rare' (1 row) is in one fold alone, so that none is "
      .. "left to train on; give stratify = false to allow it", split.folds,
      rows)
    assert.are.equal(5, #split.folds(rows, { stratify = false }))
  end)

  it("refuses no rows, and options it does not know", function()
    fails("folds: no rows", split.folds, {})
    fails("folds: unknown option 'folds'; known: duplicates, group, k, "
      .. "seed, stratify",
      split.folds, rows_of({ a = 9 }), { folds = 3 })
  end)
end)

describe("quota", function()
  it("rounds shares to counts with the right sum", function()
    assert.are.same({ 20, 3, 2 }, quota.of({ 0.8, 0.1, 0.1 }):cut(25))
    assert.are.same({ 29, 71 }, quota.of({ 0.29, 0.71 }):cut(100))
  end)

  it("pays in the next cut what it owed in the last", function()
    local shared = quota.of({ 0.5, 0.5 })
    assert.are.same({ 1, 0 }, shared:cut(1))
    assert.are.same({ 0, 1 }, shared:cut(1))
  end)
end)
