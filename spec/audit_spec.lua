--- The pass over the files of a project, what it writes, and its command.
local arguments = require "lunula.cli.arguments"
local cjson = require "cjson"
local core = require "lunula.core"
local data = require "lunula.data"
local file = require "spec.support.file"
local lunula = require "lunula"
local parts = require "lunula.audit.parts"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

local dir

local function path_of(name) return dir .. "/" .. name end

local function write(name, content)
  file.write(path_of(name), content)
  return path_of(name)
end

local function all(found)
  local list = {}
  for issue in found:each() do list[#list + 1] = issue end
  return list
end

-- without the folder, `train.csv 2 empty high remove`
local function short(list)
  local lines = {}
  for i, issue in ipairs(list) do
    lines[i] = ("%s %d %s %s %s"):format(issue.file:match "[^/]*$", issue.row,
      issue.kind, issue.severity, issue.suggestion)
  end
  return lines
end

-- Rows as `text,label` of as many texts.
local function plain(n, label)
  local lines = {}
  for i = 1, n do
    lines[i] = ("the film of number %d is what it is,%s"):format(i, label)
  end
  return table.concat(lines, "\n") .. "\n"
end

setup(function() dir = tiny.temporary() end)
teardown(function() tiny.remove(dir) end)

describe("reading that is not strict", function()
  local function read(name, content, options)
    options = options or {}
    options.strict = false
    return data.read(write(name, content), options)
  end

  it("takes rows that have no text or no label, and says so", function()
    local rows = read("a.csv", "text,label\n,x\ny,\n")
    assert.are.equal("", rows[1].text)
    assert.are.equal("x", rows[1].label)
    assert.is_nil(rows[1].fault)
    assert.is_nil(rows[2].label)
    assert.are.equal("empty label", rows[2].fault)
  end)

  it("needs no label column, but a text", function()
    assert.is_nil(read("a.csv", "text,other\na,b\n")[1].label)
    local ok, why = pcall(read, "a.csv", "one,other\na,b\n")
    assert.is_false(ok)
    assert.matches("which column is the text", why)
  end)

  it("takes objects in which something is missing or null", function()
    local rows = read("a.jsonl", '{"text":"a","label":"x"}\n'
      .. '{"text":null,"label":"x"}\n{"text":"b"}\n'
      .. '{"text":"c","label":["x","y"]}\n')
    assert.are.equal("", rows[2].text)
    assert.are.equal("empty label", rows[3].fault)
    assert.are.same({ "x", "y" }, rows[4].labels)
  end)

  it("leaves out labels that are empty or come twice", function()
    local rows = read("a.csv", 'text,label\na,"x,,y"\nb,"x,y,x"\nc,\n',
      { label_separator = "," })
    assert.are.same({ "x", "y" }, rows[1].labels)
    assert.are.equal("one of the labels is empty", rows[1].fault)
    assert.are.same({ "x", "y" }, rows[2].labels)
    assert.are.same({}, rows[3].labels)
    assert.is_nil(rows[3].fault)
  end)

  it("refuses a file that can't be taken apart, with its line", function()
    for content, message in pairs {
      ["text,label\na,b\nc\n"] = "bad.csv:3: 1 field, the header has 2",
      ['text,label\na,"b\n'] = "bad.csv:2: a quote that is never closed",
      ["text,label\na\rb,c\n"] = "bad.csv:2: a carriage return",
    } do
      local path = write("bad.csv", content)
      local ok, why = pcall(lunula.data.audit, path)
      assert.is_false(ok)
      assert.is_not_nil(why:find(message, 1, true), why)
    end
  end)
end)

describe("the parts of a project", function()
  it("are known by the names of the files", function()
    assert.are.same({ "test", "validation", "train", "validation" },
      parts.of { "x/my_test.csv", "dev-2.csv", "Train.csv", "valData.csv" })
  end)

  it("are known by their order where the names say nothing", function()
    assert.are.same({ "train" }, parts.of { "latest.csv" })
    assert.are.same({ "train", "validation" }, parts.of { "a.csv", "b.csv" })
    assert.are.same({ "train", "validation", "test" },
      parts.of { "train/devices.csv", "b.csv", "contest.csv" })
  end)
end)

describe("an audit", function()
  it("goes through all files, and tells by file, row and severity", function()
    local train = write("train.csv", "text,label\n" .. plain(6, "x")
      .. "caf\233,x\n,x\n" .. plain(6, "y"))
    local test = write("test.csv", 'text,label\nmail w@acme.org &amp; go,z\n')
    local document, found = lunula.data.audit({ train, test },
      { checks = { "empty", "encoding", "personal", "balance" } })
    assert.are.same({
      "train.csv 7 encoding high replace: café",
      "train.csv 8 empty high remove",
      "test.csv 1 rare_label high look",
      "test.csv 1 personal_data medium replace: mail [EMAIL] &amp; go",
      "test.csv 1 encoding low replace: mail w@acme.org & go",
    }, short(all(found)))
    assert.are.same({ encoding = 2, empty = 1, rare_label = 1,
      personal_data = 1 }, document.counts)
    assert.are.same({ high = 1, medium = 0, low = 1 },
      document.severities.encoding)
    assert.are.same({ { file = train, part = "train", rows = 14,
      sha256 = core.sha256(file.read(train)) }, { file = test, part = "test",
      rows = 1, sha256 = core.sha256(file.read(test)) } }, document.files)
    assert.are.equal(3, document:at_least "high")
    assert.are.equal(5, document:at_least "low")
  end)

  it("says that a label of the test is in no training row", function()
    local train = write("train.csv", "text,label\n" .. plain(6, "x"))
    local test = write("test.csv", "text,label\na text,other\nb text,x\n")
    local document, found = lunula.data.audit({ test, train },
      { checks = { "balance" } })
    assert.are.equal('no training row has the label "other"',
      all(found)[1].evidence)
    assert.are.equal(1, document.counts.rare_label)
    assert.are.equal(0.5, document.figures.balance.parts.test.shift)
  end)

  it("writes a table that reads back as it was, whatever is in it", function()
    local text = 'a "quoted", caf\195\131\194\169\nover two lines'
    local path = write("=x,y.csv", 'text,label\n"' .. text:gsub('"', '""')
      .. '",x\n')
    local out = path_of "out/of/audit"
    lunula.data.audit(path, { output = out, checks = { "encoding" } })
    local bytes = file.read(out .. "/issues.csv")
    assert.are.equal("file,row,kind,severity,evidence,suggestion",
      bytes:match "^[^\n]*")
    local issues = data.read(out .. "/issues.csv", { text = "evidence",
      label = "suggestion", group = "file", text_pair = "kind" })
    assert.are.equal(1, #issues)
    assert.are.equal(path, issues[1].group)
    assert.are.equal('replace: a "quoted", café\nover two lines',
      issues[1].label)
    assert.is_nil(issues[1].text:find("\n", 1, true))
    assert.is_not_nil(issues[1].text:find("^%a"))
  end)

  it("sums up in JSON, also where nothing is found", function()
    local lines = { "text,label" }
    for i, word in ipairs { "dull", "warm", "loud", "slow", "sharp", "odd" } do
      lines[i + 1] = ("a %s film with %d other ends,x"):format(word:rep(i), i)
    end
    local path = write("fine.csv", table.concat(lines, "\n") .. "\n")
    local out = path_of "fine"
    lunula.data.audit(path, { output = out })
    local summary = cjson.decode(file.read(out .. "/summary.json"))
    assert.are.equal("audit", summary.kind)
    assert.are.same({}, summary.counts)
    assert.are.equal(6, summary.files[1].rows)
    assert.are.equal("issues.csv", summary.issues_file)
    assert.is_string(summary.skipped.truncated)
    assert.are.equal(6, summary.figures.balance.rows)
    assert.is_nil(file.read(out .. "/issues.csv"):find "\n.")
    assert.matches("^<!DOCTYPE html>", file.read(out .. "/report.html"))
  end)

  it("shows no more than five examples of a kind", function()
    local path = write("many.csv", "text,label\n" .. (",x\n"):rep(9))
    local document = lunula.data.audit(path, { checks = { "empty" } })
    assert.are.equal(9, document.counts.empty)
    assert.are.equal(5, #document.examples.empty)
    assert.matches("empty +9 +0 +0 +9", tostring(document))
  end)

  it("counts the tokens that a model does not read", function()
    local folder = path_of "encoder"
    tiny.write_encoder(folder)
    local words = ("film "):rep(6)
    local path = write("long.csv", "text,label\n" .. words .. ",x\nfilm,x\n"
      .. words:rep(4) .. ",x\n")
    local document, found = lunula.data.audit(path,
      { model = folder, max_length = 6, checks = { "truncated" } })
    local list = all(found)
    assert.are.equal(2, #list)
    assert.are.equal("2 of 8 tokens are cut at max_length 6",
      list[1].evidence)
    assert.are.equal("medium", list[1].severity)
    assert.are.equal("high", list[2].severity)
    local tokens = document.figures.tokens
    assert.are.same({ 3, 2, 26 },
      { tokens.texts, tokens.truncated, tokens.lengths.longest })
    assert.are.equal(8, tokens.lengths.median)
    -- of a pair both are counted, and a classifier says how much it reads
    local model = lunula.classifier(folder, { labels = { "x", "y" },
      max_length = 5 })
    path = write("pair.jsonl", '{"a":"film film","b":"plot plot"}\n')
    document = lunula.data.audit(path, { model = model, text = "a",
      text_pair = "b", checks = { "truncated" } })
    assert.are.equal("2 of 7 tokens are cut at max_length 5",
      document.examples.truncated[1].evidence)
  end)

  it("refuses what it does not know, and rows that are not there", function()
    local path = write("fine.csv", "text,label\na text,x\n")
    for message, call in pairs {
      ["unknown option 'mode'"] = { path, { mode = "x" } },
      ["audit: checks: expected one of"] = { path, { checks = { "x" } } },
      ["is given twice"] = { { path, path } },
      ["audit: no files"] = { {} },
      ["none.csv: No such file"] = { path_of "none.csv" },
      ["empty.csv: no rows"] = { write("empty.csv", "text,label\n") },
      ["audit: part: expected one of test, train, validation"] =
        { { { path = path, part = "x" } } },
    } do
      local ok, why = pcall(lunula.data.audit, call[1], call[2])
      assert.is_false(ok)
      assert.is_not_nil(why:find(message, 1, true), why)
    end
  end)
end)

describe("lunula audit", function()
  it("knows a file under another name", function()
    local path = write("train.csv", "text,label\na quiet film,x\n")
    local ok, why = pcall(data.audit, { path, dir .. "/./train.csv" })
    assert.is_false(ok)
    assert.are.equal(("audit: '%s/./train.csv' is given twice, as '%s'")
      :format(dir, path), why)
  end)

  it("writes over no file that it reads", function()
    local text = "text,label\na quiet film,x\n"
    local path = write("issues.csv", text)
    local ok, why = pcall(data.audit, path, { output = dir .. "/." })
    assert.is_false(ok)
    assert.matches("nothing is changed in place", why)
    assert.are.equal(text, file.read(path))
    os.remove(path)
  end)

  it("prints a table, and writes where it is told", function()
    local train = write("train.csv", "text,label\n" .. plain(6, "x") .. ",x\n")
    local out = path_of "told"
    local text, code, errors = run.lunula { "audit", train, "--output", out,
      "--checks=empty,truncated" }
    assert.are.equal(0, code)
    assert.matches("empty +1 +0 +0 +1", text)
    assert.matches("empty, .*train.csv:7: no text", text)
    assert.matches("not looked for: truncated: ", text)
    assert.matches("told/issues.csv", errors)
    assert.is_string(file.read(out .. "/summary.json"))
  end)

  it("reads what has no name that tells its format", function()
    local path = write("piped", "text\tlabel\na quiet film\tx\n")
    local text, code = run.lunula { "audit", path, "--format=tsv",
      "--output", path_of "piped-out" }
    assert.are.equal(0, code)
    assert.matches("piped: 1 row, train", text)
  end)

  it("fails where it is told to, on what is as bad or worse", function()
    local path = write("low.csv", "text,label\na,x\n")
    local words = { "audit", path, "--output", path_of "low",
      "--checks=empty", "--fail-on" }
    words[7] = "medium"
    assert.are.equal(0, select(2, run.lunula(words)))
    words[7] = "low"
    local text, code, errors = run.lunula(words)
    assert.are.equal(1, code)
    assert.matches("empty", text)
    assert.matches("1 issue of severity low or worse", errors)
  end)

  it("takes several files, and at least one", function()
    local command = require "lunula.cli.audit"
    local values = arguments.parse(command,
      { "audit", "a.csv", "--output=o", "b.csv" })
    assert.are.same({ "a.csv", "b.csv" }, values.f)
    local ok, why = pcall(arguments.parse, command, { "audit", "--output=o" })
    assert.is_false(ok)
    assert.are.equal("F is missing: lunula audit --output DIR [options] F...",
      why.usage)
  end)
end)
