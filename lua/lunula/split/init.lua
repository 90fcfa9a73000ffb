--- Splits rows into parts: by ratios, or k folds.
-- Every row falls into exactly one part and no part is empty. The same rows,
-- options and seed give the same parts on every machine. `split` is called
-- as a function (@{split}); @{folds}, @{load} and @{save} are fields of it.
-- @module lunula.split

local check = require "lunula.check"
local opt = require "lunula.options"
local file = require "lunula.split.file"
local groups = require "lunula.split.groups"
local grown = require "lunula.split.grown"
local label_lists = require "lunula.labels"
local quota = require "lunula.split.quota"
local ratios = require "lunula.split.ratios"
local sampler = require "lunula.sampler"
local strata = require "lunula.split.strata"
local together = require "lunula.split.together"

local none = opt.none

-- Epochs are drawn from streams 1, 2, ...: splitting has stream 0 to itself.
local SPLIT_STREAM = 0

local function fail(message, ...)
  error(message:format(...), 0)
end

local function drawn_order(n, seed)
  return sampler.order(n, { seed = seed, epoch = SPLIT_STREAM })
end

local function check_rows(rows, what)
  if type(rows) ~= "table" then
    fail("%s: expected an array of rows, got %s", what, type(rows))
  elseif #rows == 0 then
    fail("%s: no rows", what)
  end
  for i, row in ipairs(rows) do
    if type(row) ~= "table" then
      fail("%s: row %d: expected a table, got %s", what, i, type(row))
    end
  end
end

local function values_of(rows, field, what)
  local values = {}
  for i, row in ipairs(rows) do
    local value = row[field]
    if value == nil or value ~= value then
      fail("%s: row %d has no '%s'", what, i, tostring(field))
    end
    values[i] = value
  end
  return values
end

local function labels_of(rows, what)
  local labels = values_of(rows, "label", what)
  for i, label in ipairs(labels) do
    if type(label) ~= "string" then
      fail("%s: row %d: expected a string as its label, got %s", what, i,
        type(label))
    end
  end
  return labels
end

local function is_stratified(rows, stratify)
  if stratify == nil then
    return rows[1].label ~= nil and type(rows[1].label) ~= "number"
  end
  return stratify
end

-- What must be spread evenly: the labels, or rows that are all alike.
local function strata_of(rows, stratify, what)
  if is_stratified(rows, stratify) then return labels_of(rows, what) end
  local same = {}
  for i = 1, #rows do same[i] = "" end
  return same
end

local function deal(assigned, rows_in_order, counts)
  local at = 0
  for part, count in ipairs(counts) do
    for i = at + 1, at + count do assigned[rows_in_order[i]] = part end
    at = at + count
  end
end

local function by_group(rows, order, labels, shares, o, cover_first, what)
  local set_of = together.of(rows, o.duplicates,
    values_of(rows, o.group, what))
  local assigned, n =
    groups.assign(order, set_of, labels, shares, cover_first)
  if n < #shares then
    fail("%s: %d distinct values of '%s' can't fill %d parts", what, n,
      o.group, #shares)
  end
  return assigned
end

-- Numbers, and strings that all look like numbers, compare as numbers;
-- strings such as 2024-05-31 as strings.
local function comparable(values, field)
  local numbers = {}
  for i, value in ipairs(values) do
    numbers[i] = tonumber(value)
    if not numbers[i] then break end
  end
  if #numbers == #values then return numbers end
  for i, value in ipairs(values) do
    if type(value) ~= "string" then
      fail("split: row %d: '%s' is a %s, and others are not", i, field,
        type(value))
    end
  end
  return values
end

local function sorted_order(rows, field)
  local keys = comparable(values_of(rows, field, "split"), field)
  local order = {}
  for i = 1, #rows do order[i] = i end
  table.sort(order, function(a, b)
    if keys[a] ~= keys[b] then return keys[a] < keys[b] end
    return a < b
  end)
  return order
end

local function collect(rows, order, assigned, n_parts)
  local parts = {}
  for part = 1, n_parts do parts[part] = {} end
  for _, i in ipairs(order) do
    local part = parts[assigned[i]]
    part[#part + 1] = rows[i]
  end
  return parts
end

local function settle_duplicates(options, what)
  options.duplicates = check.choice(options.duplicates or "together",
    what .. ": duplicates", together.CHOICES)
end

local function check_split_options(given, shares)
  local known = { stratify = none, seed = 0, group = none, order = none,
    duplicates = none }
  for name in pairs(ratios.default) do known[name] = none end
  for _, name in ipairs(shares.names) do known[name] = none end
  local options = opt.check(given, known, "split")
  if options.order and (options.group or options.stratify) then
    fail("split: rows in order can't also be %s",
      options.group and "grouped" or "stratified")
  elseif options.order and (options.duplicates or "ignore") ~= "ignore" then
    fail("split: duplicates of rows in order can't be kept together: give "
      .. "duplicates = 'ignore'")
  end
  check.integer(options.seed, "split: seed")
  settle_duplicates(options, "split")
  return options
end

local function assign_in_order(rows, options, shares)
  local order, assigned = sorted_order(rows, options.order), {}
  deal(assigned, order, quota.of(shares):cut(#rows))
  options.sets = #rows
  return order, assigned
end

local function assign_drawn(rows, options, shares, cover_first, what)
  local order = drawn_order(#rows, options.seed)
  local labels = strata_of(rows, options.stratify, what)
  if options.group then
    return order, by_group(rows, order, labels, shares, options, cover_first,
      what)
  end
  local set_of, sets = together.of(rows, options.duplicates)
  options.sets = sets
  return order, strata.assign(order, labels, set_of, shares, cover_first)
end

-- why so many rows are too few
local function in_sets(options, n)
  if options.group then
    return (" in whole groups of '%s'"):format(options.group)
  end
  return options.sets < n and ", equal texts together," or ""
end

local function named_parts(names, parts, n, options)
  local named = {}
  for i, name in ipairs(names) do
    if #parts[i] == 0 then
      fail("split: %d rows%s leave '%s' empty", n, in_sets(options, n), name)
    end
    named[name] = parts[i]
  end
  return named
end

-- The labels of rows that have one each, or several; of numbers there are none.
local function all_labels(rows)
  if rows[1].labels then return label_lists.of(rows) end
  local label = rows[1].label
  if label == nil or type(label) == "number" then return {} end
  return label_lists.distinct(labels_of(rows, "split"))
end

--- Splits rows by ratios.
-- With `stratify` every part has each label in its share, to within a row
-- (largest remainder, carried over from label to label so that the parts'
-- sizes come out too); a label always occurs in the first part, the rarest
-- one there before anywhere else. Equal texts never straddle: a test would ask
-- for what was learnt by heart. With `group` no group does, nor what groups are
-- held together by equal texts, and the shares are met as nearly as sizes
-- allow. With `order` nothing is drawn: the first part is the oldest rows, the
-- last one the newest; rows of the same time stay in their order, and equal
-- texts where they are.
-- @function split
-- @tparam {table,...} rows as from `data.read`; not changed
-- @tparam[opt] table options
-- @number[opt=0.8] options.train share of the rows, above 0. Any other names
--   may be given instead, with a sum of 1; train comes first, test last, the
--   others between, by name
-- @number[opt=0.1] options.validation
-- @number[opt=0.1] options.test
-- @bool[opt] options.stratify true unless rows have no labels, several or
--   numbers, or are ordered
-- @tparam[opt] string options.group field of a row that says what it belongs
--   to
-- @tparam[opt] string options.order field of a row to sort by: numbers, or
--   strings that sort as they are, such as 2024-05-31
-- @string[opt="together"] options.duplicates of texts with the same words,
--   whatever case and punctuation: "together", in one part; "near", those that
--   are nearly equal, too; "ignore", as if they were others. Rows without any
--   are split as with "ignore"
-- @int[opt=0] options.seed
-- @treturn table an array of rows per part, by name, in drawn order; and
--   `labels`, the distinct labels of all rows, sorted
-- @raise when there are no rows, a ratio is not positive, their sum is not
--   1, a row lacks a field that is needed, or a part would be empty
-- @usage local parts = split(rows, { train = 0.9, test = 0.1, seed = 1 })
-- print(#parts.train, #parts.test, #parts.labels)
local function by_ratios(rows, options)
  check_rows(rows, "split")
  local shares = ratios.of(options)
  options = check_split_options(options, shares)
  local order, assigned
  if options.order then
    order, assigned = assign_in_order(rows, options, shares)
  else
    order, assigned = assign_drawn(rows, options, shares, true, "split")
  end
  local parts = collect(rows, order, assigned, #shares)
  local named = named_parts(shares.names, parts, #rows, options)
  named.labels = all_labels(rows)
  return named
end

local split = setmetatable({}, {
  __call = function(_, rows, options) return by_ratios(rows, options) end,
})

local function check_k(k, n)
  check.integer(k, "folds: k", { least = 2 })
  if k > n then
    fail("folds: %d rows can't fill %d folds", n, k)
  end
end

-- A label that lies in one fold alone is not in the rows that this fold's
-- model is trained on.
local function check_spread(rows, assigned)
  local fold_of, count = {}, {}
  for i, row in ipairs(rows) do
    local label, fold = row.label, assigned[i]
    count[label] = (count[label] or 0) + 1
    if fold_of[label] == nil then fold_of[label] = fold end
    if fold_of[label] ~= fold then fold_of[label] = false end
  end
  for _, label in ipairs(label_lists.distinct(labels_of(rows, "folds"))) do
    if fold_of[label] then
      fail("folds: label '%s' (%d row%s) is in one fold alone, so that none "
        .. "is left to train on; give stratify = false to allow it", label,
        count[label], count[label] == 1 and "" or "s")
    end
  end
end

local function fold(rows, order, assigned, number)
  local train, test = {}, {}
  for _, i in ipairs(order) do
    local part = assigned[i] == number and test or train
    part[#part + 1] = rows[i]
  end
  if #test == 0 then
    fail("folds: fold %d of %d rows would be empty", number, #rows)
  end
  return { train = train, test = test }
end

--- Splits rows into k folds, each row in the test part of exactly one.
-- @tparam {table,...} rows as from `data.read`; not changed
-- @tparam[opt] table options
-- @int[opt=5] options.k number of folds, at least 2
-- @bool[opt] options.stratify true unless rows have no labels, several or
--   numbers
-- @tparam[opt] string options.group as for @{split}
-- @string[opt="together"] options.duplicates as for @{split}
-- @int[opt=0] options.seed
-- @treturn {table,...} k tables `{train=, test=}`, arrays of rows each
-- @raise when there are fewer rows or groups than folds, a row lacks a field
--   that is needed, or a stratified label would be in one fold alone
-- @usage for i, fold in ipairs(split.folds(rows, { k = 10 })) do
--   print(i, #fold.train, #fold.test) end
function split.folds(rows, options)
  check_rows(rows, "folds")
  options = opt.check(options,
    { k = 5, stratify = none, group = none, seed = 0, duplicates = none },
    "folds")
  check_k(options.k, #rows)
  check.integer(options.seed, "folds: seed")
  settle_duplicates(options, "folds")
  local shares, folds = {}, {}
  for i = 1, options.k do shares[i] = 1 / options.k end
  local order, assigned = assign_drawn(rows, options, shares, false, "folds")
  if is_stratified(rows, options.stratify) then
    check_spread(rows, assigned)
  end
  for i = 1, options.k do folds[i] = fold(rows, order, assigned, i) end
  return folds
end

split.save = file.save

--- Splits rows as a file says that `split.save` wrote, though there may be more
-- of them now. A row that it knows keeps its part and its place there. New ones
-- go to train. Write the file anew when rows were added, so that they are known
-- the next time.
-- @string path
-- @tparam {table,...} rows as from `data.read`; not changed
-- @tparam[opt] table given
-- @tparam[opt] {string,...} given.grow the parts that new rows are shared
--   among, by their sizes ({ "train" })
-- @string[opt="error"] given.changed "report" to go on though rows of the part
--   "test" are missing or have another label
-- @string[opt="together"] given.duplicates as for @{split}: a new row whose
--   text is known belongs to the part of that
-- @tparam[opt] string given.group as for @{split}, likewise
-- @int[opt=0] given.seed of the sharing
-- @treturn table parts as from @{split}
-- @treturn table what is not as it was: `missing`, how many rows are gone by
--   part; `touched`, an array of `{ row=, part= }` that have another label now
--   and keep their part; `new`, the rows that were added; `left_out`, those
--   that were not, since they belong to rows of a part that may not grow
-- @raise when the file is none, or the test set has changed
-- @usage local parts, report = split.load("split.jsonl", rows)
-- print(#parts.train, #report.new, #report.left_out)
function split.load(path, rows, given)
  local parts, report = grown.load(path, rows, given)
  parts.labels = all_labels(rows)
  return parts, report
end

return split
