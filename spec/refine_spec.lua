local core = require "lunula.core"
local csv = require "lunula.data.csv"
local data = require "lunula.data"
local file = require "spec.support.file"
local json = require "lunula.json"
local lines_of = require "lunula.data.lines"
local refine = require "lunula.refine"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local tiny = require "spec.support.tiny"

local HEADER = "file,row,kind,severity,evidence,suggestion,decision,label,"
  .. "who,why"

local dir

local function path(name) return dir .. "/" .. name end

-- Marks as a person leaves them: each `{ file, row, suggestion, decision,
-- label, who, why }`.
local function write_issues(list, name)
  local lines = { HEADER }
  for i, m in ipairs(list) do
    lines[i + 1] = csv.line { path(m[1]), tostring(m[2]), "label_error",
      "high", "said 0.9", m[3], m[4] or "", m[5] or "", m[6] or "",
      m[7] or "" }
  end
  file.write(path(name or "issues.csv"), table.concat(lines, "\n") .. "\n")
end

local function options(name, more)
  local o = { issues = path "issues.csv", output = path("out-" .. name) }
  for key, value in pairs(more or {}) do o[key] = value end
  return o
end

-- The new file's bytes, and what was returned.
local function refined(name, bytes, list, more)
  file.write(path(name), bytes)
  write_issues(list)
  local o = options(name, more)
  local done = refine(path(name), o)
  return file.read(o.output), done
end

local function fails(message, name, more)
  local o = options(name, more)
  local ok, why = pcall(refine, path(name), o)
  assert.is_false(ok)
  assert.are.equal(message, (why:gsub(dir .. "/", "")))
end

local function log_of(name)
  local lines = {}
  for line in io.lines(path("out-" .. name .. ".log.jsonl")) do
    lines[#lines + 1] = json.decode(line, "log")
  end
  return lines
end

-- the fields of each record of a CSV file
local function records_of(name)
  local from, list = assert(io.open(name, "rb")), {}
  for fields in csv.record, lines_of.of(from, name) do
    list[#list + 1] = fields
  end
  from:close()
  return list
end

-- names in a folder
local function names_in(folder)
  local names = core.io.list(folder)
  table.sort(names)
  return names
end

describe("refine", function()
  before_each(function() dir = tiny.temporary() end)
  after_each(function() tiny.remove(dir) end)

  local ODD = {
    ["a.csv"] = "\239\187\191id,\"text\",label\r\n\r\n1,\"a \"\"good\"\" "
      .. "film\",x\r\n2,\"two\nlines\r\n\",\"y\"\n\n\n3,z,x\n\n",
    ["a.tsv"] = "id\ttext\tlabel\n1\t\"a\tx\r\n\n2\tb\ty",
    ["a.jsonl"] = "\239\187\191 {\"label\" : 1,\"text\":\"a\\u00e9\"}\n\n"
      .. "  \n{\"text\":\"b\",\"label\":2, \"more\":[{\"text\":\"}\"}]}",
    ["a.txt"] = "one\n\ntwo\r\nthree",
  }
  for name, bytes in pairs(ODD) do
    it("leaves every byte of a " .. name .. " as it is where nothing was "
      .. "accepted", function()
      local out, done = refined(name, bytes, {
        { name, 1, "remove", "reject" }, { name, 2, "remove" },
        { name, 2, "keep", "accept" }, { name, 2, "look", "Accept" } })
      assert.are.equal(bytes, out)
      assert.are.equal(done.before.sha256, done.after.sha256)
      assert.are.equal(core.sha256(bytes), done.after.sha256)
      assert.are.same({ 3, 1, 1 },
        { done.decided, done.rejected, done.undecided })
    end)
  end

  it("changes one value of a CSV and no other byte", function()
    local out = refined("a.csv", ODD["a.csv"], {
      { "a.csv", 1, "replace: a [NAME] film", "accept" },
      { "a.csv", 2, "relabel: x", "ACCEPT" },
      { "a.csv", 3, "relabel: x", "relabel", 'a "b", c' } })
    assert.are.equal("\239\187\191id,\"text\",label\r\n\r\n1,\"a [NAME] film"
      .. "\",x\r\n2,\"two\nlines\r\n\",\"x\"\n\n\n3,z,\"a \"\"b\"\", c\"\n\n",
      out)
  end)

  it("changes one value of a TSV and no other byte", function()
    assert.are.equal("id\ttext\tlabel\n1\t\"a\ty, \"z\"\r\n\n2\tc\ty",
      (refined("a.tsv", ODD["a.tsv"], {
        { "a.tsv", 1, "relabel: y, \"z\"", "accept" },
        { "a.tsv", 2, "replace: c", "accept" } })))
  end)

  it("changes one value of a JSON object and no other byte", function()
    assert.are.equal("\239\187\191 {\"label\" : 2,\"text\":\"e\\\"\"}\n\n"
      .. "  \n{\"text\":\"b\",\"label\":\"two\", \"more\":[{\"text\":\"}\"}]}",
      (refined("a.jsonl", ODD["a.jsonl"], {
        { "a.jsonl", 1, "replace: e\"", "accept" },
        { "a.jsonl", 1, "relabel: 2", "accept" },
        { "a.jsonl", 2, "relabel: 1", "relabel", "two" } })))
  end)

  it("changes what counts of a JSON name that is escaped or comes twice",
    function()
      assert.are.equal('{"label":"a","text":"b","la\\u0062el":"new"}\n',
        (refined("a.jsonl", '{"label":"a","text":"b","la\\u0062el":"c"}\n',
          { { "a.jsonl", 1, "relabel: new", "accept" } })))
    end)

  it("gives a label to an object that has none, and to a row whose is empty",
    function()
      assert.are.equal('{"text":"a","label":1}\n{"label":"x","text":"b"}\n'
        .. '{"text":"c","label":"x"}\n', (refined("a.jsonl",
        '{"text":"a","label":1}\n{"text":"b"}\n{"text":"c","label":null}\n', {
          { "a.jsonl", 2, "look", "relabel", "x" },
          { "a.jsonl", 3, "look", "relabel", "x" } })))
      assert.are.equal("label,text\nx,a\ny,\n", (refined("a.csv",
        "label,text\n,a\ny,\n", { { "a.csv", 1, "look", "relabel", "x" } })))
    end)

  it("refuses a label for what has no place for one", function()
    file.write(path "a.txt", "one\ntwo\n")
    write_issues { { "a.txt", 1, "look", "relabel", "x" } }
    fails("issues.csv:2: relabel: a.txt has no label", "a.txt")
    file.write(path "a.csv", "text,n\none,1\n")
    write_issues { { "a.csv", 1, "look", "relabel", "x" } }
    fails("issues.csv:2: relabel: a.csv has no label", "a.csv")
  end)

  it("changes a plain line, and removes one", function()
    assert.are.equal("1\ntwo\r\nthree", (refined("a.txt", ODD["a.txt"], {
      { "a.txt", 1, "replace: 1", "accept" },
      { "a.txt", 2, "remove", "accept" } })))
  end)

  it("changes several labels as they are written", function()
    local list = { { "a.jsonl", 1, "relabel: b, c", "accept" } }
    local with = { label_separator = "," }
    assert.are.equal('{"text":"t","label":["b","c"]}\n', (refined("a.jsonl",
      '{"text":"t","label":["a"]}\n', list, with)))
    assert.are.same({ "b", "c" }, log_of("a.jsonl")[2].after)
    assert.are.equal('{"text":"t","label":"b, c"}\n', (refined("a.jsonl",
      '{"text":"t","label":"a"}\n', list, with)))
    list = { { "a.csv", 1, "relabel: b,b", "accept" } }
    file.write(path "a.csv", "text,label\nt,a\n")
    write_issues(list)
    fails("issues.csv:2: label 'b' comes twice", "a.csv", with)
  end)

  it("takes columns of other names", function()
    assert.are.equal("q,a,label\nnew,2,x\n", (refined("a.csv",
      "q,a,label\nold,1,x\n", {
        { "a.csv", 1, "replace: new", "accept" },
        { "a.csv", 1, "relabel: 2", "accept" } },
      { text = "q", label = "a" })))
  end)

  it("needs no column of labels where none changes", function()
    assert.are.equal("text\nb\n", (refined("a.csv", "text\na\nb\n",
      { { "a.csv", 1, "remove", "accept" } })))
  end)

  it("logs who did what to which row, and why", function()
    local _, done = refined("a.csv", "text,label\na,x\nb,y\nc,x\n", {
      { "a.csv", 3, "relabel: y", "accept", "", "ada", "clear" },
      { "a.csv", 1, "remove", "accept" }, { "a.csv", 2, "look", "reject" },
      { "b.csv", 2, "look", "reject" } }, { who = "bob" })
    local log = log_of "a.csv"
    assert.are.equal(4, #log)
    assert.are.equal("refinement", log[1].kind)
    log[1].kind, log[1].new_labels = nil, {}
    assert.are.same(done, log[1])
    assert.are.same({ 1, 1, 0, 3, 1, 0, 1 }, { done.removed, done.relabelled,
      done.replaced, done.decided, done.rejected, done.undecided,
      done.elsewhere })
    assert.are.equal(core.io.sha256(path "out-a.csv"), done.after.sha256)
    assert.are.same({ 3, 2 }, { done.before.rows, done.after.rows })
    local changed, removed = log[4], log[2]
    assert.are.same({ "relabel", "x", "y", 3, 2, "ada", "clear" },
      { changed.change, changed.before, changed.after, changed.row,
        changed.output_row, changed.who, changed.why })
    assert.are.same({ "remove", "a,x", json.null, 1, json.null, "bob" },
      { removed.change, removed.before, removed.after, removed.row,
        removed.output_row, removed.who })
    assert.are.same({ "none", "reject", "look" },
      { log[3].change, log[3].decision, log[3].suggestion })
  end)

  it("keeps no personal data in the log, but their hash", function()
    file.write(path "a.csv", "text,label\nI am Ada,x\nb,y\n")
    file.write(path "issues.csv", HEADER .. "\n" .. csv.line { path "a.csv",
      "1", "personal_data", "low", "name", "replace: I am [NAME]", "accept",
      "", "", "" } .. "\n")
    refine(path "a.csv", options "a.csv")
    local log = path "out-a.csv.log.jsonl"
    assert.is_nil(file.read(log):find "Ada")
    assert.are.same({ sha256 = core.sha256 "I am Ada" },
      log_of("a.csv")[2].before)
  end)

  it("lets a removal beat all else of its row, and counts equal changes once",
    function()
      local out, done = refined("a.csv", "text,label\na,x\nb,y\nc,x\n", {
        { "a.csv", 1, "relabel: y", "accept" },
        { "a.csv", 1, "remove", "accept" }, { "a.csv", 1, "keep", "accept" },
        { "a.csv", 1, "relabel: z", "accept" },
        { "a.csv", 3, "relabel: y", "accept" },
        { "a.csv", 3, "look", "relabel", "y" },
        { "a.csv", 2, "relabel: y", "accept" } })
      assert.are.equal("text,label\nb,y\nc,y\n", out)
      assert.are.same({ 1, 1 }, { done.removed, done.relabelled })
      local log = log_of "a.csv"
      assert.are.equal("done by line 3", log[2].note)
      assert.are.equal("none", log[6].change)
    end)

  it("refuses two labels or two texts for one row, naming both lines",
    function()
      file.write(path "a.csv", "text,label\na,x\n")
      write_issues { { "a.csv", 1, "relabel: y", "accept" },
        { "a.csv", 1, "look", "relabel", "z" } }
      fails("issues.csv: lines 2 and 3 are of one row and differ: relabel 'y' "
        .. "and 'z'; reject one of them", "a.csv")
      write_issues { { "a.csv", 1, "replace: y", "accept" },
        { "a.csv", 1, "replace: z", "accept" } }
      fails("issues.csv: lines 2 and 3 are of one row and differ: replace 'y' "
        .. "and 'z'; reject one of them", "a.csv")
      assert.are.same({ "a.csv", "issues.csv" }, names_in(dir))
    end)

  it("mends and masks a text of which both were accepted", function()
    local line = "\n" .. path "a.csv" .. ",1,%s,low,,replace: %s,accept,,,"
    file.write(path "a.csv", "text\ncafÃ© of Mr. Watson\n")
    file.write(path "issues.csv", HEADER
      .. line:format("encoding", "café of Mr. Watson")
      .. line:format("personal_data", "cafÃ© of Mr. [NAME]") .. "\n")
    local o = options "a.csv"
    assert.are.equal(1, refine(path "a.csv", o).replaced)
    assert.are.equal("text\ncafé of Mr. [NAME]\n", file.read(o.output))
  end)

  it("names labels that no row had", function()
    local _, done = refined("a.csv", "text,label\na,x\nb,y\n", {
      { "a.csv", 1, "relabel: y", "accept" },
      { "a.csv", 2, "look", "relabel", "yy" } })
    assert.are.same({ "yy" }, done.new_labels)
  end)

  -- What is right, said once more in the simplest way: rows as tables.
  it("does what the decisions say, whatever the fields hold", function()
    local rng = core.rng(11)
    local bits = { "a", ",", '"', "\n", "\r\n", "b ", "\195\169", "'", "\t" }
    local function text()
      local parts = {}
      for i = 1, 1 + rng:below(6) do parts[i] = bits[rng:below(#bits) + 1] end
      return table.concat(parts) .. "."
    end
    for round = 1, 25 do
      local rows, lines, issues = {}, { "n,text,x,label" }, {}
      for i = 1, 30 do
        rows[i] = { tostring(i), text(), text(), text() }
        lines[i + 1] = csv.line(rows[i])
        local what = rng:below(5)
        if what == 0 then
          issues[#issues + 1] = { "a.csv", i, "remove", "accept" }
          rows[i].gone = true
        elseif what <= 2 then
          local new = "new " .. text()
          local is_label = what == 1
          issues[#issues + 1] = is_label
            and { "a.csv", i, "look", "relabel", new }
            or { "a.csv", i, "replace: " .. new, "accept" }
          rows[i][is_label and 4 or 2] = new
        end
      end
      local expected = { { "n", "text", "x", "label" } }
      for _, row in ipairs(rows) do
        if not row.gone then expected[#expected + 1] = row end
      end
      refined("a.csv", table.concat(lines, "\n") .. "\n", issues)
      assert.are.same(expected, records_of(path "out-a.csv"), round)
    end
  end)

  it("streams: the second half of a long file comes through, too", function()
    local lines = { "text,label" }
    for i = 1, 20000 do lines[i + 1] = "text " .. i .. ",x" end
    local bytes = table.concat(lines, "\n") .. "\n"
    assert.are.equal((bytes:gsub("text 19999,x\n", "")), (refined("a.csv",
      bytes, { { "a.csv", 19999, "remove", "accept" } })))
  end)
end)

describe("refine reads what spreadsheets make of the issues:", function()
  before_each(function()
    dir = tiny.temporary()
    file.write(path "a.csv", "text,label\na,x\nb,x\nc,x\n")
  end)
  after_each(function() tiny.remove(dir) end)

  local ISSUES = {
    ["columns in another order, with capitals and space"] =
      "Decision , SUGGESTION,row,file,Kind\naccept,relabel: y,2,a.csv,k\n",
    ["a byte order mark and CRLF"] = "\239\187\191file,row,kind,suggestion,"
      .. "decision\r\na.csv,2,k,relabel: y, Accept\r\n",
    ["columns of its own, even of names that lunula uses inside"] =
      "line,file,row,kind,suggestion,decision,number,value,,\n"
      .. "x,a.csv,2,k,relabel: y,accept,7,z,,\n"
      .. "x,a.csv,3,k,relabel: y,reject,7,z,,\n",
    ["lines without the commas before empty fields at their ends"] = HEADER
      .. "\na.csv,1,k,low,e,relabel: y\na.csv,2,k,low,e,relabel: y,accept\n",
  }
  for name, text in pairs(ISSUES) do
    it(name, function()
      file.write(path "issues.csv",
        (text:gsub("a%.csv", function() return path "a.csv" end)))
      assert.are.equal(1, refine(path "a.csv", options "a.csv").relabelled)
      assert.are.equal("text,label\na,x\nb,y\nc,x\n",
        file.read(path "out-a.csv"))
    end)
  end
end)

describe("refine knows the audited file", function()
  before_each(function() dir = tiny.temporary() end)
  after_each(function() tiny.remove(dir) end)

  local function summary(list)
    file.write(path "summary.json", json.encode { kind = "audit",
      files = list })
  end

  it("by the path, however it is written", function()
    file.write(path "a.csv", "text\na\nb\n")
    write_issues { { "a.csv", 1, "remove", "accept" } }
    local done = refine(dir .. "//./a.csv", options "a.csv")
    assert.are.equal(1, done.removed)
  end)

  it("by its content, where it is somewhere else now", function()
    file.write(path "b.csv", "text\na\nb\n")
    write_issues { { "a.csv", 1, "remove", "accept" } }
    fails("issues.csv: no issue is of b.csv; they are of: a.csv "
      .. "(with the audit's summary.json beside it, a file is known by what "
      .. "it holds)", "b.csv")
    summary { { file = path "a.csv", sha256 = core.sha256 "text\na\nb\n" } }
    assert.are.equal(1, refine(path "b.csv", options "b.csv").removed)
  end)

  it("and refuses one that has changed since", function()
    file.write(path "a.csv", "text\nb\na\n")
    write_issues { { "a.csv", 1, "remove", "accept" } }
    summary { { file = path "a.csv", sha256 = core.sha256 "text\na\nb\n" } }
    fails("a.csv has changed since the audit (summary.json has another "
      .. "SHA-256), so that its rows may be others: audit it again", "a.csv")
    assert.is_nil(core.io.stat(path "out-a.csv"))
  end)

  it("and refuses a summary that is none", function()
    file.write(path "a.csv", "text\nb\na\n")
    write_issues { { "a.csv", 1, "remove", "accept" } }
    file.write(path "summary.json", '{"files": 3}')
    fails("summary.json: no array 'files'", "a.csv")
    file.write(path "summary.json", '{"files": [3]}')
    fails("summary.json: files: expected objects with 'file'", "a.csv")
    file.write(path "summary.json", "{")
    assert.is_false((pcall(refine, path "a.csv", options "a.csv")))
  end)
end)

describe("refine refuses", function()
  before_each(function()
    dir = tiny.temporary()
    file.write(path "a.csv", "text,label\na,x\nb,y\n")
  end)
  after_each(function() tiny.remove(dir) end)

  local BAD = {
    { "a row beyond the end", { { "a.csv", 3, "remove", "accept" } },
      "issues.csv:2: row 3 of a.csv, which has 2" },
    { "a row that is none", { { "a.csv", "1.5", "remove", "accept" } },
      "issues.csv:2: row: expected a number from 1, got '1.5'" },
    { "a row that is beyond counting",
      { { "a.csv", ("9"):rep(30), "remove", "accept" } }, "issues.csv:2: row: "
        .. "expected a number from 1, got '" .. ("9"):rep(30) .. "'" },
    { "an unknown suggestion", { { "a.csv", 1, "delete", "accept" } },
      "issues.csv:2: accept: the suggestion 'delete' is unknown; known: "
        .. "remove, keep, look, 'relabel: LABEL', 'replace: TEXT'" },
    { "a text of nothing", { { "a.csv", 1, "replace:  ", "accept" } },
      "issues.csv:2: accept: the suggestion 'replace:' is unknown; known: "
        .. "remove, keep, look, 'relabel: LABEL', 'replace: TEXT'" },
    { "a new label that is missing", { { "a.csv", 1, "look", "relabel" } },
      "issues.csv:2: relabel: to which label? Write it in the column "
        .. "'label'" },
    { "accept with another label",
      { { "a.csv", 1, "relabel: y", "accept", "z" } },
      "issues.csv:2: accept is of the suggestion 'relabel: y', and the label "
        .. "'z' is given: for that one the decision is relabel" },
    { "what a spreadsheet saved as other than UTF-8",
      { { "a.csv", 1, "replace: caf\233", "accept" } },
      "issues.csv:2: suggestion: this is not UTF-8: save it as 'CSV UTF-8'" },
    { "to leave no row", { { "a.csv", 1, "remove", "accept" },
      { "a.csv", 2, "remove", "accept" } }, "a.csv: no row would be left" },
    { "decisions that it does not know, all of them at once",
      { { "a.csv", 1, "remove", "yes" }, { "b.csv", 1, "remove", "OK" } },
      "issues.csv: unknown decision 'yes' in line 2, 'ok' in line 3; known: "
        .. "accept, reject, relabel, or nothing" },
  }
  for _, case in ipairs(BAD) do
    it(case[1], function()
      write_issues(case[2])
      fails(case[3], "a.csv")
      assert.are.same({ "a.csv", "issues.csv" }, names_in(dir))
    end)
  end

  it("issues without marks, or that are something else", function()
    file.write(path "issues.csv", "file,row,kind,suggestion\na.csv,1,x,y\n")
    fails("issues.csv:1: no column 'decision': add it, with accept, reject or "
      .. "relabel in the rows that you decide; there are: file, row, kind, "
      .. "suggestion", "a.csv")
    file.write(path "issues.csv", "file;row;kind\n")
    fails("issues.csv:1: there are semicolons between its fields: save it with "
      .. "commas", "a.csv")
    file.write(path "issues.csv", "row,decision\n")
    fails("issues.csv:1: no column 'file'; there are: row, decision", "a.csv")
    file.write(path "issues.csv", HEADER .. ",Decision\n")
    fails("issues.csv:1: column 'decision' comes twice", "a.csv")
    file.write(path "issues.csv", "")
    fails("issues.csv: empty file", "a.csv")
    file.write(path "issues.csv", HEADER .. "\na.csv,1\n")
    fails("issues.csv:2: 2 fields, the header has 10", "a.csv")
  end)

  it("a file without rows, whatever was decided", function()
    file.write(path "a.csv", "text,label\n")
    write_issues {}
    fails("a.csv: no rows", "a.csv")
  end)

  it("a value that the format can't hold", function()
    file.write(path "a.tsv", "text\tlabel\na\tx\n")
    write_issues { { "a.tsv", 1, "look", "relabel", "x\ty" } }
    fails("issues.csv:2: relabel: the new label has a tab or the end of a "
      .. "line, which a TSV can't hold", "a.tsv")
  end)

  it("to write over what it reads, however that is named", function()
    write_issues { { "a.csv", 1, "remove", "accept" } }
    shell.must { "ln", path "a.csv", path "hard.csv" }
    shell.must { "ln", "-s", "a.csv", path "soft.csv" }
    local before = file.read(path "a.csv")
    for _, name in ipairs { "a.csv", "./a.csv", "hard.csv", "soft.csv" } do
      fails(("refine: output '%s' is the file: nothing is changed in place, "
        .. "give another name"):format(name), "a.csv",
        { output = path(name) })
    end
    fails("refine: output 'issues.csv' is the issues: nothing is changed in "
      .. "place, give another name", "a.csv", { output = path "issues.csv" })
    fails("refine: log 'a.csv' is the file: nothing is changed in place, give "
      .. "another name", "a.csv", { log = path "a.csv" })
    fails("refine: output 'x/../o.csv' is log: nothing is changed in place, "
      .. "give another name", "a.csv", (function()
        core.io.make_folder(path "x")
        return { output = path "x/../o.csv", log = path "o.csv" }
      end)())
    assert.are.equal(before, file.read(path "a.csv"))
  end)

  it("an output of another format, or in no folder", function()
    write_issues { { "a.csv", 1, "remove", "accept" } }
    fails("refine: output 'b.jsonl' would be read as jsonl, and a.csv is csv: "
      .. "give it the same ending", "a.csv", { output = path "b.jsonl" })
    fails("refine: output: no folder 'none/'", "a.csv",
      { output = path "none/b.csv", log = path "l" })
  end)

  it("a damaged file, with its line", function()
    write_issues { { "a.csv", 1, "remove", "accept" } }
    file.write(path "a.csv", 'text,label\n"a,x\n')
    fails("a.csv:2: a quote that is never closed", "a.csv")
    file.write(path "a.csv", "text,label\na,x,y\n")
    fails("a.csv:2: 3 fields, the header has 2", "a.csv")
    assert.are.same({ "a.csv", "issues.csv" }, names_in(dir))
  end)

  it("options it does not know", function()
    fails("refine: unknown option 'force'; known: issues, label, "
      .. "label_separator, log, output, text, who", "a.csv", { force = true })
    fails("refine: issues: expected a path, got false", "a.csv",
      { issues = false })
  end)
end)

describe("a refinement that does not come to its end", function()
  before_each(function()
    dir = tiny.temporary()
    local lines = { "text,label" }
    for i = 1, 30000 do lines[i + 1] = ("text %d,%d"):format(i, i % 2) end
    file.write(path "a.csv", table.concat(lines, "\n") .. "\n")
    write_issues { { "a.csv", 29999, "remove", "accept" } }
  end)
  after_each(function() tiny.remove(dir) end)

  it("says that the disk is full, and leaves the old file", function()
    shell.must { "ln", "-s", "/dev/full", path "full.csv" }
    fails("full.csv: No space left on device", "a.csv",
      { output = path "full.csv" })
    file.write(path "out-a.csv", "old")
    shell.must { "ln", "-s", "/dev/full", path "full.jsonl" }
    fails("full.jsonl: No space left on device", "a.csv",
      { log = path "full.jsonl" })
    assert.are.equal("old", file.read(path "out-a.csv"))
    for _, name in ipairs(names_in(dir)) do
      assert.is_nil(name:find ".tmp-", name)
    end
  end)

  it("leaves the old file or the new one when it is killed", function()
    local words = run.command { "refine", path "a.csv", "--issues",
      path "issues.csv", "--output", path "o.csv" }
    local began = core.system.monotonic()
    shell.must(words)
    local seconds = core.system.monotonic() - began
    local new, rng, killed = file.read(path "o.csv"), core.rng(3), 0
    for _ = 1, 12 do
      file.write(path "o.csv", "old")
      os.remove(path "o.csv.log.jsonl")
      local all = { "timeout", "-s", "KILL",
        ("%.3f"):format(seconds * (0.2 + rng:float())) }
      for _, word in ipairs(words) do all[#all + 1] = word end
      local _, code = shell.run(all)
      local found = file.read(path "o.csv")
      assert.is_true(found == "old" or found == new)
      if found == new then
        assert.is_truthy(core.io.stat(path "o.csv.log.jsonl"))
      end
      killed = killed + (code == 0 and 0 or 1)
    end
    assert.is_true(killed > 0)
  end)
end)

describe("lunula refine", function()
  before_each(function() dir = tiny.temporary() end)
  after_each(function() tiny.remove(dir) end)

  it("says what it did", function()
    file.write(path "a.csv", "text,label\na,x\nb,y\nc,y\n")
    write_issues { { "a.csv", 1, "remove", "accept" },
      { "a.csv", 2, "relabel: y", "relabel", "z" }, { "b.csv", 1, "look" } }
    local said, code, notes = run.lunula { "refine", path "a.csv", "--issues",
      path "issues.csv", "--output", path "b.csv", "--who", "ada" }
    assert.are.equal(0, code)
    assert.are.equal("a.csv: 3 rows, b.csv: 2\n"
      .. "removed 1, relabelled 1, replaced 0\n"
      .. "issues decided 2 (rejected 0), undecided 0, of other files 1\n"
      .. "log: b.csv.log.jsonl\n", (said:gsub(dir .. "/", "")))
    assert.are.equal("label 'z' is new: no row of a.csv has it\n",
      (notes:gsub(dir .. "/", "")))
    assert.are.equal(2, #data.read(path "b.csv"))
  end)

  it("fails in one line", function()
    local _, code, notes = run.lunula { "refine", path "none.csv", "--issues",
      path "issues.csv", "--output", path "b.csv" }
    assert.are.equal(1, code)
    assert.are.equal("lunula: issues.csv: No such file or directory\n",
      (notes:gsub(dir .. "/", "")))
  end)
end)
