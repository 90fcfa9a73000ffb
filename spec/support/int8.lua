--- Holds the products in 8 bits to what src/kernel/int8.h states, against
-- references in whole numbers and in double.
local core = require "lunula.core"
local tensor = require "lunula.tensor"

local int8 = {}
local run = core.int8
local PANEL, UNIT, LINE = 64, 4, 64

local function floats(list)
  return tensor.from(list):totable()
end

local function float(x)
  return floats({ x })[1]
end

-- to the nearest, and to an even number from the middle
local function whole(x)
  local low = math.floor(x)
  local up = x - low > 0.5 or x - low == 0.5 and low % 2 == 1
  return up and low + 1 or low
end

local function up_to(n, step)
  return math.ceil(n / step) * step
end

local function is_nan(x)
  return x ~= x
end

local function map(n, f)
  local list = {}
  for i = 1, n do list[i] = f(i) end
  return list
end

local function matrix(rows, columns, f)
  return map(rows, function(r)
    return map(columns, function(c) return f(r, c) end)
  end)
end

local function random(seed)
  local rng = core.rng(seed, 0)
  return function() return rng:float() end
end

-- {======== layouts ========

-- rows of q [rows][depth] as activations lie, filled up with `zeros` bytes of
-- 0 and then with others
local function values_of(q, depth, zeros)
  local rest = ("\0"):rep(zeros)
    .. ("\255"):rep(up_to(depth, LINE) - depth - zeros)
  local lines = {}
  for r, row in ipairs(q) do
    local bytes = map(depth, function(k) return string.char(row[k]) end)
    lines[r] = table.concat(bytes) .. rest
  end
  return table.concat(lines)
end

-- q [columns][depth] as weights lie
local function panels_of(q, depth)
  local bytes = {}
  for first = 1, #q, PANEL do
    for unit = 1, depth, UNIT do
      for c = first, first + PANEL - 1 do
        for k = unit, unit + UNIT - 1 do
          local x = q[c] and q[c][k] or 0
          bytes[#bytes + 1] = string.char(x % 256)
        end
      end
    end
  end
  return table.concat(bytes)
end

local function sum_of(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum
end

local function weight_of(q, depth, scale, bias)
  return { depth = depth, panels = panels_of(q, depth),
    scale = map(#q, scale or function() return 1 end),
    sums = map(#q, function(c) return sum_of(q[c]) end),
    bias = bias and map(#q, bias) }
end

local function rows_of(q, depth, zero, scale)
  return { depth = depth, values = values_of(q, depth, 0),
    scale = map(#q, scale or function() return 1 end),
    zero = map(#q, zero) }
end

-- }========

-- {======== products ========

local function exact(x, w, zero)
  return matrix(#x, #w, function(r, c)
    local sum, row, column = 0, x[r], w[c]
    for k = 1, #row do sum = sum + (row[k] - zero[r]) * column[k] end
    return sum
  end)
end

-- what a product of these whole numbers gets wrong
local function product_wrong(name, x, w, zeros)
  local rows, columns, depth = #x, #w, #x[1]
  local xs = rows_of(x, depth, zeros)
  local c = tensor.zeros { rows, columns }
  run.product(c, xs, weight_of(w, depth))
  local right = exact(x, w, xs.zero)
  for r, row in ipairs(c:totable()) do
    local rounded = floats(right[r])
    for i, got in ipairs(row) do
      if got ~= rounded[i] then
        return ("%s, [%d, %d] x %d: c[%d, %d] is %.0f, expected %.0f")
          :format(name, rows, columns, depth, r, i, got, rounded[i])
      end
    end
  end
end

local function alternating(even, odd)
  return function(_, k) return k % 2 == 0 and even or odd end
end

local function constant(x)
  return function() return x end
end

local function between(next_float, least, most)
  return function()
    return least + math.floor(next_float() * (most - least + 1))
  end
end

-- values, weights and zeros that would break 16 bits or a sign
local ADVERSARIAL = {
  { "all at the bottom", constant(255), constant(-127), constant(0) },
  { "all at the top", constant(255), constant(127), constant(0) },
  { "below zero", constant(0), constant(127), constant(255) },
  { "alternating", alternating(255, 0), alternating(127, -127),
    constant(128) },
  { "alternating the other way", alternating(0, 255),
    alternating(127, -127), constant(1) },
  { "alternating weights", constant(255), alternating(-127, 127),
    constant(0) },
}

local function adversarial()
  for _, case in ipairs(ADVERSARIAL) do
    for _, size in ipairs { { 1, 1, 1 }, { 7, 65, 37 }, { 13, 3, 514 },
      { 2, 2, 2051 } } do
      local wrong = product_wrong(case[1], matrix(size[1], size[3], case[2]),
        matrix(size[2], size[3], case[3]), case[4])
      if wrong then return wrong end
    end
  end
end

-- every number of rows in a tile, edges of panels and units
local function sizes()
  local columns, depths = { 1, 63, 64, 65, 130 }, { 1, 2, 3, 4, 5, 67 }
  local next_float = random(1)
  local byte, signed = between(next_float, 0, 255),
    between(next_float, -127, 127)
  for rows = 1, 13 do
    for i = 0, 5 do
      local n, k = columns[(rows + i) % 5 + 1], depths[i + 1]
      local wrong = product_wrong("random", matrix(rows, k, byte),
        matrix(n, k, signed), byte)
      if wrong then return wrong end
    end
  end
  return product_wrong("random", matrix(61, 9, byte), matrix(66, 9, signed),
    byte)
end

-- the deepest sums that are allowed, of the largest products
local function deepest()
  local depth = 65536
  local weight = { depth = depth,
    panels = (("\127"):rep(UNIT) .. ("\0"):rep((PANEL - 1) * UNIT))
      :rep(depth / UNIT),
    scale = { 1 }, sums = { 127 * depth } }
  local rows = { depth = depth, scale = { 1, 1 }, zero = { 0, 255 },
    values = ("\255"):rep(depth) .. ("\0"):rep(depth) }
  local c = tensor.zeros { 2, 1 }
  run.product(c, rows, weight)
  local got, right = c:totable(), 255 * 127 * depth
  if got[1][1] ~= right or got[2][1] ~= -right then
    return ("deepest: %.0f and %.0f"):format(got[1][1], got[2][1])
  end
end

-- scales and bias
local function scaled()
  local next_float = random(2)
  local byte, signed = between(next_float, 0, 255),
    between(next_float, -127, 127)
  local function any() return float(next_float() * 2 - 1) end
  local x, w = matrix(5, 70, byte), matrix(67, 70, signed)
  local xs = rows_of(x, 70, byte, any)
  local ws = weight_of(w, 70, any, any)
  local c = tensor.zeros { 5, 67 }
  run.product(c, xs, ws)
  local sums = exact(x, w, xs.zero)
  for r, row in ipairs(c:totable()) do
    for i, got in ipairs(row) do
      local product = sums[r][i] * xs.scale[r] * ws.scale[i]
      local right = product + ws.bias[i]
      local bound = 2 ^ -22 * (math.abs(product) + math.abs(right))
      local near = math.abs(got - right) <= bound
      if not near then  -- NaN is not
        return ("scaled: %.9g, expected %.9g"):format(got, right)
      end
    end
  end
end

-- }========

-- {======== quantising ========

local function range(row)
  local low, high = 0, 0
  for _, x in ipairs(row) do
    low, high = math.min(low, x), math.max(high, x)
  end
  return low, high
end

-- a scale, and what to multiply with
local function scale_of(x)
  if x < 2 ^ -126 then return 0, 0 end
  return float(x), float(1 / float(x))
end

-- a row as it should be: its bytes, scale and zero
local function quantised(row)
  local low, high = range(row)
  local scale, inverse = scale_of(float(high / 255) - float(low / 255))
  local zero = -whole(low * inverse)
  return map(#row, function(k)
    return math.min(whole(row[k] * inverse) + zero, 255)
  end), scale, zero
end

local function quantised_channel(row)
  local low, high = range(row)
  local scale, inverse = scale_of(math.max(-low, high) / 127)
  return map(#row, function(k) return whole(row[k] * inverse) end), scale
end

local function first_difference(name, got, right)
  for i = 1, #right do
    if got[i] ~= right[i] then
      return ("%s %d: %s, expected %s"):format(name, i, tostring(got[i]),
        tostring(right[i]))
    end
  end
end

local function bytes_wrong(name, got, right)
  if got == right then return nil end
  if #got ~= #right then return name .. ": other length" end
  return first_difference(name, { got:byte(1, -1) }, { right:byte(1, -1) })
end

-- rows (floats) as activations and as a weight
local function quantising_wrong(rows)
  local x, depth = tensor.from(rows), #rows[1]
  rows = x:totable()
  local q, scales, zeros, w, w_scales = {}, {}, {}, {}, {}
  for r, row in ipairs(rows) do
    q[r], scales[r], zeros[r] = quantised(row)
    w[r], w_scales[r] = quantised_channel(row)
  end
  local got, weight = run.quantise(x), run.quantise_weight(x)
  return first_difference("scale", got.scale, scales)
    or first_difference("zero", got.zero, zeros)
    or bytes_wrong("values", got.values,
      values_of(q, depth, up_to(depth, UNIT) - depth))
    or first_difference("weight's scale", weight.scale, w_scales)
    or first_difference("sum", weight.sums,
      map(#w, function(c) return sum_of(w[c]) end))
    or bytes_wrong("panels", weight.panels, panels_of(w, depth))
end

local function quantising()
  for n = 1, 70 do
    local wrong = quantising_wrong(
      tensor.normal({ 3, n }, { seed = n, mean = n % 3 - 1 }):totable())
    if wrong then return ("quantising %d: %s"):format(n, wrong) end
  end
  local wide = tensor.normal({ 70, 391 }, { seed = 1, std = 5 })
  return quantising_wrong(wide:totable())
end

-- rows whose numbers are at the ends of what there is
local function odd_rows()
  local fills = {
    constant(0), constant(-0.0), constant(3), constant(-3),
    alternating(3e38, -3e38), constant(-3.4e38), alternating(1e-37, 0),
    alternating(2 ^ -126, -2 ^ -126), function(_, k) return k - 0.5 end,
    function(_, k) return k == 1 and 127.5 or -127.5 end,
    function(_, k) return (k - 5) * 2 ^ -120 end,
  }
  return quantising_wrong(matrix(#fills, 9, function(r, k)
    return fills[r](r, k)
  end))
end

local BROKEN = { 0 / 0, -(0 / 0), 1 / 0, -1 / 0 }

-- one number of a row, or of a channel, that is none
local function broken()
  local depth, columns = 37, 5
  for i, bad in ipairs(BROKEN) do
    for _, at in ipairs { 1, 20, depth } do
      local x = tensor.normal({ 3, depth }, { seed = 1 }):totable()
      local w = tensor.normal({ columns, depth }, { seed = 2 }):totable()
      x[2][at], w[4][at] = bad, bad
      local c = tensor.zeros { 3, columns }
      local xs = run.quantise(tensor.from(x))
      local ws = run.quantise_weight(tensor.from(w))
      if xs.zero[2] ~= 0 or ws.sums[4] ~= 0 then
        return "broken rows hold numbers"
      end
      run.product(c, xs, ws)
      for r, row in ipairs(c:totable()) do
        for column, y in ipairs(row) do
          if is_nan(y) ~= (r == 2 or column == 4) then
            return ("broken %d at %d: c[%d, %d] is %f"):format(i, at, r,
              column, y)
          end
        end
      end
    end
  end
end

-- no more off than half a scale each, and about as much as two uniform
-- errors are
local function accuracy()
  local rows, columns, depth = 6, 70, 300
  local x = tensor.normal({ rows, depth }, { seed = 1 })
  local w = tensor.normal({ columns, depth }, { seed = 2, std = 0.05 })
  local xs, ws = run.quantise(x), run.quantise_weight(w)
  local c = tensor.zeros { rows, columns }
  run.product(c, xs, ws)
  local a, b, got = x:totable(), w:totable(), c:totable()
  local squares, expected = 0, 0
  for r = 1, rows do
    for n = 1, columns do
      local sum, bound, variance = 0, 0, 0
      local s, t = xs.scale[r], ws.scale[n]
      for k = 1, depth do
        local u, v = a[r][k], b[n][k]
        sum = sum + u * v
        bound = bound + (math.abs(u) * t + math.abs(v) * s + s * t / 2) / 2
        variance = variance + ((u * t) ^ 2 + (v * s) ^ 2) / 12
      end
      local off = math.abs(got[r][n] - sum)
      local near = off <= bound * 1.001
      if not near then
        return ("off by %g, at most %g expected"):format(off, bound)
      end
      squares, expected = squares + off ^ 2, expected + variance
    end
  end
  if squares > 1.5 * expected then
    return ("%.2f times the variance expected"):format(squares / expected)
  end
end

local function sweep(first, last, n)
  return map(n + 1, function(i)
    return first + (last - first) * (i - 1) / n
  end)
end

-- GELU is 0 or x from -4 and 4 on
local function activation_wrong(name, x, got, right)
  local bound = name == "relu" and 0 or 2 ^ -12
  for i, v in ipairs(x) do
    local y = math.abs(v) < 4 and right[i] or math.max(v, 0)
    local near = math.abs(got[i] - right[i]) <= bound and
      (y == got[i] or math.abs(v) < 4)
    if not near then
      return ("%s of %g: %g, expected %g"):format(name, v, got[i], y)
    end
  end
end

local function gelu_tanh(x)
  local inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
  return x * (inner:tanh() + 1) * 0.5
end

-- the activation of x, and the same rows as of its values
local function activations()
  local x = tensor.from { sweep(-9, 9, 20001), sweep(-0.1, 0.1, 20001) }
  for name, right in pairs {
    gelu = x:gelu(), gelu_tanh = gelu_tanh(x), relu = x:relu() } do
    local got = x:clone()
    local rows = run.quantise(got, name)
    local values = got:totable()
    if rows.values ~= run.quantise(got).values then
      return name .. ": other values"
    end
    for r, row in ipairs(x:totable()) do
      local wrong = activation_wrong(name, row, values[r],
        right:totable()[r])
      if wrong then return wrong end
    end
  end
end

-- }========

--- Checks all of them on the level in use.
-- @treturn ?string what is wrong
function int8.wrong()
  return adversarial() or sizes() or deepest() or scaled() or quantising()
    or odd_rows() or broken() or accuracy() or activations()
end

return int8
