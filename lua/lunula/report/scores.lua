--- The scores of an evaluation: what they are called, and how they are shown.
-- @module lunula.report.scores

local fields = require "lunula.report.fields"
local names = require "lunula.metrics.names"
local number = require "lunula.report.number"
local problem = require "lunula.problem"

local scores = {}

-- each score: its name in a document, here, and how it is written
local BY_NAME, ALL = {}, {}
for i, each in ipairs(names.ALL) do
  local field = each[1]
  ALL[i] = { field, each[2], problem.NO_SHARE[field] and number.figure
    or number.share }
  BY_NAME[field] = ALL[i]
end

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
