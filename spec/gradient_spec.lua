local nn = require "lunula.nn"
local tensor = require "lunula.tensor"
local check = require("spec.support.gradient").check

local purpose = 0

--- Other numbers at each call: between low and high, -1 and 1 by default.
local function random(shape, low, high)
  purpose = purpose + 1
  return tensor.uniform(shape, { low = low or -1, high = high or 1,
    purpose = purpose })
end

--- Numbers 0.1 apart and never 0, so that no step crosses a kink.
local function spread(shape)
  local n = 1
  for _, size in ipairs(shape) do n = n * size end
  local values = {}
  for i = 1, n do values[i] = 0.1 * ((i * 7) % (2 * n + 1) - n) + 0.05 end
  return tensor.from(values):reshape(shape)
end

local function assert_slope(f, ...)
  assert.is_true(assert(check(f, { ... })))
end

local function method(name, a, b, c, d)
  return function(x) return x[name](x, a, b, c, d) end
end

describe("the gradient check", function()
  it("fails when a gradient lacks a part", function()
    local ok, message = check(function(x) return x * x:detach() end,
      { random({ 3 }, 1, 2) })
    assert.is_nil(ok)
    assert.matches("input 1, element 1: gradient", message)
  end)

  it("fails when a gradient is absent", function()
    assert.is_nil((check(function(x, y) return x + y:detach() end,
      { random({ 3 }), random({ 3 }) })))
  end)
end)

describe("the gradient of", function()
  for _, shapes in ipairs {
    { {}, {} }, { { 4 }, { 4 } }, { { 2, 3 }, { 2, 3 } }, { { 2, 3 }, { 3 } },
    { { 2, 3 }, { 2, 1 } }, { { 2, 1, 3 }, { 4, 1 } }, { { 1 }, { 2, 2 } },
    { {}, { 3 } },
  } do
    local a, b = random(shapes[1], 0.5, 2), random(shapes[2], 0.5, 2)
    local what = (" of [%s] and [%s]"):format(table.concat(shapes[1], ", "),
      table.concat(shapes[2], ", "))
    it("sums" .. what, function()
      assert_slope(function(x, y) return x + y end, a, b)
      assert_slope(function(x, y) return x - y end, a, b)
    end)
    it("products and quotients" .. what, function()
      assert_slope(function(x, y) return x * y end, a, b)
      assert_slope(function(x, y) return x / y end, a, b)
    end)
  end

  it("arithmetic with a number on either side", function()
    assert_slope(function(x) return 2 - x * 3 end, random({ 3 }))
    assert_slope(function(x) return 1 / (x + 3) end, random({ 3 }))
  end)

  for _, name in ipairs { "neg", "exp", "tanh", "gelu", "sigmoid" } do
    it(name, function()
      assert_slope(method(name), random({ 2, 5 }, -3, 3))
      assert_slope(method(name), random({}))
    end)
  end

  for _, name in ipairs { "log", "sqrt" } do
    it(name, function()
      assert_slope(method(name), random({ 2, 3 }, 0.5, 3))
    end)
  end

  it("relu", function()
    assert_slope(method("relu"), spread({ 2, 5 }))
  end)

  for _, shapes in ipairs {
    { { 2, 3 }, { 3, 4 } }, { { 3 }, { 3, 2 } }, { { 2, 3 }, { 3 } },
    { { 3 }, { 3 } }, { { 2, 2, 3 }, { 3, 2 } }, { { 2, 2, 3 }, { 2, 3, 2 } },
    { { 2, 1, 2, 3 }, { 3, 3, 2 } }, { { 2, 3 }, { 2, 3, 2 } },
    { { 1, 3 }, { 3, 1 } }, { { 2, 2, 3 }, { 3 } }, { { 3, 1 }, { 1, 2 } },
  } do
    it(("matmul of [%s] by [%s]"):format(table.concat(shapes[1], ", "),
      table.concat(shapes[2], ", ")), function()
      assert_slope(function(a, b) return a:matmul(b) end, random(shapes[1]),
        random(shapes[2]))
    end)
  end

  it("transpose", function()
    assert_slope(method("transpose", 1, 3), random({ 2, 3, 2 }))
  end)

  it("reshape", function()
    assert_slope(method("reshape", { 3, -1 }), random({ 2, 3 }))
    assert_slope(method("reshape", {}), random({ 1, 1 }))
  end)

  it("slice", function()
    assert_slope(method("slice", 1, 2, -2), random({ 4, 2 }))
    assert_slope(method("slice", 2, 2, 2), random({ 2, 3 }))
  end)

  it("slices that overlap", function()
    assert_slope(function(x) return x:slice(1, 1, 3) * x:slice(1, 2, 4) end,
      random({ 4 }))
  end)

  it("concat", function()
    local function join(dim)
      return function(a, b) return tensor.concat({ a, b, a }, dim) end
    end
    assert_slope(join(1), random({ 1, 2 }), random({ 3, 2 }))
    assert_slope(join(-1), random({ 2, 1 }), random({ 2, 2 }))
  end)

  it("clone, contiguous, and to its own dtype", function()
    assert_slope(method("clone"), random({ 2, 3 }))
    assert_slope(method("contiguous"), random({ 2, 3 }))
    assert_slope(method("to", "float32"), random({ 2, 3 }))
  end)

  for _, name in ipairs { "sum", "mean" } do
    it(name .. " over all and over each dimension", function()
      local x = random({ 2, 3, 2 })
      assert_slope(method(name), x)
      assert_slope(method(name, nil, true), x)
      for dim = 1, 3 do
        assert_slope(method(name, dim), x)
        assert_slope(method(name, dim, true), x)
      end
    end)
  end

  it("max over all and over each dimension", function()
    local x = spread({ 2, 3, 2 })
    assert_slope(method("max"), x)
    for dim = 1, 3 do
      assert_slope(function(t) return (t:max(dim)) end, x)
      assert_slope(function(t) return (t:max(dim, true)) end, x)
    end
  end)

  it("topk of each dimension", function()
    local x = spread({ 2, 3, 2 })
    for dim = 1, 3 do
      assert_slope(function(t) return (t:topk(2, dim)) end, x)
    end
  end)

  for _, name in ipairs { "softmax", "log_softmax" } do
    it(name .. " along each dimension", function()
      for dim = 1, 3 do
        assert_slope(method(name, dim), random({ 2, 3, 2 }, -2, 2))
      end
    end)
  end

  it("layer_norm", function()
    assert_slope(function(x, w, b) return x:layer_norm(w, b) end,
      spread({ 2, 2, 5 }), random({ 5 }), random({ 5 }))
  end)

  it("dropout, which drops the same elements on the way back", function()
    assert_slope(method("dropout", 0.4, 7, 1, 3), random({ 5, 3 }))
  end)

  it("mixout, which mixes the same elements on the way back", function()
    local base = random({ 5, 3 })
    assert_slope(method("mixout", base, 0.4, 7, 1, 3), random({ 5, 3 }))
    local x = random({ 5, 3 }):requires_grad(true)
    x:mixout(base:requires_grad(true), 0.4):sum():backward()
    assert.is_nil(base:grad())
  end)

  it("index, with rows taken twice", function()
    local ids = tensor.from({ 2, 0, 2 }, "int32")
    assert_slope(method("index", 1, ids), random({ 3, 2 }))
    assert_slope(method("index", 2, ids), random({ 2, 3, 2 }))
  end)

  it("gather, with elements taken twice", function()
    local ids = tensor.from({ { 1, 0 }, { 1, 1 } }, "int64")
    assert_slope(method("gather", 1, ids), random({ 2, 3 }))
    assert_slope(method("gather", 2, ids), random({ 2, 3 }))
  end)

  it("embedding, with rows taken twice", function()
    local ids = tensor.from({ { 1, 0 }, { 1, 3 } }, "int32")
    assert_slope(method("embedding", ids), random({ 4, 3 }))
  end)

  it("cross_entropy, with weights, smoothing and rows left out", function()
    for _, given in ipairs {
      {}, { weight = { 1, 3, 0.5 } }, { label_smoothing = 0.2 },
      { weight = { 1, 3, 0.5 }, label_smoothing = 0.2, ignore_index = 1 },
    } do
      assert_slope(function(x)
        return nn.cross_entropy(x, { 1, 0, 2, 0 }, given)
      end, random({ 4, 3 }, -2, 2))
    end
  end)

  it("linear_cross_entropy, for input, weight and bias", function()
    assert_slope(function(x, weight, bias)
      return nn.linear_cross_entropy(x, weight, bias, { 2, 0, 2, 1 })
    end, random({ 4, 3 }, -2, 2), random({ 5, 3 }), random({ 5 }))
  end)

  it("mse, for both sides", function()
    assert_slope(nn.mse, random({ 2, 3 }), random({ 2, 3 }))
  end)

  it("binary_cross_entropy_with_logits", function()
    local targets = random({ 3, 2 }, 0, 1)
    for _, given in ipairs { {}, { pos_weight = { 3, 0.5 } } } do
      assert_slope(function(x)
        return nn.binary_cross_entropy_with_logits(x, targets, given)
      end, random({ 3, 2 }, -3, 3))
    end
  end)

  it("a tensor that is used twice is the sum of both uses", function()
    assert_slope(function(x) return x + x end, random({ 3 }))
    assert_slope(function(x) return x * x end, random({ 2, 3 }))
    assert_slope(function(x) return x / x:exp() end, random({ 3 }))
    assert_slope(function(x) return x:matmul(x) end, random({ 3, 3 }))
    assert_slope(function(x) return x:matmul(x:transpose(1, 2)) end,
      random({ 2, 3 }))
    assert_slope(function(x) return x:exp():tanh() * x:sum() end,
      random({ 3 }))
  end)
end)

describe("the gradient of an empty tensor is empty for", function()
  local empty = tensor.zeros({ 0, 3 })
  local ids = tensor.zeros({ 0 }, "int64")
  local cases = {
    add = function(x) return x + 1 end,
    div = function(x) return x / x end,
    exp = function(x) return x:exp() end,
    neg = function(x) return -x end,
    matmul = function(x) return x:transpose(1, 2):matmul(x) end,
    transpose = function(x) return x:transpose(1, 2) end,
    reshape = function(x) return x:reshape({ 3, 0 }) end,
    slice = function(x) return x:slice(2, 2) end,
    concat = function(x) return tensor.concat({ x, x }, 1) end,
    sum = function(x) return x:sum() end,
    mean = function(x) return x:mean(2) end,
    max = function(x) return (x:max(2)) end,
    softmax = function(x) return x:softmax(1) + x:log_softmax(2) end,
    layer_norm = function(x)
      return x:layer_norm(tensor.ones({ 3 }), tensor.zeros({ 3 }))
    end,
    dropout = function(x) return x:dropout(0.5) end,
    mixout = function(x) return x:mixout(empty, 0.5) end,
    index = function(x) return x:index(1, ids) end,
    gather = function(x)
      return x:gather(1, tensor.zeros({ 0, 2 }, "int64"))
    end,
    cross_entropy = function(x) return nn.cross_entropy(x, ids) end,
    mse = function(x) return nn.mse(x, tensor.zeros({ 0, 3 })) end,
  }
  for name, f in pairs(cases) do
    it(name, function()
      local x = empty:clone():requires_grad(true)
      local y = f(x)
      y:backward(tensor.ones(y:shape()))
      assert.are.same({ 0, 3 }, x:grad():shape())
    end)
  end
end)
