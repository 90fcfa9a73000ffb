--- Labels that are flipped by design, and what becomes of the rows.

local core = require "lunula.core"
local labels = require "lunula.labels"
local sampler = require "lunula.sampler"

local noise = {}

local function with_label(row, label)
  return { text = row.text, label = label }
end

-- Another label, each of the others as likely.
local function another(list, label, rng)
  local at = rng:below(#list - 1) + 1
  for i = 1, at do
    if list[i] == label then return list[at + 1] end
  end
  return list[at]
end

--- Rows of which a share has another label.
-- @treturn {table,...} as many rows
-- @treturn table true by the number of each that is flipped
function noise.flipped(rows, share, seed)
  local noisy, is_flipped, list = {}, {}, labels.of(rows)
  local rng = core.rng(seed, 1)
  for i, row in ipairs(rows) do noisy[i] = with_label(row, row.label) end
  local order = sampler.order(#rows, { seed = seed })
  for i = 1, math.floor(#rows * share + 0.5) do
    local at = order[i]
    noisy[at].label = another(list, rows[at].label, rng)
    is_flipped[at] = true
  end
  return noisy, is_flipped
end

--- Sets to learn from: `clean`, `noisy`, and noisy with what was found taken
-- out (`removed`), given the suggested label (`relabelled`), or looked at by a
-- person who knows (`reviewed`: what was found and is flipped has its first
-- label again).
-- @treturn table arrays of rows by name
-- @treturn {int,...} the numbers of those in `removed`
function noise.refined(rows, noisy, issues)
  local sets, suggestion, kept = { clean = rows, noisy = noisy, removed = {},
    relabelled = {}, reviewed = {} }, {}, {}
  for _, issue in ipairs(issues) do
    suggestion[issue.row] = issue.suggested
  end
  for i, row in ipairs(noisy) do
    if not suggestion[i] then
      table.insert(sets.removed, row)
      kept[#kept + 1] = i
    end
    sets.relabelled[i] = with_label(row, suggestion[i] or row.label)
    sets.reviewed[i] = suggestion[i] and rows[i] or row
  end
  return sets, kept
end

--- How many rows are flipped, and how many of some numbers are.
function noise.count(numbers, is_flipped)
  local right, all = 0, 0
  for _, at in ipairs(numbers) do
    right = right + (is_flipped[at] and 1 or 0)
  end
  for _ in pairs(is_flipped) do all = all + 1 end
  return all, right
end

return noise
