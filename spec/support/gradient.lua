--- Checks an op's way back against central finite differences.
-- Each input is tried in three layouts of the same numbers: rows, transposed,
-- and cut out of a larger tensor; the last two are not contiguous.
local tensor = require "lunula.tensor"
local no_grad = require("lunula.grad").no_grad

local unpack = table.unpack or unpack -- luacheck: ignore

local gradient = {}

local STEP, TOLERANCE = 1e-2, 2e-3

local layouts = {}

function layouts.rows(t)
  return t
end

function layouts.transposed(t)
  if #t:shape() < 2 then return t end
  return t:transpose(1, -1):contiguous():transpose(1, -1)
end

function layouts.sliced(t)
  local shape = t:shape()
  if #shape == 0 then return t end
  shape[#shape] = 2
  local edge = tensor.full(shape, 7)
  return tensor.concat({ edge, t, edge }, -1):slice(-1, 3, -3)
end

local function flat(t)
  return t:reshape({ -1 }):totable()
end

--- `output` times fixed numbers, summed: a loss that sees every element.
local function seed_for(output)
  return tensor.uniform(output:shape(), { low = -1, high = 1, seed = 99 })
end

local function loss_of(f, inputs)
  local output = no_grad(f, unpack(inputs))
  local out, seed, sum = flat(output), flat(seed_for(output)), 0
  for i = 1, #out do sum = sum + out[i] * seed[i] end
  return sum
end

local function leaf(values, shape, layout)
  return layout(tensor.from(values):reshape(shape)):detach()
end

local function leaves(values, shapes, layout)
  local inputs = {}
  for i, v in ipairs(values) do
    inputs[i] = leaf(v, shapes[i], layout):requires_grad(true)
  end
  return inputs
end

--- The slope of the loss in element `at` of input `which`.
local function slope(f, values, shapes, layout, which, at)
  local was, loss = values[which][at], {}
  for sign = -1, 1, 2 do
    values[which][at] = was + sign * STEP
    loss[sign] = loss_of(f, leaves(values, shapes, layout))
  end
  values[which][at] = was
  return (loss[1] - loss[-1]) / (2 * STEP)
end

local function compare(f, values, shapes, name, layout)
  local inputs = leaves(values, shapes, layout)
  local output = f(unpack(inputs))
  output:backward(seed_for(output))
  for which, v in ipairs(values) do
    local got = inputs[which]:grad() and flat(inputs[which]:grad())
    for at = 1, #v do
      local want = slope(f, values, shapes, layout, which, at)
      local is = got and got[at] or 0
      local near = math.abs(is - want) <= TOLERANCE * (1 + math.abs(want))
      if not near then
        return nil, ("%s: input %d, element %d: gradient %g, slope %g")
          :format(name, which, at, is, want)
      end
    end
  end
  return true
end

--- Is the gradient that f's ops give the slope of f?
-- @func f of tensors, one for each of `inputs`; returns a tensor
-- @tparam {tensor,...} inputs at least one element each
-- @treturn ?bool true, or nil and where it is not
function gradient.check(f, inputs)
  local values, shapes = {}, {}
  for i, t in ipairs(inputs) do
    values[i], shapes[i] = flat(t), t:shape()
  end
  for name, layout in pairs(layouts) do
    local ok, message = compare(f, values, shapes, name, layout)
    if not ok then return nil, message end
  end
  return true
end

return gradient
