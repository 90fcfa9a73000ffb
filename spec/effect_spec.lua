local bootstrap = require "lunula.metrics.bootstrap"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local csv = require "lunula.data.csv"
local file = require "spec.support.file"
local json = require "lunula.json"
local refine = require "lunula.refine"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

local OPTIONS = { epochs = 14, batch_size = 8, learning_rate = 0.01, seed = 2,
  dropout = 0 }

local dir

local function path(name) return dir .. "/" .. name end

local function write_rows(name, rows)
  local lines = { "text,label" }
  for i, row in ipairs(rows) do
    lines[i + 1] = csv.line { row.text, row.label }
  end
  file.write(path(name), table.concat(lines, "\n") .. "\n")
end

local function other(label)
  return label == "positive" and "negative" or "positive"
end

local function fails(message, ...)
  local ok, why = pcall(refine.effect, ...)
  assert.is_false(ok)
  assert.are.equal(message, (why:gsub(dir .. "/", "")))
end

describe("the effect of a refinement", function()
  local log, validation

  setup(function()
    dir = tiny.temporary()
    tiny.write_encoder(path "encoder")
    local rows, issues = tiny.reviews(120), {
      "file,row,kind,severity,evidence,suggestion,decision" }
    validation = {}
    for i = 1, 40 do validation[i] = table.remove(rows) end
    for i, row in ipairs(rows) do
      if i % 5 < 4 then  -- row 3 is removed, too
        issues[#issues + 1] = csv.line { path "a.csv", tostring(i),
          i % 2 == 0 and "label_error" or "label_conflict", "high", "",
          "relabel: " .. row.label, "accept" }
        row.label = other(row.label)
      end
    end
    issues[#issues + 1] = csv.line { path "a.csv", "3", "empty", "low", "",
      "remove", "accept" }
    issues[#issues + 1] = csv.line { path "a.csv", "4", "outlier", "low", "",
      "remove", "reject" }
    write_rows("a.csv", rows)
    write_rows("validation.csv", validation)
    file.write(path "issues.csv", table.concat(issues, "\n") .. "\n")
    log = path "b.csv.log.jsonl"
    refine(path "a.csv", { issues = path "issues.csv",
      output = path "b.csv" })
  end)

  teardown(function() tiny.remove(dir) end)

  local function given(more)
    local o = { validation = path "validation.csv", model = path "encoder",
      options = OPTIONS }
    for name, value in pairs(more or {}) do o[name] = value end
    return o
  end

  it("is the accuracy after less that before, with its interval", function()
    local said = {}
    local found = refine.effect(log, given { runs = 2,
      on_progress = function(what) said[#said + 1] = what end })
    assert.are.equal(4, #said)
    assert.are.equal("training on the file as it is refined (2 of 2)", said[4])
    assert.are.same({ 40, 2, 80, 79 },
      { found.n, found.runs, found.before.rows, found.after.rows })
    assert.is_near(found.after.accuracy - found.before.accuracy,
      found.difference.mean, 1e-12)
    assert.is_true(found.difference.low > 0, tostring(found))
    assert.is_true(found.after.accuracy > 0.8, tostring(found))
    assert.are.same({ label_error = { relabel = 32 },
      label_conflict = { relabel = 31 }, empty = { remove = 1 } },
      found.changes)
    assert.are.same({ 1, 63, 0 },
      { found.removed, found.relabelled, found.replaced })
    local text = tostring(found)
    assert.matches("the refined file is better (40 validation texts, runs: 2)",
      text, 1, true)
    assert.matches("changes: empty: remove 1, label_conflict: relabel 31, "
      .. "label_error: relabel 32", text, 1, true)
  end)

  it("is the same for the same seed, and 0 where nothing was changed",
    function()
      assert.are.same(refine.effect(log, given()),
        refine.effect(log, given()))
      local quiet = path "quiet.csv"
      file.write(path "none.csv",
        "file,row,kind,severity,evidence,suggestion,decision\n")
      refine(path "a.csv", { issues = path "none.csv", output = quiet })
      local found = refine.effect(quiet .. ".log.jsonl", given())
      assert.are.same({ mean = 0, low = 0, high = 0 }, found.difference)
      assert.matches("no difference is shown", tostring(found), 1, true)
      assert.matches("changes: none", tostring(found), 1, true)
    end)

  it("may be that of two models that were trained", function()
    local models, right = {}, {}
    for seed = 1, 2 do
      models[seed] = classifier(path "encoder", { seed = seed,
        labels = { "negative", "positive" } })
      models[seed]:save(path("model" .. seed))
      right[seed] = {}
      for i, row in ipairs(validation) do
        right[seed][i] = models[seed]:predict(row.text).label == row.label
          and 1 or 0
      end
    end
    local found = refine.effect(log, { validation = validation,
      before = path "model1", after = models[2] })
    assert.are.same(bootstrap.difference(right[2], right[1]),
      found.difference)
    assert.is_nil(found.runs)
  end)

  it("is found when the files have moved to stand beside the log", function()
    core.io.make_folder(path "moved")
    for _, name in ipairs { "a.csv", "b.csv", "b.csv.log.jsonl" } do
      file.write(path("moved/" .. name), file.read(path(name)))
    end
    local bytes = file.read(path "a.csv")
    os.remove(path "a.csv")
    local found = refine.effect(path "moved/b.csv.log.jsonl", given())
    assert.are.equal(40, found.n)
    file.write(path "a.csv", bytes)
  end)

  it("is not that of files that have changed, or are gone", function()
    local bytes = file.read(path "b.csv")
    file.write(path "b.csv", bytes .. "more,positive\n")
    fails("b.csv is not the file of b.csv.log.jsonl: it has another SHA-256",
      log, given())
    os.remove(path "b.csv")
    fails("b.csv.log.jsonl: no file 'b.csv', nor beside the log", log, given())
    file.write(path "b.csv", bytes)
  end)

  it("needs a log, and models or something to train from", function()
    fails("effect: give a model to train from, or before and after, two that "
      .. "were trained", log, { validation = validation })
    fails("effect: before and after: expected both", log,
      { validation = validation, before = path "encoder" })
    file.write(path "x.jsonl", "{}\n")
    fails("x.jsonl:1: expected the log that lunula refine writes",
      path "x.jsonl", given())
    file.write(path "x.jsonl", "")
    fails("x.jsonl: empty file", path "x.jsonl", given())
    file.write(path "x.jsonl", '{"kind":"refinement","before":3}\n')
    fails("x.jsonl:1: 'before': expected a file and its sha256",
      path "x.jsonl", given())
  end)

  it("is told by lunula audit --since, wherever that stands", function()
    local figures = path "effect.json"
    for _, words in ipairs {
      { "audit", "--since", log, "--validation", path "validation.csv" },
      { "audit", "--validation", path "validation.csv", "--since=" .. log } }
    do
      for _, word in ipairs { "--model", path "encoder", "--epochs=4",
        "--batch-size=8", "--learning-rate=0.01", "--seed=2", "--json",
        figures } do
        words[#words + 1] = word
      end
      local said, code, notes = run.lunula(words)
      assert.are.equal(0, code, notes)
      assert.matches("^%s+rows  accuracy  95 %% from +to\nbefore +80 ", said)
      local found = json.decode(file.read(figures), "effect.json")
      assert.are.same({ "effect", 40, 63 },
        { found.kind, found.n, found.relabelled })
      os.remove(figures)
    end
    local _, code, notes = run.lunula { "audit", "--since", log,
      "--validation", path "validation.csv" }
    assert.are.equal(2, code)
    assert.are.equal("lunula: give --model, or --before and --after (see "
      .. "lunula audit --help)\n", notes)
  end)
end)
