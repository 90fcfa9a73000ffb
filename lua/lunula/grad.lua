--- Turning the tape off and on.
-- @module lunula.grad

local core = require "lunula.core"

local grad = {}

local function finish(recorded, ok, ...)
  core.recording(recorded)
  if not ok then error((...), 0) end
  return ...
end

--- Calls a function while no op is recorded: results want no gradient, and
-- nothing is kept for a way back.
-- What was recorded before comes back afterwards, also after an error.
-- @func f
-- @param ... its arguments
-- @return what `f` returns
-- @raise what `f` raises, any value, as it is
-- @usage local scores = grad.no_grad(function() return head:forward(x) end)
function grad.no_grad(f, ...)
  return finish(core.recording(false), pcall(f, ...))
end

--- Calls a function while ops are recorded, inside `no_grad` too.
-- @func f
-- @param ... its arguments
-- @return what `f` returns
-- @raise what `f` raises, any value, as it is
-- @usage grad.enable_grad(function() loss_of(batch):backward() end)
function grad.enable_grad(f, ...)
  return finish(core.recording(true), pcall(f, ...))
end

return grad
