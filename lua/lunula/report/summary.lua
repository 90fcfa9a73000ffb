--- The main numbers of all documents, at the top of the page.
-- @module lunula.report.summary

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local scores = require "lunula.report.scores"

local e = markup.element

local summary = {}

local NAME = 40

-- {======== what each kind of document has to say ========

-- Each gives a list of { name, the number, what more there is }.
local MAIN = {}

function MAIN.training(document)
  local best, steps = number.known(document.best_epoch),
    #fields.table(document.steps)
  local tiles = {
    { "Time", number.duration(document.train_seconds) },
    { "Tokens a second", number.count(document.tokens_per_second) },
  }
  if steps > 0 then tiles[3] = { "Steps", number.count(steps) } end
  tiles[#tiles + 1] = best and { "Best epoch", ("%s of %s"):format(
    number.count(best), number.count(#fields.table(document.history))) }
  return tiles
end

-- scores that stand at the top, as far as they are there, by short names
local AT_TOP = { accuracy = "Accuracy", macro_f1 = "Macro F1",
  micro_f1 = "Micro F1", ece = "ECE", mae = "MAE", mse = "MSE",
  pearson = "Pearson", r2 = "R\194\178", quadratic_kappa = "Kappa" }

function MAIN.evaluation(document)
  local tiles = {}
  for _, score in ipairs(scores.of(document)) do
    local name = AT_TOP[score.field]
    if name then
      tiles[#tiles + 1] = { name, score.text, score.interval }
    end
  end
  tiles[#tiles + 1] = { "Texts", number.count(document.n) }
  return tiles
end

function MAIN.comparison(document)
  local tiles = {}
  for _, name in ipairs { "a", "b" } do
    local side = fields.table(document[name])
    tiles[#tiles + 1] = { markup.data(side.name, NAME),
      number.share(side.accuracy), number.interval(side.low, side.high) }
  end
  local difference = fields.table(document.difference)
  tiles[#tiles + 1] = { "Difference", number.points(difference.mean),
    "points, " .. number.chance(fields.table(document.mcnemar).p) }
  tiles[#tiles + 1] = { "Texts", number.count(document.n) }
  return tiles
end

function MAIN.effect(document)
  local tiles, gain = {}, fields.table(document.difference)
  for _, name in ipairs { "before", "after" } do
    local side = fields.table(document[name])
    tiles[#tiles + 1] = { fields.title(name), number.share(side.accuracy),
      number.interval(side.low, side.high) }
  end
  tiles[#tiles + 1] = { "Difference", number.points(gain.mean),
    "points, " .. number.chance(gain.p) }
  tiles[#tiles + 1] = { "Texts", number.count(document.n) }
  return tiles
end

function MAIN.audit(document)
  local total, kinds, rows = 0, 0, 0
  for _, n in pairs(fields.table(document.counts)) do
    if number.known(n) then total, kinds = total + n, kinds + 1 end
  end
  for _, file in ipairs(fields.records(document.files)) do
    rows = rows + (number.known(file.rows) or 0)
  end
  return {
    { "Findings", number.count(total), "of " .. number.counted(kinds,
      "kind") },
    { "Rows", number.count(rows), "in " .. number.counted(
      #fields.table(document.files), "file") },
  }
end

-- }========

local function tile(each)
  return e.div { e.dt { each[1] }, e.dd { class = "main", each[2] },
    each[3] and e.dd { class = "more", each[3] } or false }
end

local function tiles_of(document)
  local main, tiles = MAIN[document.kind], {}
  for i, each in ipairs(main and main(document) or {}) do
    tiles[i] = tile(each)
  end
  return #tiles > 0 and tiles or nil
end

--- The summary.
-- @tparam {table,...} documents each with its `title`
-- @treturn ?Node nil where none has any
function summary.of(documents)
  local out = {}
  for _, document in ipairs(documents) do
    local tiles = tiles_of(document)
    if tiles then
      out[#out + 1] = { e.h3 { document.title },
        e.dl { class = "tiles", tiles } }
    end
  end
  if #out == 0 then return nil end
  return e.div { e.p { class = "note", "Below a score: its 95 % interval, "
    .. "where it is known." }, grid.parts(out) }
end

return summary
