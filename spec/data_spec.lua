local csv = require "lunula.data.csv"
local data = require "lunula.data"
local lines = require "lunula.data.lines"

local paths = {}

-- A file that holds `content`, under a name that ends as asked.
local function file_of(content, extension)
  local path = os.tmpname()
  paths[#paths + 1] = path
  if extension then
    path = path .. extension
    paths[#paths + 1] = path
  end
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  return path
end

-- rows without what says where they stand
local function bare(row)
  row.file, row.line = nil, nil
  return row
end

local function all_bare(rows)
  for _, row in ipairs(rows) do bare(row) end
  return rows
end

local function read(content, extension, options)
  return all_bare(data.read(file_of(content, extension), options))
end

local function texts(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.text end
  return list
end

-- luassert's has_error cuts `file:line: ` off a message: here it counts.
local function fails_with(message, f, ...)
  local ok, raised = pcall(f, ...)
  assert.is_false(ok)
  assert.are.equal(message, raised)
end

local function fails(message, content, extension, options)
  options = options or {}
  options.name = "reviews" .. extension
  fails_with(message, data.read, file_of(content, extension), options)
end

local function remove_files()
  for i = 1, #paths do os.remove(paths[i]) end
  paths = {}
end

describe("csv.line", function()
  it("writes what csv.record reads back", function()
    local records = { { "a" }, { "" }, { "", "b, c" },
      { '5" pipe', "two\nlines", "a\rb" }, { "é", " spaced " } }
    local text = {}
    for i, fields in ipairs(records) do text[i] = csv.line(fields) .. "\n" end
    assert.are.equal('"5"" pipe","two\nlines","a\rb"\n', text[4])
    local file = assert(io.open(file_of(table.concat(text))))
    local input, back = lines.of(file, "x.csv"), {}
    for fields in csv.record, input do back[#back + 1] = fields end
    file:close()
    assert.are.same(records, back)
  end)
end)

describe("data.read of CSV", function()
  after_each(remove_files)

  it("gives the text and the label of each row", function()
    assert.are.same(
      { { text = "good", label = "1" }, { text = "bad", label = "0" } },
      read("id,text,label\n7,good,1\n8,bad,0\n", ".csv"))
  end)

  it("says where each row begins", function()
    local path = file_of('text,label\n\n"a\nb",x\nc,y\n', ".csv")
    local rows = data.read(path)
    assert.are.same({ path, 3 }, { rows[1].file, rows[1].line })
    assert.are.same({ path, 5 }, { rows[2].file, rows[2].line })
    path = file_of("a\nb\n", ".txt")
    assert.are.equal(2, data.read(path, { name = "my texts" })[2].line)
    assert.are.equal("my texts", data.read(path, { name = "my texts" })[1].file)
  end)

  it("takes commas, doubled quotes and line ends inside quotes", function()
    local rows = read('text,label\r\n"a, b",x\r\n"say ""hi""",x\r\n'
      .. '"two\r\nlines\nthree",x\r\n"""",x\r\n', ".csv")
    assert.are.same({ "a, b", 'say "hi"', "two\r\nlines\nthree", '"' },
      texts(rows))
  end)

  it("reads quoted names, and quoted fields at the end of a row", function()
    assert.are.same({ { text = "a", label = "x, y" } },
      read('"text","label"\na,"x, y"', ".csv"))
  end)

  it("does without a last line end", function()
    assert.are.same({ "a", "b" },
      texts(read("text,label\na,x\nb,y", ".csv")))
  end)

  it("drops a byte-order mark and skips blank lines", function()
    assert.are.same({ "a", "b" }, texts(
      read("\239\187\191text,label\r\n\r\na,x\r\n\n\nb,y\n\n", ".csv")))
  end)

  it("keeps spaces, and bytes that are not UTF-8", function()
    assert.are.same({ { text = " a\255 ", label = " x" } },
      read("text,label\n a\255 , x\n", ".csv"))
  end)

  it("guesses the columns by their usual names, in any case", function()
    assert.are.same({ { text = "a", label = "x" } },
      read("Category,ID,Sentence\nx,1,a\n", ".csv"))
    assert.are.same({ { text = "a", label = "x" } },
      read("content,category,text,label\n-,-,a,x\n", ".csv"))
  end)

  it("guesses no column that was given another role", function()
    assert.are.same({ { text = "a", label = "x" } },
      read("label,class\na,x\n", ".csv", { text = "label" }))
  end)

  it("takes the columns that are named", function()
    local rows = read("q,a,who,day,y\nwhy,so,ann,3,no\n", ".csv", {
      text = "q", text_pair = "a", label = "y", group = "who", time = "day",
    })
    assert.are.same({ { text = "why", text_pair = "so", label = "no",
      group = "ann", time = "3" } }, rows)
  end)

  it("numbers the columns where there is no header", function()
    local rows = read("1,good\n0,bad\n", ".csv",
      { header = false, text = 2, label = "1" })
    assert.are.same(
      { { text = "good", label = "1" }, { text = "bad", label = "0" } }, rows)
  end)

  it("leaves labels out when they are not wanted", function()
    assert.are.same({ { text = "a" } },
      read("text,label\na,\n", ".csv", { label = false }))
  end)

  it("allows empty texts on request, but no empty label", function()
    assert.are.same({ { text = "", label = "x" } },
      read("text,label\n,x\n", ".csv", { empty = true }))
    fails("reviews.csv:2: empty label", "text,label\na,\n", ".csv",
      { empty = true })
  end)

  it("names the line of a row with too few or too many fields", function()
    fails("reviews.csv:3: 3 fields, the header has 2",
      "text,label\na,x\nb,c,y\n", ".csv")
    fails("reviews.csv:5: 1 field, the header has 2",
      'text,label\n"a\n\n",x\nb\n', ".csv")
    fails("reviews.csv:2: 1 field, the first line has 2", "a,x\nb\n", ".csv",
      { header = false, text = 1, label = 2 })
  end)

  it("names the line on which a quote was opened and never closed", function()
    fails("reviews.csv:3: a quote that is never closed",
      'text,label\na,x\n"b,y\nc,z\n', ".csv")
  end)

  it("refuses quotes in the wrong place", function()
    fails("reviews.csv:2: text after a closing quote: a quote inside a field "
      .. 'is written ""', 'text,label\n"a" b,x\n', ".csv")
    fails("reviews.csv:3: text after a closing quote (its field begins on "
      .. 'line 2): a quote inside a field is written ""',
      'text,label\n"a\nb"c,x\n', ".csv")
    fails("reviews.csv:2: a quote inside a field that does not begin with "
      .. 'one: write "5"" pipe" for 5" pipe', 'text,label\n5" pipe,x\n',
      ".csv")
  end)

  it("refuses a carriage return that ends no line", function()
    local message = "reviews.csv:1: a carriage return that ends no line: "
      .. "end lines with LF or CRLF"
    fails(message, "text,label\ra,x\rb,y\r", ".csv")
    fails(message, 'text,label\ra,"x"\n', ".csv")
  end)

  it("says so where other signs than commas separate", function()
    fails("reviews.csv:1: which column is the text? give text = one of: "
      .. "id;sentence; there are semicolons between its fields: save it with "
      .. "commas",
      "id;sentence\n1;a\n", ".csv")
    fails("reviews.csv:1: no column 'text'; there are: text\tlabel; there are "
      .. "tabs between its fields: save it with commas",
      "text\tlabel\na\tx\n", ".csv", { text = "text" })
  end)

  it("names the columns there are when one is unknown", function()
    fails("reviews.csv:1: no column 'txt'; there are: text, label",
      "text,label\na,x\n", ".csv", { text = "txt" })
    fails("reviews.csv:1: no column '3'; there are: 1, 2", "a,x\n", ".csv",
      { header = false, text = 3, label = 1 })
    fails("reviews.csv:1: no column 'Text'; there are: text, label",
      "text,label\na,x\n", ".csv", { text = "Text" })
  end)

  it("names the columns there are when none looks right", function()
    fails("reviews.csv:1: which column is the text? give text = one of: "
      .. "foo, label", "foo,label\na,x\n", ".csv")
    fails("reviews.csv:1: which column is the label? give label = one of: "
      .. "text, foo", "text,foo\na,x\n", ".csv")
  end)

  it("refuses two columns of one name, but for unnamed ones", function()
    fails("reviews.csv:1: two columns are named 'text'",
      "text,label,text\na,x,b\n", ".csv")
    assert.are.same({ "a" }, texts(read("text,label,,\na,x,,\n", ".csv")))
  end)

  it("refuses empty values in the columns it reads", function()
    fails("reviews.csv:3: empty text", "text,label\na,x\n,y\n", ".csv")
    fails("reviews.csv:2: empty text", 'text,label\n" \n",x\n', ".csv")
    fails("reviews.csv:2: empty label", "text,label\na, \n", ".csv")
    fails("reviews.csv:2: empty group", "text,label,by\na,x,\n", ".csv",
      { group = "by" })
  end)

  it("refuses a file without rows", function()
    fails("reviews.csv: empty file", "", ".csv")
    fails("reviews.csv: empty file", "\n\n", ".csv")
    fails("reviews.csv: no rows", "text,label\n", ".csv")
  end)

  it("says so when the file is UTF-16", function()
    fails("reviews.csv:1: this is UTF-16; save it as UTF-8",
      "\255\254t\0e\0x\0t\0\n\0", ".csv")
  end)

  it("takes a time in proportion to the file's length", function()
    local started = os.clock()
    local field = ('""\n'):rep(200000)
    local rows = read('text,label\n"' .. field .. '",x\n', ".csv")
    assert.are.equal(('"\n'):rep(200000), rows[1].text)
    assert.is_true(os.clock() - started < 5)
  end)
end)

describe("data.read of TSV", function()
  after_each(remove_files)

  it("separates by tabs alone, and leaves quotes and commas", function()
    assert.are.same({ { text = '"a, b', label = "x" } },
      read('label\tsentence\r\nx\t"a, b\r\n', ".tsv"))
  end)

  it("names the line of a short row", function()
    fails("reviews.tsv:3: 1 field, the header has 2",
      "text\tlabel\na\tx\nb\n", ".tsv")
  end)
end)

describe("data.read of JSONL", function()
  after_each(remove_files)

  it("gives the text and the label of each object", function()
    assert.are.same(
      { { text = "a\n\195\164", label = "x" }, { text = "b", label = "y" } },
      read('{"text": "a\\n\\u00e4", "label": "x"}\n\n'
        .. ' {"label":"y","text":"b"}', ".jsonl"))
  end)

  it("turns numbers and truth values into strings", function()
    local labels = {}
    for i, row in ipairs(read('{"text":"a","label":1}\n'
      .. '{"text":"a","label":-2.0}\n{"text":"a","label":0.1}\n'
      .. '{"text":"a","label":true}\n{"text":"a","label":12345678901}\n',
      ".jsonl")) do
      labels[i] = row.label
    end
    assert.are.same({ "1", "-2", "0.1", "true", "12345678901" }, labels)
  end)

  it("takes the columns that are named", function()
    assert.are.same({ { text = "a", group = "7", time = "1.5" } },
      read('{"review":"a","g":7,"t":1.5,"text":"b"}\n', ".jsonl",
        { text = "review", label = false, group = "g", time = "t" }))
  end)

  it("names the line of bad JSON", function()
    local path = file_of('{"text":"a","label":1}\n{"text":\n', ".jsonl")
    local ok, message = pcall(data.read, path, { name = "x.jsonl" })
    assert.is_false(ok)
    assert.is_truthy(message:find("^x%.jsonl:2: bad JSON: "))
  end)

  it("refuses numbers that JSON does not have", function()
    local path = file_of('{"text":"a","label":NaN}\n', ".jsonl")
    local ok, message = pcall(data.read, path, { name = "x.jsonl" })
    assert.is_false(ok)
    assert.is_truthy(message:find("^x%.jsonl:1: bad JSON: "))
  end)

  it("refuses a line that is no object", function()
    fails("reviews.jsonl:1: expected a JSON object, got an array",
      '["a"]\n', ".jsonl")
    fails("reviews.jsonl:1: expected a JSON object, got a string",
      '"a"\n', ".jsonl")
  end)

  it("refuses values that are missing, or of the wrong type", function()
    local first = '{"text":"a","label":"x"}\n'
    fails("reviews.jsonl:2: no 'label' in this object",
      first .. '{"text":"b"}\n', ".jsonl")
    fails("reviews.jsonl:2: no 'text' in this object",
      first .. '{"text":null,"label":"x"}\n', ".jsonl")
    fails("reviews.jsonl:2: 'text': expected a string, got a number",
      first .. '{"text":1,"label":"x"}\n', ".jsonl")
    fails("reviews.jsonl:2: 'label': expected a string, got an object or "
      .. "array", first .. '{"text":"b","label":["x"]}\n', ".jsonl")
    fails("reviews.jsonl:2: empty label",
      first .. '{"text":"b","label":""}\n', ".jsonl")
  end)

  it("names the keys of the first object when one is unknown", function()
    fails("reviews.jsonl:1: no column 'txt'; there are: label, text",
      '{"text":"a","label":"x"}\n', ".jsonl", { text = "txt" })
  end)
end)

describe("data.read of other labels", function()
  after_each(remove_files)

  it("takes several of a column, with what stands between them", function()
    assert.are.same({ { text = "a", labels = { "joy", "rage" } },
      { text = "b", labels = {} }, { text = "c", labels = { "joy" } } },
      read('text,label\na,"joy, rage"\nb,\nc,joy\n', ".csv",
        { label_separator = "," }))
    assert.are.same({ { text = "a", labels = { "x.y", "z" } } },
      read("text\tlabel\na\tx.y || z\n", ".tsv", { label_separator = "||" }))
  end)

  it("takes several of an array in JSON, where they are asked for", function()
    local objects = '{"text":"a","label":["x",1]}\n{"text":"b","label":[]}\n'
      .. '{"text":"c","label":"x,y"}\n'
    assert.are.same({ { text = "a", labels = { "x", "1" } },
      { text = "b", labels = {} }, { text = "c", labels = { "x", "y" } } },
      read(objects, ".jsonl", { label_separator = "," }))
    fails("reviews.jsonl:1: 'label': expected a string, got an object or "
      .. "array", objects, ".jsonl")
    for _, wrong in ipairs { '{"a":1}', '["x",null]', '["x",["y"]]', "null" } do
      assert.is_false(pcall(read, '{"text":"a","label":' .. wrong .. "}\n",
        ".jsonl", { label_separator = "," }))
    end
  end)

  it("refuses labels that come twice or are empty", function()
    local several = { label_separator = "," }
    fails("reviews.csv:2: label 'x' comes twice", 'text,label\na,"x, x"\n',
      ".csv", several)
    fails("reviews.csv:2: one of the labels is empty",
      'text,label\na,"x,,y"\n', ".csv", several)
    fails("reviews.jsonl:1: one of the labels is empty",
      '{"text":"a","label":["x"," "]}\n', ".jsonl", several)
  end)

  it("takes numbers", function()
    local rows = read("text,label\na,3\nb,-0.5\nc, 1e3\n", ".csv",
      { label_type = "number" })
    assert.are.same({ 3, -0.5, 1000 },
      { rows[1].label, rows[2].label, rows[3].label })
    assert.are.equal(2.5, read('{"text":"a","label":2.5}\n', ".jsonl",
      { label_type = "number" })[1].label)
  end)

  it("says where a label is no number", function()
    for _, wrong in ipairs { "x", "nan", "inf", "0x10", "1e999", "1,5" } do
      fails(("reviews.csv:2: label: expected a number, got '%s'"):format(wrong),
        ('text,label\na,"%s"\n'):format(wrong), ".csv",
        { label_type = "number" })
    end
  end)

  it("refuses options that say nothing", function()
    assert.has_error(function()
      read("text,label\na,x\n", ".csv", { label_separator = "" })
    end, "data: label_separator: expected a string that is not empty")
    assert.has_error(function()
      read("text,label\na,x\n", ".csv", { label_type = "integer" })
    end, "data: label_type: expected one of number, string, got 'integer'")
  end)
end)

describe("data.read with columns to keep", function()
  after_each(remove_files)

  it("keeps them beside those that play a role, by name", function()
    local rows = { { text = "a", label = "x",
      kept = { city = "Oslo", label = "x" } }, { text = "b", label = "y",
      kept = { city = "", label = "y" } } }
    local how = { keep = { "city", "label" } }
    assert.are.same(rows, read("city,text,label\nOslo,a,x\n,b,y\n", ".csv",
      how))
    assert.are.same(rows, read("city\ttext\tlabel\nOslo\ta\tx\n\tb\ty\n",
      ".tsv", how))
    assert.are.same(rows, read('{"text": "a", "label": "x", "city": "Oslo"}\n'
      .. '{"text": "b", "label": "y", "city": null}\n', ".jsonl", how))
  end)

  it("has a number or a boolean of JSON as it is written", function()
    local rows = read('{"text": "a", "n": 3, "old": false}\n', ".jsonl",
      { label = false, keep = { "n", "old" } })
    assert.are.same({ n = "3", old = "false" }, rows[1].kept)
  end)

  it("takes a column by its number where there is no header", function()
    local rows = read("a,x,Oslo\n", ".csv", { header = false, text = 1,
      label = 2, keep = { 3 } })
    assert.are.same({ ["3"] = "Oslo" }, rows[1].kept)
  end)

  it("has no such table unless asked", function()
    assert.is_nil(read("text,label\na,x\n", ".csv")[1].kept)
  end)

  it("names a column that is not there", function()
    local how = { keep = { "town" } }
    fails("reviews.csv:1: no column 'town'; there are: text, label",
      "text,label\na,x\n", ".csv", how)
    fails("reviews.tsv:1: no column 'town'; there are: text, label",
      "text\tlabel\na\tx\n", ".tsv", how)
    fails("reviews.jsonl:2: no 'town' in this object",
      '{"text": "a", "label": "x", "town": "Oslo"}\n'
      .. '{"text": "a", "label": "x"}\n', ".jsonl", how)
    fails("reviews.txt:1: a plain line is a text and has no town", "a\n",
      ".txt", how)
  end)

  it("keeps no lists", function()
    fails("reviews.jsonl:1: 'town': expected a string, a number or a boolean, "
      .. "got an object or array", '{"text": "a", "town": []}\n', ".jsonl",
      { label = false, keep = { "town" } })
  end)

  it("refuses what names no columns", function()
    for message, keep in pairs {
      ["data: keep: expected a table, got 'town'"] = "town",
      ["data: keep: 1: expected a string, got true"] = { true },
      ["data: keep: 'town' comes twice"] = { "town", "town" },
      ["data: keep: expected an array of names of columns"] = { town = 1 },
    } do
      fails(message, "text,label\na,x\n", ".csv", { keep = keep })
    end
  end)
end)

describe("data.read of lines", function()
  after_each(remove_files)

  it("takes a text a line, whatever it looks like", function()
    assert.are.same({ { text = "a, b" }, { text = '{"text": "c"}' } },
      read('a, b\r\n{"text": "c"}\n', ".txt"))
  end)

  it("refuses a blank line, unless texts may be empty", function()
    fails("reviews.txt:2: empty text", "a\n\nb\n", ".txt")
    assert.are.same({ "a", "", "b" },
      texts(read("a\n\nb\n", ".txt", { empty = true })))
  end)

  it("has no labels to give", function()
    fails("reviews.txt:1: a plain line is a text and has no label",
      "a\n", ".txt", { label = "label" })
  end)
end)

describe("data.read", function()
  after_each(remove_files)

  it("takes the format from the extension, or as given", function()
    assert.are.same({ "a" },
      texts(read('{"text":"a","label":1}\n', ".NDJSON")))
    assert.are.same({ "text,label" },
      texts(read("text,label\n", ".csv", { format = "lines" })))
  end)

  it("asks for a format where the extension says nothing", function()
    assert.has_error(function() data.read("reviews.dat") end,
      "reviews.dat: what is it? name it .csv, .tsv, .jsonl or .txt, or give "
      .. "a format")
    assert.has_error(function() data.read("x.csv", { format = "xml" }) end,
      "data: unknown format 'xml'; known: csv, jsonl, lines, tsv")
  end)

  it("says why a file can't be read", function()
    assert.has_error(function() data.read("no/such/file.csv") end,
      "no/such/file.csv: No such file or directory")
    assert.has_error(function() data.read("spec", { format = "csv" }) end,
      "spec: Is a directory")
  end)

  it("refuses what is no file, and options it does not know", function()
    assert.has_error(function() data.read() end,
      "data: expected a path or an open file, got nil")
    assert.has_error(function() data.read("x.csv", { labels = "y" }) end,
      "data: unknown option 'labels'; known: empty, format, group, header, "
      .. "keep, label, label_separator, label_type, name, strict, text, "
      .. "text_pair, time")
  end)
end)

describe("data.rows", function()
  after_each(remove_files)

  it("gives one row at a time, and nil for good after the last", function()
    local next_row = data.rows(file_of("text,label\na,x\nb,y\n", ".csv"))
    assert.are.same({ text = "a", label = "x" }, bare(next_row()))
    assert.are.same({ text = "b", label = "y" }, bare(next_row()))
    assert.is_nil(next_row())
    assert.is_nil(next_row())
  end)

  it("reaches the rows before a bad one", function()
    local next_row = data.rows(file_of("text,label\na,x\nb\n", ".csv"),
      { name = "x.csv" })
    assert.are.same({ text = "a", label = "x" }, bare(next_row()))
    fails_with("x.csv:3: 1 field, the header has 2", next_row)
  end)

  it("takes an open file and leaves it open, read no further", function()
    local file = assert(io.open(file_of("a\nb\nc\n")))
    assert.are.same({ text = "a" }, bare(data.rows(file)()))
    assert.are.equal("b", file:read("*l"))
    for _ in data.rows(file) do end
    assert.are.equal("file", io.type(file))
    file:close()
    assert.has_error(function() data.rows(file) end,
      "data: expected a path or an open file, got closed file")
  end)

  it("takes plain lines and objects mixed from an open file", function()
    local file = assert(io.open(
      file_of('plain\n{"text": "a", "label": 1}\n\n[1]\n')))
    local rows = all_bare(data.read(file, { empty = true }))
    file:close()
    assert.are.same({ { text = "plain" }, { text = "a" }, { text = "" },
      { text = "[1]" } }, rows)
  end)

  it("names an open file in errors", function()
    local function first(content, options)
      local file = assert(io.open(file_of(content)))
      local ok, message = pcall(data.rows(file, options))
      file:close()
      return not ok and message
    end
    assert.are.equal("input:1: no 'text' in this object", first('{"a": 1}\n'))
    assert.are.equal("-:1: empty text", first("\n", { name = "-" }))
  end)

  it("reads an open file in the format given", function()
    local file = assert(io.open(file_of("text,label\na,x\n")))
    assert.are.same({ text = "a", label = "x" },
      bare(data.rows(file, { format = "csv" })()))
    file:close()
  end)

  it("gives nothing for an empty list of lines", function()
    assert.is_nil(data.rows(file_of("", ".txt"))())
  end)
end)
