local data = require "lunula.data"
local labels = require "lunula.labels"

describe("The labels of rows", function()
  local ROWS = {
    { text = "a", label = "x" }, { text = "b", label = "y" },
    { text = "c", label = "x", file = "reviews.csv", line = 17 },
  }

  -- luassert's has_error cuts `file:line: ` off a message: here it counts.
  local function fails(message, f, ...)
    local ok, why = pcall(f, ...)
    assert.is_false(ok)
    assert.are.equal(message, why)
  end

  it("are each there once, sorted", function()
    assert.are.same({ "x", "y" }, labels.of(ROWS))
  end)

  it("become classes from 0, in the order of the list", function()
    assert.are.same({ 1, 0, 1 }, labels.classes(ROWS, { "y", "x" }, "train"))
  end)

  it("are placed by file and line, or else by the row's number", function()
    fails("train: row 2: label 'y' is none of the 1 known: x",
      labels.classes, ROWS, { "x" }, "train")
    fails("reviews.csv:17: label 'x' is none of the 1 known: y",
      labels.classes, { ROWS[3] }, { "y" }, "train")
    fails("test.csv: row 2: label 'y' is that of no training row",
      labels.check_seen, ROWS, { ROWS[1] }, "test.csv")
    fails("reviews.csv:17: label 'x' is that of no training row",
      labels.check_seen, { ROWS[3] }, { ROWS[2] }, "test.csv")
    labels.check_seen(ROWS, ROWS, "test.csv")
  end)

  it("are placed where data.read has found them", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write('text,label\n"two\nlines",x\nb,y\n')
    file:close()
    local rows = data.read(path, { format = "csv" })
    os.remove(path)
    fails(path .. ":4: label 'y' is none of the 1 known: x", labels.classes,
      rows, { "x" }, "train")
  end)

  it("are two at least", function()
    fails("reviews.csv: all 2 rows have the label 'x'; at least two labels "
      .. "are needed", labels.check_two, { ROWS[1], ROWS[3] }, "reviews.csv")
    labels.check_two(ROWS, "reviews.csv")
  end)

  it("are strings, beside texts", function()
    fails("notes.txt: row 1: label: expected a string, got nil",
      labels.check_rows, { { text = "a" } }, "notes.txt")
    fails("train: row 2: text: expected a string, got number",
      labels.check_rows, { ROWS[1], { text = 3, label = "x" } }, "train")
    fails("train: row 1: expected a table with text and label, got string",
      labels.check_rows, { "a" }, "train")
    fails("train: no rows", labels.check_rows, {}, "train")
  end)

  it("are named in a message as far as one can read them", function()
    local many = {}
    for i = 1, 10 do many[i] = "l" .. i end
    assert.are.equal("l1, l2, l3, l4, l5, l6, l7, l8, l9, l10",
      labels.listed(many))
    many[11], many[12] = "l11", "l12"
    assert.are.equal("l1, l2, l3, l4, l5, l6, l7, l8, l9, l10 and 2 more",
      labels.listed(many))
  end)
end)
