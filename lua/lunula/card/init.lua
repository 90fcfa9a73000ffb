--- Model cards: what a model is, what it learnt from, how good it is and what
-- nobody knows of it, in the README.md of its folder (Mitchell et al. 2019,
-- "Model Cards for Model Reporting", https://arxiv.org/abs/1810.03993; with a
-- datasheet of its data: Gebru et al. 2021, "Datasheets for Datasets",
-- https://arxiv.org/abs/1803.09010), with the front matter that the Hugging
-- Face hub reads.
--
-- A card says what is known: of the folder, of the record that `lunula train`
-- leaves in it (`training.json`), of files that were given. What is not known
-- is said to be unknown, and never guessed.
-- @module lunula.card

local check = require "lunula.check"
local contents = require "lunula.contents"
local core = require "lunula.core"
local data = require "lunula.card.data"
local files = require "lunula.card.files"
local footprint = require "lunula.card.footprint"
local form = require "lunula.card.form"
local front = require "lunula.card.front"
local judged = require "lunula.card.judged"
local kept = require "lunula.card.kept"
local made = require "lunula.card.made"
local markdown = require "lunula.card.markdown"
local model = require "lunula.card.model"
local options = require "lunula.options"
local problem = require "lunula.problem"
local record = require "lunula.card.record"
local scores = require "lunula.card.scores"
local settings = require "lunula.settings"

local card = {}

local none = options.none
local KNOWN = {
  data = none, training = none, evaluation = none, training_data = none,
  columns = none, watts = footprint.WATTS,
  grid_intensity = footprint.INTENSITY, force = false,
}

local README = "/README.md"

-- {======== facts ========

-- A document, or the path of one; what it is called in messages.
local function document(given, what)
  if type(given) == "string" then return files.document(given), given end
  return check.table(given, what), what
end

local function answers_of(given)
  if given == nil then return {} end
  local found, what = document(given, "card: data")
  return form.check(found, what)
end

-- The folder's own record, and over it what was given.
local function training_of(dir, given)
  local training = record.read(dir) or {}
  if given == nil then return training end
  local found, what = document(given, "card: training")
  if not scores.is_number(found.train_seconds) then
    error(what .. ": expected what lunula train --json wrote", 0)
  end
  for name, value in pairs(found) do training[name] = value end
  return training
end

-- A report under a title. `is_past`: of weights that the model has no more.
local function copied(report, title, note, is_past)
  local copy = { title = title, note = note, is_past = is_past }
  for name, value in pairs(report) do
    if copy[name] == nil then copy[name] = value end
  end
  return copy
end

-- ", of the model in ...", where a report names another folder than this one.
local function of_another(report, dir)
  local name = type(report.model) == "string" and files.name(report.model)
  if not name or name == files.name(dir) then return nil end
  return ", of the model in " .. markdown.line(name)
end

local function evaluation_of(given, dir)
  local found, what = document(given, "card: evaluation")
  local is_one = found.kind == "evaluation" or found.kind == nil
  if not is_one or not scores.is_number(found.n) then
    error(what .. ": expected what lunula evaluate --json wrote", 0)
  end
  local title = type(found.file) == "string" and found.file or what
  return copied(found, files.name(title), of_another(found, dir))
end

local function test_of(training)
  if type(training.test) ~= "table" then return nil end
  local file = type(training.files) == "table" and training.files.test
  local title = type(file) == "table" and file.file
  return copied(training.test, type(title) == "string" and title
    or "the test texts of the training", training.is_changed
    and ", judged before the weights were changed" or ", after the training",
    training.is_changed or false)
end

-- Those of a file that was evaluated again say more than what training said.
local function reports_of(training, given, dir)
  local reports, seen = {}, {}
  for i, each in ipairs(given or {}) do
    reports[i] = evaluation_of(each, dir)
    seen[reports[i].title] = true
  end
  local test = test_of(training)
  if test and not seen[test.title] then table.insert(reports, 1, test) end
  return reports
end

local function files_of(list, kind, columns)
  local found, given = {}, columns or {}
  local how = kind and settings.columns(given, kind)
    or { text = given.text, label = false }
  for i, path in ipairs(list or {}) do
    found[i] = files.of_file(check.path(path, "card: training_data"), how)
  end
  return found
end

local function title_of(answers, dir)
  local name = answers.model_name
  if type(name) == "table" then name = table.concat(name, " ") end
  return (name or files.name(dir)):gsub("%s+", " ")
end

local function facts_of(dir, o)
  local answers, of_model = answers_of(o.data), model.facts(dir)
  local training = training_of(dir, o.training)
  local kind = of_model.problem and problem.of(of_model.problem, "card")
  return {
    name = files.name(dir), title = (title_of(answers, dir)),
    answers = answers,
    model = of_model, training = training,
    reports = reports_of(training, o.evaluation, dir),
    files = files_of(o.training_data, kind, o.columns),
    watts = o.watts, intensity = o.grid_intensity, date = record.date(),
    version = require("lunula").version,
  }
end

-- }========

-- {======== sections ========

-- what people answered to one question
local function answered(question, answer)
  local title = "**" .. question.title .. ".**"
  if answer == nil then
    return question.unknown and ("%s Unknown: nobody said %s."):format(title,
      question.unknown)
  elseif type(answer) == "table" then
    local items = {}
    for i, text in ipairs(answer) do items[i] = markdown.text(text) end
    return title .. "\n\n" .. markdown.list(items)
  end
  local text = markdown.text(answer)
  return title .. (text:find("\n", 1, true) and "\n\n" or " ") .. text
end

local function answers_to(section, facts)
  local parts = {}
  for _, question in ipairs(form.of(section)) do
    if question.name ~= "model_name" then
      parts[#parts + 1] = answered(question, facts.answers[question.name])
    end
  end
  return table.concat(parts, "\n\n")
end

local function both(first, second)
  return first .. "\n\n" .. second
end

local function about(facts)
  local training = facts.training
  local lines = { ("Written on %s by lunula %s (`lunula card`)."):format(
    facts.date, facts.version) }
  if type(training.version) == "string" then
    lines[2] = ("The model was trained by lunula %s."):format(
      markdown.line(training.version))
  end
  if type(training.date) == "string" then
    lines[#lines + 1] = ("Its training ended on %s."):format(
      markdown.line(training.date))
  end
  return table.concat(lines, " ")
end

local function sections_of(facts)
  return {
    { heading = "", text = ("# %s\n\n%s\n\n%s"):format(
      markdown.line(facts.title), kept.MARK, made.summary(facts)) },
    { heading = "Model", text = both(made.model(facts),
      answers_to("model", facts)) },
    { heading = "How to use it", text = made.use(facts) },
    { heading = "Uses", text = answers_to("uses", facts) },
    { heading = "Evaluation", text = judged.section(facts.reports) },
    { heading = "Limits and risks", text = answers_to("risks", facts) },
    { heading = "Data", text = both(answers_to("data", facts),
      data.section(facts)) },
    { heading = "Rights and consent", text = answers_to("rights", facts) },
    { heading = "Training", text = made.training(facts) },
    { heading = "Carbon dioxide", text = made.footprint(facts) },
    { heading = "Maintenance and contact",
      text = answers_to("contact", facts) },
    { heading = "This card", text = about(facts) },
  }
end

local function joined(facts, blocks)
  local parts = { front.matter(facts) }
  for _, section in ipairs(kept.put(sections_of(facts), blocks)) do
    local heading = section.heading ~= "" and "## " .. section.heading
      .. "\n\n" or ""
    parts[#parts + 1] = heading .. section.text .. "\n"
  end
  return table.concat(parts, "\n")
end

-- }========

local function check_options(given)
  local o = options.check(given, KNOWN, "card")
  check.number(o.watts, "card: watts", { least = 0 })
  check.number(o.grid_intensity, "card: grid_intensity", { least = 0 })
  check.boolean(o.force, "card: force")
  for _, name in ipairs { "evaluation", "training_data", "columns" } do
    if o[name] ~= nil then check.table(o[name], "card: " .. name) end
  end
  return o
end

-- What was written by hand into the card that is there.
local function blocks_of(path, force)
  local text = contents(path)
  if not text then return {} end
  if not force and not kept.is_ours(text) then
    error(path .. ": not written by lunula card; --force writes over it", 0)
  end
  return kept.read(text, path)
end

--- The text of a card.
-- @string dir the model's folder
-- @tparam[opt] table given as for `write`
-- @treturn string
-- @raise as `write`
-- @usage print(lunula.card.text "my-model")
function card.text(dir, given)
  local o = check_options(given)
  return joined(facts_of(check.path(dir, "card"), o),
    blocks_of(dir .. README, true))
end

--- Writes a card as README.md of a model's folder.
-- What stands between a line `<!-- keep -->` and a line `<!-- /keep -->` of one
-- that is there stays, in its section.
-- @string dir the model's folder
-- @tparam[opt] table given
-- @tparam[opt] string|table given.data what people know: the path of a file
--   `data.json` (see `template`), or its answers by name
-- @tparam[opt] string|table given.training figures of `lunula train --json`, or
--   the path of their file; over what the folder's training.json says
-- @tparam[opt] {string|table,...} given.evaluation reports of
--   `lunula.evaluate`, or paths of files that `lunula evaluate --json` wrote
-- @tparam[opt] {string,...} given.training_data files whose hashes, rows and
--   labels are to be told, beside those that the training noted
-- @tparam[opt] table given.columns of these files: `text`, `label`,
--   `text_pair`, `label_separator`, as for `data.read`
-- @number[opt=30] given.watts that the machine is assumed to draw
-- @number[opt=400] given.grid_intensity grams of CO2 a kWh that are assumed
-- @bool[opt=false] given.force over a README.md that `card` has not written
-- @treturn string the path of the card
-- @raise when the folder is no model's, a document is not what it should be, a
--   field of data.json is unknown, or README.md is somebody else's
-- @usage lunula.card.write("my-model", { data = "data.json" })
function card.write(dir, given)
  local o = check_options(given)
  local path = check.path(dir, "card") .. README
  local blocks = blocks_of(path, o.force)
  core.io.write(path, { joined(facts_of(dir, o), blocks) })
  return path
end

--- Writes an empty `data.json`: the questions that only people can answer.
-- @function card.template
-- @string path
-- @bool[opt=false] force over a file that is there
-- @raise when there is one, or it can't be written
-- @usage lunula.card.template "data.json"
card.template = form.write

return card
