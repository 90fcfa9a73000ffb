--- Labels as classes: numbers from 0, in the order of a list of labels.
-- @module lunula.labels

local check = require "lunula.check"

local labels = {}

local function fail(message, ...)
  error(message:format(...), 0)
end

local LISTED = 10  -- labels named in a message; a data set may have hundreds

--- Labels for a message: all, or the first and how many more.
-- @tparam {string,...} list
-- @treturn string
function labels.listed(list)
  if #list <= LISTED then return table.concat(list, ", ") end
  return ("%s and %d more"):format(table.concat(list, ", ", 1, LISTED),
    #list - LISTED)
end

--- Where a row stands, for a message.
-- @tparam {table,...} rows
-- @int i its number
-- @string what who asks
-- @treturn string `reviews.csv:17`; `train: row 16` of rows that no file holds
function labels.place(rows, i, what)
  local row = rows[i]
  if row.file and row.line then
    return tostring(row.file) .. ":" .. tostring(row.line)
  end
  return ("%s: row %d"):format(what, i)
end

-- The strings that each row must have.
local function check_strings(rows, what, fields)
  if type(rows) ~= "table" then
    fail("%s: expected an array of rows, got %s", what, type(rows))
  elseif #rows == 0 then
    fail("%s: no rows", what)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then
      fail("%s: row %d: expected a table with text and label, got %s", what, i,
        type(row))
    end
    for _, field in ipairs(fields) do
      if type(row[field]) ~= "string" then
        fail("%s: %s: expected a string, got %s",
          labels.place(rows, i, what), field, type(row[field]))
      end
    end
  end
end

--- Checks that rows are an array of texts with labels.
-- @tparam {table,...} rows
-- @string what who asks, for the message: "train", "train: validation"
-- @raise when there are none, or a row has no text or no label
function labels.check_rows(rows, what)
  check_strings(rows, what, { "text", "label" })
end

--- Checks that rows are an array of texts.
-- @tparam {table,...} rows
-- @string what who asks, for the message
-- @raise when there are none, or a row has no text
function labels.check_texts(rows, what)
  check_strings(rows, what, { "text" })
end

--- Strings, each once, sorted.
-- @tparam {string,...} values
-- @treturn {string,...}
function labels.distinct(values)
  local list, seen = {}, {}
  for _, value in ipairs(values) do
    if not seen[value] then list[#list + 1] = value end
    seen[value] = true
  end
  table.sort(list)
  return list
end

--- The distinct labels of rows, sorted: the order in which `split` and the
-- command line list them.
-- @tparam {table,...} rows with a `label`, or `labels`, an array of them
-- @treturn {string,...}
-- @usage local model = lunula.classifier(dir, { labels = labels.of(rows) })
function labels.of(rows)
  local all = {}
  for _, row in ipairs(rows) do
    for _, label in ipairs(row.labels or { row.label }) do
      all[#all + 1] = label
    end
  end
  return labels.distinct(all)
end

--- Checks a list of labels.
-- @tparam {string,...} list
-- @string what who asks, for the message
-- @int[opt=2] least 1 or 2: how many there must be
-- @raise when there are fewer, one is no string, or comes twice
function labels.check(list, what, least)
  least = least or 2
  if type(list) ~= "table" or #list < least then
    fail("%s: labels: expected an array of %s or more", what,
      least == 1 and "one string" or "two strings")
  end
  local seen = {}
  for i, label in ipairs(list) do
    if type(label) ~= "string" then
      fail("%s: labels: %d: expected a string, got %s", what, i, type(label))
    elseif seen[label] then
      fail("%s: labels: '%s' comes twice", what, label)
    end
    seen[label] = true
  end
end

--- Checks that rows have two labels at least.
-- @tparam {table,...} rows that `check_rows` has seen
-- @string what who asks, for the message
-- @raise when all have the same
function labels.check_two(rows, what)
  for _, row in ipairs(rows) do
    if row.label ~= rows[1].label then return end
  end
  fail("%s: %s the label '%s'; at least two labels are needed", what,
    #rows == 1 and "its one row has" or ("all %d rows have"):format(#rows),
    rows[1].label)
end

--- Checks that no row has a label which is in none of the training rows.
-- @tparam {table,...} rows that `check_rows` has seen
-- @tparam {table,...} train those to learn from, likewise
-- @string what who asks, for the message
-- @raise which row has which label
function labels.check_seen(rows, train, what)
  local seen = {}
  for _, row in ipairs(train) do seen[row.label] = true end
  for i, row in ipairs(rows) do
    if not seen[row.label] then
      labels.refuse_unseen(rows, i, row.label, what)
    end
  end
end

--- The class of each row.
-- @tparam {table,...} rows
-- @tparam {string,...} list of labels
-- @string what who asks, for the message
-- @treturn {int,...} from 0
-- @raise when a row's label is not in the list: which row, which label
function labels.classes(rows, list, what)
  check.table(list, what .. ": labels")
  local class, classes = {}, {}
  for i, label in ipairs(list) do class[label] = i - 1 end
  for i, row in ipairs(rows) do
    classes[i] = class[row.label]
      or labels.refuse_unknown(rows, i, row.label, list, what)
  end
  return classes
end

--- Raises that a row has a label which is not in a list.
-- @tparam {table,...} rows
-- @int i the row's number
-- @string label
-- @tparam {string,...} list
-- @string what who asks
function labels.refuse_unknown(rows, i, label, list, what)
  fail("%s: label '%s' is none of the %d known: %s",
    labels.place(rows, i, what), tostring(label), #list, labels.listed(list))
end

--- Raises that a row has a label which no row to learn from has.
-- @tparam {table,...} rows
-- @int i the row's number
-- @string label
-- @string what who asks
function labels.refuse_unseen(rows, i, label, what)
  fail("%s: label '%s' is that of no training row",
    labels.place(rows, i, what), label)
end

return labels
