--- How a training went: its loss step by step, and what the validation texts
-- said after each epoch, each on axes of its own, the best epoch marked.
-- @module lunula.report.curves

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"
local plot = require "lunula.report.plot"
local scale = require "lunula.report.scale"
local scores = require "lunula.report.scores"

local curves = {}

local BUCKETS = 200     -- parts of the steps, of which two points are drawn
local IN_TABLE = 40     -- steps in the table
local SMOOTHING = 40    -- the smoothed line forgets over 1/40 of the steps
local HEIGHT = 260
local MOST_MARKS = 30   -- points of a line that are marked
local FOR_NAMES = 92    -- room at the right of lines that end in their names
local LOOKS = { { class = "a", shape = "circle" },
  { class = "b", shape = "square" }, { class = "c", shape = "triangle" } }
-- scores of validation texts, those in per cent and others
local SHARES = { "accuracy", "macro_f1", "micro_f1" }
local OTHERS = { "mae", "mse", "pearson", "spearman",
  "quadratic_kappa" }

-- {======== steps ========

-- {step, loss} of those whose loss is a number; and how many have none
local function points_of(steps)
  local found, lost = {}, 0
  for i, step in ipairs(fields.records(steps)) do
    local loss = number.known(step.loss)
    if loss then
      found[#found + 1] = { number.known(step.step) or i, loss }
    else
      lost = lost + 1
    end
  end
  return found, lost
end

-- the exponential mean, without the weight of a beginning that was not there
local function smoothed(points)
  local keep = 1 - 1 / math.max(#points / SMOOTHING, 2)
  local sum, weight, found = 0, 0, {}
  for i, point in ipairs(points) do
    sum = keep * sum + (1 - keep) * point[2]
    weight = keep * weight + 1 - keep
    found[i] = { point[1], sum / weight }
  end
  return found
end

local function lowest_and_highest(points, first, last)
  local low, high = first, first
  for i = first, last do
    if points[i][2] < points[low][2] then low = i end
    if points[i][2] > points[high][2] then high = i end
  end
  return math.min(low, high), math.max(low, high)
end

--- Fewer points, of which a line looks the same: the lowest and the highest of
-- each part.
-- @tparam {{number,number},...} points
-- @int parts
-- @treturn {{number,number},...} some of them, at most two a part
function curves.thinned(points, parts)
  if #points <= 2 * parts then return points end
  local found = {}
  for i = 1, parts do
    local first = math.floor((i - 1) * #points / parts) + 1
    local one, other = lowest_and_highest(points, first,
      math.floor(i * #points / parts))
    found[#found + 1] = points[one]
    found[#found + 1] = other ~= one and points[other] or nil
  end
  return found
end

-- every so many, the last one too
local function sampled(points, most)
  local found, every = {}, math.max(1, #points / most)
  for i = 1, math.min(#points, most) do
    found[i] = points[math.floor(i * every + 0.5)]
  end
  return found
end

local function placed(points, frame)
  local found = {}
  for i, point in ipairs(points) do
    found[i] = { frame.x(point[1]), frame.y(point[2]) }
  end
  return found
end

local function column_of(points, column)
  local found = {}
  for i, point in ipairs(points) do found[i] = point[column] end
  return found
end

local function axis_of(values, from_zero)
  local low, high = scale.range(values)
  if from_zero and low >= 0 and low < 0.5 * high then low = 0 end
  low, high = scale.nice(low, high, 5)
  return { low = low, high = high }
end

local function step_rows(points, smooth)
  local rows, of_smooth = {}, {}
  for _, point in ipairs(smooth) do of_smooth[point[1]] = point[2] end
  for i, point in ipairs(sampled(points, IN_TABLE)) do
    rows[i] = { number.count(point[1]), number.figure(point[2]),
      number.figure(of_smooth[point[1]]) }
  end
  return rows
end

-- the best place of an axis, marked
local function best_line(best, name, frame)
  if not best then return false end
  local x = frame.x(best)
  local at_end = x > (frame.left + frame.right) / 2
  return { plot.line(x, frame.top, x, frame.bottom, "best"),
    plot.text(x + (at_end and -5 or 5), frame.bottom - 6, "best " .. name,
      at_end and "end" or "start", "soft") }
end

local function inside(value, low, high)
  value = number.known(value)
  return value and value >= low and value <= high and value or nil
end

local function step_drawing(points, smooth, best)
  local low, high = scale.range(column_of(points, 1))
  local thin = curves.thinned(points, BUCKETS)
  local frame = plot.frame({ low = math.min(low, 0), high = high,
    title = "step", whole = true }, axis_of(column_of(points, 2), true),
    HEIGHT)
  return { frame.axes,
    plot.path(placed(thin, frame), "line a thin"),
    plot.path(placed(sampled(smooth, 2 * BUCKETS), frame), "line a"),
    best_line(inside(best, low, high), "step", frame) }
end

local function loss_by_step(document)
  local points, lost = points_of(document.steps)
  if #points < 2 then return false end
  local smooth = smoothed(points)
  local note = "Thin: each step. Thick: smoothed."
  if lost > 0 then
    note = ("%s Of %s steps the loss is not known.")
      :format(note, number.count(lost))
  end
  return plot.figure { title = "Training loss by step", note = note,
    says = ("Over %s steps the smoothed loss went from %s to %s.")
      :format(number.count(#points), number.figure(smooth[1][2]),
        number.figure(smooth[#smooth][2])),
    height = HEIGHT,
    drawing = step_drawing(points, smooth, document.best_step),
    columns = { named = true, grid.number "Step", grid.number "Loss",
      grid.number "Smoothed" },
    rows = step_rows(points, smooth) }
end

-- }========

-- {======== epochs ========

-- Values of records at their place: of epochs `at` is "epoch", of validations
-- within epochs "step".
local function series_of(records, at, name, value_of)
  local points = {}
  for i, record in ipairs(records) do
    local value = number.known(value_of(record))
    if value then
      points[#points + 1] = { number.known(record[at]) or i, value }
    end
  end
  return #points > 0 and { name = name, points = points } or nil
end

local function all_of(series, column)
  local found = {}
  for _, each in ipairs(series) do
    for _, point in ipairs(each.points) do found[#found + 1] = point[column] end
  end
  return found
end

local function line_of(each, look, frame)
  local places = placed(each.points, frame)
  local out = { plot.path(places, "line " .. look.class) }
  for i = 1, #places <= MOST_MARKS and #places or 0 do
    out[#out + 1] = plot.mark(look.shape, places[i][1], places[i][2], 4,
      "dot " .. look.class)
  end
  return out, places[#places]
end

local function lines_of(series, frame)
  local out, labels = {}, {}
  for i, each in ipairs(series) do
    local look = LOOKS[(i - 1) % #LOOKS + 1]
    local line, last = line_of(each, look, frame)
    out[i] = line
    labels[i] = { y = last[2] + 4, name = each.name, class = look.class }
  end
  plot.spread(labels, frame.top + 8, frame.bottom)
  for _, label in ipairs(labels) do
    out[#out + 1] = plot.text(frame.right + 10, label.y,
      markup.label(label.name, 13), "start", "name " .. label.class)
  end
  return out
end

-- a row for each place, in their order, with the value of each series
local function rows_of(series, name_of)
  local row_at, rows, all = {}, {}, {}
  for column, each in ipairs(series) do
    for _, point in ipairs(each.points) do
      local row = row_at[point[1]]
      if not row then
        row = { number.count(point[1]) }
        row_at[point[1]], all[#all + 1] = row, point[1]
        for i = 1, #series do row[i + 1] = number.UNKNOWN end
      end
      row[column + 1] = name_of(point[2])
    end
  end
  table.sort(all)
  for i, place in ipairs(all) do rows[i] = row_at[place] end
  return rows
end

local function said_of(series, best, at, name_of)
  local parts = {}
  for i, each in ipairs(series) do
    local points = each.points
    parts[i] = ("%s from %s to %s"):format(each.name, name_of(points[1][2]),
      name_of(points[#points][2]))
  end
  return table.concat(parts, "; ") .. "."
    .. (best and (" The best %s is %s."):format(at, number.count(best)) or "")
end

local function columns_of(series, at)
  local columns = { named = true, grid.number(fields.title(at)) }
  for i, each in ipairs(series) do
    columns[i + 1] = grid.number(each.name)
  end
  return columns
end

local function frame_of(series, at, low, high, name_of)
  local y = axis_of(all_of(series, 2), name_of == number.figure)
  y.name_of = name_of == number.share and scale.share or nil
  return plot.frame({ low = low, high = high, title = at, whole = true }, y,
    HEIGHT, FOR_NAMES)
end

local function figure_of(title, at, series, best, name_of)
  if #series == 0 then return false end
  local low, high = scale.range(all_of(series, 1))
  local frame = frame_of(series, at, low, high, name_of)
  best = inside(best, low, high)
  return plot.figure { title = title .. " by " .. at, height = HEIGHT,
    says = said_of(series, best, at, name_of),
    drawing = { frame.axes, best_line(best, at, frame),
      lines_of(series, frame) },
    columns = columns_of(series, at), rows = rows_of(series, name_of) }
end

local function validation_loss(entry)
  return fields.table(entry.validation).loss
end

local function losses_of(history)
  local losses = {}
  losses[1] = series_of(history, "epoch", "training", function(entry)
    return entry.train_loss
  end)
  losses[#losses + 1] = series_of(history, "epoch", "validation",
    validation_loss)
  return losses
end

-- The records that have scores: the epochs, or where there were validations
-- within them, those.
local function scored(document, history)
  local validations = fields.records(document.validations)
  if #validations > #history then
    return validations, "step", "scores", document.best_step
  end
  return history, "epoch", "validation", document.best_epoch
end

local function scores_figure(title, names, document, name_of)
  local records, at, field, best = scored(document,
    fields.records(document.history))
  local series = {}
  for _, name in ipairs(names) do
    series[#series + 1] = series_of(records, at, scores.name_of(name),
      function(record) return fields.table(record[field])[name] end)
  end
  return figure_of(title, at, series, best, name_of)
end

-- }========

--- The learning curves of a training.
-- @tparam table document
-- @treturn {Node,...}
function curves.of(document)
  return { loss_by_step(document),
    figure_of("Loss", "epoch", losses_of(fields.records(document.history)),
      document.best_epoch, number.figure),
    scores_figure("Validation scores", SHARES, document, number.share),
    scores_figure("Other validation scores", OTHERS, document,
      number.figure) }
end

return curves
