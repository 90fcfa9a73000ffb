local core = require "lunula.core"
local resident = require "spec.support.resident"
local run = require "spec.support.run"
local tiny = require "spec.support.tiny"

-- what a program prints: one of its own, since what other specs have left
-- would count too
local function printed(code)
  local text, status, said = run.lua([[
    local core = require "lunula.core"
    local resident = require "spec.support.resident"
    local tensor = require "lunula.tensor"
    local MIB = 262144  -- float32
    local function at_rest()
      collectgarbage()
      collectgarbage()
      return resident.mib() or 0
    end
    -- large blocks that the system is asked for; what is taken is dropped
    local function asked(f)
      local before = core.system.mappings()
      f()
      at_rest()
      return core.system.mappings() - before
    end
    local function take(mib, n)
      return asked(function()
        local held = {}
        for i = 1, n or 1 do held[i] = tensor.zeros { mib * MIB } end
      end)
    end
  ]] .. code, run.MEASURED)
  assert(status == 0, said)
  return text
end

describe("Blocks of numbers", function()
  if not core.system.mappings() then
    pending("not counted with the address sanitizer")
    return
  end

  it("are used again, until they are given back", function()
    assert.are.equal("1\t0\t0\t1\n", printed [[
      local first, second, third = take(2), take(2), take(2)
      core.system.trim()
      print(first, second, third, take(2))]])
  end)

  it("are used again for what is half as large, no smaller", function()
    assert.are.equal("1\t0\t1\n",
      printed "print(take(3), take(2), take(1))")
  end)

  it("are asked for as long as others are in use", function()
    assert.are.equal("3\t0\n", printed "print(take(2, 3), take(2, 3))")
  end)

  it("are kept up to 8 MiB in all", function()
    assert.are.equal("6\t3\n", printed "print(take(2, 6), take(2, 6))")
  end)

  it("are not kept when they are more than half of that", function()
    assert.are.equal("1\t1\n", printed "print(take(5), take(5))")
  end)

  it("are of the heap when they are small", function()
    assert.are.equal("0\n", printed [[
      print(asked(function() tensor.zeros { 80, 100 } end))]])
  end)

  it("are all there after some steps of a training", function()
    local text, status, said = run.lua [[
      print(require "spec.support.steady".mappings(64))]]
    assert.are.equal("", said)
    assert.are.equal("0\n", text, status)
  end)
end)

describe("Memory of a file's tensors", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  local WRITTEN = ([[
    local safetensors = require "lunula.safetensors"
    safetensors.write(%q, {
      large = tensor.ones { 32 * MIB }, small = tensor.ones { 2 },
    })
    at_rest()
  ]]):format(path)

  it("goes with the last that uses it, whatever else is used", function()
    if not resident.mib() then
      pending("needs /proc")
      return
    end
    local held, left = printed(WRITTEN .. ([[
      local tensors = safetensors.read(%q).tensors
      local small, large, before = tensors.small, tensors.large, at_rest()
      large:sum()
      local held = at_rest() - before
      tensors, large = nil, nil
      print(held, at_rest() - before, small:sum():item())]]):format(path))
      :match "(%S+)%s+(%S+)"
    assert(tonumber(held) > 30, held)
    assert(tonumber(left) < 4, left)
  end)

  it("stays as it was written while another sees it", function()
    assert.are.equal("7\n", printed(WRITTEN .. ([[
      local file = core.io.map(%q)
      local function all() return file:tensor("F32", { MIB }, 0) end
      local a, b = all(), all()
      a:copy(tensor.full({ MIB }, 7))
      a = nil
      at_rest()
      print(("%%g"):format(-(b * -1):max():item()))]]):format(path)))
  end)
end)

describe("Memory of a training", function()
  -- weights of 12 MiB
  local CONFIG = {
    hidden_size = 256, intermediate_size = 1024, num_hidden_layers = 4,
  }

  it("does not grow when it is validated, and goes with it", function()
    if not resident.mib() then
      pending("needs /proc")
      return
    end
    local dir = tiny.temporary()
    tiny.write_encoder(dir, CONFIG)
    local validated, over = printed(([[
      local tiny = require "spec.support.tiny"
      local model = require "lunula.classifier"(%q,
        { labels = { "negative", "positive" } })
      local trained, validated
      require "lunula.train"(model, tiny.reviews(64), {
        batch_size = 16, epochs = 1, validation = tiny.reviews(64),
        on_step = function() trained = resident.mib() end,
        on_epoch = function() validated = resident.mib() end,
      })
      print(validated - trained, resident.mib() - trained)]]):format(dir))
      :match "(%S+)%s+(%S+)"
    tiny.remove(dir)
    assert(tonumber(validated) < 6, validated)
    assert(tonumber(over) < -24, over)
  end)
end)
