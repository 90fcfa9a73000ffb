--- Holds the row kernels and a head's softmax to the errors that
-- src/kernel/rows.h and heads.h state, against references in double.
local core = require "lunula.core"
local tensor = require "lunula.tensor"

local kernels = {}
local run = core.kernels
local FLOOR = 2 ^ -120  -- of results that underflow
local SQRT_2PI = math.sqrt(2 * math.pi)

-- the distance of floats at x; math.log may miss a power of two by a bit
local function ulp(x)
  local size = math.max(math.abs(x), 2 ^ -126)
  local power = 2 ^ math.floor(math.log(size) / math.log(2) + 0.5)
  return (power > size and power / 2 or power) * 2 ^ -23
end

local function float(x)
  return tensor.from({ x }):item()
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
      return 1.5 * ulp(y)
    end)
    if wrong then return wrong end
  end
end

local function sum_of(list, f)
  local sum = 0
  for i, x in ipairs(list) do sum = sum + f(x, i) end
  return sum
end

-- the columns of [keys, lanes]
local function columns_of(t)
  return t:transpose(1, 2):totable()
end

local function largest(list)
  local most = 0
  for _, x in ipairs(list) do most = math.max(most, math.abs(x)) end
  return most
end

local function softmax_column(list, got, lse)
  local top = list[1]
  for _, s in ipairs(list) do top = math.max(top, s) end
  local function term(s) return math.exp(s - top) end
  local sum = sum_of(list, term)
  return compare("softmax", got, list, function(s)
    return term(s) / sum
  end, function(p, s)
    return (top - s + 2 * math.sqrt(#list)) * ulp(p)
  end)
    or compare("softmax lse", { lse }, { 0 }, function()
      return top + math.log(sum)
    end, function(l)
      return 0.5 * ulp(l) + 2 ^ -23 * math.sqrt(#list)
    end)
end

local function softmax(x)
  local before, lse = columns_of(x), tensor.zeros { LANES }
  run.softmax(x, lse)
  local after, logs = columns_of(x), lse:totable()
  for lane = 1, LANES do
    local wrong = softmax_column(before[lane], after[lane], logs[lane])
    if wrong then return wrong end
  end
end

local function softmax_back_column(d, q, got)
  local dot = sum_of(d, function(x, i) return x * q[i] end)
  local most = 0
  for i, x in ipairs(d) do most = math.max(most, math.abs(x * q[i] * 0.3)) end
  return compare("softmax_back", got, d, function(x, i)
    return 0.3 * q[i] * (x - dot)
  end, function() return 2 ^ -21 * most end)
end

local function softmax_back(n)
  local dp = tensor.normal({ n, LANES }, { seed = 1 })
  local p = tensor.normal({ n, LANES }, { seed = 2 }):softmax(1):detach()
  local before = columns_of(dp)
  run.softmax_back(dp, p, p, 0.3)
  local dropped, after = columns_of(p), columns_of(dp)
  for lane = 1, LANES do
    local wrong = softmax_back_column(before[lane], dropped[lane], after[lane])
    if wrong then return wrong end
  end
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
  end, function() return 2 ^ -21 * largest(got) end)
  local dout, dz = tensor.normal({ 1, n }, { seed = 4 }), z:clone()
  run.layer_norm_back(dz, dout, w, normal, inverse)
  local d, x = dout:totable()[1], normal:totable()[1]
  local over = inverse:item()
  local s = sum_of(d, function(v, i) return v * weight[i] end) / n
  local sx = sum_of(d, function(v, i) return v * weight[i] * x[i] end) / n
  local back = dz:totable()[1]
  return wrong or compare("layer_norm_back", back, d, function(v, i)
    return (v * weight[i] - s - x[i] * sx) * over
  end, function() return 2 ^ -22 * largest(back) end)
end

local function columns(rows, width)
  local x = tensor.normal({ rows, width }, { seed = 1 })
  local sum = tensor.normal({ width }, { seed = 2 })
  local squares = sum:clone()
  local list, before = x:totable(), sum:totable()
  run.column_sums(sum, x)
  run.column_products(squares, x, x)
  local function column(f, first)
    return function(_, c)
      return first(before[c]) + sum_of(list, function(row)
        return f(row[c])
      end)
    end
  end
  local function same(v) return v end
  local function square(v) return v * v end
  local n = rows + 1
  local share = 2 ^ -24 * math.min(n, 2 * math.sqrt(n))
  local absolute = column(math.abs, math.abs)
  local absolute_square = column(square, math.abs)
  return compare("column_sums", sum:totable(), before, column(same, same),
    function(_, _, c) return share * absolute(nil, c) end)
    or compare("column_products", squares:totable(), before,
      column(square, same), function(_, _, c)
        return share * absolute_square(nil, c)
      end)
end

local function dropout(p)
  local x = tensor.normal({ 331 }, { seed = 1 })
  local before, probability = x:totable(), float(p)
  run.dropout(x, p, 3, 4)
  local got = x:totable()
  return compare("dropout", got, before, function(v, i)
    return got[i] ~= 0 and v / (1 - probability) or 0
  end, function(right) return 3 * ulp(right) end)
end

-- n numbers of either sign from 2^least up to 2^most
local function magnitudes(seed, n, least, most)
  local rng, list = core.rng(seed, 0), {}
  for i = 1, n do
    local size = 2 ^ (least + (most - least) * rng:float())
    list[i] = rng:float() < 0.5 and -size or size
  end
  return tensor.from(list)
end

local function sums(n)
  local to, from = magnitudes(1, n, -4, 4), magnitudes(2, n, -4, 4)
  local a, b = to:totable(), from:totable()
  local biased = to:clone():reshape { 1, n }
  run.add_bias(biased, from)
  run.add_scaled(to, from, 0.3)
  return compare("add_bias", biased:totable()[1], a, function(x, i)
    return x + b[i]
  end, function(right) return 0.5 * ulp(right) end)
    or compare("add_scaled", to:totable(), a, function(x, i)
      return x + float(0.3) * b[i]
    end, function(right, _, i)
      return 0.5 * ulp(right) + 0.5 * ulp(float(0.3) * b[i])
    end)
end

-- a row of logits, of which one lies far below
local function exp_row(n)
  local x = tensor.normal({ n }, { seed = n, std = 5 }):totable()
  local bias = tensor.normal({ n }, { seed = n + 1 })
  x[n] = x[n] - 200
  local most, sum, got = -math.huge, 0, tensor.from(x)
  for i, b in ipairs(bias:totable()) do
    x[i] = float(float(x[i]) + b)
    most = math.max(most, x[i])
  end
  local largest_found, sum_found = run.exp_row(got, bias)
  local function value(v)
    return math.exp(v - most)
  end
  for _, v in ipairs(x) do sum = sum + value(v) end
  return compare("exp_row", got:totable(), x, value, function(y, v)
    return (2 + most - v) * ulp(y) + FLOOR
  end) or compare("exp_row's most", { largest_found }, { most },
    function() return most end, function() return 0 end)
    or compare("exp_row's sum", { sum_found }, { sum },
      function() return sum end, function() return 2 ^ -17 * sum end)
end

-- what a step t multiplies with, as optim/adamw.c makes it
local function step_numbers(t, given)
  local s = { rate = 1e-3, decay = 0.01, eps = 1e-8, scale = 0.37,
    m_keep = 0.9, m_new = 0.1, v_keep = 0.999, v_new = 0.001,
    m_fix = 1 / (1 - 0.9 ^ t), v_fix = 1 / math.sqrt(1 - 0.999 ^ t) }
  for name, x in pairs(given) do s[name] = x end
  for name, x in pairs(s) do s[name] = float(x) end
  return s
end

-- p, m and v after a step, and the sizes that their errors are stated in
local function exact_step(s, p, g, m, v)
  local old, new = s.m_keep * m, s.m_new * s.scale * g
  local r = { m = old + new, m_size = math.abs(old) + math.abs(new) }
  r.v = s.v_keep * v + s.v_new * (s.scale * g) ^ 2
  local fix = s.m_fix / (math.sqrt(r.v) * s.v_fix + s.eps)
  r.p = p - s.rate * (r.m * fix + s.decay * p)
  r.p_size = s.rate * (r.m_size * fix + s.decay * math.abs(p))
  return r
end

-- p, g, m and v; no moments yet before the first step
local function step_inputs(n, t)
  local old = t > 1 and 1 or 0
  local v = magnitudes(4, n, -30, 2)
  return magnitudes(1, n, -8, 2), magnitudes(2, n, -40, 4),
    magnitudes(3, n, -40, 4) * old, v * v * old
end

local function step(n, t, s)
  local p, g, m, v = step_inputs(n, t)
  local before, gradient = p:totable(), g:totable()
  local moment, square, right = m:totable(), v:totable(), {}
  for i, x in ipairs(before) do
    right[i] = exact_step(s, x, gradient[i], moment[i], square[i])
  end
  run.step(p, g, m, v, s)
  local function exact(name)
    return function(_, i) return right[i][name] end
  end
  return compare("step: m", m:totable(), moment, exact "m",
    function(_, _, i) return 2.5 * ulp(right[i].m_size) end)
    or compare("step: v", v:totable(), square, exact "v",
      function(x) return 4 * ulp(x) end)
    or compare("step: p", p:totable(), before, exact "p", function(x, _, i)
      return 0.5 * ulp(x) + 6 * ulp(right[i].p_size)
    end)
end

-- what several steps without a gradient give, against as many with one of 0
local function step_without_gradient(n)
  local p, g, m, v = step_inputs(n, 2)
  local q, mq, vq = p:clone(), m:clone(), v:clone()
  local numbers = {}
  for t = 2, 5 do
    numbers[t - 1] = step_numbers(t, { rate = 0.1 / t })
    run.step(p, (g * 0):detach(), m, v, numbers[t - 1])
  end
  run.step_without_gradient(q, mq, vq, numbers[1], numbers[2],
    numbers[3], numbers[4])
  for i, pair in ipairs { { p, q }, { m, mq }, { v, vq } } do
    local right = pair[1]:totable()
    local wrong = compare("step_without_gradient: " .. i, pair[2]:totable(),
      right, function(x) return x end, function() return 0 end)
    if wrong then return wrong end
  end
end

local function steps()
  for _, t in ipairs { 1, 2, 10, 1000 } do
    for _, given in ipairs { {}, { eps = 0 }, { decay = 0, scale = 1 },
      { rate = 0.5, decay = 0.1 }, { m_keep = 0, m_new = 1 } } do
      local wrong = step(501, t, step_numbers(t, given))
      if wrong then return wrong end
    end
  end
end

local function scores(n, std)
  return tensor.normal({ n, LANES }, { seed = n, std = std })
end

-- every rest of a vector, in a few vectors
local function narrow(n)
  return softmax(scores(n, 3)) or softmax_back(n) or n > 3 and layer_norm(n)
    or columns(7, n) or sums(n) or exp_row(n) or step(n, 3, step_numbers(3, {}))
    or step_without_gradient(n) or dropout(n / 71)
end

-- long sums
local function wide(n)
  local far = tensor.uniform({ n, LANES }, { low = -32, high = 32, seed = n })
  return softmax(scores(n, 0.05)) or softmax(scores(n, 3)) or softmax(far)
    or softmax_back(n) or layer_norm(n) or columns(n, 32)
    or exp_row(20 * n)
end

local function activations()
  for name in pairs(reference) do
    for _, range in ipairs { { -88, -12 }, { -12, 12 }, { 12, 88 },
      { -1e-4, 1e-4 }, { -1e-39, 1e-39 } } do
      local wrong = activation(name, sweep(range[1], range[2], 20011))
      if wrong then return wrong end
    end
  end
end

--- Checks all of them on the level in use.
-- @treturn ?string what is wrong
function kernels.wrong()
  local wrong = activations() or exponential() or steps()
  for n = 1, 70 do wrong = wrong or narrow(n) end
  for _, n in ipairs { 70, 768 } do wrong = wrong or wide(n) end
  return wrong or nil
end

return kernels
