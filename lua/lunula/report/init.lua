--- A report to be looked at: one HTML page of what lunula's commands found.
--
-- The page is one file that asks for nothing else: pictures are SVG in it, and
-- there is no script. It is light or dark as its reader's screen, prints, and
-- what a picture shows stands below it as a table. Texts of the data are
-- escaped, cut where they are very long, and keep their direction to
-- themselves. What a document does not tell is left out or "not known".
-- @module lunula.report

local card = require "lunula.report.card"
local check = require "lunula.check"
local comparison = require "lunula.report.comparison"
local confusion = require "lunula.report.confusion"
local curves = require "lunula.report.curves"
local document = require "lunula.report.document"
local effect = require "lunula.report.effect"
local errors = require "lunula.report.errors"
local fairness = require "lunula.report.fairness"
local fields = require "lunula.report.fields"
local findings = require "lunula.report.findings"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local options = require "lunula.options"
local reliability = require "lunula.report.reliability"
local run = require "lunula.report.run"
local scores = require "lunula.report.scores"
local slices = require "lunula.report.slices"
local style = require "lunula.report.style"
local summary = require "lunula.report.summary"

local e = markup.element

local report = {}

local KNOWN = { title = options.none, date = options.none }
local TITLE, PATH = 200, 200
local ORDER = { "training", "evaluation", "comparison", "audit", "effect",
  "card" }
local NAMES = { training = "Training", evaluation = "Evaluation",
  comparison = "Comparison", effect = "Effect of the refinement",
  audit = "Data audit", card = "Model card" }

-- {======== sections ========

-- a part with its heading, which takes half of a wide page
local function part(title, content)
  return content and { e.h3 { title }, content } or false
end

-- one that takes all of it
local function wide(title, content)
  return content and e.div { e.h3 { title }, content } or false
end

local function score_table(found)
  local rows, columns = {}, { named = true, grid.text "Score",
    grid.number "Value" }
  for i, score in ipairs(scores.of(found)) do
    rows[i] = { score.name, score.text, score.interval or "" }
    if score.interval then columns[3] = grid.number "95 % interval" end
  end
  return #rows > 0 and grid.new("Scores", columns, rows)
end

local function wanted(bar, name)
  if number.known(bar.most) then
    return "at most " .. scores.text(name, bar.most)
  end
  return "at least " .. scores.text(name, bar.least)
end

local function bars_to_pass(found)
  local rows = {}
  for i, bar in ipairs(fields.records(found.required)) do
    local name = fields.text(bar.name) or number.UNKNOWN
    rows[i] = { markup.data(scores.name_of(name), PATH), wanted(bar, name),
      scores.text(name, bar.found),
      bar.ok == true and e.span { class = "ok", "\226\156\147 passed" }
        or e.span { class = "missed", "\226\156\151 missed" } }
  end
  return #rows > 0 and grid.new("Bars to pass", { named = true,
    grid.text "Score", grid.number "Wanted", grid.number "Found",
    grid.text "" }, rows) or nil
end

-- what it is worth to answer only what is sure enough
local function selective(found)
  local rows = {}
  for i, point in ipairs(fields.records(found.selective)) do
    rows[i] = { number.share(point.coverage, 0), number.share(point.accuracy),
      number.share(point.threshold) }
  end
  return #rows > 0 and grid.new("Only the surest answers", {
    grid.number "Answered", grid.number "Right of them",
    grid.number "Least confidence" }, rows) or nil
end

local SECTIONS = {}

local CHANGED = "The weights in this folder are not those that the training "
  .. "left: they were changed since, as by lunula quantize."

function SECTIONS.training(found)
  return {
    found.is_changed == true and e.p { CHANGED } or false,
    e.div { class = "figures", curves.of(found),
      e.div { part("The run", run.of(found)) } },
  }
end

function SECTIONS.evaluation(found)
  local is_wide = confusion.is_wide(found)
  local confusions = (is_wide and wide or part)("Confusions",
    confusion.of(found))
  return {
    grid.parts {
      part("Scores", score_table(found)),
      { part("Bars to pass", bars_to_pass(found)),
        not is_wide and confusions,
        part("Each label, the worst first", confusion.per_label(found)) },
    },
    is_wide and confusions,
    grid.parts { part("Are its probabilities honest?", reliability.of(found)),
      part("Only the surest answers", selective(found)) },
    wide("Slices", slices.of(found)),
    wide("The worst errors", errors.of(found)),
  }
end

SECTIONS.comparison = comparison.of
SECTIONS.effect = effect.of

function SECTIONS.audit(found)
  return { findings.of(found), wide("Fairness", fairness.of(found)) }
end

SECTIONS.card = card.of

-- }========

-- {======== the page ========

-- what a training said of test texts is an evaluation of its own
local function test_of(training)
  local test = document.check({ kind = "evaluation" }, "test")
  for name, value in pairs(training.test) do test[name] = value end
  test.kind, test.path = "evaluation", training.path
  test.of_training = true
  return test
end

-- Whether a training is among documents; a model's record of it has no steps,
-- and the figures that the training wrote have.
local function is_among(training, documents)
  for _, each in ipairs(documents) do
    if each.kind == "training" and each.seed == training.seed
        and each.train_seconds == training.train_seconds then
      return true
    end
  end
  return false
end

-- All documents, with those that are within others.
local function opened(documents)
  local all = {}
  for i, each in ipairs(documents) do
    all[i] = document.check(each, "report.page: document " .. i)
  end
  for i = 1, #all do
    local training = fields.table(all[i].training)
    if training.kind == "training" and not is_among(training, all) then
      all[#all + 1] = training
    end
  end
  return all
end

-- The documents in the order of the page.
local function in_order(documents)
  local all, sorted = {}, {}
  for _, each in ipairs(opened(documents)) do
    all[#all + 1] = each
    if each.kind == "training" and type(each.test) == "table" then
      all[#all + 1] = test_of(each)
    end
  end
  for _, kind in ipairs(ORDER) do
    for _, each in ipairs(all) do
      if each.kind == kind then sorted[#sorted + 1] = each end
    end
  end
  return sorted
end

-- the last two parts of a path say enough
local function short(path)
  return path:match "([^/]+/[^/]+)/*$" or path
end

local function name_of(found)
  return found.of_training and "Test after training" or NAMES[found.kind]
end

-- Copies of the documents with titles that tell them apart.
local function titled(documents)
  local found, counts = {}, {}
  for _, each in ipairs(documents) do
    local name = name_of(each)
    counts[name] = (counts[name] or 0) + 1
  end
  for i, each in ipairs(documents) do
    local copy, name = {}, name_of(each)
    for field, value in pairs(each) do copy[field] = value end
    local path = counts[name] > 1 and fields.text(each.path)
    copy.title = path and { name, ": ", markup.data(short(path), PATH) }
      or { name }
    found[i] = copy
  end
  return found
end

local function origin(found)
  local parts = {}
  for _, name in ipairs { "path", "model", "file", "issues_file" } do
    local value = fields.text(found[name])
    if value and value ~= parts[#parts] then
      parts[#parts + 1] = #parts > 0 and " \194\183 " or ""
      parts[#parts + 1] = name ~= "path" and fields.words(name) .. " " or ""
      parts[#parts + 1] = markup.data(value, PATH)
    end
  end
  return #parts > 0 and e.p { class = "where", parts }
end

local function section(found, i)
  return e.section { id = "part-" .. i,
    ["aria-labelledby"] = "title-" .. i,
    e.h2 { id = "title-" .. i, found.title }, origin(found),
    SECTIONS[found.kind](found) }
end

local function contents(documents)
  local items = {}
  for i, each in ipairs(documents) do
    items[i] = e.li { e.a { href = "#part-" .. i, each.title } }
  end
  return e.nav { ["aria-label"] = "Contents", e.ul(items) }
end

local function body(documents, o, title)
  local sections, main = {}, summary.of(documents)
  for i, each in ipairs(documents) do sections[i] = section(each, i) end
  return e.body {
    e.a { class = "skip", href = "#main", "Skip to the report" },
    e.header { e.h1 { markup.data(title, TITLE) }, contents(documents) },
    e.main { id = "main",
      main and e.section { class = "first",
        ["aria-labelledby"] = "title-0",
        e.h2 { id = "title-0", "Summary" }, main } or false,
      sections },
    e.footer { e.p { "Made by lunula ", require("lunula").version,
      o.date and { ", ", markup.data(o.date, 40) } or false,
      ". Intervals are of 95 %." } },
  }
end

local function head(title)
  return e.head {
    e.meta { charset = "utf-8" },
    e.meta { name = "viewport",
      content = "width=device-width, initial-scale=1" },
    e.meta { name = "color-scheme", content = "light dark" },
    e.title { (markup.cut(title, TITLE)) },
    style.sheet(),
  }
end

--- The page of some documents.
-- @tparam {table,...} documents as from `report.read`, or what commands write
--   with `--json`; each is known by its `kind`, or by its fields
-- @tparam[opt] table given
-- @string[opt="lunula report"] given.title
-- @string[opt] given.date said at its foot; none when not given, so that the
--   same documents make the same page
-- @treturn string HTML
-- @raise when there is no document, or one is of no kind that is known
-- @usage local page = report.page({ report.read "figures.json" },
--   { title = "Film reviews" })
function report.page(documents, given)
  local o = options.check(given, KNOWN, "report.page")
  check.table(documents, "report.page: documents")
  if #documents == 0 then error("report.page: no documents", 0) end
  local title = check.string(o.title or "lunula report",
    "report.page: title")
  local all = titled(in_order(documents))
  return "<!DOCTYPE html>\n" .. markup.text {
    e.html { lang = "en", head(title), body(all, o, title) }, "\n" }
end

-- }========

--- Reads a document: a file of figures that a command wrote, a folder of
-- `lunula audit`, or a model's folder: its README.md is its card, and its
-- training.json the record of its training.
-- @function report.read
-- @string path
-- @treturn table with its `kind`: "training", "evaluation", "comparison",
--   "audit", "effect" or "card"; its `path`; and the document's own fields
-- @raise when it can't be read, or is something else
-- @usage local document = report.read "figures.json"
report.read = document.read

return report
