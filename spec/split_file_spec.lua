local core = require "lunula.core"
local data = require "lunula.data"
local file = require "spec.support.file"
local json = require "lunula.json"
local run = require "spec.support.run"
local split = require "lunula.split"
local tiny = require "spec.support.tiny"

local dir, path

local function rows_of(n, from)
  local rows = {}
  for i = 1, n do
    local number = (from or 0) + i
    rows[i] = { text = "text number " .. number, label = "l" .. number % 2 }
  end
  return rows
end

local function with(rows, more)
  local all = {}
  for _, list in ipairs { rows, more } do
    for _, row in ipairs(list) do all[#all + 1] = row end
  end
  return all
end

local function copy(rows)
  local made = {}
  for i, row in ipairs(rows) do
    made[i] = {}
    for name, value in pairs(row) do made[i][name] = value end
  end
  return made
end

local function index_of(rows, wanted)
  for i, row in ipairs(rows) do
    if row.text == wanted.text then return i end
  end
end

local function fails(message, f, ...)
  local ok, why = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(message, (why:gsub(dir .. "/", "")))
end

local function shuffled(rows, seed)
  local rng, made = core.rng(seed), {}
  for i, row in ipairs(rows) do
    local j = rng:below(i) + 1
    made[i] = made[j]
    made[j] = row
  end
  return made
end

describe("a split in a file", function()
  before_each(function()
    dir = tiny.temporary()
    path = dir .. "/split.jsonl"
  end)
  after_each(function() tiny.remove(dir) end)

  it("gives the same parts in the same order, however the rows are ordered",
    function()
      local rows = rows_of(100)
      local parts = split(rows, { seed = 3 })
      split.save(path, parts, { seed = 3 })
      local loaded, report = split.load(path, shuffled(copy(rows), 1))
      assert.are.same(parts, loaded)
      assert.are.same({ missing = {}, touched = {}, new = {}, left_out = {} },
        report)
    end)

  it("says what it is", function()
    split.save(path, split(rows_of(50), { seed = 3, train = 0.6, test = 0.4 }),
      { seed = 3 })
    local head = json.decode(file.read(path):match "^[^\n]+", "split")
    assert.are.same({ kind = "split", version = require("lunula").version,
      counts = { train = 30, test = 20 }, options = { seed = 3 } }, head)
  end)

  it("gives new rows to train, and leaves the others as they were",
    function()
      local rows = rows_of(100)
      local parts = split(rows)
      split.save(path, parts)
      local more = rows_of(40, 100)
      local loaded, report = split.load(path, shuffled(with(rows, more), 2))
      assert.are.same(parts.test, loaded.test)
      assert.are.same(parts.validation, loaded.validation)
      assert.are.equal(120, #loaded.train)
      for i = 1, 80 do assert.are.equal(parts.train[i], loaded.train[i]) end
      assert.are.equal(40, #report.new)
      split.save(path, loaded)
      local again, quiet = split.load(path, with(rows, more))
      assert.are.same(loaded, again)
      assert.are.equal(0, #quiet.new)
    end)

  it("shares new rows among the parts that may grow, by their sizes",
    function()
      local rows = rows_of(100)
      split.save(path, split(rows))
      local loaded = split.load(path, with(rows, rows_of(90, 100)),
        { grow = { "train", "validation" } })
      assert.are.same({ 160, 20, 10 },
        { #loaded.train, #loaded.validation, #loaded.test })
      loaded = split.load(path, with(rows, rows_of(100, 100)),
        { grow = { "train", "validation", "test" } })
      assert.are.same({ 160, 20, 20 },
        { #loaded.train, #loaded.validation, #loaded.test })
    end)

  it("notices a test row that is gone, or has another label", function()
    local rows = rows_of(100)
    local parts = split(rows)
    split.save(path, parts)
    local changed = copy(rows)
    changed[index_of(rows, parts.test[2])].label = "other"
    table.remove(changed, index_of(rows, parts.test[5]))
    fails("split.jsonl: of 10 test rows 1 are missing and 1 have another "
      .. "label: the test set is not what it was; give changed = 'report' to "
      .. "go on with it", split.load, path, changed)
    local loaded, report = split.load(path, changed, { changed = "report" })
    assert.are.same({ test = 1 }, report.missing)
    assert.are.equal(1, #report.touched)
    assert.are.equal(parts.test[2].text, report.touched[1].row.text)
    assert.are.equal("test", report.touched[1].part)
    assert.are.equal(9, #loaded.test)
    assert.are.equal("other", loaded.test[2].label)
  end)

  it("notices a test row with another text", function()
    local rows = rows_of(100)
    local parts = split(rows)
    split.save(path, parts)
    local changed = copy(rows)
    changed[index_of(rows, parts.test[2])].text = "something else"
    fails("split.jsonl: of 10 test rows 1 are missing and 0 have another "
      .. "label: the test set is not what it was; give changed = 'report' to "
      .. "go on with it", split.load, path, changed)
  end)

  it("lets training rows be relabelled and removed, and says so", function()
    local rows = rows_of(100)
    local parts = split(rows)
    split.save(path, parts)
    local changed = copy(rows)
    changed[index_of(rows, parts.train[1])].label = "other"
    table.remove(changed, index_of(rows, parts.train[2]))
    local loaded, report = split.load(path, changed)
    assert.are.equal(79, #loaded.train)
    assert.are.equal("other", loaded.train[1].label)
    assert.are.same({ train = 1 }, report.missing)
    assert.are.equal("train", report.touched[1].part)
    assert.are.equal(0, #report.new)
  end)

  it("leaves out new rows that say again what a held-out row says",
    function()
      local rows = rows_of(100)
      local parts = split(rows)
      split.save(path, parts)
      local more = {
        { text = parts.test[1].text:upper() .. "!", label = "l0" },
        { text = parts.validation[1].text, label = "another" },
        { text = parts.train[1].text .. ".", label = "l1" } }
      local loaded, report = split.load(path, with(rows, more))
      assert.are.equal(2, #report.left_out)
      assert.are.equal(81, #loaded.train)
      assert.are.equal(more[3], loaded.train[81])
      loaded = split.load(path, with(rows, more), { duplicates = "ignore" })
      assert.are.equal(83, #loaded.train)
    end)

  it("keeps new rows beside the known ones of their group", function()
    local rows = rows_of(100)
    for i, row in ipairs(rows) do row.by = "g" .. i % 20 end
    local parts = split(rows, { group = "by" })
    split.save(path, parts)
    local more = rows_of(3, 100)
    more[1].by, more[2].by, more[3].by = parts.test[1].by, parts.train[1].by,
      "another"
    local loaded, report = split.load(path, with(rows, more),
      { group = "by", grow = { "train", "validation" } })
    assert.are.same({ more[1] }, report.left_out)
    assert.are.same({ more[2], more[3] }, report.new)
    assert.are.equal(more[2], loaded.train[#parts.train + 1])
  end)

  it("knows rows with several labels, and equal rows by their number",
    function()
      local rows = rows_of(40)
      for i, row in ipairs(rows) do
        row.label, row.labels = nil, { "a", "b" .. i % 3 }
      end
      rows[41] = copy({ rows[1] })[1]
      local parts = split(rows)
      split.save(path, parts)
      local turned = copy(rows)
      for _, row in ipairs(turned) do
        row.labels = { row.labels[2], row.labels[1] }
      end
      local loaded, report = split.load(path, turned)
      assert.are.equal(#parts.train, #loaded.train)
      assert.are.same({}, report.touched)
      turned[42] = copy({ rows[1] })[1]
      local _, grown = split.load(path, turned)
      assert.are.equal(1, #grown.new + #grown.left_out)
    end)

  -- the parts of a random history: no row is lost, none is in two parts, and
  -- test stays what it was
  it("holds over many changes", function()
    local rng, rows = core.rng(9), rows_of(60)
    local parts = split(rows, { seed = 2 })
    local test, number = parts.test, 1000
    split.save(path, parts)
    for _ = 1, 15 do
      for _ = 1, rng:below(12) do
        number = number + 1
        local like = rng:below(3) == 0 and rows[rng:below(#rows) + 1].text
          or "text number " .. number
        table.insert(rows, rng:below(#rows) + 1,
          { text = like, label = "l" .. number })
      end
      local loaded, report = split.load(path, rows,
        { grow = { "train", "validation" }, seed = number })
      assert.are.same(test, loaded.test)
      local part_of, n = {}, #report.left_out
      for _, name in ipairs { "train", "validation", "test" } do
        for _, row in ipairs(loaded[name]) do
          assert.is_true((part_of[row.text] or name) == name)
          part_of[row.text], n = name, n + 1
        end
      end
      assert.are.equal(#rows, n)
      split.save(path, loaded)
    end
  end)
end)

describe("a split's file that is none", function()
  before_each(function()
    dir = tiny.temporary()
    path = dir .. "/split.jsonl"
  end)
  after_each(function() tiny.remove(dir) end)

  it("is refused with its line", function()
    local rows = rows_of(20)
    split.save(path, split(rows))
    local bytes = file.read(path)
    local function refuses(message, made)
      file.write(path, made)
      fails(message, split.load, path, rows)
    end
    refuses("split.jsonl: empty file", "")
    refuses("split.jsonl:1: expected a split that lunula wrote", "{}\n")
    refuses("split.jsonl:1: expected a split that lunula wrote", "[1]\n")
    refuses("split.jsonl:2: expected hash, text and one of the parts",
      bytes:gsub('"hash":"%x', '"hash":"x', 1))
    refuses("split.jsonl:2: expected hash, text and one of the parts",
      bytes:gsub('"part":"[a-z]+', '"part":"other', 1))
    refuses("split.jsonl: 1 rows of 'validation', and it says that there are "
      .. "2", (bytes:gsub("[^\n]+\n$", "")))
    file.write(path, bytes:sub(1, -20))
    assert.is_false((pcall(split.load, path, rows)))
    for at = 1, #bytes, 97 do
      file.write(path, bytes:sub(1, at) .. "\0" .. bytes:sub(at + 1))
      assert.is_false((pcall(split.load, path, rows)), at)
    end
  end)

  it("knows which is which of equal rows in several parts", function()
    local rows = rows_of(40)
    for i, row in ipairs(rows) do
      row.line, row.text, row.label = i, "text " .. i % 7, "l" .. i % 7 % 2
    end
    local parts = split(rows, { order = "line" })
    split.save(path, parts)
    local again, report = split.load(path, rows)
    for _, name in ipairs { "train", "validation", "test" } do
      for i, row in ipairs(parts[name]) do
        assert.are.equal(row.line, again[name][i].line)
      end
    end
    assert.are.same({ {}, {}, {} },
      { report.new, report.missing, report.touched })
    table.remove(rows)
    fails("split.jsonl: of 4 test rows 1 are missing and 0 have another "
      .. "label: the test set is not what it was; give changed = 'report' to "
      .. "go on with it", split.load, path, rows)
  end)

  it("says that the disk is full", function()
    local ok, why = pcall(split.save, "/dev/full", split(rows_of(20)))
    assert.is_false(ok)
    assert.are.equal("/dev/full: No space left on device", why)
  end)

  it("refuses options it does not know", function()
    local rows = rows_of(20)
    split.save(path, split(rows))
    fails("split.load: grow: expected one of test, train, validation, got "
      .. "'dev'", split.load, path, rows, { grow = { "dev" } })
    fails("split.load: grow: expected one part at least", split.load, path,
      rows, { grow = {} })
    fails("split.load: changed: expected one of error, report, got 'no'",
      split.load, path, rows, { changed = "no" })
  end)
end)

describe("lunula split", function()
  before_each(function()
    dir = tiny.temporary()
    path = dir .. "/a.csv"
  end)
  after_each(function() tiny.remove(dir) end)

  local HEAD = "\239\187\191id,text,label,by\r\n"

  local function record(i, label)
    return ('%d,"text ""%d"",\nmore",%s,g%d\n'):format(i, i,
      label or "l" .. i % 2, i % 30)
  end

  local function write(n, labels)
    local lines = { HEAD }
    for i = 1, n do lines[i + 1] = record(i, (labels or {})[i]) end
    file.write(path, table.concat(lines))
  end

  local function lunula_split(...)
    local said, code, notes = run.lunula { "split", path, "--output",
      dir .. "/out", ... }
    return (said:gsub(dir .. "/", "")), code, (notes:gsub(dir .. "/", ""))
  end

  local function part(name) return file.read(dir .. "/out/" .. name) end

  -- the records of a part, each once, in the order of the file
  local function numbers(name)
    local bytes, list = part(name), {}
    assert.are.equal(HEAD, bytes:sub(1, #HEAD))
    for number in bytes:gmatch '\n(%d+),"' do
      list[#list + 1] = tonumber(number)
    end
    local again = {}
    for i, number in ipairs(list) do again[i] = record(number) end
    assert.are.equal(HEAD .. table.concat(again), bytes)
    for i = 2, #list do assert.is_true(list[i - 1] < list[i]) end
    return list
  end

  it("writes each record into one part as it stood", function()
    write(100)
    local said, code, notes = lunula_split()
    assert.are.same({ 0, "" }, { code, notes })
    assert.are.equal("out/train.csv  80\nout/validation.csv  10\n"
      .. "out/test.csv  10\n", said)
    local all = {}
    for _, name in ipairs { "train.csv", "validation.csv", "test.csv" } do
      for _, number in ipairs(numbers(name)) do all[#all + 1] = number end
    end
    table.sort(all)
    for i = 1, 100 do assert.are.equal(i, all[i]) end
  end)

  it("keeps what it knows when the data have grown", function()
    write(100)
    lunula_split "--seed=4"
    local test, train = part "test.csv", part "train.csv"
    write(110)
    local said, code, notes = lunula_split()
    assert.are.equal(0, code)
    assert.are.equal("10 new rows, the first at a.csv:202\n", notes)
    assert.matches("out/train.csv  90\n", said, 1, true)
    assert.are.equal(test, part "test.csv")
    assert.are.equal(train, part("train.csv"):sub(1, #train))
  end)

  it("notices a test set that has changed", function()
    write(100)
    lunula_split()
    local i = numbers("test.csv")[1]
    write(100, { [i] = "other" })
    local _, code, notes = lunula_split()
    assert.are.equal(1, code)
    assert.are.equal("lunula: out/split.jsonl: of 10 test rows 0 are missing "
      .. "and 1 have another label: the test set is not what it was; give "
      .. "changed = 'report' to go on with it\n", notes)
    _, code, notes = lunula_split "--changed=report"
    assert.are.equal(0, code)
    assert.are.equal(("1 rows with another label, the first at a.csv:%d\n")
      :format(2 * i), notes)
  end)

  it("takes shares, groups and times", function()
    write(90)
    assert.are.equal("out/train.csv  54\nout/test.csv  36\n",
      (lunula_split("--train=0.6", "--test=0.4", "--group=by")))
    local seen = {}
    for _, number in ipairs(numbers "train.csv") do seen[number % 30] = true end
    for _, number in ipairs(numbers "test.csv") do
      assert.is_nil(seen[number % 30])
    end
    local _, code = run.lunula { "split", path, "--output", dir .. "/b",
      "--train=0.5", "--test=0.5", "--order=id", "--unlabelled" }
    assert.are.equal(0, code)
    assert.are.equal(HEAD .. record(1),
      file.read(dir .. "/b/train.csv"):sub(1, #HEAD + #record(1)))
  end)

  it("splits by time what was said again, and the same way again", function()
    local lines = { "text,label,at" }
    for i = 1, 30 do lines[i + 1] = ("thanks,l%d,%02d"):format(i % 2, i) end
    file.write(dir .. "/t.csv", table.concat(lines, "\n") .. "\n")
    local words = { "split", dir .. "/t.csv", "--output", dir .. "/t" }
    local _, code, why = run.lunula(with(words, { "--order=at" }))
    assert.are.equal(0, code, why)
    local test = file.read(dir .. "/t/test.csv")
    assert.matches("^text,label,at\nthanks,l0,28\nthanks,l1,29\nthanks,l0,30\n",
      test)
    _, code, why = run.lunula(words)
    assert.are.equal(0, code, why)
    assert.are.equal(test, file.read(dir .. "/t/test.csv"))
  end)

  it("writes the parts that a split of the library has", function()
    write(20)
    local rows = data.read(path)
    local function made(name)
      split.save(dir .. "/s.jsonl", { train = { rows[1], rows[2] },
        [name] = { rows[3] } })
      return lunula_split("--file=" .. dir .. "/s.jsonl")
    end
    local said, code = made "dev"
    assert.are.equal(0, code)
    assert.are.equal("out/train.csv  19\nout/dev.csv  1\n", said)
    assert.are.equal(HEAD .. record(3), part "dev.csv")
    local _, status, notes = made "../dev"
    assert.are.equal(1, status)
    assert.are.equal("lunula: s.jsonl: part '../dev' can't be a file's name\n",
      notes)
  end)

  it("overwrites nothing that it has not written", function()
    write(100)
    core.io.make_folder(dir .. "/out")
    file.write(dir .. "/out/test.csv", "precious")
    local _, code, notes = lunula_split()
    assert.are.equal(1, code)
    assert.are.equal("lunula: split: out/test.csv is there already: remove "
      .. "it, or give another folder\n", notes)
    assert.are.equal("precious", part "test.csv")
    assert.is_nil(core.io.stat(dir .. "/out/train.csv"))
  end)

  it("refuses shares for what is split already, and growth of what is not",
    function()
      write(100)
      local _, code, notes = lunula_split "--grow=test"
      assert.are.equal(2, code)
      assert.matches("--grow: only with a --file that is there", notes, 1,
        true)
      lunula_split()
      _, code, notes = lunula_split("--train=0.5", "--test=0.5")
      assert.are.equal(2, code)
      assert.matches("--train: out/split.jsonl says how it is split already; "
        .. "remove it to split anew", notes, 1, true)
    end)
end)
