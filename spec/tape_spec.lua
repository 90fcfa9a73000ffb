local enable_grad = require("lunula.grad").enable_grad
local no_grad = require("lunula.grad").no_grad
local resident = require "spec.support.resident"
local tensor = require "lunula.tensor"

local function leaf(values)
  return tensor.from(values):requires_grad(true)
end

describe("backward", function()
  it("fills the gradients of leaves, and of leaves alone", function()
    local x = leaf { 1, 2 }
    local y = x * 3
    y:sum():backward()
    assert.are.same({ 3, 3 }, x:grad():totable())
    assert.is_nil(y:grad())
  end)

  it("adds to the gradients that are there", function()
    local x = leaf { 1, 2 }
    for _ = 1, 3 do (x * x):sum():backward() end
    assert.are.same({ 6, 12 }, x:grad():totable())
    x:zero_grad()
    assert.is_nil(x:grad())
  end)

  it("leaves alone what wants no gradient", function()
    local x, constant = leaf { 1, 2 }, tensor.from { 3, 4 }
    x:mul(constant):sum():backward()
    assert.is_nil(constant:grad())
    assert.are.same({ 3, 4 }, x:grad():totable())
  end)

  it("meets a result with many users once", function()
    local x = leaf { 2 }
    local y = x
    for _ = 1, 40 do y = y + y end
    y:backward()
    assert.are.same({ 2 ^ 40 }, x:grad():totable())
  end)

  it("takes a seed of the result's shape", function()
    local x = leaf { 1, 2 }
    x:exp():log():backward(tensor.from { 10, 20 })
    local grad = x:grad():totable()
    assert.is_true(math.abs(grad[1] - 10) + math.abs(grad[2] - 20) < 1e-4)
  end)

  it("on a leaf of one number is 1", function()
    local x = leaf(5)
    x:backward()
    assert.are.equal(1, x:grad():item())
  end)

  it("goes back from two results that share a part, one after the other",
    function()
      local x = leaf { 2 }
      local a, b = (x * 3):sum(), (x * 4):sum()
      a:backward()
      b:backward()
      assert.are.same({ 7 }, x:grad():totable())
    end)

  it("twice through the same ops is an error", function()
    local x = leaf { 1, 2 }
    local middle = x:exp()
    middle:sum():backward()
    assert.error_matches(function() middle:sum():backward() end,
      "the graph behind 'exp' was freed by an earlier backward", 1, true)
    assert.are.same(2, #x:grad():totable())
  end)

  it("after a write in place into what an op kept is an error", function()
    local x, w = leaf { 1, 2 }, tensor.from { 3, 4 }
    local y = (x * w):sum()
    w:copy(tensor.from { 0, 0 })
    assert.error_matches(function() y:backward() end,
      "a tensor that 'mul' kept was written in place", 1, true)
    assert.is_nil(x:grad())
  end)

  it("notices that a gradient that an op kept has grown", function()
    local x, w = leaf { 1, 2 }, leaf { 3, 4 }
    w:sum():backward()
    local y = (x * w:grad()):sum()
    w:sum():backward()
    assert.error_matches(function() y:backward() end,
      "a tensor that 'mul' kept was written in place", 1, true)
  end)

  it("notices a write through a view as well", function()
    local x, w = leaf { 1, 2 }, tensor.from { 3, 4 }
    local y = (x * w):sum()
    w:slice(1, 2):copy(tensor.from { 0 })
    assert.has_error(function() y:backward() end)
  end)

  it("does not mind a write into what no op kept", function()
    local x, w = leaf { 1, 2 }, tensor.from { 3, 4 }
    local y = (x + w):sum()
    w:copy(tensor.from { 0, 0 })
    y:backward()
    assert.are.same({ 1, 1 }, x:grad():totable())
  end)

  it("keeps what was read of a gradient out of later ones", function()
    local x = leaf { 1 }
    x:exp():sum():backward()
    local kept = x:grad():clone()
    x:exp():sum():backward()
    assert.is_true(x:grad():item() > kept:item())
  end)

  it("needs something that wants a gradient, and one number or a seed",
    function()
      local x = leaf { 1, 2 }
      assert.error_matches(function() tensor.ones({}):backward() end,
        "nothing here wants a gradient", 1, true)
      assert.error_matches(function() (x * 2):backward() end,
        "a tensor of 2 elements needs a seed", 1, true)
      assert.error_matches(function() (x * 2):backward(tensor.ones({})) end,
        "the seed must have the tensor's shape", 1, true)
    end)
end)

describe("the result of an op", function()
  it("can't be made a leaf, nor be written in place", function()
    local y = leaf { 1, 2 } * 2
    assert.error_matches(function() y:requires_grad(true) end,
      "is the result of an op; detach() it first", 1, true)
    assert.error_matches(function() y:copy(tensor.zeros({ 2 })) end,
      "copy: only a leaf is written in place", 1, true)
  end)

  it("stops gradients when detached", function()
    local x = leaf { 3 }
    local y = x * 2
    assert.is_true(y:requires_grad())
    assert.is_false(y:detach():requires_grad());
    (y:detach() * x):sum():backward()
    assert.are.same({ 6 }, x:grad():totable())
  end)
end)

describe("no_grad", function()
  local x = leaf { 1, 2 }

  it("records nothing, and passes arguments and results on", function()
    local function f(...) return (x * 2):requires_grad(), select("#", ...), ...
    end
    assert.are.same({ false, 3, 1, nil, 2 }, { no_grad(f, 1, nil, 2) })
    assert.is_true((x * 2):requires_grad())
  end)

  it("records again after an error, which it passes on as it is", function()
    local reason = { "a table" }
    local ok, got = pcall(no_grad, error, reason)
    assert.is_false(ok)
    assert.are.equal(reason, got)
    assert.is_true((x * 2):requires_grad())
  end)

  it("nests", function()
    no_grad(function()
      no_grad(function() end)
      assert.is_false((x * 2):requires_grad())
    end)
  end)

  it("is off inside enable_grad, and on again behind it", function()
    no_grad(function()
      assert.is_true(enable_grad(function() return (x * 2):requires_grad() end))
      assert.is_false((x * 2):requires_grad())
      assert.is_false((pcall(enable_grad, error, "why")))
      assert.is_false((x * 2):requires_grad())
    end)
  end)

  it("lets leaves be written in place, which a later step sees", function()
    local w = leaf { 1, 2 }
    w:mul(w):sum():backward()
    no_grad(function() w:copy(w - w:grad() * 0.5) end)
    assert.are.same({ 0, 0 }, w:totable())
    w:zero_grad();
    (w + 1):sum():backward()
    assert.are.same({ 1, 1 }, w:grad():totable())
  end)
end)

describe("memory", function()
  it("of a chain of 100,000 ops is freed without a deep stack", function()
    local x = leaf { 1 }
    local y = x
    for _ = 1, 1e5 do y = y + 1 end
    assert.are.equal(100001, y:item())
    y:backward()
    assert.are.same({ 1 }, x:grad():totable())
    y = x
    for _ = 1, 1e5 do y = y + 1 end
    y = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
  end)

  it("of large tensors that nothing holds is given back in time", function()
    local growth = resident.growth([[
      return function() tensor.zeros({ 1e6 }) end]], 0, 200)  -- 800 MB
    assert.is_true(growth < 200)
  end)

  it("stays flat over 20,000 small steps", function()
    local growth = resident.growth([[
      local w = tensor.from({ { 0.1, 0.2 }, { 0.3, 0.4 } })
      local x = tensor.ones({ 8, 2 })
      w:requires_grad(true)
      return function()
        w:zero_grad()
        x:matmul(w):tanh():softmax(2):log():mean():backward()
      end]], 20000, 20000)
    assert.is_true(growth < 4)  -- a lost byte a node and step is 0.1
  end)
end)
