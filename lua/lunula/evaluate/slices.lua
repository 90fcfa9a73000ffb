--- How a model does on parts of the rows: those with one value in a column.
-- A score of all rows hides a part on which it fails (Chen et al. 2019,
-- "Slice-based learning"). The worst part comes first.
-- @module lunula.evaluate.slices

local bootstrap = require "lunula.metrics.bootstrap"
local check = require "lunula.check"
local problem = require "lunula.problem"
local proportion = require "lunula.metrics.proportion"
local sampler = require "lunula.sampler"

local slices = {}

--- What parts are called that have too few rows each.
slices.OTHER = "(other)"

local function value_of(row, column)
  return row.kept and row.kept[column]
end

--- What a part is called, for people.
-- @tparam table slice as from `slices.of`, or from a document that somebody
--   else wrote
-- @treturn ?string nil where it has no value that is one
-- @usage slices.title { value = "" }  --> (empty)
function slices.title(slice)
  local value = slice.value
  if type(slice.values) == "number" then
    return ("%s: %.14g value%s"):format(slices.OTHER, slice.values,
      slice.values == 1 and "" or "s")
  elseif value == "" then
    return "(empty)"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return (type(value) == "string" or type(value) == "boolean")
    and tostring(value) or nil
end

--- The parts of each column, in the order in which they come.
-- @tparam {table,...} list parts
-- @treturn {table,...} of each column its `name` and an array of its parts
function slices.by_column(list)
  local columns, found = {}, {}
  for _, slice in ipairs(list) do
    local name = type(slice.column) == "string" and slice.column or "slice"
    if not found[name] then
      found[name] = { name = name }
      columns[#columns + 1] = found[name]
    end
    table.insert(found[name], slice)
  end
  return columns
end

--- Checks that rows have columns.
-- @tparam {string,...} columns at least one, each once
-- @tparam {table,...} rows
-- @raise which row has which not
function slices.check(columns, rows)
  check.table(columns, "evaluate: slices")
  local seen = {}
  for i, column in ipairs(columns) do
    check.string(column, ("evaluate: slices: %d"):format(i))
    if seen[column] then
      error(("evaluate: slices: '%s' comes twice"):format(column), 0)
    end
    seen[column] = true
    for number, row in ipairs(rows) do
      if type(value_of(row, column)) ~= "string" then
        error(("evaluate: slices: row %d has no '%s': read it with keep = { "
          .. "'%s' }"):format(number, column, column), 0)
      end
    end
  end
end

-- {======== parts ========

-- numbers of the rows of each value
local function groups_of(rows, column)
  local groups, numbers_of = {}, {}
  for number, row in ipairs(rows) do
    local value = value_of(row, column)
    if not numbers_of[value] then
      numbers_of[value] = {}
      groups[#groups + 1] = { value = value, numbers = numbers_of[value] }
    end
    local numbers = numbers_of[value]
    numbers[#numbers + 1] = number
  end
  return groups
end

-- Values of too few rows taken together.
local function folded(groups, least)
  local kept = {}
  local other = { value = slices.OTHER, numbers = {}, values = 0 }
  for _, group in ipairs(groups) do
    if #group.numbers >= least then
      kept[#kept + 1] = group
    else
      other.values = other.values + 1
      for _, number in ipairs(group.numbers) do
        other.numbers[#other.numbers + 1] = number
      end
    end
  end
  if other.values > 0 then kept[#kept + 1] = other end
  return kept
end

-- }========

-- {======== scores ========

-- of a share of the answers, or of the mean of squared errors
local function interval_of(numbers, verdicts, o)
  local right, losses = 0, {}
  for i, number in ipairs(numbers) do
    local verdict = verdicts[number]
    right, losses[i] = right + (verdict.correct and 1 or 0), verdict.loss
  end
  if verdicts[1].correct ~= nil then
    return proportion.interval(right, #numbers)
  end
  local found = bootstrap.mean(losses,
    { resamples = o.resamples, seed = o.seed })
  return found.low, found.high
end

local function judge(judged, verdicts, column, group, o)
  local numbers, model = group.numbers, judged.model
  local slice = model.problem.part(sampler.pick(judged.found, numbers),
    sampler.pick(judged.targets, numbers), model)
  slice.column, slice.value, slice.values = column, group.value, group.values
  slice.n, slice.metric = #numbers, model.problem.rate
  slice.low, slice.high = interval_of(numbers, verdicts, o)
  return slice
end

-- The worst first; of equally bad ones that of more rows.
local function worse(a, b)
  local x, y = a[a.metric], b[b.metric]
  if x ~= y then
    if problem.LOWER[a.metric] then return x > y end
    return x < y
  end
  if a.n ~= b.n then return a.n > b.n end
  return a.value < b.value
end

--- The parts by each column: those of the first column first.
-- @tparam table judged as for `detail.add`
-- @tparam {table,...} verdicts of each row
-- @tparam table o `slices`, `slice_least`, `resamples`, `seed`
-- @treturn {table,...} as `lunula.evaluate` has them
function slices.of(judged, verdicts, o)
  local all = {}
  for _, column in ipairs(o.slices) do
    local found = {}
    for i, group in ipairs(folded(groups_of(judged.rows, column),
        o.slice_least)) do
      found[i] = judge(judged, verdicts, column, group, o)
    end
    table.sort(found, worse)
    for _, slice in ipairs(found) do all[#all + 1] = slice end
  end
  return all
end

-- }========

return slices
