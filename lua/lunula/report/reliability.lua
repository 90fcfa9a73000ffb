--- Whether the model's probabilities are honest: for each bin of confidence,
-- how often it was right. On the diagonal they are.
-- @module lunula.report.reliability

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local number = require "lunula.report.number"
local plot = require "lunula.report.plot"
local proportion = require "lunula.metrics.proportion"

local reliability = {}

local HEIGHT, COUNTS = 330, 92  -- of the diagram, and of the counts below it
local MOST_BINS = 50

local function interval_of(bin)
  local right = math.floor(bin.accuracy * bin.n + 0.5)
  return proportion.interval(right, bin.n)
end

local function is_share(value)
  return number.known(value) and value >= 0 and value <= 1
end

local function bins_of(document)
  local found = {}
  for _, bin in ipairs(fields.records(document.reliability)) do
    local n = number.known(bin.n) or 0
    if n > 0 and n % 1 == 0 and is_share(bin.confidence)
        and is_share(bin.accuracy) and is_share(bin.low)
        and is_share(bin.high) and #found < MOST_BINS then
      found[#found + 1] = bin
    end
  end
  return found
end

local function in_percent(value)
  return number.share(value, 0)
end

local function dot(bin, frame)
  local x = frame.x(bin.confidence)
  local low, high = interval_of(bin)
  return { plot.line(x, frame.y(low), x, frame.y(high), "whisker a"),
    plot.mark("circle", x, frame.y(bin.accuracy), 5, "dot a") }
end

-- the counts stand below the diagram's axis, on their own
local function bars(bins, frame)
  local most, out = 0, {}
  local foot = HEIGHT + COUNTS - 8
  for _, bin in ipairs(bins) do most = math.max(most, bin.n) end
  for i, bin in ipairs(bins) do
    local left, right = frame.x(bin.low) + 1, frame.x(bin.high) - 1
    local tall = math.max(bin.n / most * (COUNTS - 34), 1)
    out[i] = { plot.draw.rect { x = left, y = foot - tall,
      width = math.max(right - left, 1), height = tall, class = "bar a" },
      #bins <= 12 and plot.text((left + right) / 2, foot - tall - 4,
        number.count(bin.n), nil, "small") or false }
  end
  out[#out + 1] = plot.line(frame.left, foot, frame.right, foot, "axis")
  out[#out + 1] = plot.text(frame.left - 7, foot - 4, "texts", "end", "soft")
  return out
end

local function drawing(bins)
  local whole = { low = 0, high = 1, name_of = in_percent }
  local frame = plot.frame({ low = 0, high = 1, name_of = in_percent,
    title = "confidence" }, whole, HEIGHT)
  local dots, line = {}, {}
  for i, bin in ipairs(bins) do
    dots[i] = dot(bin, frame)
    line[i] = { frame.x(bin.confidence), frame.y(bin.accuracy) }
  end
  return { frame.axes,
    plot.line(frame.x(0), frame.y(0), frame.x(1), frame.y(1), "ideal"),
    plot.text(frame.x(0.42), frame.y(0.47), "honest", "end", "soft"),
    plot.path(line, "line a thin"), dots, bars(bins, frame) }
end

local function rows_of(bins)
  local rows = {}
  for i, bin in ipairs(bins) do
    local low, high = interval_of(bin)
    rows[i] = { in_percent(bin.low) .. " to " .. in_percent(bin.high),
      number.share(bin.confidence),
      number.with_interval(bin.accuracy, low, high), number.count(bin.n) }
  end
  return rows
end

--- The reliability diagram of an evaluation.
-- @tparam table document
-- @treturn ?Node nil where it tells no bins
function reliability.of(document)
  local bins = bins_of(document)
  if #bins == 0 then return nil end
  local ece = number.figure(document.ece)
  return plot.figure { title = "Reliability",
    note = "How often it is right, by how sure it is. Above the diagonal it "
      .. "is better than it says, below it worse. Whiskers: 95 % (Wilson).",
    says = ("Expected calibration error %s, over %d bins."):format(ece,
      #bins),
    height = HEIGHT + COUNTS, drawing = { drawing(bins),
      plot.text(64, 34, "ECE " .. ece, "start", "name") },
    columns = { named = true, grid.text "Confidence", grid.number "Its mean",
      grid.number "Right", grid.number "Texts" },
    rows = rows_of(bins) }
end

return reliability
