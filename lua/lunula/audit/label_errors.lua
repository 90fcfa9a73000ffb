--- Labels that are probably wrong: those of which a model that has not seen the
-- row is surer that it is another (`lunula.cross_predict`,
-- `lunula.confident`). The rows of all files are dealt out to the folds
-- together: each is answered by a model of others, in whichever part it is. The
-- encoder must not have been fine-tuned on these rows.
-- @module lunula.audit.label_errors

local check = require "lunula.check"
local confident = require "lunula.confident"
local cross_predict = require "lunula.cross_predict"
local options = require "lunula.options"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"
local together = require "lunula.split.together"
local vectors = require "lunula.audit.vectors"

local label_errors = {}

--- Options of an audit: folds; `label_method`, "head" (a logistic regression
-- over the encoder's vectors) or "train" (fine-tuning, of which `label_train`
-- are the options); `label_filter` as for `confident.find`; `encoder` (see
-- `vectors.source`); `seed`.
label_errors.options = { folds = 5, seed = 0, label_method = "head",
  label_train = options.none, label_filter = "prune_by_noise_rate",
  encoder = options.none }

local LabelErrors = {}
LabelErrors.__index = LabelErrors

local HIGH, MEDIUM = 0.8, 0.5  -- the suggested label's probability less its
                               -- own
local PAIRS = 20               -- of labels, in the summary

local METHODS = { head = true, train = true }

--- A detector.
-- @tparam table given options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function label_errors.new(given, context)
  check.choice(given.label_method, "audit: label_method", METHODS)
  check.choice(given.label_filter, "audit: label_filter", confident.FILTERS)
  check.integer(given.folds, "audit: folds", { least = 2 })
  check.integer(given.seed, "audit: seed")
  if given.label_train then
    check.table(given.label_train, "audit: label_train")
  end
  return setmetatable({ options = given, context = context }, LabelErrors)
end

--- Does nothing: all rows are looked at together, in the end.
function LabelErrors.see() end

-- The indices of the rows that have one label, a name.
local function labelled(rows)
  local indices = {}
  for i, row in ipairs(rows) do
    if type(row.label) == "string" and row.label ~= "" then
      indices[#indices + 1] = i
    end
  end
  return indices
end

local function hindrance(self, indices)
  local context = self.context
  local why = vectors.missing(context, self.options, "finding label errors")
  if why then return why end
  if #indices == 0 then return "no row has a single label" end
  local rows, labels_differ = sampler.pick(context.rows, indices), false
  for _, row in ipairs(rows) do
    labels_differ = labels_differ or row.label ~= rows[1].label
  end
  if not labels_differ then return "all rows have one label" end
  local _, texts = together.of(rows, "together")
  return texts < 2 and "all rows have one text" or nil
end

-- The vectors of some rows.
local function vectors_of(self, indices)
  local all, numbers = vectors.of(self.context, self.options), {}
  if #indices == #self.context.rows then return all end
  for i, index in ipairs(indices) do numbers[i] = index - 1 end
  return all:index(1, tensor.from(numbers, "int32"))
end

local function look(self, indices)
  local o, context = self.options, self.context
  local rows = sampler.pick(context.rows, indices)
  local p, list = cross_predict(vectors.source(context, o), rows, {
    k = o.folds, seed = o.seed, method = o.label_method,
    train = o.label_train, vectors = o.label_method == "head"
      and vectors_of(self, indices) or nil,
    on_fold = context.on_progress and function(done, all)
      context.on_progress { check = "label_errors", number = done,
        checks = all }
    end })
  return rows, confident.find(rows, p, { labels = list,
    filter = o.label_filter })
end

local function severity_of(issue)
  local ahead = issue.probability - issue.self_confidence
  return ahead >= HIGH and "high" or ahead >= MEDIUM and "medium" or "low"
end

local function figures_of(self, rows, result)
  local most_often, by_label = {}, {}
  for i = 1, math.min(PAIRS, #result.pairs) do
    most_often[i] = result.pairs[i]
  end
  for _, label in ipairs(result.labels) do
    by_label[label] = { rows = 0, found = 0 }
  end
  for _, row in ipairs(rows) do
    by_label[row.label].rows = by_label[row.label].rows + 1
  end
  for _, issue in ipairs(result.issues) do
    by_label[issue.given].found = by_label[issue.given].found + 1
  end
  return { rows = #rows, found = #result.issues,
    share = #result.issues / #rows, folds = self.options.folds,
    method = self.options.label_method, pairs = most_often,
    labels = by_label }
end

--- Looks at all rows.
-- @tparam issues found
function LabelErrors:finish(found)
  local indices = labelled(self.context.rows or {})
  local why = hindrance(self, indices)
  if why then return found:skipped("label_error", why) end
  local rows, result = look(self, indices)
  for _, issue in ipairs(result.issues) do
    found:add(rows[issue.row], "label_error", severity_of(issue),
      ('labelled "%s" (probability %.3f), predicted "%s" (%.3f) by a model of '
      .. "other rows"):format(issue.given, issue.self_confidence,
        issue.suggested, issue.probability), "relabel: " .. issue.suggested)
  end
  found:figure("label_errors", figures_of(self, rows, result))
end

return label_errors
