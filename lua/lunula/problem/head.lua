--- The layer that makes logits of a pooled vector.
-- A linear layer, in two ways more than that while it learns: its outputs may
-- share one row of weights, each with a bias of its own; and it may learn in
-- units of its targets' spread (`scale`). Either way it amounts to a plain
-- linear layer (`whole`), which is what is saved and what answers.
-- @module lunula.problem.head

local grad = require "lunula.grad"
local nn = require "lunula.nn"
local tensor = require "lunula.tensor"

local head = {}

local Head = {}
Head.__index = Head

--- Makes one, at random as `nn.linear`.
-- @int inputs
-- @int outputs
-- @tparam table given `seed` and `std` as of `nn.linear`; `shared`, whether the
--   outputs share their weights
-- @treturn Head with `weight` [outputs or 1, inputs], `bias` [outputs], and
--   `is_new` until it has learnt or been `set`
function head.new(inputs, outputs, given)
  local made = nn.linear(inputs, given.shared and 1 or outputs,
    { seed = given.seed, std = given.std })
  local bias = made.bias
  if given.shared then
    bias = tensor.zeros({ outputs }):requires_grad(true)
  end
  return setmetatable({ weight = made.weight, bias = bias, is_new = true },
    Head)
end

--- @tparam tensor x [n, inputs]
-- @treturn tensor [n, outputs]
function Head:forward(x)
  local y = x:matmul(self.weight:transpose(1, 2)) + self.bias
  local scale = self.scale
  return scale and y * scale.deviation + scale.mean or y
end

--- What is trained.
-- @treturn {{name=string,tensor=tensor},...}
function Head:parameters()
  return { { name = "weight", tensor = self.weight },
    { name = "bias", tensor = self.bias } }
end

local function repeated(row, n)
  local rows = {}
  for i = 1, n do rows[i] = row end
  return tensor.concat(rows, 1)
end

local function whole(self)
  local weight, bias, scale = self.weight, self.bias, self.scale
  local outputs, rows = #bias, #weight
  if outputs > rows then weight = repeated(weight, outputs) end
  if not scale then return weight, bias end
  return weight * scale.deviation, bias * scale.deviation + scale.mean
end

--- The plain linear layer that it amounts to.
-- @treturn tensor weight [outputs, inputs], its own where it is plain
-- @treturn tensor bias [outputs]
function Head:whole()
  return grad.no_grad(whole, self)
end

-- the row that all rows equal
local function one_row(weight)
  local row = weight:slice(1, 1, 1)
  local off = weight - row
  if (off * off):sum():item() ~= 0 then
    error("its outputs don't share their weights", 0)
  end
  return row
end

--- Becomes a plain linear layer, as a folder has it.
-- @tparam tensor weight [outputs, inputs]; where they are shared, its rows are
--   alike
-- @tparam tensor bias [outputs]
-- @raise when the shapes are others, or rows differ that should not
function Head:set(weight, bias)
  if #self.bias > #self.weight and #weight == #self.bias then
    weight = grad.no_grad(one_row, weight)
  end
  grad.no_grad(function()
    self.weight:copy(weight)
    self.bias:copy(bias)
  end)
  self.scale, self.is_new = nil, nil
end

--- Learns from here on in units of a spread; what it says stays what it is,
-- but of a new one, which says the mean.
-- @tparam table scale `mean` and `deviation`
function Head:begin(scale)
  if not self.is_new then
    self:finish()
    grad.no_grad(function()
      self.weight:copy(self.weight / scale.deviation)
      self.bias:copy((self.bias - scale.mean) / scale.deviation)
    end)
  end
  self.scale = scale
end

--- Becomes what it amounts to; it is not new any more.
function Head:finish()
  if self.scale then
    grad.no_grad(function()
      local weight, bias = whole(self)
      self.weight:copy(weight)
      self.bias:copy(bias)
    end)
  end
  self.scale, self.is_new = nil, nil
end

return head
