--- What a report says of probabilities, gathered batch by batch: of each row
-- only its confidence and whether it is right are kept, however many classes
-- there are.
-- @module lunula.metrics.honesty

local calibration = require "lunula.metrics.calibration"
local selective = require "lunula.metrics.selective"

local honesty = {}

local Honesty = {}
Honesty.__index = Honesty

--- Nothing gathered yet.
-- @treturn Honesty with the methods below; `confidence` and `correct`, of each
--   row by its number
function honesty.new()
  return setmetatable({ confidence = {}, correct = {}, squares = 0 }, Honesty)
end

-- Of a logit that is not finite, softmax makes a row of NaN.
local function has_nan(rows)
  for _, row in ipairs(rows) do
    if row[1] ~= row[1] then return true end
  end
  return false
end

--- Looks at the rows of a batch.
-- @tparam {int,...} numbers of the rows
-- @tparam {{number,...},...} probabilities of each
-- @tparam {int,...} classes the right ones, from 0
function Honesty:see(numbers, probabilities, classes)
  if has_nan(probabilities) then self.is_nan = true return end
  local confidence, correct = calibration.confidence(probabilities, classes)
  for i, number in ipairs(numbers) do
    self.confidence[number], self.correct[number] = confidence[i], correct[i]
  end
  self.squares = self.squares
    + calibration.brier(probabilities, classes) * #numbers
end

--- The figures of all rows.
-- @treturn table `ece`, `brier` and `selective`, as from
--   `metrics.calibration`, `metrics.brier` and `metrics.selective`; NaN and
--   an empty list when a probability was NaN
function Honesty:figures()
  if self.is_nan then
    return { ece = 0 / 0, brier = 0 / 0, selective = {} }
  end
  return {
    ece = calibration.error(self.confidence, self.correct).ece,
    brier = self.squares / #self.confidence,
    selective = selective.points(self.confidence, self.correct),
  }
end

return honesty
