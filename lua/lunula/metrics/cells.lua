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
  return made
end

local function macro_f1_of_flags(kinds, k)
  return function(counts)
    local right, both = zeros(k), zeros(k)
    for cell, kind in ipairs(kinds) do
      local count = counts[cell]
      for _, i in ipairs(kind.right) do right[i] = right[i] + count end
      for _, i in ipairs(kind.any) do both[i] = both[i] + count end
    end
    return f1_of_sums(right, both)
  end
end

local function micro_f1_of_flags(kinds)
  return function(counts)
    local right, both = 0, 0
    for cell, kind in ipairs(kinds) do
      right = right + counts[cell] * #kind.right
      both = both + counts[cell] * #kind.any
    end
    return ratio(2 * right, both)
  end
end

local function samples_f1_of_flags(kinds, n)
  return function(counts)
    local sum = 0
    for cell, kind in ipairs(kinds) do
      sum = sum + counts[cell] * ratio(2 * #kind.right, #kind.any)
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

local function mean_of(values, n)
  return function(counts)
    local sum = 0
    for i, value in ipairs(values) do sum = sum + counts[i] * value end
    return sum / n
  end
end

-- the weighted sums of both, their squares and products, around the means
local function spreads_of(gold, predicted, counts, n)
  local a, b = mean_of(gold, n)(counts), mean_of(predicted, n)(counts)
  local aa, bb, ab = 0, 0, 0
  for i, count in ipairs(counts) do
    if count > 0 then
      local x, y = gold[i] - a, predicted[i] - b
      aa, bb, ab = aa + count * x * x, bb + count * y * y, ab + count * x * y
    end
  end
  return aa, bb, ab
end

local function pearson_of(gold, predicted, n)
  return function(counts)
    local aa, bb, ab = spreads_of(gold, predicted, counts, n)
    return ratio(ab, math.sqrt(aa) * math.sqrt(bb))
  end
end

local function r2_of(gold, squares, n)
  local mean_square = mean_of(squares, n)
  return function(counts)
    local spread = spreads_of(gold, gold, counts, n)
    local sum = mean_square(counts) * n
    if spread == 0 then return sum == 0 and 1 or 0 end
    return 1 - sum / spread
  end
end

--- Of numbers.
-- @tparam {number,...} predicted
-- @tparam {number,...} gold
-- @treturn {int,...} cells, one for each row
-- @treturn int how many
-- @treturn table `mse`, `mae`, `pearson` and `r2`
function cells.of_numbers(predicted, gold)
  local of_row, squares, absolutes, n = {}, {}, {}, #gold
  for i, value in ipairs(gold) do
    local off = predicted[i] - value
    of_row[i], squares[i], absolutes[i] = i, off * off, math.abs(off)
  end
  return of_row, n, {
    mse = mean_of(squares, n), mae = mean_of(absolutes, n),
    pearson = pearson_of(gold, predicted, n), r2 = r2_of(gold, squares, n),
  }
end

-- }========

return cells
