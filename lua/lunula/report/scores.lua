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
  { "balanced_accuracy", "balanced accuracy", number.share },
  { "macro_precision", "macro precision", number.share },
  { "macro_recall", "macro recall", number.share },
  { "micro_precision", "micro precision", number.share },
  { "micro_recall", "micro recall", number.share },
  { "subset_accuracy", "all labels right", number.share },
  { "mae", "mean absolute error", number.figure },
  { "mse", "mean squared error", number.figure },
  { "r2", "R\194\178", number.figure },
  { "pearson", "Pearson", number.figure },
  { "spearman", "Spearman", number.figure },
  { "quadratic_kappa", "quadratic weighted kappa", number.figure },
  { "hamming_loss", "Hamming loss", number.figure },
  { "kappa", "Cohen's kappa", number.figure },
  { "roc_auc", "area under the ROC curve", number.figure },
  { "average_precision", "average precision", number.figure },
  { "mcc", "Matthews correlation", number.figure },
  { "ece", "calibration error (ECE)", number.figure },
  { "brier", "Brier score", number.figure },
  { "loss", "loss", number.figure },
}

local BY_NAME = {}
for _, score in ipairs(ALL) do BY_NAME[score[1]] = score end

-- The score that a bar is about: an end of an interval, or the worst slice.
local function base_of(name)
  name = name:match "^slice_(.+)$" or name
  return BY_NAME[name] or BY_NAME[name:match "^(.+)_low$" or ""]
    or BY_NAME[name:match "^(.+)_high$" or ""]
end

--- What a score is called.
-- @string name its field
-- @treturn string
function scores.name_of(name)
  return BY_NAME[name] and BY_NAME[name][2] or fields.words(name)
end

--- Whether a score is a share, which is written in per cent.
-- @string name its field
-- @treturn bool
function scores.is_share(name)
  local score = base_of(name)
  return score ~= nil and score[3] == number.share
end

--- A score as text.
-- @string name its field, or that of a bar
-- @param value
-- @treturn string
function scores.text(name, value)
  local score = base_of(name)
  return (score and score[3] or number.figure)(value)
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
