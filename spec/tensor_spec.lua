local run = require "spec.support.run"
local tensor = require "lunula.tensor"

describe("a tensor", function()
  local x = tensor.from({ { 1, 2, 3 }, { 4, 5, 6 } })

  it("is made from nested tables, and gives them back", function()
    for _, t in ipairs { 5, { 1, 2 }, { { 1 }, { 2 } }, { { { 0.5 } } } } do
      assert.are.same(t, tensor.from(t):totable())
    end
  end)

  it("knows its shape, dtype and length", function()
    assert.are.same({ 2, 3 }, x:shape())
    assert.are.equal("float32", x:dtype())
    assert.are.equal(2, #x)
    assert.are.same({}, tensor.from(1):shape())
    assert.are.same({ 0 }, tensor.from({}):shape())
    assert.are.same({ 2, 0 }, tensor.from({ {}, {} }):shape())
  end)

  it("is made of zeros, ones, or any number", function()
    assert.are.same({ { 0, 0 } }, tensor.zeros({ 1, 2 }):totable())
    assert.are.same({ 1, 1 }, tensor.ones({ 2 }, "int32"):totable())
    assert.are.same({ 2.5, 2.5 }, tensor.full({ 2 }, 2.5):totable())
    assert.are.same({}, tensor.zeros({ 0, 4 }):totable())
  end)

  it("keeps integers whole", function()
    local big = 2 ^ 53 - 1
    assert.are.same({ big, -big },
      tensor.from({ big, -big }, "int64"):totable())
    assert.are.equal("int32", tensor.from({ 1 }, "int32"):dtype())
    assert.are.same({ big }, tensor.full({ 1 }, big, "int64"):totable())
    local largest = math.maxinteger or big -- luacheck: ignore 143
    assert.are.equal(largest, tensor.from(largest, "int64"):item())
  end)

  it("gives the one element that it has", function()
    assert.are.equal(7, tensor.from({ { 7 } }):item())
    assert.are.equal(6, x:slice(1, 2):slice(2, 3):item())
  end)

  it("shows dtype, shape and values", function()
    assert.are.equal("tensor float32 [2, 3] {{1, 2, 3}, {4, 5, 6}}",
      tostring(x))
    assert.are.equal("tensor float32 [2, 2] {{2, 5}, {3, 6}}",
      tostring(x:transpose(1, 2):slice(1, 2):transpose(1, 2)
        :transpose(1, 2)))
    assert.are.equal("tensor int64 [] 3", tostring(tensor.from(3, "int64")))
    assert.are.equal("tensor float32 [0] {}", tostring(tensor.zeros({ 0 })))
    assert.are.equal("tensor int32 [9] {0, 0, 0, 0, 0, 0, ...}",
      tostring(tensor.zeros({ 9 }, "int32")))
  end)

  it("is equal to itself alone", function()
    assert.is_true(x == x) -- luacheck: ignore 552
    assert.is_false(x == x:clone())
  end)
end)

describe("a view", function()
  it("shares its elements with what it came from", function()
    local t = tensor.zeros({ 2, 2 })
    local turned, row, same = t:transpose(1, 2), t:slice(1, 2), t:detach()
    row:copy(tensor.from({ { 3, 4 } }))
    assert.are.same({ { 0, 0 }, { 3, 4 } }, t:totable())
    assert.are.same({ { 0, 3 }, { 0, 4 } }, turned:totable())
    turned:copy(tensor.from({ { 1, 2 }, { 5, 6 } }))
    assert.are.same({ { 1, 5 }, { 2, 6 } }, same:totable())
  end)

  it("copies onto itself as if by way of another tensor", function()
    local t = tensor.from({ 1, 2, 3, 4 })
    t:slice(1, 2, 4):copy(t:slice(1, 1, 3))
    assert.are.same({ 1, 1, 2, 3 }, t:totable())
    local square = tensor.from({ { 1, 2 }, { 3, 4 } })
    square:copy(square:transpose(1, 2))
    assert.are.same({ { 1, 3 }, { 2, 4 } }, square:totable())
  end)

  it("moves towards another tensor, or itself, in place", function()
    local t = tensor.from({ { 0, 2 }, { 4, 8 } })
    local version = t:version()
    assert.is_true(rawequal(t, t:lerp_to(tensor.ones({ 2, 2 }), 0.25)))
    assert.are.same({ { 0.25, 1.75 }, { 3.25, 6.25 } }, t:totable())
    assert.are.equal(version + 1, t:version())
    t:slice(2, 1, 1):lerp_to(t:slice(2, 2, 2), 0.75)
    assert.are.same({ { 1.375, 1.75 }, { 5.5, 6.25 } }, t:totable())
  end)

  it("moves by all of the way, or none, to the last bit", function()
    local odd = tensor.from({ 1e-8, 3e30, 0.1, -7 })
    assert.are.same(odd:totable(),
      tensor.from({ 1e8, 3, 0.7, 1 / 3 }):lerp_to(odd, 1):totable())
    assert.are.same(odd:totable(), odd:clone():lerp_to(odd * 3, 0):totable())
  end)

  it("moves to the same bits with 1, 2 and 7 threads, in any layout",
  function()
    local core = require "lunula.core"
    local threads = core.threads()
    local from = tensor.normal { 301, 127 }
    local function moved(other)
      return tensor.ones({ 301, 127 }):lerp_to(other, 0.3):totable()
    end
    core.threads(1)
    local one = moved(from)
    for _, n in ipairs { 2, 7 } do
      core.threads(n)
      assert.are.same(one, moved(from))
    end
    core.threads(threads)
    assert.are.same(one,
      moved(from:transpose(1, 2):contiguous():transpose(1, 2)))
  end)

  it("lives on when what it came from is collected", function()
    local row = tensor.from({ { 1, 2 }, { 3, 4 } }):slice(1, 2)
    for _ = 1, 100 do tensor.full({ 2, 2 }, 9) end
    collectgarbage()
    collectgarbage()
    assert.are.same({ { 3, 4 } }, row:totable())
  end)

  it("says whether its rows follow each other", function()
    local t = tensor.zeros({ 3, 2 })
    assert.is_true(t:is_contiguous())
    assert.is_true(t:slice(1, 2, 3):is_contiguous())
    assert.is_false(t:slice(2, 1, 1):is_contiguous())
    assert.is_false(t:transpose(1, 2):is_contiguous())
    assert.is_true(tensor.zeros({ 1, 2 }):transpose(1, 2):is_contiguous())
  end)
end)

describe("a mistake", function()
  local float, int = tensor.zeros({ 2 }), tensor.zeros({ 2 }, "int32")
  local cases = {
    { "rows differ: dimension 2", function()
      tensor.from({ { 1, 2 }, { 3 } })
    end },
    { "expected a number, got string", function() tensor.from({ 1, "a" }) end },
    { "expected a number, got table", function()
      tensor.from({ 1, { 2 } })
    end },
    { "at most 8 dimensions", function()
      tensor.from({ { { { { { { { { 1 } } } } } } } } })
    end },
    { "value expected", function() tensor.from() end },
    { "1.5", function() tensor.from({ 1.5 }, "int32") end },
    { "int32", function() tensor.from({ 2 ^ 31 }, "int32") end },
    { "int64", function() tensor.from({ 0 / 0 }, "int64") end },
    { "int64", function() tensor.from({ 2 ^ 63 }, "int64") end },
    { "invalid option 'float16'", function()
      tensor.from({ 1 }, "float16")
    end },
    { "integers of at least 0", function() tensor.zeros({ -1 }) end },
    { "integers of at least 0", function() tensor.zeros({ 1.5 }) end },
    { "more elements than fit", function()
      tensor.zeros({ 2 ^ 40, 2 ^ 40 })
    end },
    { "not enough memory", function() tensor.zeros({ 2 ^ 50 }) end },
    { "too large for a table", function()
      tensor.zeros({ 2 ^ 40, 0 }):totable()
    end },
    { "table expected", function() tensor.zeros(3) end },
    { "0.5 is no int32", function() tensor.full({ 1 }, 0.5, "int32") end },
    { "2147483648 is no int32", function()
      tensor.full({ 1 }, 2 ^ 31, "int32")
    end },
    { "expected one element, the tensor has 2", function() float:item() end },
    { "dimension 4294967297 of a tensor that has 1", function()
      float:softmax(2 ^ 32 + 1)
    end },
    { "a scalar has no length", function() return #tensor.from(1) end },
    { "only a float32 tensor", function() int:requires_grad(true) end },
    { "expected a float32 tensor", function() int:backward() end },
    { "copy: the tensor is [2], the other is [3]", function()
      float:copy(tensor.zeros({ 3 }))
    end },
    { "expected a float32 tensor, got int32", function() float:copy(int) end },
    { "lerp_to: the tensor is [2], the other is [3]", function()
      float:lerp_to(tensor.zeros({ 3 }), 0.5)
    end },
    { "expected a float32 tensor, got int32",
      function() int:lerp_to(int, 0.5) end },
    { "a weight from 0 to 1", function() float:lerp_to(float, 1.5) end },
    { "a weight from 0 to 1", function() float:lerp_to(float, 0 / 0) end },
    { "lerp_to: only a leaf is written in place", function()
      local leaf = tensor.ones({ 2 }):requires_grad(true)
      ;(leaf * 2):lerp_to(float, 0.5)
    end },
    { "lunula.tensor expected, got table", function() float.shape({}) end },
    { "lunula.tensor expected", function() float.shape(io.stdout) end },
  }
  for _, case in ipairs(cases) do
    it("is told: " .. case[1], function()
      assert.error_matches(case[2], case[1], 1, true)
    end)
  end
end)

describe("the collector", function()
  it("frees tensors that nothing holds", function()
    local seen = setmetatable({}, { __mode = "k" })
    for _ = 1, 10 do seen[tensor.zeros({ 100 })] = true end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
  end)

  -- what a program prints whose finalizers, which run `meddling`, come as
  -- often as the collector can make them
  local function meddled(meddling, program)
    local said, _, complaint = run.lua(([[
      local tensor = require "lunula.tensor"
      local x = tensor.ones({ 3, 4 }):requires_grad(true)
      local good = tensor.from({ 0, 1, 3 }, "int32")
      local bad = tensor.full({ 3 }, 2 ^ 31 - 1, "int32")
      local ids, y = good:clone(), x:transpose(1, 2)
      local offsets = tensor.from({ 0, 1, 1, 2, 3 }, "int32")
      local function arm()
        local object = newproxy and newproxy(true) or {}  -- 5.1: no table's
        local meta = getmetatable(object) or {}
        meta.__gc = function() %s arm() end
        if not newproxy then setmetatable(object, meta) end
      end
      arm()
      if not pcall(collectgarbage, "incremental", 1, 1000, 1) then
        collectgarbage("setpause", 1)
        collectgarbage("setstepmul", 1000)
      end
      for _ = 1, 2000 do %s end
      print "done"]]):format(meddling, program))
    assert.are.equal("", complaint)
    return said
  end

  it("may drop a gradient while it is asked for", function()
    assert.are.equal("done\n", meddled("x:zero_grad()", [[
      (x * x):sum():backward()
      local _ = x:grad()]]))
  end)

  it("may write to ids while they are used", function()
    for _, use in ipairs { "y.embedding, y, ids", "x.index, x, 2, ids",
        "row.gather, row, 1, ids", "core.ops.cross_entropy, x, ids",
        "core.pool, x, ids, 'mean'",
        "core.gather, good, good, offsets, ids" } do
      assert.are.equal("done\n", meddled("ids:copy(bad)", ([[
        local core, row = require "lunula.core", tensor.ones({ 4 })
        ids:copy(good)
        local ok, why = pcall(%s)
        assert(ok or why:find "2147483647" or why:find "offsets", why)]])
        :format(use)), use)
    end
  end)

  it("alone frees a tensor: its metatable is out of reach", function()
    local t = tensor.zeros({ 2 })
    assert.are.equal("lunula.tensor", getmetatable(t))
    assert.has_error(function() setmetatable(t, {}) end)
  end)

  it("may free a tensor twice, and uses of it are errors", function()
    local t = tensor.zeros({ 2 })
    local free = debug.getmetatable(t).__gc
    free(t)
    free(t)
    assert.error_matches(function() t:item() end, "tensor was never made",
      1, true)
  end)
end)
