local schedule = require "lunula.schedule"

describe("schedule.linear", function()
  it("goes up to 1 in the warm-up and down to 0 at the end", function()
    local factor = schedule.linear(10, { warmup_steps = 4 })
    local factors = {}
    for step = 0, 10 do factors[step + 1] = factor(step) end
    assert.are.same({ 0, 1 / 4, 2 / 4, 3 / 4, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6,
      1 / 6, 0 }, factors)
  end)

  it("rounds the ratio of the warm-up down", function()
    local factor = schedule.linear(39, { warmup_ratio = 0.1 })
    assert.are.equal(2 / 3, factor(2))
    assert.are.equal(1, factor(3))
  end)

  it("starts at 1 without a warm-up", function()
    assert.are.equal(1, schedule.linear(10)(0))
  end)

  it("stays at 0 after the end", function()
    assert.are.equal(0, schedule.linear(10)(12))
  end)

  it("is 0 after a warm-up that is all there is", function()
    local factor = schedule.linear(4, { warmup_ratio = 1 })
    assert.are.equal(3 / 4, factor(3))
    assert.are.equal(0, factor(4))
  end)
end)

describe("schedule.cosine", function()
  it("falls along half a cosine after the warm-up", function()
    local factor = schedule.cosine(12, { warmup_steps = 4 })
    assert.are.equal(1 / 4, factor(1))
    assert.are.equal(1, factor(4))
    assert.is_near(0.5 * (1 + math.cos(math.pi / 4)), factor(6), 1e-12)
    assert.is_near(0.5, factor(8), 1e-12)
    assert.is_near(0, factor(12), 1e-12)
    assert.is_near(0, factor(15), 1e-12)
  end)
end)

describe("schedule.constant", function()
  it("stays at 1 after the warm-up", function()
    local factor = schedule.constant(10, { warmup_steps = 2 })
    assert.are.same({ 0, 0.5, 1, 1 },
      { factor(0), factor(1), factor(2), factor(100) })
  end)
end)

describe("A schedule refuses", function()
  local function refuses(message, total_steps, given)
    assert.has_error(function() schedule.linear(total_steps, given) end,
      message)
  end

  it("numbers out of range", function()
    refuses("schedule: total_steps: expected an integer of at least 0, "
      .. "got -1", -1)
    refuses("schedule: warmup_ratio: expected a number from 0 to 1, got 2", 10,
      { warmup_ratio = 2 })
    refuses("schedule: warmup_steps: expected an integer of at least 0, "
      .. "got 0.5", 10, { warmup_steps = 0.5 })
  end)

  it("a warm-up given twice", function()
    refuses("schedule: give warmup_ratio or warmup_steps, not both", 10,
      { warmup_ratio = 0.1, warmup_steps = 1 })
  end)
end)
