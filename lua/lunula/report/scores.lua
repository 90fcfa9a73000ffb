--- The scores of an evaluation: what they are called, and how they are shown.
-- @module lunula.report.scores

local fields = require "lunula.report.fields"
local number = require "lunula.report.number"

local scores = {}

-- each score: its name in a document, here, and how it is written; in the
-- order of a table
local ALL = {
  { "accuracy", "accuracy", number.share },
  { "macro_f1", "macro F1", number.share },
  { "weighted_f1", "weighted F1", number.share },
  { "micro_f1", "micro F1", number.share },
  { "samples_f1", "samples F1", number.share },
  { "subset_accuracy", "all labels right", number.share },
  { "mae", "mean absolute error", number.figure },
  { "mse", "mean squared error", number.figure },
  { "r2", "R\194\178", number.figure },
  { "pearson", "Pearson", number.figure },
  { "spearman", "Spearman", number.figure },
  { "quadratic_kappa", "quadratic weighted kappa", number.figure },
  { "mcc", "Matthews correlation", number.figure },
  { "ece", "calibration error (ECE)", number.figure },
  { "brier", "Brier score", number.figure },
  { "loss", "loss", number.figure },
}

local BY_NAME = {}
for _, score in ipairs(ALL) do BY_NAME[score[1]] = score end

--- What a score is called.
-- @string name its field
-- @treturn string
function scores.name_of(name)
  return BY_NAME[name] and BY_NAME[name][2] or fields.words(name)
end

--- A score as text.
-- @string name its field
-- @param value
-- @treturn string
function scores.text(name, value)
  return (BY_NAME[name] and BY_NAME[name][3] or number.figure)(value)
end

local function interval_of(document, score)
  local ends = fields.table(fields.table(document.intervals)[score[1]])
  local low, high = number.known(ends.low), number.known(ends.high)
  if not (low and high) then return nil end
  if score[3] == number.share then return number.interval(low, high) end
  return number.figure(low) .. " to " .. number.figure(high)
end

--- The scores that a document has.
-- @tparam table document an evaluation
-- @treturn {table,...} `field`, `name`, `text`, and `interval`, a text or nil
function scores.of(document)
  local found = {}
  for _, score in ipairs(ALL) do
    local value = document[score[1]]
    if value ~= nil then
      found[#found + 1] = { field = score[1], name = score[2],
        text = score[3](value), interval = interval_of(document, score) }
    end
  end
  return found
end

return scores
