--- Texts that are like no other: out of place, or rare and worth more of.
-- A text's distance is the mean cosine distance to its nearest neighbours among
-- all rows (Kuan & Mueller 2022, "Back to the Basics: Revisiting
-- Out-of-Distribution Detection Baselines", https://arxiv.org/abs/2207.03061).
-- Far is what lies three deviations above the median, where the deviation is
-- that of the median absolute one, which outliers don't stretch (Leys et al.
-- 2013, "Detecting outliers: Do not use standard deviation around the mean, use
-- absolute deviation around the median").
-- @module lunula.audit.outliers

local check = require "lunula.check"
local excerpt = require "lunula.audit.excerpt"
local options_of = require "lunula.options"
local vectors = require "lunula.audit.vectors"

local outliers = {}

--- Options of an audit: how many neighbours, how many deviations are far, how
-- many rows are compared with each other at most, and the `encoder` (see
-- `vectors.source`).
outliers.options = { neighbours = 10, deviations = 3, most_compared = 50000,
  encoder = options_of.none }

local Outliers = {}
Outliers.__index = Outliers

-- standard deviations in a median absolute deviation, and in a mean one
local OF_MEDIAN, OF_MEAN = 1.4826, 1.2533
local HIGH, MEDIUM = 1.5, 1.25  -- times as far as what is far

--- A detector.
-- @tparam table options of the audit
-- @tparam table context
-- @treturn table with `see` and `finish`
function outliers.new(options, context)
  check.integer(options.neighbours, "audit: neighbours", { least = 1 })
  check.number(options.deviations, "audit: deviations", { above = 0 })
  check.integer(options.most_compared, "audit: most_compared", { least = 0 })
  return setmetatable({ options = options, context = context }, Outliers)
end

--- Does nothing: all rows are looked at together, in the end.
function Outliers.see() end

local function median(values)
  local sorted, n = {}, #values
  for i, value in ipairs(values) do sorted[i] = value end
  table.sort(sorted)
  return (sorted[math.floor((n + 1) / 2)] + sorted[math.floor(n / 2) + 1]) / 2
end

local function distances_of(self, k)
  local cosines, distances = vectors.all_near(self.context, self.options, k), {}
  for i, near in ipairs(cosines) do
    local sum, n = 0, math.min(k, #near)
    for j = 1, n do sum = sum + 1 - near[j] end
    distances[i] = sum / n
  end
  return distances
end

-- The median and the deviation, which is that of the mean where more than half
-- of all are as far as the median.
local function spread(distances)
  local middle, off, sum = median(distances), {}, 0
  for i, d in ipairs(distances) do
    off[i] = math.abs(d - middle)
    sum = sum + off[i]
  end
  local of_median = median(off)
  return middle, of_median > 0 and OF_MEDIAN * of_median
    or OF_MEAN * sum / #off
end

-- Adds each row that lies further than `far` deviations; returns how many.
local function add_all(self, found, distances, middle, deviation)
  local far, count = self.options.deviations, 0
  for i, distance in ipairs(distances) do
    local times = (distance - middle) / deviation / far
    if times > 1 then
      local row = self.context.rows[i]
      count = count + 1
      found:add(row, "outlier", times >= HIGH and "high"
        or times >= MEDIUM and "medium" or "low",
        ("like no other text: cosine distance %.2f of its nearest, %.2f in the "
        .. "median: %s"):format(distance, middle,
          excerpt.of(vectors.text_of(row))), "look")
    end
  end
  return count
end

--- Looks at all rows.
-- @tparam issues found
function Outliers:finish(found)
  local k = self.options.neighbours
  local why = vectors.hindrance(self.context, self.options)
  if not why and #self.context.rows <= k then
    why = ("%d rows, and %d neighbours of each"):format(#self.context.rows, k)
  end
  if why then return found:skipped("outlier", why) end
  local distances = distances_of(self, k)
  local middle, deviation = spread(distances)
  local count = deviation > 0
    and add_all(self, found, distances, middle, deviation) or 0
  found:figure("outliers", { outliers = count, rows = #distances,
    neighbours = k, median = middle, deviation = deviation,
    cut = middle + self.options.deviations * deviation })
end

return outliers
