--- What reports are computed from, counted: rows of one kind are one cell, and
-- scores are functions of how many rows each cell has. So a score of resampled
-- rows needs no look at the rows (see `lunula.metrics.bootstrap`). The scores
-- are those of the reports, which on the rows themselves they equal.
--
-- Each function returns the cell of each row (from 1), how many cells there
-- are, and the scores by name, as `bootstrap.cells` takes them.
-- @module lunula.metrics.cells

local cells = {}

local function ratio(a, b)
  return b == 0 and 0 or a / b
end

local function zeros(n)
  local list = {}
  for i = 1, n do list[i] = 0 end
  return list
end

-- Cells by a key each: returns that of each row, and what each cell is, made by
-- `describe` of a row that is in it.
local function numbered(n, key_of, describe)
  local number, kinds, of_row = {}, {}, {}
  for row = 1, n do
    local key = key_of(row)
    if not number[key] then
      kinds[#kinds + 1] = describe(row)
      number[key] = #kinds
    end
    of_row[row] = number[key]
  end
  return of_row, kinds
end

local function f1_of_sums(right, both)
  local sum = 0
  for i = 1, #both do sum = sum + ratio(2 * right[i], both[i]) end
  return sum / #both
end

-- {======== one of several labels ========

local function accuracy_of(pairs_of, n)
  return function(counts)
    local right = 0
    for cell, pair in ipairs(pairs_of) do
      if pair.right == pair.said then right = right + counts[cell] end
    end
    return right / n
  end
end

local function macro_f1_of(pairs_of, k)
  return function(counts)
    -- [k]; both: how often a label is right, and how often it is said
    local right, both = zeros(k), zeros(k)
    for cell, pair in ipairs(pairs_of) do
      local i, j, count = pair.right, pair.said, counts[cell]
      if i == j then right[i] = right[i] + count end
      both[i] = both[i] + count
      both[j] = both[j] + count
    end
    return f1_of_sums(right, both)
  end
end

--- Of classes.
-- @tparam {int,...} found from 0
-- @tparam {int,...} classes the right ones, from 0
-- @int k classes
-- @treturn {int,...} cells, one for each pair of a right and a said class
-- @treturn int how many
-- @treturn table `accuracy` and `macro_f1`
-- @treturn {table,...} `{ right =, said = }` of each cell, from 1
function cells.of_classes(found, classes, k)
  local of_row, pairs_of = numbered(#classes, function(row)
    return classes[row] * k + found[row]
  end, function(row)
    return { right = classes[row] + 1, said = found[row] + 1 }
  end)
  return of_row, #pairs_of, {
    accuracy = accuracy_of(pairs_of, #classes),
    macro_f1 = macro_f1_of(pairs_of, k),
  }, pairs_of
end

-- }========

-- {======== labels in an order ========

local function mae_of(pairs_of, n)
  return function(counts)
    local sum = 0
    for cell, pair in ipairs(pairs_of) do
      sum = sum + counts[cell] * math.abs(pair.right - pair.said)
    end
    return sum / n
  end
end

-- sum over i, j of right[i] said[j] (i - j)^2, of n rows
local function expected_squares(right, said, n)
  local first, second = { 0, 0 }, { 0, 0 }
  for i = 1, #right do
    first[1], second[1] = first[1] + i * right[i], second[1] + i * i * right[i]
    first[2], second[2] = first[2] + i * said[i], second[2] + i * i * said[i]
  end
  return (second[1] + second[2]) * n - 2 * first[1] * first[2]
end

local function kappa_of(pairs_of, k, n)
  return function(counts)
    local right, said, squares = zeros(k), zeros(k), 0
    for cell, pair in ipairs(pairs_of) do
      local i, j, count = pair.right, pair.said, counts[cell]
      right[i], said[j] = right[i] + count, said[j] + count
      squares = squares + count * (i - j) ^ 2
    end
    local expected = expected_squares(right, said, n) / n
    return expected == 0 and 1 or 1 - squares / expected
  end
end

--- Of ranks: as `of_classes`, whose scores it has, and `mae` and
-- `quadratic_kappa`.
-- @tparam {int,...} found from 0
-- @tparam {int,...} ranks the right ones, from 0
-- @int k ranks
-- @treturn {int,...}
-- @treturn int
-- @treturn table
function cells.of_ranks(found, ranks, k)
  local of_row, n_cells, scores, pairs_of = cells.of_classes(found, ranks, k)
  scores.mae = mae_of(pairs_of, #ranks)
  scores.quadratic_kappa = kappa_of(pairs_of, k, #ranks)
  return of_row, n_cells, scores
end

-- }========

-- {======== several labels ========

-- What two rows of flags say: the labels that both have, those that either
-- has (twice, where both do), and whether they are the same.
local function agreement(gold, predicted)
  local made = { right = {}, any = {}, same = true }
  for i, flag in ipairs(gold) do
    if flag == 1 then made.any[#made.any + 1] = i end
    if predicted[i] == 1 then made.any[#made.any + 1] = i end
    if flag == 1 and predicted[i] == 1 then
      made.right[#made.right + 1] = i
    end
    made.same = made.same and flag == predicted[i]
  end
  made.n_right, made.n_any = #made.right, #made.any
  return made
end

local function add(sums, places, count)
  for j = 1, #places do
    local i = places[j]
    sums[i] = sums[i] + count
  end
end

local function macro_f1_of_flags(kinds, k)
  return function(counts)
    local right, both = zeros(k), zeros(k)
    for cell, kind in ipairs(kinds) do
      local count = counts[cell]
      if count > 0 then
        add(right, kind.right, count)
        add(both, kind.any, count)
      end
    end
    return f1_of_sums(right, both)
  end
end

local function micro_f1_of_flags(kinds)
  return function(counts)
    local right, both = 0, 0
    for cell, kind in ipairs(kinds) do
      right = right + counts[cell] * kind.n_right
      both = both + counts[cell] * kind.n_any
    end
    return ratio(2 * right, both)
  end
end

local function samples_f1_of_flags(kinds, n)
  return function(counts)
    local sum = 0
    for cell, kind in ipairs(kinds) do
      sum = sum + counts[cell] * ratio(2 * kind.n_right, kind.n_any)
    end
    return sum / n
  end
end

local function subset_accuracy_of(kinds, n)
  return function(counts)
    local same = 0
    for cell, kind in ipairs(kinds) do
      if kind.same then same = same + counts[cell] end
    end
    return same / n
  end
end

--- Of sets of labels.
-- @tparam {{int,...},...} predicted of each row 0 or 1 for each label
-- @tparam {{int,...},...} gold likewise
-- @treturn {int,...} cells, one for each pair of a right and a said set
-- @treturn int how many
-- @treturn table `macro_f1`, `micro_f1`, `samples_f1` and `subset_accuracy`
function cells.of_flags(predicted, gold)
  local n, k = #gold, #gold[1]
  local of_row, kinds = numbered(n, function(row)
    return table.concat(gold[row]) .. " " .. table.concat(predicted[row])
  end, function(row)
    return agreement(gold[row], predicted[row])
  end)
  return of_row, #kinds, {
    macro_f1 = macro_f1_of_flags(kinds, k), micro_f1 = micro_f1_of_flags(kinds),
    samples_f1 = samples_f1_of_flags(kinds, n),
    subset_accuracy = subset_accuracy_of(kinds, n),
  }
end

-- }========

-- {======== numbers ========

local LEAST = 1e-12  -- of a sum of squares: a smaller spread is rounding

local function mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

-- What is summed of each row: both numbers less their means (so that their
-- squares are no larger than they must be), and the error.
local function terms_of(gold, predicted)
  local a, b, off = {}, {}, {}
  local mean_a, mean_b = mean(gold), mean(predicted)
  for i, value in ipairs(gold) do
    a[i], b[i] = value - mean_a, predicted[i] - mean_b
    off[i] = predicted[i] - value
  end
  return a, b, off
end

-- the spread around the mean of n numbers, by their sum and that of squares
local function spread(sum, squares, n)
  local around = squares - sum * sum / n
  return around > LEAST * squares and around or 0
end

-- Sums over the rows of a resample, in one pass, which all scores share.
local function moments_of(gold, predicted)
  local a, b, off = terms_of(gold, predicted)
  local n, seen, found = #gold, nil, nil
  local function sums(counts)
    local sa, sb, aa, bb, ab, squares, absolutes = 0, 0, 0, 0, 0, 0, 0
    for i, count in ipairs(counts) do
      if count > 0 then
        local x, y, e = a[i], b[i], off[i]
        sa, sb = sa + count * x, sb + count * y
        aa, bb, ab = aa + count * x * x, bb + count * y * y, ab + count * x * y
        squares = squares + count * e * e
        absolutes = absolutes + count * math.abs(e)
      end
    end
    return { aa = spread(sa, aa, n), bb = spread(sb, bb, n),
      ab = ab - sa * sb / n, squares = squares, absolutes = absolutes }
  end
  return function(counts)
    if counts ~= seen then seen, found = counts, sums(counts) end
    return found
  end
end

local function r2_of(found)
  if found.aa == 0 then return found.squares == 0 and 1 or 0 end
  return 1 - found.squares / found.aa
end

local function pearson_of(found)
  return found.aa > 0 and found.bb > 0
    and found.ab / (math.sqrt(found.aa) * math.sqrt(found.bb)) or 0
end

--- Of numbers.
-- @tparam {number,...} predicted
-- @tparam {number,...} gold
-- @treturn {int,...} cells, one for each row
-- @treturn int how many
-- @treturn table `mse`, `mae`, `pearson` and `r2`
function cells.of_numbers(predicted, gold)
  local of_row, n, moments = {}, #gold, moments_of(gold, predicted)
  for i = 1, n do of_row[i] = i end
  return of_row, n, {
    mse = function(counts) return moments(counts).squares / n end,
    mae = function(counts) return moments(counts).absolutes / n end,
    pearson = function(counts) return pearson_of(moments(counts)) end,
    r2 = function(counts) return r2_of(moments(counts)) end,
  }
end

-- }========

return cells
