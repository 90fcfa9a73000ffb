local difference = require("spec.support.rows").difference
local gradient = require "spec.support.gradient"
local nn = require "lunula.nn"
local tensor = require "lunula.tensor"

describe("nn.linear", function()
  it("computes x W' + b", function()
    local layer = nn.linear(2, 3)
    layer.weight:copy(tensor.from { { 1, 2 }, { 3, 4 }, { 5, 6 } })
    layer.bias:copy(tensor.from { 10, 20, 30 })
    assert.are.same({ { 11, 23, 35 }, { 12, 24, 36 } },
      layer:forward(tensor.from { { 1, 0 }, { 0, 1 } }):totable())
  end)

  it("takes any dimensions in front", function()
    local layer = nn.linear(4, 2)
    assert.are.same({ 3, 5, 2 },
      layer:forward(tensor.ones({ 3, 5, 4 })):shape())
    assert.are.same({ 2 }, layer:forward(tensor.ones({ 4 })):shape())
    assert.are.same({ 0, 2 }, layer:forward(tensor.zeros({ 0, 4 })):shape())
  end)

  it("starts with a zero bias and weights of the deviation asked for",
    function()
      local layer = nn.linear(100, 100, { std = 0.5 })
      local squares = (layer.weight * layer.weight):mean():item()
      assert.is_true(math.abs(squares - 0.25) < 0.02)
      assert.are.equal(0, layer.bias:max():item())
    end)

  it("starts the same for the same seed, and differently for another",
    function()
      local function weights(seed)
        return nn.linear(3, 2, { seed = seed }).weight:totable()
      end
      assert.are.same(weights(4), weights(4))
      assert.are_not.same(weights(4), weights(5))
    end)

  it("lists what is trained, by name", function()
    local layer = nn.linear(3, 2)
    local list = layer:parameters()
    assert.are.equal(2, #list)
    assert.are.equal("weight", list[1].name)
    assert.are.equal(layer.weight, list[1].tensor)
    assert.are.equal("bias", list[2].name)
    assert.are.same({ 2 }, list[2].tensor:shape())
    assert.are.equal(1, #nn.linear(3, 2, { bias = false }):parameters())
  end)

  it("gets gradients for all of it", function()
    local layer = nn.linear(3, 2)
    layer:forward(tensor.ones({ 4, 3 })):sum():backward()
    assert.are.same({ { 4, 4, 4 }, { 4, 4, 4 } },
      layer.weight:grad():totable())
    assert.are.same({ 4, 4 }, layer.bias:grad():totable())
  end)

  it("says what is wrong with its arguments", function()
    assert.has_error(function() nn.linear(0, 2) end,
      "nn.linear: inputs: expected an integer of at least 1, got 0")
    assert.has_error(function() nn.linear(2) end,
      "nn.linear: outputs: expected an integer of at least 1, got nil")
    assert.has_error(function() nn.linear(2, 2, { biased = true }) end,
      "nn.linear: unknown option 'biased'; known: bias, seed, std")
    assert.error_matches(function()
      nn.linear(2, 2):forward(tensor.ones({ 3, 4 }))
    end, "matmul: [3, 4] by [2, 2]: 4 columns and 2 rows must be equal", 1,
      true)
  end)
end)

describe("layers", function()
  it("say that what they are given is no tensor", function()
    assert.has_error(function() nn.linear(2, 2):forward(nil) end,
      "linear:forward: expected a tensor, got nil")
    assert.has_error(function() nn.dropout(0.5):forward {} end,
      "dropout:forward: expected a tensor, got a table")
  end)
end)

describe("nn.normalize", function()
  it("makes the length of vectors 1, but that of zeros", function()
    local made = nn.normalize(tensor.from { { 3, 4 }, { 0, -2 }, { 0, 0 } })
    assert.is_true(difference({ { 0.6, 0.8 }, { 0, -1 }, { 0, 0 } },
      made:totable()) < 1e-6)
  end)
end)

describe("nn.dropout", function()
  local x = tensor.ones({ 100 })

  it("draws other numbers each time, the same for the same seed", function()
    local a, b = nn.dropout(0.5, { seed = 1 }), nn.dropout(0.5, { seed = 1 })
    local first = a:forward(x):totable()
    assert.are.same(first, b:forward(x):totable())
    assert.are_not.same(first, a:forward(x):totable())
  end)

  it("goes on from its position", function()
    local a, b = nn.dropout(0.5), nn.dropout(0.5)
    a:forward(x)
    b.position = a.position
    assert.are.equal(100, b.position)
    assert.are.same(a:forward(x):totable(), b:forward(x):totable())
  end)

  it("does nothing when not training", function()
    local drop = nn.dropout(0.5):train(false)
    assert.are.equal(x, drop:forward(x))
    assert.are_not.same(x:totable(), drop:train():forward(x):totable())
    assert.are.same({}, drop:parameters())
  end)

  it("says what is wrong with its probability", function()
    assert.has_error(function() nn.dropout(1) end,
      "nn.dropout: p: expected a number of at least 0 and below 1, got 1")
    assert.has_error(function() nn.dropout("a") end,
      "nn.dropout: p: expected a number of at least 0 and below 1, got 'a'")
  end)
end)

describe("nn.linear_cross_entropy", function()
  -- more words than a slice of them has
  local V, H, N = 5000, 24, 7
  local classes = { 0, 4999, 17, 17, 2048, 1, 3 }

  local function leaves()
    return tensor.normal({ N, H }, { seed = 1 }):requires_grad(true),
      tensor.normal({ V, H }, { seed = 2 }):requires_grad(true),
      tensor.normal({ V }, { seed = 3 }):requires_grad(true)
  end

  local function assert_near(a, b)
    local distance = (a - b):reshape { -1 }
    local size = (b * b):sum():sqrt():item()
    assert.is_true((distance * distance):sum():sqrt():item() < 1e-5 * size)
  end

  it("is that of a linear layer, and so are its gradients", function()
    local x, weight, bias = leaves()
    local x2, weight2, bias2 = leaves()
    local loss = nn.linear_cross_entropy(x, weight, bias, classes)
    local other = nn.cross_entropy(x2:matmul(weight2:transpose(1, 2)) + bias2,
      classes)
    assert.is_true(math.abs(loss:item() - other:item()) < 1e-5)
    loss:backward()
    other:backward()
    assert_near(x:grad(), x2:grad())
    assert_near(weight:grad(), weight2:grad())
    assert_near(bias:grad(), bias2:grad())
  end)

  it("adds to gradients that are there, and scales them", function()
    local x, weight, bias = leaves()
    nn.linear_cross_entropy(x, weight, bias, classes):backward()
    local once = weight:grad():clone()
    local half = nn.linear_cross_entropy(x, weight, bias, classes) * 0.5
    half:backward()
    assert_near(weight:grad(), once * 1.5)
  end)

  it("takes what is no leaf", function()
    local x, weight, bias = leaves()
    nn.linear_cross_entropy(x * 1, weight * 1, bias, classes):backward()
    local x2, weight2, bias2 = leaves()
    nn.linear_cross_entropy(x2, weight2, bias2, classes):backward()
    assert_near(x:grad(), x2:grad())
    assert_near(weight:grad(), weight2:grad())
  end)

  it("of vectors without an element is that of the biases", function()
    local bias = tensor.zeros { 4 }
    local x = tensor.zeros({ 2, 0 }):requires_grad(true)
    local loss = nn.linear_cross_entropy(x, tensor.zeros { 4, 0 }, bias,
      { 0, 3 })
    assert.is_true(math.abs(loss:item() - math.log(4)) < 1e-6)
    loss:backward()
    assert.are.same({ 2, 0 }, x:grad():shape())
  end)

  it("of no rows is NaN", function()
    local _, weight, bias = leaves()
    local loss = nn.linear_cross_entropy(tensor.zeros { 0, H }, weight, bias,
      tensor.from({}, "int32"))
    assert.are_not.equal(loss:item(), loss:item())
    loss:backward()
  end)

  it("says what is wrong with its arguments", function()
    local x, weight, bias = leaves()
    local function why(...)
      return select(2, pcall(nn.linear_cross_entropy, ...))
    end
    assert.matches("linear_cross_entropy: index 5000 is not in 0 .. 4999",
      why(x, weight, bias, { 5000, 0, 0, 0, 0, 0, 0 }), 1, true)
    assert.matches("linear_cross_entropy: [7, 24] needs as many classes, got "
      .. "[2]", why(x, weight, bias, { 0, 1 }), 1, true)
    assert.matches("linear_cross_entropy: expected [n, H], [C, H] and [C], "
      .. "got [7, 24], [5000, 24] and [7, 24]", why(x, weight, x, classes), 1,
      true)
  end)
end)

describe("nn.cross_entropy", function()
  local logits = tensor.from { { 2, 0 }, { 0, 1 } }

  it("takes classes as a table or as an integer tensor", function()
    local loss = nn.cross_entropy(logits, { 0, 1 }):item()
    assert.is_true(math.abs(loss - (math.log(1 + math.exp(-2))
      + math.log(1 + math.exp(-1))) / 2) < 1e-6)
    for _, dtype in ipairs { "int32", "int64" } do
      assert.are.equal(loss,
        nn.cross_entropy(logits, tensor.from({ 0, 1 }, dtype)):item())
    end
  end)

  it("leaves out rows of the ignored class", function()
    assert.are.equal(nn.cross_entropy(logits:slice(1, 2), { 1 }):item(),
      nn.cross_entropy(logits, { -100, 1 }):item())
    assert.are.equal(nn.cross_entropy(logits:slice(1, 1, 1), { 0 }):item(),
      nn.cross_entropy(logits, { 0, 1 }, { ignore_index = 1 }):item())
  end)

  it("of no rows is NaN, as PyTorch's", function()
    local loss = nn.cross_entropy(logits, { -100, -100 }):item()
    assert.are_not.equal(loss, loss)
  end)

  it("stays finite for logits of any size", function()
    local far = tensor.from { { 1e30, -1e30 } }
    assert.are.equal(0, nn.cross_entropy(far, { 0 }):item())
    local loss = nn.cross_entropy(far, { 1 }):item()
    assert.is_true(loss > 1e30 and loss < 3e30)
  end)

  it("says what is wrong with its arguments", function()
    local wants = tensor.ones({ 2 }):requires_grad(true)
    for message, f in pairs {
      ["cross_entropy: index 2 is not in 0 .. 1"] = function()
        nn.cross_entropy(logits, { 0, 2 })
      end,
      ["cross_entropy: index -1 is not in 0 .. 1"] = function()
        nn.cross_entropy(logits, { 0, -1 })
      end,
      ["cross_entropy: logits [2, 2] need 2 classes, got [3]"] = function()
        nn.cross_entropy(logits, { 0, 0, 0 })
      end,
      ["cross_entropy: weight is [3], but there are 2 classes"] = function()
        nn.cross_entropy(logits, { 0, 0 }, { weight = { 1, 1, 1 } })
      end,
      ["expected logits [n, C]"] = function()
        nn.cross_entropy(tensor.ones({ 2 }), { 0, 0 })
      end,
      ["is a constant here"] = function()
        nn.cross_entropy(logits, { 0, 0 }, { weight = wants })
      end,
      ["label_smoothing must be between 0 and 1"] = function()
        nn.cross_entropy(logits, { 0, 0 }, { label_smoothing = 2 })
      end,
      ["expected a number, got string"] = function()
        nn.cross_entropy(logits, { "good", "bad" })
      end,
      ["expected an int32 or int64 tensor"] = function()
        nn.cross_entropy(logits, tensor.ones({ 2 }))
      end,
    } do
      assert.error_matches(f, message, 1, true)
    end
  end)
end)

describe("nn.binary_cross_entropy_with_logits", function()
  local name = "binary_cross_entropy_with_logits"
  local logits = tensor.from { { 1e4, -1e4 } }

  it("stays finite for logits of any size", function()
    assert.are.equal(0, nn[name](logits, tensor.from { { 1, 0 } }):item())
    assert.are.equal(1e4, nn[name](logits, tensor.from { { 0, 1 } }):item())
  end)

  it("says what is wrong with its arguments", function()
    local targets = tensor.from { { 1, 0 } }
    for message, f in pairs {
      [name .. ": [1, 2] and [2] must be of one shape"] = function()
        nn[name](logits, tensor.from { 1, 0 })
      end,
      [name .. ": pos_weight [3] does not broadcast to [1, 2]"] = function()
        nn[name](logits, targets, { pos_weight = { 1, 2, 3 } })
      end,
      ["is a constant here"] = function()
        nn[name](logits, targets:clone():requires_grad(true))
      end,
      ["expected targets"] = function() nn[name](logits) end,
      ["unknown option 'weight'"] = function()
        nn[name](logits, targets, { weight = 1 })
      end,
    } do
      assert.error_matches(f, message, 1, true)
    end
  end)
end)

describe("nn.focal_loss", function()
  local logits = tensor.from { { 0, math.log(3) }, { 0, 0 } }

  it("weighs each row's cross entropy by (1 - p)^gamma", function()
    -- probabilities of the right classes: 3/4 and 1/2
    local loss = nn.focal_loss(logits, { 1, 0 }, { gamma = 2 }):item()
    local wanted = (math.log(4 / 3) / 16 + math.log(2) / 4) / 2
    assert.is_near(wanted, loss, 1e-6)
    loss = nn.focal_loss(logits, { 1, 0 },
      { gamma = 2, weight = { 3, 1 } }):item()
    wanted = (1 * math.log(4 / 3) / 16 + 3 * math.log(2) / 4) / 4
    assert.is_near(wanted, loss, 1e-6)
  end)

  it("is cross entropy at gamma 0", function()
    for _, weight in ipairs { { 1, 1 }, { 0.3, 2 } } do
      local o = { weight = weight }
      local wanted = nn.cross_entropy(logits, { 1, 0 }, o):item()
      o.gamma = 0
      assert.is_near(wanted, nn.focal_loss(logits, { 1, 0 }, o):item(), 1e-6)
    end
  end)

  it("has the gradient of its slope", function()
    for _, gamma in ipairs { 0.5, 1, 2, 5 } do
      assert(gradient.check(function(x)
        return nn.focal_loss(x, { 0, 2, 1 },
          { gamma = gamma, weight = { 1, 2, 0.5 } })
      end, { tensor.normal({ 3, 3 }, { seed = 3 }) }))
    end
  end)

  it("has a gradient where a row is sure, right or wrong", function()
    for _, gamma in ipairs { 0, 0.5, 2 } do
      local sure = tensor.from { { 200, 0 }, { 0, 200 } }:requires_grad(true)
      nn.focal_loss(sure, { 0, 0 }, { gamma = gamma }):backward()
      -- the second row is a loss of 200, half of the mean
      assert.are.same({ { 0, 0 }, { -0.5, 0.5 } }, sure:grad():totable())
    end
  end)

  it("refuses a negative gamma", function()
    assert.has_error(function()
      nn.focal_loss(logits, { 1, 0 }, { gamma = -1 })
    end, "nn.focal_loss: gamma: expected a number of at least 0, got -1")
  end)
end)
