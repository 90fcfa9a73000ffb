--- Holds the row kernels and a head's softmax to the errors that
-- src/kernel/rows.h and heads.h state, against references in double.
local core = require "lunula.core"
local tensor = require "lunula.tensor"

local kernels = {}
local run = core.kernels
local FLOOR = 2 ^ -120  -- of results that underflow
local SQRT_2PI = math.sqrt(2 * math.pi)

local function ulp(x)
  local size = math.max(math.abs(x), 2 ^ -126)
  return 2 ^ (math.floor(math.log(size, 2)) - 23)
end

-- the lower tail of the normal distribution at -z: by erf's series near 0, by
-- erfc's continued fraction further out
local function tail(z)
  local y = z / math.sqrt(2)
  local scaled = math.exp(-y * y) / math.sqrt(math.pi)
  if y < 2 then
    local sum, term = 0, y
    for n = 0, 99 do
      sum = sum + term
      term = term * 2 * y * y / (2 * n + 3)
    end
    return 0.5 - sum * scaled
  end
  local fraction = 0
  for n = 120, 1, -1 do fraction = n / 2 / (y + fraction) end
  return scaled / (y + fraction) / 2
end

local function phi(x)
  return x < 0 and tail(-x) or 1 - tail(x)
end

local ROOT = math.sqrt(2 / math.pi)

local function logistic(x)
  return 1 / (1 + math.exp(-2 * ROOT * (x + 0.044715 * x ^ 3)))
end

local reference = {
  gelu = {
    value = function(x) return x * phi(x) end,
    slope = function(x) return phi(x) + x * math.exp(-x * x / 2) / SQRT_2PI end,
    bound = function() return 6 end,
  },
  gelu_tanh = {
    value = function(x) return x * logistic(x) end,
    slope = function(x)
      local s = logistic(x)
      return s + 2 * x * s * (1 - s) * ROOT * (1 + 3 * 0.044715 * x * x)
    end,
    bound = function(x) return x < 0 and 6 + 2 * x * x or 6 end,
  },
}

local function sweep(first, last, n)
  local list = {}
  for i = 0, n do list[i + 1] = first + (last - first) * i / n end
  return tensor.from { list }
end

-- what breaks a bound first, in words
local function compare(name, got, inputs, expected, bound)
  for i, x in ipairs(inputs) do
    local right = expected(x, i)
    local near = math.abs(got[i] - right) <= bound(right, x, i)
    if not near then  -- NaN is not
      return ("%s: %.9g: expected %.9g, got %.9g"):format(name, x, right,
        got[i])
    end
  end
end

local function activation(name, x)
  local act, width = reference[name], x:shape()[2]
  local list, out = x:totable()[1], x:clone()
  run.activate(name, out, x, tensor.zeros { width })
  local slope = tensor.ones { 1, width }
  local again = x:clone()
  run.activate_back(name, again, x, slope)
  return compare(name, out:totable()[1], list, act.value, function(y, at)
    return act.bound(at) * ulp(y) + FLOOR
  end) or compare(name .. " slope", slope:totable()[1], list, act.slope,
    function() return 2 ^ -21 end)
end

local LANES = 16  -- of a head's scores: columns side by side

local function exponential()
  local x = sweep(-87, 88, 1251 * LANES - 1):reshape({ 1251, LANES })
  local before = x:totable()
  run.softmax_again(x, tensor.zeros { LANES })
  for k, row in ipairs(x:totable()) do
    local wrong = compare("exp", row, before[k], math.exp, function(y)
      return 2 * ulp(y)
    end)
    if wrong then return wrong end
  end
end

local function sum_of(list, f)
  local sum = 0
  for i, x in ipairs(list) do sum = sum + f(x, i) end
  return sum
end

-- a column of [keys, lanes]
local function column_of(t, lane)
  local list = {}
  for k, row in ipairs(t:totable()) do list[k] = row[lane] end
  return list
end

local function softmax_column(list, got, lse)
  local top = list[1]
  for _, s in ipairs(list) do top = math.max(top, s) end
  local function term(s) return math.exp(s - top) end
  local sum = sum_of(list, term)
  if math.abs(lse - top - math.log(sum)) > 4 * ulp(lse) + 1e-6 then
    return "softmax: log of the sum"
  end
  return compare("softmax", got, list, function(s)
    return term(s) / sum
  end, function(p) return 48 * ulp(p) end)
end

local function softmax(n)
  local x = tensor.normal({ n, LANES }, { seed = n, std = 3 })
  local before, lse = x:clone(), tensor.zeros { LANES }
  run.softmax(x, lse)
  for lane = 1, LANES do
    local wrong = softmax_column(column_of(before, lane), column_of(x, lane),
      lse:totable()[lane])
    if wrong then return wrong end
  end
end

local function softmax_back_column(d, q, got)
  local dot = sum_of(d, function(x, i) return x * q[i] end)
  local most = 0
  for i, x in ipairs(d) do most = math.max(most, math.abs(x * q[i] * 0.3)) end
  return compare("softmax_back", got, d, function(x, i)
    return 0.3 * q[i] * (x - dot)
  end, function() return 2 ^ -20 * most end)
end

local function softmax_back(n)
  local dp = tensor.normal({ n, LANES }, { seed = 1 })
  local p = tensor.normal({ n, LANES }, { seed = 2 }):softmax(1):detach()
  local before = dp:clone()
  run.softmax_back(dp, p, p, 0.3)
  for lane = 1, LANES do
    local wrong = softmax_back_column(column_of(before, lane),
      column_of(p, lane), column_of(dp, lane))
    if wrong then return wrong end
  end
end

local function largest(list)
  local most = 0
  for _, x in ipairs(list) do most = math.max(most, math.abs(x)) end
  return most
end

-- one row, with weights and biases
local function layer_norm(n)
  local z = tensor.normal({ 1, n }, { seed = 1, mean = 3 })
  local w, b = tensor.normal({ n }, { seed = 2 }), tensor.normal({ n })
  local out, normal, inverse = z:clone(), z:clone(), tensor.zeros { 1 }
  run.layer_norm(out, z, w, b, 1e-5, normal, inverse)
  local list, weight, bias = z:totable()[1], w:totable(), b:totable()
  local mean = sum_of(list, function(x) return x end) / n
  local variance = sum_of(list, function(x) return (x - mean) ^ 2 end) / n
  local scale = 1 / math.sqrt(variance + 1e-5)
  local got = out:totable()[1]
  local wrong = compare("layer_norm", got, list, function(x, i)
    return (x - mean) * scale * weight[i] + bias[i]
  end, function() return 2 ^ -20 * largest(got) end)
  local dout, dz = tensor.normal({ 1, n }, { seed = 4 }), z:clone()
  run.layer_norm_back(dz, dout, w, normal, inverse)
  local d, x = dout:totable()[1], normal:totable()[1]
  local s = sum_of(d, function(v, i) return v * weight[i] end) / n
  local sx = sum_of(d, function(v, i) return v * weight[i] * x[i] end) / n
  local back = dz:totable()[1]
  return wrong or compare("layer_norm_back", back, d, function(v, i)
    return (v * weight[i] - s - x[i] * sx) * inverse:totable()[1]
  end, function() return 2 ^ -20 * largest(back) end)
end

local function columns(rows, width)
  local x = tensor.normal({ rows, width }, { seed = 1 })
  local sum, squares = tensor.zeros { width }, tensor.zeros { width }
  run.column_sums(sum, x)
  run.column_products(squares, x, x)
  local list = x:totable()
  local function column(f)
    return function(_, c)
      return sum_of(list, function(row) return f(row[c]) end)
    end
  end
  local absolute = column(math.abs)
  local square = column(function(v) return v * v end)
  return compare("column_sums", sum:totable(), list[1],
    column(function(v) return v end), function(_, _, c)
      return rows * 2 ^ -24 * absolute(nil, c)
    end) or compare("column_products", squares:totable(), list[1], square,
    function(right) return rows * 2 ^ -24 * right end)
end

--- Checks all of them on the level in use.
-- @treturn ?string what is wrong
function kernels.wrong()
  for name in pairs(reference) do
    for _, range in ipairs { { -88, -12 }, { -12, 12 }, { 12, 88 },
      { -1e-4, 1e-4 }, { -1e-39, 1e-39 } } do
      local wrong = activation(name, sweep(range[1], range[2], 20011))
      if wrong then return wrong end
    end
  end
  for n = 1, 70 do
    local wrong = softmax(n) or softmax_back(n) or n > 3 and layer_norm(n)
      or columns(7, n)
    if wrong then return wrong end
  end
  return exponential()
end

return kernels
