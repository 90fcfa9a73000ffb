--- Weights that are made of others: the encoder reads what an entry makes, and
-- the gradient goes on to what it is made of. In each step
--
--   1. `first`      parameter := make(), recorded
--   2. the encoder's forward and backward fill the parameter's gradient
--   3. `gradients`  it goes back through what make() recorded, and is gone
--   4. `settle`     parameter := make() of what the optimizer has moved: what
--                   is judged and saved
--
-- An entry is a table with `parameter`, a leaf that wants a gradient, and
-- `make`, a function that returns a tensor of its shape.
-- @module lunula.train.effective

local grad = require "lunula.grad"

local effective = {}

local Effective = {}
Effective.__index = Effective

--- Makes the object of some entries.
-- @tparam {table,...} entries
-- @treturn Effective with the methods below
function effective.new(entries)
  return setmetatable({ entries = entries, made = {} }, Effective)
end

--- Before a step: makes what the encoder reads.
function Effective:first()
  for i, entry in ipairs(self.entries) do
    self.made[i] = entry.make()
    entry.parameter:copy(self.made[i]:detach())
  end
end

--- After a step's last backward: gives the gradients to what learns.
function Effective:gradients()
  for i, entry in ipairs(self.entries) do
    local gradient = entry.parameter:grad()
    if gradient then self.made[i]:backward(gradient) end
    entry.parameter:zero_grad()
    self.made[i] = nil
  end
end

local function settle(entries)
  for _, entry in ipairs(entries) do entry.parameter:copy(entry.make()) end
end

--- After the optimizer's step: what is judged and saved.
function Effective:settle()
  grad.no_grad(settle, self.entries)
end

return effective
