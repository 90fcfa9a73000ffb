--- What a refinement did to the accuracy on validation rows, after a retrain.
-- Two models are trained alike, one on the file as it was and one on the
-- refined one; or two that were trained are given. Both answer the same
-- validation rows, and the difference has a paired bootstrap interval: where it
-- leaves out 0, the refinement made a difference that other rows of the kind
-- would show, too. No row chooses an epoch: that which would be judged by the
-- validation rows must not be chosen by them. Called as a function (@{effect}).
-- @module lunula.refine.effect

local bootstrap = require "lunula.metrics.bootstrap"
local check = require "lunula.check"
local classifier = require "lunula.classifier"
local counted = require "lunula.counted"
local data = require "lunula.data"
local files = require("lunula.core").io
local label_lists = require "lunula.labels"
local layout = require "lunula.metrics.layout"
local log = require "lunula.refine.log"
local opt = require "lunula.options"
local settings = require "lunula.settings"
local train = require "lunula.train"

local none = opt.none
local KNOWN = { validation = none, model = none, before = none, after = none,
  runs = 1, options = none, text = none, text_pair = none, label = none,
  on_progress = none }

local SIDES = { "before", "after" }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== what the log says ========

-- Where a file of the log is now: as it is written there, else beside the log.
local function place_of(side, log_path)
  local beside = (log_path:match "^.*/" or "") .. side.file:match "[^/]*$"
  for _, path in ipairs { side.file, beside } do
    if files.stat(path) == "file" then
      if files.sha256(path) ~= side.sha256 then
        fail("%s is not the file of %s: it has another SHA-256", path,
          log_path)
      end
      return path
    end
  end
  fail("%s: no file '%s', nor beside the log", log_path, side.file)
end

-- How many changes there were, by the kind of issue and what was done.
local function changes_of(entries)
  local changes = {}
  for _, entry in ipairs(entries) do
    if entry.change ~= "none" then
      local kind = tostring(entry.kind)
      local of_kind = changes[kind] or {}
      changes[kind] = of_kind
      of_kind[entry.change] = (of_kind[entry.change] or 0) + 1
    end
  end
  return changes
end

-- }========

-- {======== two models ========

-- 1 for each row that a model is right about, 0 for each other
local function right_of(model, rows)
  local texts, text_pairs = {}, nil
  for i, row in ipairs(rows) do
    texts[i] = row.text
    if row.text_pair then
      text_pairs = text_pairs or {}
      text_pairs[i] = row.text_pair
    end
  end
  local right = {}
  for i, said in ipairs(model:predict(texts, { text_pairs = text_pairs })) do
    right[i] = said.label == rows[i].label and 1 or 0
  end
  return right
end

local function check_single(problem, what)
  if not problem.is_single then
    fail("effect: %s: only for %s, not for %s", what,
      "single_label_classification", problem.name)
  end
  return problem
end

local function trained(name, rows, all_labels, options, seed)
  local flat = {}
  for key, value in pairs(options) do flat[key] = value end
  flat.seed = seed
  local _, of_training = settings.split(flat)
  local model = settings.model(name, rows, flat, all_labels)
  train(model, rows, of_training)
  return model
end

-- The labels of both, so that the two models begin alike.
local function labels_of_both(sets)
  local all = {}
  for _, name in ipairs(SIDES) do
    for _, row in ipairs(sets[name]) do all[#all + 1] = row.label end
  end
  return label_lists.distinct(all)
end

local function add(sums, values, share)
  for i, value in ipairs(values) do
    sums[i] = (sums[i] or 0) + value * share
  end
end

-- How often both were right about each row, over runs of other seeds.
local function by_training(o, sets, validation)
  local options, right = o.options or {}, { before = {}, after = {} }
  local all_labels, first = labels_of_both(sets), options.seed or 0
  for run = 1, o.runs do
    for _, name in ipairs(SIDES) do
      o.on_progress(("training on the file %s (%d of %d)"):format(
        name == "before" and "as it was" or "as it is refined", run, o.runs))
      add(right[name], right_of(trained(o.model, sets[name], all_labels,
        options, first + run - 1), validation), 1 / o.runs)
    end
  end
  return right
end

local function by_models(o, validation)
  local right = {}
  for _, name in ipairs(SIDES) do
    local model = o[name]
    if type(model) == "string" then model = classifier(model) end
    check_single(check.classifier(model, "effect: " .. name).problem, name)
    right[name] = right_of(model, validation)
  end
  return right
end

-- }========

-- {======== the report ========

local function side_of(side, right)
  local found = bootstrap.mean(right)
  return { file = side.file, sha256 = side.sha256, rows = side.rows,
    accuracy = found.mean, low = found.low, high = found.high }
end

local function listed_changes(changes)
  local words = {}
  for _, kind in ipairs(opt.names(changes)) do
    for _, change in ipairs(opt.names(changes[kind])) do
      words[#words + 1] = ("%s: %s %d"):format(kind, change,
        changes[kind][change])
    end
  end
  return #words > 0 and table.concat(words, ", ") or "none"
end

local function verdict(difference)
  if difference.low > 0 then return "the refined file is better" end
  if difference.high < 0 then return "the refined file is worse" end
  return "no difference is shown"
end

local Report = {}

function Report:__tostring()
  local lines = { { "", "rows", "accuracy", "95 % from", "to" } }
  for i, name in ipairs(SIDES) do
    local side = self[name]
    lines[i + 1] = { name, ("%.14g"):format(side.rows),
      ("%.4f"):format(side.accuracy), ("%.4f"):format(side.low),
      ("%.4f"):format(side.high) }
  end
  local gain = self.difference
  lines[4] = { "difference", "", ("%+.4f"):format(gain.mean),
    ("%+.4f"):format(gain.low), ("%+.4f"):format(gain.high) }
  return ("%s%s (%s%s)\nchanges: %s\n"):format(layout.aligned(lines, 1),
    verdict(gain), counted(self.n, "validation text"), self.runs
    and (", runs: %d"):format(self.runs) or "", listed_changes(self.changes))
end

local function report_of(head, entries, right, o)
  return setmetatable({
    kind = "effect", n = #right.before, runs = o.model and o.runs or nil,
    before = side_of(head.before, right.before),
    after = side_of(head.after, right.after),
    difference = bootstrap.difference(right.after, right.before),
    changes = changes_of(entries), removed = head.removed,
    relabelled = head.relabelled, replaced = head.replaced,
  }, Report)
end

-- }========

local function check_options(given)
  local o = opt.check(given, KNOWN, "effect")
  if (o.model == nil) == (o.before == nil and o.after == nil) then
    fail("effect: give a model to train from, or before and after, two that "
      .. "were trained")
  elseif not o.model and (o.before == nil or o.after == nil) then
    fail("effect: before and after: expected both")
  end
  check.integer(o.runs, "effect: runs", { least = 1 })
  o.on_progress = check.func(o.on_progress or function() end,
    "effect: on_progress")
  return o
end

local function columns_of(o)
  return { text = o.text, text_pair = o.text_pair, label = o.label,
    empty = true }
end

local function validation_rows(o)
  local given = o.validation
  if type(given) == "string" then given = data.read(given, columns_of(o)) end
  label_lists.check_rows(given, "effect: validation")
  return given
end

-- The rows of the files before and after, each the one that the log means.
local function read_sets(head, log_path, o)
  local sets = {}
  for _, name in ipairs(SIDES) do
    sets[name] = data.read(place_of(head[name], log_path), columns_of(o))
  end
  return sets
end

--- What a refinement did to the accuracy on validation rows.
-- @function effect
-- @string log_path of the log that `lunula.refine` wrote; its files are looked
--   for where it says, then beside it, and must have the hashes that it has
-- @tparam table given
-- @tparam string|{table,...} given.validation rows, or the path of a file of
--   them, that neither model learns from
-- @string[opt] given.model a folder or name, as for `lunula.classifier`, from
--   which two models are trained
-- @tparam[opt] table given.options of both trainings, flat: those of
--   `lunula.train` and `lunula.classifier`, such as `epochs`
-- @int[opt=1] given.runs pairs of trainings, each of another seed: one seed
--   against another may be more than a refinement is
-- @tparam[opt] string|classifier given.before instead of a model: one that was
--   trained on the file as it was
-- @tparam[opt] string|classifier given.after one trained on the refined file
-- @string[opt] given.text column, as for `data.read`
-- @string[opt] given.text_pair column
-- @string[opt] given.label column
-- @func[opt] given.on_progress called with what is done next, a string
-- @treturn table `n`; `before` and `after`, each with `accuracy`, `low` and
--   `high` (95 %), `file`, `sha256`, `rows`; `difference` of after less before,
--   `mean`, `low`, `high`, `p`; `changes` by kind of issue and what was done
--   (`changes.label_error.relabel`); `removed`, `relabelled`, `replaced`,
--   `runs`. `tostring` gives a table for a terminal
-- @raise when the log is none, a file is not the one that it means, or the
--   problem is not one of single labels
-- @usage print(lunula.refine.effect("refined.csv.log.jsonl",
--   { model = "all-MiniLM-L6-v2", validation = "validation.csv" }))
local function effect(log_path, given)
  local o = check_options(given)
  local head, entries = log.read(check.path(log_path, "effect: the log"))
  local validation = validation_rows(o)
  if not o.model then
    return report_of(head, entries, by_models(o, validation), o)
  end
  check_single(settings.problem(o.model, o.options or {}), "model")
  local sets = read_sets(head, log_path, o)
  return report_of(head, entries, by_training(o, sets, validation), o)
end

return effect
