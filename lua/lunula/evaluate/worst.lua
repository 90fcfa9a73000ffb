--- The answers that are most wrong: what a person should look at first, since
-- they are mistakes of the labels as often as of the model.
-- @module lunula.evaluate.worst

local explain = require "lunula.explain"
local json = require "lunula.json"

local worst = {}

--- Checks that answers can be explained.
-- @tparam classifier model
-- @tparam {table,...} rows
-- @raise when the model has no labels, is quantized, or rows are pairs of texts
function worst.check_explained(model, rows)
  if not model.problem.probabilities then
    error("evaluate: explain: a regression has no label whose probability "
      .. "could be explained", 0)
  end
  -- a quantized model, which has no layers, says so
  assert(model.encoder)
  for _, row in ipairs(rows) do
    if row.text_pair then
      error("evaluate: explain: pairs of texts can't be explained", 0)
    end
  end
end

-- A label that is said has a score: the most confident are the worst.
local function badness(verdict)
  return verdict.score or verdict.loss
end

-- numbers of the rows answered wrongly, the worst first
local function ranked(verdicts)
  local order = {}
  for i, verdict in ipairs(verdicts) do
    local is_wrong = not verdict.correct and verdict.loss > 0
    if is_wrong then order[#order + 1] = i end
  end
  table.sort(order, function(i, j)
    local a, b = badness(verdicts[i]), badness(verdicts[j])
    if a ~= b then return a > b end
    return i < j
  end)
  return order
end

local function words_of(model, text, said)
  local label = type(said) == "string" and said or nil
  local words = {}
  for i, word in ipairs(explain(model, text, { label = label }).words) do
    words[i] = { text = word.text, weight = word.score }
  end
  return words
end

--- The worst answers.
-- @tparam table judged as for `detail.add`
-- @tparam {table,...} verdicts of each row
-- @int most how many
-- @bool explained whether they have `words`
-- @treturn {table,...} as `lunula.evaluate` has them
function worst.of(judged, verdicts, most, explained)
  local list, order = json.array(), ranked(verdicts)
  for rank = 1, math.min(most, #order) do
    local number = order[rank]
    local row, verdict = judged.rows[number], verdicts[number]
    list[rank] = {
      row = number, text = row.text, text_pair = row.text_pair,
      label = verdict.label, predicted = verdict.predicted,
      score = verdict.score, loss = verdict.loss,
      words = explained
        and words_of(judged.model, row.text, verdict.predicted) or nil,
    }
  end
  return list
end

return worst
