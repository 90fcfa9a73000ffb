--- Weights that are made of others: the encoder reads what an entry makes, and
-- the gradient goes on to what it is made of. In each step
--
--   1. `first`      parameter := make(), recorded, where it is not yet so
--   2. the encoder's forward and backward fill the parameter's gradient
--   3. `gradients`  it goes back through what make() recorded, and is gone
--   4. `settle`     parameter := make() of what the optimizer has moved, which
--                   is judged and saved, and recorded for the next step
--
-- An entry is a table with `parameter`, a leaf that wants a gradient, and
-- `make`, a function that returns a tensor of its shape.
-- @module lunula.train.effective

local effective = {}

local Effective = {}
Effective.__index = Effective

--- Makes the object of some entries.
-- @tparam {table,...} entries
-- @treturn Effective with the methods below
function effective.new(entries)
  return setmetatable({ entries = entries }, Effective)
end

--- Makes what the encoder reads.
function Effective:settle()
  self.made = {}
  for i, entry in ipairs(self.entries) do
    self.made[i] = entry.make()
    entry.parameter:copy(self.made[i]:detach())
  end
end

--- Before a step.
function Effective:first()
  if not self.made then self:settle() end
end

--- After a step's last backward: gives the gradients to what learns.
function Effective:gradients()
  for i, entry in ipairs(self.entries) do
    local gradient = entry.parameter:grad()
    if gradient then self.made[i]:backward(gradient) end
    entry.parameter:zero_grad()
  end
  self.made = nil
end

return effective
