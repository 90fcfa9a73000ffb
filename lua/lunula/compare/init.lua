--- Two systems on the same texts: a classifier, and the answers of another
-- program, a large language model, or another classifier.
-- Called as a function (@{compare}). The statistics are those of Dror et al.
-- 2018, "The hitchhiker's guide to testing statistical significance in natural
-- language processing": each accuracy with an interval of the bootstrap,
-- McNemar's exact test, and the paired bootstrap of the difference.
-- @module lunula.compare

local align = require "lunula.compare.align"
local check = require "lunula.check"
local core = require "lunula.core"
local judge = require "lunula.compare.judge"
local json = require "lunula.json"
local labels = require "lunula.labels"
local layout = require "lunula.compare.layout"
local measure = require "lunula.compare.measure"
local options = require "lunula.options"
local parse = require "lunula.compare.parse"
local predictions = require "lunula.compare.predictions"
local sampler = require "lunula.sampler"

local compare = {}

local none = options.none
local KNOWN = {
  against = none, map = none, abstain = none, unknown = none, partial = false,
  name = "lunula", against_name = none, file = none, examples = 10, seed = 0,
  price_input = none, price_output = none, price_hour = none,
  on_progress = none,
}
local POLICIES = { refuse = true, wrong = true }
local PRICE = { least = 0 }

local Comparison = { __tostring = layout.text }

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== options ========

local function check_model(model, what)
  check.classifier(model, what)
  if model.problem.fields[1] ~= "label" then
    fail("%s: only models that say one label of each text, not %s", what,
      model.problem.name)
  end
end

local function check_labels(rows, list, what)
  local known = {}
  for _, label in ipairs(list) do known[label] = true end
  for i, row in ipairs(rows) do
    if not known[row.label] then
      fail("%s: %s: label '%s' is none of the model's: %s", what,
        labels.place(rows, i, what), row.label, labels.listed(list))
    end
  end
end

local function is_model(value)
  return type(value) == "table" and type(value.infer) == "function"
end

local function check_theirs(theirs)
  check.table(theirs, "compare: against")
  if is_model(theirs) then return check_model(theirs, "compare: against") end
  if type(theirs.rows) ~= "table" or not theirs.rows[1] then
    fail("compare: against: expected a classifier, or answers as from "
      .. "compare.read")
  end
  labels.check_texts(theirs.rows, "compare: against")
  for i, answer in ipairs(theirs.rows) do
    check.string(answer.said, ("compare: against: row %d: said"):format(i))
  end
end

local function check_options(given)
  local o = options.check(given, KNOWN, "compare")
  check_theirs(o.against)
  if o.unknown then check.choice(o.unknown, "compare: unknown", POLICIES) end
  if o.map then check.table(o.map, "compare: map") end
  if o.abstain then check.string(o.abstain, "compare: abstain") end
  check.boolean(o.partial, "compare: partial")
  check.integer(o.examples, "compare: examples", { least = 0 })
  check.integer(o.seed, "compare: seed")
  for _, name in ipairs { "price_input", "price_output", "price_hour" } do
    if o[name] then check.number(o[name], "compare: " .. name, PRICE) end
  end
  return o
end

-- }========

-- {======== cost ========

local function per_thousand(total, n)
  return total and 1000 * total / n
end

-- of a machine that is paid by the hour
local function cost_of_time(seconds, n, o)
  return o.price_hour and per_thousand(o.price_hour * seconds / 3600, n)
end

-- What answers took in all, nil where it is not known of each.
local function sum(answers, field)
  local total = 0
  for _, answer in ipairs(answers) do
    if not answer[field] then return nil end
    total = total + answer[field]
  end
  return total
end

local function cost_of_tokens(input, output, n, o)
  if not (input and output and (o.price_input or o.price_output)) then
    return nil
  end
  return per_thousand(1e-6 * (input * (o.price_input or 0)
    + output * (o.price_output or 0)), n)
end

local function fill_ours(side, figures, n, o)
  side.seconds = figures.seconds
  side.tokens_per_second = figures.tokens / figures.seconds
  side.cost_per_1000 = cost_of_time(figures.seconds, n, o)
end

local function fill_theirs(side, answers, o)
  local input, output = sum(answers, "input_tokens"),
    sum(answers, "output_tokens")
  side.input_tokens, side.output_tokens = input, output
  side.seconds = sum(answers, "seconds")
  if input and output and side.seconds and side.seconds > 0 then
    side.tokens_per_second = (input + output) / side.seconds
  end
  side.cost_per_1000 = cost_of_tokens(input, output, #answers, o)
end

-- }========

-- {======== answers ========

-- What labels say to a model that has some of its own: others are none.
local function outcomes_of(said, model)
  local parser, outcomes = parse.new(model.labels), {}
  for i, label in ipairs(said) do outcomes[i] = parser:read(label) end
  return outcomes
end

-- Answers of a file beside the rows: those rows, what was said of each, and
-- what became of the others.
local function answers_to(rows, model, o)
  local theirs = o.against
  local found = align.find(rows, theirs,
    parse.new(model.labels, o.map, o.abstain),
    { partial = o.partial, unknown = o.unknown or theirs.unknown or "refuse" })
  found.left_out.other_prompts = theirs.other_prompts
  local outcomes, said = {}, {}
  for i, answer in ipairs(found.answers) do
    outcomes[i], said[i] = answer.outcome, answer.said
  end
  return { numbers = found.numbers, outcomes = outcomes, said = said,
    answers = found.answers, left_out = found.left_out,
    loosely = found.loosely }
end

-- Answers of another classifier, which has all labels that are right.
local function answers_of(rows, model, o)
  check_labels(rows, o.against.labels, "compare: against")
  local said, figures = measure.run(o.against, rows)
  local numbers = {}
  for i = 1, #rows do numbers[i] = i end
  return { numbers = numbers, outcomes = outcomes_of(said, model),
    said = said,
    figures = figures, left_out = {}, loosely = 0 }
end

-- }========

-- Texts where one is right and the other not, the first of them.
local function wins_of(rows, ours, theirs, right, other_right, o)
  local list = json.array()
  for i, row in ipairs(rows) do
    if #list == o.examples then break end
    if right[i] == 1 and other_right[i] == 0 then
      list[#list + 1] = { row = row.number, text = row.text,
        text_pair = row.text_pair, label = row.label, a = ours[i],
        b = theirs.outcomes[i].label or theirs.said[i] }
    end
  end
  return list
end

local function name_of(o)
  return o.against_name or o.against.name or "other"
end

local function numbered(rows, numbers)
  local some = {}
  for i, number in ipairs(numbers) do
    local row = rows[number]
    some[i] = { text = row.text, text_pair = row.text_pair, label = row.label,
      number = row.number or number }
  end
  return some
end

local function judge_both(rows, ours, theirs, model, o)
  local gold = {}
  for i, row in ipairs(rows) do gold[i] = row.label end
  local found, right_a, right_b = judge.run(gold,
    outcomes_of(ours, model), theirs.outcomes, model.labels, o.seed)
  found.a.name, found.b.name = o.name, name_of(o)
  found.wins = {
    a = wins_of(rows, ours, theirs, right_a, right_b, o),
    b = wins_of(rows, ours, theirs, right_b, right_a, o),
  }
  return found
end

--- Compares a classifier with another system on labelled rows.
-- @function compare
-- @tparam classifier model of single or ordinal labels
-- @tparam {table,...} rows as from `data.read`
-- @tparam table given
-- @tparam table given.against answers, as from `compare.read` or `compare.ask`,
--   or another classifier of the same labels. Answers are found by their text
-- @tparam[opt] table given.map what the other calls a label, to the label
-- @string[opt] given.abstain what the other says where it does not answer:
--   wrong, and counted
-- @string[opt] given.unknown "refuse" or "wrong": what becomes of answers that
--   are no label; refused, but those of a language model that lunula asked
-- @bool[opt=false] given.partial whether to judge only the rows that have an
--   answer, where some have none
-- @string[opt="lunula"] given.name the classifier's, for the report
-- @string[opt] given.against_name the other's
-- @string[opt] given.file where the rows are from
-- @int[opt=10] given.examples of texts where one is right and the other not
-- @int[opt=0] given.seed of the bootstrap
-- @number[opt] given.price_input of a million tokens that a language model
--   reads, in any currency
-- @number[opt] given.price_output of a million that it writes
-- @number[opt] given.price_hour of the machine that this runs on
-- @func[opt] given.on_progress called with `{done=, total=, texts=, seconds=}`
--   while the classifier answers
-- @treturn table `kind`, "comparison"; `n`, `file`; `a`, the classifier, and
--   `b`, the other: `name`, `accuracy`, `low`, `high`, `macro_f1` (over all
--   labels of the classifier), `abstained`, `unparsed`, `answered`,
--   `answered_accuracy` and, where known, `seconds` (of a language model the
--   sum of what each answer took), `tokens_per_second`, `cost_per_1000` texts,
--   `memory_mib`; `difference` of a less b: `mean`, `low`, `high`, `p` (see
--   `bootstrap.difference`); `mcnemar`: `only_a`, `only_b`, `p`; `both`,
--   `neither`;
--   `per_label`; `wins`: `a` and `b`, texts; `left_out`, counts;
--   `matched_loosely`. `tostring` gives a page for a terminal
-- @raise when there are no rows, or a label is not one of the model's; where
--   answers are missing, contradict one another or are no labels
-- @usage local theirs = lunula.compare.read("gpt.csv",
--   { prediction = "answer" })
-- print(lunula.compare(model, rows, { against = theirs }))
local function run(_, model, rows, given)
  check_model(model, "compare")
  local o = check_options(given)
  model.problem.check_rows(rows, "compare")
  check_labels(rows, model.labels, "compare")
  local theirs = is_model(o.against) and answers_of(rows, model, o)
    or answers_to(rows, model, o)
  local judged = numbered(rows, theirs.numbers)
  local ours, figures = measure.run(model, judged, o.on_progress)
  local found = judge_both(judged, ours, theirs, model, o)
  found.kind, found.file = "comparison", o.file
  found.left_out, found.matched_loosely = theirs.left_out, theirs.loosely
  fill_ours(found.a, figures, found.n, o)
  if theirs.figures then
    fill_ours(found.b, theirs.figures, found.n, o)
  else
    fill_theirs(found.b, theirs.answers, o)
    found.a.memory_mib = core.system.peak_rss()
  end
  return setmetatable(found, Comparison)
end

--- Reads a file of answers: see `lunula.compare.predictions`.
-- @function read
-- @string path
-- @tparam[opt] table given
-- @treturn table
compare.read = predictions.read

--- Asks a large language model: see `lunula.compare.endpoint`.
-- @function ask
-- @tparam {table,...} rows
-- @tparam table given
-- @treturn table
function compare.ask(rows, given)
  return require "lunula.compare.endpoint".ask(rows, given)
end

--- Some of the rows, by chance, in their order: the same for the same seed.
-- @tparam {table,...} rows
-- @int n how many; all where there are no more
-- @int[opt=0] seed
-- @treturn {table,...} copies, with their `number` among all
-- @raise when there are no rows
-- @usage local some = compare.sample(rows, 200)
function compare.sample(rows, n, seed)
  labels.check_texts(rows, "compare.sample")
  check.integer(n, "compare.sample: n", { least = 1 })
  local order = sampler.order(#rows, { seed = seed or 0 })
  local numbers, some = {}, {}
  for i = 1, math.min(n, #rows) do numbers[i] = order[i] end
  table.sort(numbers)
  for i, number in ipairs(numbers) do
    some[i] = { number = number }
    for name, value in pairs(rows[number]) do some[i][name] = value end
  end
  return some
end

return setmetatable(compare, { __call = run })
