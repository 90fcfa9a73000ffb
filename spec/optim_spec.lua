local core = require "lunula.core"
local json = require "lunula.json"
local optim = require "lunula.optim"
local run = require "spec.support.run"
local tensor = core.tensor

local function read_fixture(name)
  local file = assert(io.open("spec/fixtures/" .. name))
  local text = file:read("*a")
  file:close()
  return json.decode(text, name)
end

local function shaped(values, shape)
  local t = tensor.zeros(shape)
  if #shape == 1 then return tensor.from(values) end
  local rows = {}
  for i = 1, shape[1] do
    rows[i] = {}
    for j = 1, shape[2] do rows[i][j] = values[(i - 1) * shape[2] + j] end
  end
  return t:copy(tensor.from(rows))
end

local function parameter(values)
  return tensor.from(values):requires_grad(true)
end

local function flat(t, into)
  into = into or {}
  for _, x in ipairs(type(t) == "table" and t or t:totable()) do
    if type(x) == "table" then flat(x, into) else into[#into + 1] = x end
  end
  return into
end

local function largest_difference(a, b)
  local largest = 0
  for i = 1, math.max(#a, #b) do
    largest = math.max(largest, math.abs(a[i] - b[i]))
  end
  return largest
end

local function module_of(entries)
  return { parameters = function() return entries end }
end

describe("optim.adamw against PyTorch", function()
  local fixture = read_fixture("adamw.json")
  local groups, parameters = {}, {}
  for i, p in ipairs(fixture.parameters) do
    parameters[i] = shaped(p.values, p.shape):requires_grad(true)
    groups[i] = {
      parameters = { { name = p.name, tensor = parameters[i] } },
      weight_decay = p.weight_decay,
    }
  end
  local optimizer = optim.adamw(groups, { learning_rate = 1 })

  for number, step in ipairs(fixture.steps) do
    it("follows step " .. number, function()
      for i, gradient in ipairs(step.gradients) do
        parameters[i]:zero_grad()
        if #gradient > 0 then
          parameters[i]:backward(shaped(gradient, parameters[i]:shape()))
        end
      end
      optimizer:set_learning_rate(step.learning_rate)
      assert.is_near(step.norm, optimizer:clip(1.0), 1e-5)
      optimizer:step()
      for i, values in ipairs(step.values) do
        local off = largest_difference(values, flat(parameters[i]))
        assert.is_true(off < 1e-6, "off by " .. off)
      end
    end)
  end
end)

describe("An optimizer", function()
  it("does not decay biases and LayerNorm, and decays the rest", function()
    local names = { "dense.weight", "dense.bias", "LayerNorm.weight" }
    local entries = {}
    for i, name in ipairs(names) do
      entries[i] = { name = name, tensor = parameter { 1 } }
    end
    local optimizer = optim.adamw({ module_of(entries) },
      { learning_rate = 0.1, weight_decay = 0.5 })
    for _, p in ipairs(entries) do p.tensor:backward(tensor.from { 0 }) end
    optimizer:step()
    assert.is_near(0.95, entries[1].tensor:item(), 1e-6)
    assert.are.equal(1, entries[2].tensor:item())
    assert.are.equal(1, entries[3].tensor:item())
  end)

  it("keeps a decay below what a float near 1 can show", function()
    local n, steps, values = 1000, 100, {}
    for j = 1, n do values[j] = 1 - j * 1e-4 end
    local decayed, plain = parameter(values), parameter(values)
    local optimizer = optim.adamw({
      { parameters = { decayed }, weight_decay = 1e-3 },
      { parameters = { plain }, weight_decay = 0 },
    }, { learning_rate = 2e-5 })
    for i = 1, steps do
      for j = 1, n do values[j] = math.sin(0.7 * i + j) end
      decayed:backward(tensor.from(values))
      plain:backward(tensor.from(values))
      optimizer:step()
    end
    local lost, a, b = 0, decayed:totable(), plain:totable()
    for j = 1, n do lost = lost + (b[j] - a[j]) / n end
    local expected = steps * 2e-5 * 1e-3 * 0.95
    assert.is_near(expected, lost, 0.05 * expected)
  end)

  it("leaves a parameter without a gradient alone", function()
    local p = parameter { 1, 2 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    optimizer:step()
    assert.are.same({ 1, 2 }, p:totable())
    assert.is_nil(p:grad())
  end)

  it("leaves what is frozen for some steps alone, and then goes on with it",
  function()
    local function weights_after(steps)
      local p, other = parameter { 1, -2 }, parameter { 1 }
      local optimizer = optim.adamw({ { parameters = { p, other } } },
        { learning_rate = 0.1 })
      for i, on in ipairs(steps) do
        local before = p:totable()
        p:requires_grad(on)
        ;((p * p):sum() * i + other:sum()):backward()
        local norm = optimizer:clip(1)
        optimizer:step()
        if on then
          assert.are_not.same(before, p:totable())
        else
          assert.are.equal(1, norm)
          assert.are.same(before, p:totable())
        end
      end
      return p:totable(), optimizer:state()["step.1.1"]:item()
    end
    local wanted, taken = weights_after { true, true }
    local found, same = weights_after { true, true, false, false }
    assert.are.same(wanted, found)
    assert.are.equal(taken, same)
    assert.are.equal(3, select(2, weights_after { false, true, false, true,
      true }))
  end)

  it("does not take what was gathered before it was frozen", function()
    local p, other = parameter { 1, -2 }, parameter { 1 }
    local optimizer = optim.adamw { { parameters = { p, other } } }
    ;((p * p):sum() + other:sum()):backward()
    p:requires_grad(false)
    assert.are.equal(1, optimizer:clip(10))
    optimizer:step()
    assert.are.same({ 1, -2 }, p:totable())
    assert.are.same({ 0, 0 }, p:grad():totable())
  end)

  it("zeroes the gradients after a step, in place", function()
    local p = parameter { 1, 2 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    p:backward(tensor.from { 3, 4 })
    local gradient = p:grad()
    optimizer:step()
    assert.are.same({ 0, 0 }, p:grad():totable())
    assert.are.same({ 0, 0 }, gradient:totable())
  end)

  it("gathers the gradients of several backward passes", function()
    local p, q = parameter { 1 }, parameter { 1 }
    local optimizer = optim.adamw({ { parameters = { p, q } } },
      { learning_rate = 0.1 })
    p:backward(tensor.from { 1 })
    p:backward(tensor.from { 2 })
    q:backward(tensor.from { 3 })
    assert.is_near(math.sqrt(18), optimizer:clip(100), 1e-6)
    optimizer:step()
    assert.are.equal(q:item(), p:item())
  end)

  it("forgets gradients and clipping with zero_grad", function()
    local p, q = parameter { 1 }, parameter { 1 }
    local optimizer = optim.adamw({ { parameters = { p } } },
      { learning_rate = 0.1, eps = 1 })
    local other = optim.adamw({ { parameters = { q } } },
      { learning_rate = 0.1, eps = 1 })
    p:backward(tensor.from { 1000 })
    optimizer:clip(0.001)
    optimizer:zero_grad()
    assert.are.equal(0, p:grad():item())
    p:backward(tensor.from { 2 })
    q:backward(tensor.from { 2 })
    optimizer:step()
    other:step()
    assert.are.equal(q:item(), p:item())
  end)

  it("says when a gradient is not a number", function()
    local p = parameter { 1 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    p:backward(tensor.from { 0 / 0 })
    local norm = optimizer:clip(1)
    assert.is_true(norm ~= norm)
  end)

  it("keeps the ratio of groups' learning rates", function()
    local slow, fast = parameter { 0 }, parameter { 0 }
    local optimizer = optim.adamw({
      { parameters = { slow } },
      { parameters = { fast }, learning_rate = 0.3 },
    }, { learning_rate = 0.1 })
    optimizer:set_learning_rate(0.01)
    slow:backward(tensor.from { 1 })
    fast:backward(tensor.from { 1 })
    optimizer:step()
    assert.is_near(-0.01, slow:item(), 1e-6)
    assert.is_near(-0.03, fast:item(), 1e-6)
  end)
end)

describe("An optimizer's state", function()
  local function learn(p, optimizer, steps)
    for i = 1, steps do
      p:backward(tensor.from { i, -i, 0.5 })
      optimizer:step()
    end
  end

  local function copy(state)
    local copied = {}
    for name, t in pairs(state) do
      copied[name] = tensor.zeros(t:shape(), t:dtype()):copy(t)
    end
    return copied
  end

  it("goes on where it was left", function()
    local p = parameter { 1, 2, 3 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    learn(p, optimizer, 3)
    local state, q = copy(optimizer:state()), parameter(p:totable())
    learn(p, optimizer, 2)
    local resumed = optim.adamw({ { parameters = { q } } })
    resumed:load_state(state)
    learn(q, resumed, 2)
    assert.are.same(p:totable(), q:totable())
  end)

  it("can be given back as it is", function()
    local p = parameter { 1, 2, 3 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    learn(p, optimizer, 1)
    local before = copy(optimizer:state())
    optimizer:load_state(optimizer:state())
    assert.are.same(before["exp_avg.1.1"]:totable(),
      optimizer:state()["exp_avg.1.1"]:totable())
  end)

  it("of more steps than can be counted is refused", function()
    local p = parameter { 1, 2, 3 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    learn(p, optimizer, 1)
    local state = copy(optimizer:state())
    state["step.1.1"] = tensor.from({ 2 ^ 53 }, "int64")
    assert.error_matches(function() optimizer:load_state(state) end,
      "expected 1 to 2^53 - 1 steps", 1, true)
  end)

  it("of other parameters is refused", function()
    local p, q = parameter { 1, 2, 3 }, parameter { 1 }
    local optimizer = optim.adamw({ { parameters = { p } } })
    learn(p, optimizer, 1)
    assert.has_error(function()
      optim.adamw({ { parameters = { q } } }):load_state(optimizer:state())
    end, "adamw: state of '1': is [3], the parameter [1]")
    assert.has_error(function()
      optim.adamw({ module_of { { name = "w", tensor = p } } })
        :load_state(optimizer:state())
    end, "adamw: state: 3 of its 3 tensors belong to no parameter")
  end)
end)

describe("The same bits come out", function()
  local function learn(threads)
    local before = core.threads()
    core.threads(threads)
    local p = tensor.full({ 300000 }, 0.1):requires_grad(true)
    local optimizer = optim.adamw({ { parameters = { p } } },
      { learning_rate = 0.01 })
    local norm
    for step = 1, 3 do
      p:backward(tensor.full({ 300000 }, 0.3 / step))
      norm = optimizer:clip(1)
      optimizer:step()
    end
    core.threads(before)
    return norm, p:totable()
  end

  it("with 1, 2, 3 and 7 threads", function()
    local norm, values = learn(1)
    for _, threads in ipairs { 2, 3, 7 } do
      local other_norm, other = learn(threads)
      assert.are.equal(norm, other_norm)
      assert.are.same(values, other)
    end
  end)
end)

describe("Each instruction set", function()
  -- 37: whole vectors and a rest
  local PROGRAM = [[
    local core = require "lunula.core"
    local values = {}
    for i = 1, 37 do values[i] = math.sin(i) end
    local p = core.tensor.from(values):requires_grad(true)
    local optimizer = require "lunula.optim".adamw({ { parameters = { p } } },
      { learning_rate = 0.1 })
    for step = 1, 3 do
      for i = 1, 37 do values[i] = math.cos(step * i) end
      p:backward(core.tensor.from(values))
      optimizer:clip(1)
      optimizer:step()
    end
    for _, x in ipairs(p:totable()) do print(x) end
  ]]

  local function run_with(level)
    local said, status, why = run.lua(PROGRAM, { "LUNULA_CPU=" .. level })
    if status ~= 0 then
      assert.matches("not of this processor, which has %w+ at most", why)
      return nil
    end
    local values = {}
    for line in said:gmatch("%S+") do values[#values + 1] = tonumber(line) end
    return values
  end

  it("steps to the same numbers, but for rounding", function()
    local expected = run_with("scalar")
    assert.are.equal(37, #expected)
    for _, level in ipairs { "neon", "avx2", "avx512" } do
      local values = run_with(level)  -- nil where the processor lacks it
      if values then
        assert.are.equal(37, #values)
        assert.is_true(largest_difference(expected, values) < 1e-6, level)
      end
    end
  end)
end)

describe("optim.adamw refuses", function()
  local function refuses(message, sources, given)
    assert.has_error(function() optim.adamw(sources, given) end, message)
  end
  local p = parameter { 1, 2 }

  it("what holds no parameters", function()
    refuses("adamw: expected an array of modules or groups", 3)
    refuses("adamw: 1: expected a module or { parameters = {...} }", { 3 })
    refuses("adamw: no parameters", {})
  end)

  it("a parameter that can't be written in place", function()
    local function group(t) return { { parameters = { t } } } end
    refuses("adamw: parameter '1': is not float32",
      group(tensor.from({ 1 }, "int32")))
    refuses("adamw: parameter 1: expected { name =, tensor = } or a tensor",
      group(3))
  end)

  it("a parameter that comes twice", function()
    refuses("adamw: parameter '2': comes twice", { { parameters = { p, p } } })
  end)

  it("numbers out of range", function()
    local groups = { { parameters = { p } } }
    refuses("adamw: learning_rate: expected a number above 0, got 0", groups,
      { learning_rate = 0 })
    refuses("adamw: weight_decay: expected a number of at least 0, got -1",
      groups, { weight_decay = -1 })
    refuses("adamw: betas: expected a number of at least 0 and below 1, "
      .. "got 1", groups,
      { betas = { 0.9, 1 } })
    refuses("adamw: unknown option 'lr'; known: betas, eps, learning_rate, "
      .. "weight_decay", groups, { lr = 1 })
  end)
end)
