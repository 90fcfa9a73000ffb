local documents = require "spec.support.documents"
local files = require("lunula.core").io
local html = require "spec.support.html"
local json = require "lunula.json"
local read = require("spec.support.file").read
local report = require "lunula.report"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"
local has = html.has
local table_named = html.table_named

describe("A report refuses", function()
  it("documents of no kind", function()
    assert.has_error(function() report.page {} end,
      "report.page: no documents")
    assert.error_matches(function() report.page { { a = 1 } } end,
      "document 1: figures of nothing that is known; expected JSON of")
    assert.has_error(function() report.page { 5 } end,
      "report.page: document 1: expected a table, got 5")
    assert.error_matches(function()
      report.page({ documents.audit() }, { titel = "x" })
    end, "unknown option 'titel'")
  end)
end)

describe("A report from files", function()
  local dir

  setup(function()
    dir = tiny.temporary()
    files.make_folder(dir .. "/audit")
    files.make_folder(dir .. "/model")
    files.make_folder(dir .. "/empty")
    local function write(name, text) files.write(dir .. "/" .. name,
      { text }) end
    write("train.json", json.encode(documents.training()))
    write("audit/summary.json", json.encode(documents.audit()))
    write("model/config.json", "{}")
    write("model/README.md", "# My model\n")
    files.make_folder(dir .. "/trained")
    files.make_folder(dir .. "/bare")
    write("bare/config.json", "{}")
    local record = documents.training()
    record.steps, record.options = nil, { epochs = 3, seed = 7 }
    record.base = { name = "small-encoder" }
    record.files = { train = { file = "train.csv", rows = 1200 } }
    for _, name in ipairs { "model", "trained" } do
      write(name .. "/config.json", "{}")
      write(name .. "/training.json", json.encode(record))
    end
    write("effect.json", json.encode(documents.effect()))
    write("sweep.json", '{"kind": "sweep", "trials": []}')
    write("list.json", '["a"]')
    write("broken.json", '{"kind": ')
    local old = documents.evaluation(2)
    old.kind = nil
    write("old.json", json.encode(old))
  end)

  teardown(function() tiny.remove(dir) end)

  it("knows each by its content", function()
    local function kind(name) return report.read(dir .. "/" .. name).kind end
    assert.are.equal("training", kind "train.json")
    assert.are.equal("evaluation", kind "old.json")
    assert.are.equal("audit", kind "audit")
    assert.are.equal("audit", kind "audit/summary.json")
    assert.are.equal("card", kind "model/")
    assert.are.equal("training", kind "trained")
    assert.are.equal("effect", kind "effect.json")
  end)

  it("shows the record of a model's training, beside its card", function()
    local root = html.parse(report.page { report.read(dir .. "/model") })
    assert.are.same({ "trained from", "small-encoder" },
      table_named(root, "The run")[4])
    assert.are.same({ "train", "train.csv, 1,200 rows" },
      table_named(root, "The run")[5])
    assert.are.same({ "epochs", "3" }, table_named(root, "The run")[6])
    assert.is_false(has(root, "Steps"))
    assert.is_true(has(root, "My model"))
  end)

  it("shows a training once, which has its figures beside", function()
    local root = html.parse(report.page { report.read(dir .. "/model"),
      report.read(dir .. "/train.json") })
    local titles = {}
    for i, title in ipairs(html.all(root, "h2")) do
      titles[i] = html.text(title)
    end
    assert.are.same({ "Summary", "Training", "Model card" }, titles)
  end)

  it("says of a model that its weights were changed since", function()
    local path = dir .. "/trained/training.json"
    local record = json.decode(read(path), path)
    record.weights_sha256 = ("0"):rep(64)
    files.write(path, { json.encode(record) })
    local root = html.parse(report.page { report.read(dir .. "/trained") })
    assert.is_true(has(root, "they were changed since"))
  end)

  it("refuses others with what was expected", function()
    for name, why in pairs {
      ["sweep.json"] = "figures of 'sweep'; expected JSON of",
      ["list.json"] = "figures of nothing that is known; expected",
      ["broken.json"] = "broken.json: not valid JSON",
      ["bare"] = "neither a README.md, which lunula card writes, nor a",
      ["empty"] = "neither summary.json nor config.json; expected",
      ["absent.json"] = "no file '",
    } do
      assert.error_matches(function() report.read(dir .. "/" .. name) end,
        why, 1, true)
    end
  end)

  it("is written by the command", function()
    local path = dir .. "/report.html"
    local said, code, errors = run.lunula { "report", dir .. "/train.json",
      dir .. "/audit", dir .. "/model", "--output", path, "--title",
      "Films" }
    assert.are.equal("", said)
    assert.are.equal(0, code, errors)
    assert.are.equal("wrote " .. path .. "\n", errors)
    local root = html.parse(read(path))
    assert.are.equal("Films", html.text(html.all(root, "h1")[1]))
    assert.are.equal(4, #html.all(root, "h2"))
    assert.is_true(has(root, "My model"))
  end)

  it("fails in one line, and leaves no page", function()
    local path = dir .. "/none.html"
    local _, code, errors = run.lunula { "report", dir .. "/train.json",
      dir .. "/sweep.json", "--output", path }
    assert.are.equal(1, code)
    assert.matches("^lunula: report: .*sweep.json: figures of 'sweep'; "
      .. "expected [^\n]*\n$", errors)
    assert.is_nil(files.stat(path))
  end)

  it("wants a folder that is there", function()
    local _, code, errors = run.lunula { "report", dir .. "/train.json",
      "--output", dir .. "/absent/report.html" }
    assert.are.equal(1, code)
    assert.are.equal(("lunula: --output: no folder '%s/absent/'\n")
      :format(dir), errors)
  end)

  it("wants inputs and an output", function()
    local _, code, errors = run.lunula { "report", "--output", "x.html" }
    assert.are.equal(2, code)
    assert.matches("INPUT is missing: lunula report --output FILE "
      .. "[options] INPUT...", errors, 1, true)
    _, code, errors = run.lunula { "report", dir .. "/train.json" }
    assert.are.equal(2, code)
    assert.matches("--output is needed", errors, 1, true)
  end)
end)
