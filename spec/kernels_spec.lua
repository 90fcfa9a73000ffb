local core = require "lunula.core"
local kernels = require "spec.support.kernels"
local run = require "spec.support.run"
local shell = require "lunula.shell"
local tensor = require "lunula.tensor"

local LEVELS = { "scalar", "neon", "avx2", "avx512" }

describe("the row kernels", function()
  it("keep to their stated errors", function()
    assert.is_nil(kernels.wrong())
  end)

  for _, level in ipairs(LEVELS) do
    it("keep to them on " .. level, function()
      local said, errors = run.wrong_on("kernels", level)
      if said then assert.are.equal("nothing", said, errors) end
    end)
  end

  it("are not those of another processor, nor of none", function()
    local function complaint(level)
      local _, code, errors = run.lua("require 'lunula.core'",
        { "LUNULA_CPU=" .. level })
      assert.are_not.equal(0, code)
      return errors
    end
    local machine = shell.run({ "uname", "-m" })
    local other = machine:find "x86" and "neon" or "avx2"
    assert.matches("LUNULA_CPU=" .. other .. ": not of this processor, "
      .. "which has %w+ at most", complaint(other))
    assert.matches("LUNULA_CPU=sse: expected scalar, neon, avx2, avxvnni, "
      .. "avx512, avx512vnni or avx512bf16", complaint "sse")
  end)

  it("step without a gradient by no more than they are given", function()
    local one = tensor.ones { 1 }
    core.kernels.step_without_gradient(one, one, one)
    assert.are.equal(1, one:item())
    assert.has_error(function()
      core.kernels.step(one, one, one, one, { rate = 1 })
    end)
  end)

  it("drop about as much as was asked for, and scale the rest", function()
    local x = tensor.ones { 100003 }
    core.kernels.dropout(x, 0.25, 1, 2)
    local kept = 0
    for _, v in ipairs(x:totable()) do
      assert.is_true(v == 0 or math.abs(v - 4 / 3) < 1e-6)
      if v ~= 0 then kept = kept + 1 end
    end
    assert.is_true(math.abs(kept / 100003 - 0.75) < 0.01)
  end)

  it("drop by the upper halves of Philox's words as stated", function()
    local x, rng, p = tensor.ones { 128 }, core.rng(9, 5), 0.3
    core.kernels.dropout(x, p, 9, 5)
    local kept = x:totable()
    for block = 0, 15 do
      for word = 0, 3 do
        local number = math.floor(rng:float() * 65536)
        assert.are.equal(number >= math.floor(p * 65536 + 0.5),
          kept[32 * word + 16 + block + 1] ~= 0)
      end
    end
  end)

  it("drop nothing below the smallest probability, all near 1", function()
    local x = tensor.ones { 300 }
    core.kernels.dropout(x, 2 ^ -18, 1, 2)
    assert.is_true(math.abs(x:sum():item() - 300) < 0.01)
    core.kernels.dropout(x, 1 - 2 ^ -24, 1, 2)
    assert.are.equal(0, x:sum():item())
  end)

  it("raise for what does not fit", function()
    assert.has_error(function()
      core.kernels.add_bias(tensor.ones { 2, 3 }, tensor.ones { 2 })
    end)
    assert.has_error(function()
      core.kernels.dropout(tensor.ones { 3 }, 1, 1, 1)
    end)
  end)
end)
