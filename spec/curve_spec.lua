local curve = require "lunula.curve"

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

local function columns_of(line)
  return #line:gsub("[\128-\191]", "")
end

-- a training of n steps whose loss is what f says
local function trained(n, f)
  local steps = {}
  for i = 1, n do steps[i] = { step = i, loss = f(i) } end
  return { steps = steps }
end

local function validated(result, metric, scores, every, best)
  result.metric, result.best_step, result.validations = metric, best * every,
    {}
  for i, score in ipairs(scores) do
    result.validations[i] = { step = i * every, epoch = i,
      scores = { [metric] = score } }
  end
  return result
end

-- the lines of the loss, from what stands right of the axis
local function loss_lines(result, given)
  local lines, drawn = lines_of(curve.text(result, given)), {}
  assert.are.equal("train loss", lines[1])
  for i = 2, 9 do drawn[i - 1] = assert(lines[i]:match "|(.*)$") end
  return drawn, lines
end

-- in which line each column has its mark; nil where it has several or none
local function places_of(drawn)
  local places = {}
  for r, line in ipairs(drawn) do
    for c in line:gmatch "()%*" do places[c] = places[c] and 0 or r end
  end
  return places
end

describe("The learning curve", function()
  it("ends at a whole step, as read back from a file too", function()
    local result = trained(4, function(i) return 1 / i end)
    result.steps[4].step = 8 / 2  -- a float in Lua 5.4
    assert.matches("\n +step 1 +4\n$", curve.text(result))
  end)

  it("falls from the first step, top left, to the last, bottom right",
    function()
      local drawn, lines = loss_lines(trained(500, function(i)
        return 2 - i / 500
      end), { width = 61 })
      local places = places_of(drawn)
      assert.are.same({ 1, 8 }, { places[1], places[50] })
      for c = 2, 50 do assert.is_true(places[c] >= places[c - 1]) end
      assert.matches("^ +1%.9%d* |%*", lines[2])
      assert.matches("^ +1%.0%d* | +%*+$", lines[9])
      assert.are.equal((" "):rep(10) .. "+" .. ("-"):rep(50), lines[10])
      assert.matches("^ +step 1 +500$", lines[11])
      assert.are.equal(11, #lines)
    end)

  it("has no gaps, however few steps there are", function()
    for _, n in ipairs { 2, 7, 50, 51, 200 } do
      local drawn = loss_lines(trained(n, function(i)
        return i % 2 == 0 and 1 or 0.3 + i / n
      end), { width = 61 })
      for c = 1, 50 do
        local marks = 0
        for _, line in ipairs(drawn) do
          if line:sub(c, c) == "*" then marks = marks + 1 end
        end
        assert.is_true(marks > 0, ("%d steps, column %d"):format(n, c))
      end
    end
  end)

  it("shows the mean of the steps that share a column", function()
    local _, lines = loss_lines(trained(1000, function(i)
      return i % 2 == 0 and 4 or 2
    end), { width = 61 })
    assert.is_near(3, tonumber(lines[2]:match "^ +([%d.]+) |"), 0.1)
    assert.is_near(3, tonumber(lines[9]:match "^ +([%d.]+) |"), 0.1)
  end)

  it("is one mark of one step", function()
    local drawn = loss_lines(trained(1, function() return 0.5 end))
    assert.are.equal("*", table.concat(drawn))
  end)

  it("keeps to its width, in dots too", function()
    local result = validated(trained(300, function(i)
      return 1e5 / i + math.sin(i)
    end), "macro_f1", { 0.5, 0.75, 0.7 }, 100, 2)
    for _, width in ipairs { 21, 40, 79, 132 } do
      for _, utf8 in ipairs { false, true } do
        local lines = lines_of(curve.text(result,
          { width = width, utf8 = utf8 }))
        assert.are.equal(17, #lines)
        for i = 1, 16 do
          assert.is_true(i == 10 or columns_of(lines[i]) <= width)
          assert.is_nil(lines[i]:find "%s$")
        end
        assert.are.equal(width, columns_of(lines[15]))
      end
    end
  end)

  it("draws two by four dots a character where UTF-8 is understood",
    function()
      local drawn = loss_lines(trained(100, function(i) return -i end),
        { width = 21, utf8 = true })
      -- 20 columns of dots fall over 32 lines of them
      assert.are.equal("\226\160\145", drawn[1]:sub(1, 3))
      assert.is_nil(table.concat(drawn):find "%*")
      assert.matches("^ +", drawn[8])
      local flat = loss_lines(trained(100, function() return 1 end),
        { width = 21, utf8 = true })
      assert.are.equal(("\226\163\128"):rep(10), flat[4])
    end)

  it("has the validations at their steps, the best one marked", function()
    local text = curve.text(validated(trained(100, function(i)
      return 1 / i
    end), "accuracy", { 0.5, 0.9, 0.8, 0.7 }, 25, 2), { width = 61 })
    local lines = lines_of(text)
    assert.are.equal("validation accuracy", lines[10])
    assert.are.equal("      0.9 |" .. (" "):rep(24) .. "@", lines[11])
    assert.are.equal("          |" .. (" "):rep(37) .. "o", lines[12])
    assert.are.equal("          |" .. (" "):rep(49) .. "o", lines[13])
    assert.are.equal("      0.5 |" .. (" "):rep(12) .. "o", lines[14])
    assert.are.equal("@ best accuracy: 0.9000 after step 50 (epoch 2)",
      lines[17])
  end)

  it("marks the best error at the bottom", function()
    local lines = lines_of(curve.text(validated(trained(30, function(i)
      return 1 / i
    end), "mse", { 4, 1, 2 }, 10, 2), { width = 41 }))
    assert.matches("^ +1 | +@$", lines[14])
    assert.matches("^ +4 | +o$", lines[11])
  end)

  it("leaves out scores that are no numbers", function()
    local lines = lines_of(curve.text(validated(trained(30, function(i)
      return 1 / i
    end), "mse", { 0 / 0, 1, 2 }, 10, 2)))
    assert.are.equal(17, #lines)
    assert.matches("^ +2 | +o$", lines[11])
  end)

  it("is empty without steps, and refuses what it can't be", function()
    assert.are.equal("", curve.text { steps = {} })
    assert.has_error(function() curve.text {} end,
      "curve: steps: expected a table, got nil")
    assert.has_error(function() curve.text({ steps = {} }, { width = 20 }) end,
      "curve: width: expected an integer of at least 21, got 20")
    assert.has_error(function() curve.text({ steps = {} }, { high = 2 }) end,
      "curve: unknown option 'high'; known: utf8, width")
  end)
end)
