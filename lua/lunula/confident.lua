--- Confident learning: which labels are probably wrong.
-- Northcutt, Jiang & Chuang 2021, "Confident Learning: Estimating Uncertainty
-- in Dataset Labels", https://arxiv.org/abs/1911.00068. From labels and
-- out-of-sample probabilities (`lunula.cross_predict`), in their terms:
--
-- 1. the threshold of a class: the mean probability of it among the rows that
--    are labelled so;
-- 2. the confident joint: how many rows of a given label are confidently
--    another class, scaled to the labels' counts;
-- 3. pruning: of each pair (given, true), as many rows as the joint counts,
--    those that are surest of the true class before the given one.
--
-- What it finds, and the order, is what cleanlab's `find_label_issues` finds
-- where its sorts are stable: rows of equal rank come in their order here.
-- (With NumPy's own sorts, ties, and with many classes a few rows of what is
-- found, hang on the processor.)
-- @module lunula.confident

local check = require "lunula.check"
local labels = require "lunula.labels"
local options = require "lunula.options"

local confident = {}

local none = options.none
local KNOWN = { labels = none, filter = "prune_by_noise_rate",
  rank = "self_confidence", least = 1 }

local NEVER = 2              -- the threshold of a class that no row has
local LOWEST = 2e-6        -- of all others
local CLOSE = 1e-6           -- probabilities this near are equal

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== numbers ========

local BLOCK, LANES = 128, 8

-- A sum whose error grows with the logarithm of how many there are (Higham
-- 1993), in NumPy's order, so that what lies between two whole numbers is
-- rounded as there.
local function sum_of(list, first, last)
  local n = last - first + 1
  if n > BLOCK then
    local half = math.floor(n / 2)
    half = half - half % LANES
    return sum_of(list, first, first + half - 1)
      + sum_of(list, first + half, last)
  elseif n < LANES then
    local total = 0
    for i = first, last do total = total + list[i] end
    return total
  end
  local lanes, whole = {}, n - n % LANES
  for i = 0, whole - 1 do
    local lane = i % LANES + 1
    lanes[lane] = i < LANES and list[first + i] or lanes[lane] + list[first + i]
  end
  local total = ((lanes[1] + lanes[2]) + (lanes[3] + lanes[4]))
    + ((lanes[5] + lanes[6]) + (lanes[7] + lanes[8]))
  for i = first + whole, last do total = total + list[i] end
  return total
end

-- to the nearest, halves to the even one
local function rounded(x)
  local low = math.floor(x)
  local over = x - low
  if over > 0.5 or over == 0.5 and low % 2 == 1 then return low + 1 end
  return low
end

-- Whole numbers with the sum that the given ones have, rounded: where rounding
-- each misses it, those change that were rounded the furthest.
local function rounded_row(row)
  local whole, total = {}, 0
  for j, x in ipairs(row) do
    whole[j] = rounded(x)
    total = total + whole[j]
  end
  local missing = rounded(sum_of(row, 1, #row)) - total
  local step, order = missing < 0 and -1 or 1, {}
  for j = 1, #row do order[j] = j end
  table.sort(order, function(a, b)
    local x, y = row[a] - whole[a], row[b] - whole[b]
    if x ~= y then return step * x > step * y end
    return step * a > step * b
  end)
  for i = 1, math.abs(missing) do
    local j = order[(i - 1) % #order + 1]
    whole[j] = whole[j] + step
  end
  return whole
end

local function matrix(n)
  local m = {}
  for i = 1, n do
    m[i] = {}
    for j = 1, n do m[i][j] = 0 end
  end
  return m
end

-- the largest of a row, the first of equals
local function argmax(row)
  local best = 1
  for j = 2, #row do
    if row[j] > row[best] then best = j end
  end
  return best
end

-- }========

-- {======== the confident joint ========

-- The mean of each class's own probabilities: [classes].
local function thresholds_of(view)
  local own, thresholds = {}, {}
  for k = 1, view.width do own[k] = {} end
  for i, k in ipairs(view.class) do
    own[k][#own[k] + 1] = view.p[i][k]
  end
  for k, list in ipairs(own) do
    thresholds[k] = #list == 0 and NEVER
      or math.max(sum_of(list, 1, #list) / #list, LOWEST)
  end
  return thresholds
end

-- The class that a row confidently is; nothing where it is of none.
local function guess(p, thresholds)
  local only, several
  for k, threshold in ipairs(thresholds) do
    if p[k] >= threshold - CLOSE then
      several = only ~= nil
      only = only or k
      if several then break end
    end
  end
  return several and argmax(p) or only
end

-- Rows by given (first) and confident class, at least one of each class as
-- labelled; and which rows confidently are of another class.
local function count_joint(view)
  local joint, off = matrix(view.width), {}
  for i, k in ipairs(view.class) do
    local class = guess(view.p[i], view.thresholds)
    if class then joint[k][class] = joint[k][class] + 1 end
    off[i] = class ~= nil and class ~= k
  end
  for k = 1, view.width do joint[k][k] = math.max(joint[k][k], 1) end
  return joint, off
end

-- Scaled so that each given class has as many rows as are labelled so, and all
-- together as many as there are; in whole numbers.
local function calibrated(view, joint)
  local width, flat = view.width, {}
  local scaled = matrix(width)
  for j = 1, width do
    for i = 1, width do
      local row = joint[i]
      scaled[i][j] = row[j] / sum_of(row, 1, width) * view.counts[i]
      flat[#flat + 1] = scaled[i][j]
    end
  end
  local total = sum_of(flat, 1, #flat)
  for i = 1, width do
    for j = 1, width do scaled[i][j] = scaled[i][j] / total * #view.class end
    scaled[i] = rounded_row(scaled[i])
  end
  return scaled
end

-- }========

-- {======== pruning ========

-- How many rows of each given class go as being of each other one, so that at
-- least `least` stay: what is missing of them is taken from the others alike.
local function prunable(view)
  local width, prune = view.width, matrix(view.width)
  for given = 1, width do
    local row, pairs_of = view.joint[given], 0
    for j = 1, width do pairs_of = pairs_of + (row[j] > 0 and 1 or 0) end
    local stay = math.max(row[given], view.least)
    local less = (stay - row[given]) / math.max(pairs_of - 1, 1)
    for j = 1, width do
      prune[given][j] = math.floor(math.max(row[j] - less, 0))
    end
    prune[given][given] = stay
  end
  return prune
end

-- Marks the first `count` rows of a class, largest `score` first.
local function mark(marked, rows, count, score)
  local scores, order = {}, {}
  for at, i in ipairs(rows) do scores[i], order[at] = score(i), i end
  table.sort(order, function(a, b)
    if scores[a] ~= scores[b] then return scores[a] > scores[b] end
    return a < b
  end)
  for at = 1, math.min(count, #order) do marked[order[at]] = true end
end

-- Calls f for each class that has more rows than must stay.
local function each_class(view, f)
  local rows, prune = {}, prunable(view)
  for k = 1, view.width do rows[k] = {} end
  for i, k in ipairs(view.class) do rows[k][#rows[k] + 1] = i end
  for k = 1, view.width do
    if #rows[k] > view.least then f(k, rows[k], prune[k]) end
  end
end

local filters = {}

function filters.prune_by_noise_rate(view)
  local marked, p = {}, view.p
  each_class(view, function(k, rows, prune)
    for j = 1, view.width do
      if j ~= k and prune[j] > 0 then
        mark(marked, rows, prune[j], function(i) return p[i][j] - p[i][k] end)
      end
    end
  end)
  return marked
end

function filters.prune_by_class(view)
  local marked = {}
  each_class(view, function(k, rows, prune)
    mark(marked, rows, #rows - prune[k], function(i) return -view.p[i][k] end)
  end)
  return marked
end

function filters.both(view)
  local marked, by_class = {}, filters.prune_by_class(view)
  for i in pairs(filters.prune_by_noise_rate(view)) do
    marked[i] = by_class[i]
  end
  return marked
end

function filters.confident_learning(view)
  return view.off
end

-- }========

-- {======== the ranking ========

-- A row's issue; nothing where its label is the most probable.
local function issue_of(view, i)
  local p, given = view.p[i], view.class[i]
  local other = 0
  for k, value in ipairs(p) do
    if k ~= given then other = math.max(other, value) end
  end
  if other <= p[given] + CLOSE then return nil end
  local suggested = argmax(p)
  return { row = i, given = view.labels[given],
    suggested = view.labels[suggested], self_confidence = p[given],
    probability = p[suggested], normalized_margin = (p[given] - other + 1) / 2 }
end

local RANKS = { self_confidence = true, normalized_margin = true }

local function ranked(view, marked, rank)
  local issues = {}
  for i = 1, #view.class do
    issues[#issues + 1] = marked[i] and issue_of(view, i) or nil
  end
  table.sort(issues, function(a, b)
    if a[rank] ~= b[rank] then return a[rank] < b[rank] end
    return a.row < b.row
  end)
  return issues
end

-- The pairs of classes that are taken for one another, the most often first.
local function pairs_of(view)
  local list = {}
  for i, row in ipairs(view.joint) do
    for j, count in ipairs(row) do
      if i ~= j and count > 0 then
        list[#list + 1] = { given = view.labels[i], suggested = view.labels[j],
          count = count, share = count / view.counts[i], at = { i, j } }
      end
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    if a.at[1] ~= b.at[1] then return a.at[1] < b.at[1] end
    return a.at[2] < b.at[2]
  end)
  for _, pair in ipairs(list) do pair.at = nil end
  return list
end

-- }========

-- {======== checking ========

local function check_row(p, i, width)
  if type(p) ~= "table" or #p ~= width then
    fail("confident: probabilities: row %d: expected %d numbers, got %s", i,
      width, type(p) == "table" and #p or type(p))
  end
  for j, value in ipairs(p) do
    check.number(value, ("confident: probabilities: row %d: class %d"):format(
      i, j - 1), { least = 0, most = 1 + CLOSE })
  end
end

local function table_of(probabilities)
  if type(probabilities) == "table" then return probabilities end
  local shape = check.tensor(probabilities, "confident: probabilities"):shape()
  if #shape ~= 2 then
    fail("confident: probabilities: expected [rows, classes], got [%s]",
      table.concat(shape, ", "))
  end
  return probabilities:totable()
end

-- The classes of rows, from 0, and what these are called.
local function classes_of(rows, list, width)
  local named = type(rows[1]) == "table"
  list = list or named and labels.of(rows)
  if list and #list ~= width then
    fail("confident: probabilities of %d classes, labels of %d", width, #list)
  elseif named then
    return labels.classes(rows, list, "confident"), list
  end
  if not list then
    list = {}
    for k = 1, width do list[k] = k - 1 end
  end
  for i, class in ipairs(rows) do
    check.integer(class, ("confident: row %d: class"):format(i),
      { least = 0, most = width - 1 })
  end
  return rows, list
end

local function look(rows, probabilities, o)
  check.table(rows, "confident: rows")
  local p = table_of(probabilities)
  if #rows == 0 or #p ~= #rows then
    fail("confident: expected as many probabilities as rows, and one at least, "
      .. "got %d and %d", #p, #rows)
  end
  local width = type(p[1]) == "table" and #p[1] or 0
  for i = 1, #p do check_row(p[i], i, width) end
  local classes, list = classes_of(rows, o.labels, width)
  local view = { p = p, width = width, labels = list, least = o.least,
    class = {}, counts = {} }
  for k = 1, width do view.counts[k] = 0 end
  for i, class in ipairs(classes) do
    view.class[i] = class + 1
    view.counts[class + 1] = view.counts[class + 1] + 1
  end
  return view
end

-- }========

--- Finds rows whose label is probably wrong.
-- @tparam {table,...}|{int,...} rows with labels, as from `data.read`; or the
--   class of each, from 0
-- @tparam tensor|{{number,...},...} probabilities [rows, classes] by models
--   that have not seen the row, 0 to 1
-- @tparam[opt] table given
-- @tparam[opt] {string,...} given.labels of the classes, in the order of the
--   probabilities; those of the rows, sorted, when not given
-- @string[opt="prune_by_noise_rate"] given.filter which rows of the estimated
--   number: "prune_by_noise_rate" (of each pair of classes the largest
--   margins), "prune_by_class" (of each class the least probable), "both"
--   (those in both), "confident_learning" (those counted off the joint's
--   diagonal)
-- @string[opt="self_confidence"] given.rank the worst first: by the
--   probability of the given label, or by "normalized_margin", how far that is
--   below the best other
-- @int[opt=1] given.least rows that a class keeps
-- @treturn table `issues`, an array of `{ row, given, suggested,
--   self_confidence, probability, normalized_margin }`, the worst first;
--   `thresholds`, by class, 2 for one without rows; `joint`, estimated counts
--   by given and true class; `pairs`, its entries off the diagonal as `{ given,
--   suggested, count, share }`, the most first; `labels`
-- @raise when there are no rows, sizes don't fit, a probability is no number
--   from 0 to 1: which row
-- @usage local found = lunula.confident.find(rows, p)
-- print(#found.issues, found.issues[1].row, found.issues[1].suggested)
function confident.find(rows, probabilities, given)
  local o = options.check(given, KNOWN, "confident")
  check.choice(o.filter, "confident: filter", filters)
  check.choice(o.rank, "confident: rank", RANKS)
  check.integer(o.least, "confident: least", { least = 0 })
  if o.labels then labels.check(o.labels, "confident", 1) end
  local view = look(rows, probabilities, o)
  view.thresholds = thresholds_of(view)
  local joint
  joint, view.off = count_joint(view)
  view.joint = calibrated(view, joint)
  return {
    issues = ranked(view, filters[o.filter](view), o.rank),
    thresholds = view.thresholds, joint = view.joint,
    pairs = pairs_of(view), labels = view.labels,
  }
end

--- The names of the filters, as keys.
confident.FILTERS = filters

return confident
