--- Bars that a model must clear: scores of its report that are wanted, for
-- programs that must not let a worse model pass.
-- @module lunula.evaluate.bars

local problem = require "lunula.problem"

local bars = {}

local SLICE = "^slice_(.+)$"

--- The names that there are: the scores of a type of problem, the ends of their
-- intervals (`accuracy_low`), and the worst of the slices' (`slice_accuracy`).
-- @tparam table kind a type of `lunula.problem`
-- @treturn {string,...}
function bars.names(kind)
  local names = {}
  for _, list in ipairs { kind.scores, kind.measured } do
    for _, name in ipairs(list) do
      if name ~= "n" then names[#names + 1] = name end
    end
  end
  for _, name in ipairs(kind.bounded) do
    names[#names + 1] = name .. "_low"
    names[#names + 1] = name .. "_high"
  end
  for _, name in ipairs(kind.sliced) do names[#names + 1] = "slice_" .. name end
  return names
end

--- Whether a name is that of the slices' worst score.
-- @string name
-- @treturn bool
function bars.is_of_slices(name)
  return name:find(SLICE) ~= nil
end

local function is_lower_better(name)
  name = name:match(SLICE) or name:match "^(.+)_low$"
    or name:match "^(.+)_high$" or name
  return problem.LOWER[name] or false
end

--- What a bar says: `accuracy=0.9` and `accuracy>=0.9`, at least; `ece<=0.05`,
-- at most; of scores that are better when they are lower, `=` is at most.
-- @string text
-- @treturn ?table `name` and `least` or `most`; nil when it says no such thing
-- @usage bars.parse "mse=0.5"  --> { name = "mse", most = 0.5 }
function bars.parse(text)
  local name, sign, value = text:match "^%s*([%w_]+)%s*([<>]?=)%s*(%S+)%s*$"
  value = value and value:find "^[%d.eE+-]+$" and tonumber(value)
  if not value then return nil end
  if sign == "=" then sign = is_lower_better(name) and "<=" or ">=" end
  return { name = name, least = sign == ">=" and value or nil,
    most = sign == "<=" and value or nil }
end

-- the worst of the slices' scores
local function worst_slice(report, name)
  local worst
  for _, slice in ipairs(report.slices or {}) do
    local value = slice[name]
    if not worst or is_lower_better(name) and value > worst
        or not is_lower_better(name) and value < worst then
      worst = value
    end
  end
  return worst
end

local function found_in(report, name)
  if bars.is_of_slices(name) then
    return worst_slice(report, name:match(SLICE))
  end
  local score, bound = name:match "^(.+)_(low)$"
  if not score then score, bound = name:match "^(.+)_(high)$" end
  local interval = score and (report.intervals or {})[score]
  if interval then return interval[bound] end
  return report[name]
end

--- Whether a report clears bars.
-- @tparam {table,...} list as from `parse`
-- @tparam table report as from `lunula.evaluate`
-- @treturn {table,...} for each `{ name=, least= or most=, found=, ok= }`
function bars.check(list, report)
  local checked = {}
  for i, bar in ipairs(list) do
    local found = found_in(report, bar.name)
    checked[i] = {
      name = bar.name, least = bar.least, most = bar.most, found = found,
      ok = found ~= nil and (bar.least and found >= bar.least
        or bar.most and found <= bar.most) or false,
    }
  end
  return checked
end

local function missed_one(bar)
  local wanted = bar.least or bar.most
  local side = bar.least and "at least" or "at most"
  if not bar.found then
    return ("%s is not defined for these rows, expected %s %g"):format(bar.name,
      side, wanted)
  end
  return ("%s is %.6g, expected %s %g: missed by %.2g"):format(bar.name,
    bar.found, side, wanted, math.abs(bar.found - wanted))
end

--- What is said of the bars that were missed.
-- @tparam {table,...} checked as from `check`
-- @treturn ?string one line; nil when all were cleared
function bars.missed(checked)
  local words = {}
  for _, bar in ipairs(checked) do
    if not bar.ok then words[#words + 1] = missed_one(bar) end
  end
  return #words > 0 and table.concat(words, "; ") or nil
end

return bars
