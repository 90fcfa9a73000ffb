local markup = require "lunula.report.markup"
local scale = require "lunula.report.scale"
local style = require "lunula.report.style"

-- a text without the characters that keep its direction to itself
local function bare(text)
  return (text:gsub("\226\129[\168\169]", ""))
end

describe("A report in its colours", function()
  local function luminance(colour)
    local sum, weights = 0, { 0.2126, 0.7152, 0.0722 }
    for i = 1, 3 do
      local c = tonumber(colour:sub(2 * i, 2 * i + 1), 16) / 255
      c = c <= 0.04045 and c / 12.92 or ((c + 0.055) / 1.055) ^ 2.4
      sum = sum + weights[i] * c
    end
    return sum
  end

  local function contrast(a, b)
    a, b = luminance(a), luminance(b)
    return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
  end

  for name, theme in pairs(style.THEMES) do
    it("has the contrast that WCAG AA asks of texts, " .. name, function()
      for _, text in ipairs { "ink", "soft", "a", "b", "c" } do
        assert.is_true(contrast(theme[text], theme.page) >= 4.5, text)
      end
      assert.is_true(contrast(theme.ink, theme.panel) >= 4.5)
      for i = 0, style.LEVELS do
        assert.is_true(contrast(theme.ink, theme["r" .. i]) >= 4.5)
        assert.is_true(contrast(theme.ink, theme["w" .. i]) >= 4.5)
      end
    end)

    it("has the contrast that it asks of lines, " .. name, function()
      assert.is_true(contrast(theme.edge, theme.page) >= 3)
    end)
  end
end)

describe("A report with its scales", function()
  it("puts round numbers beside an axis", function()
    assert.are.same({ 0, 20, 40, 60, 80, 100 }, scale.ticks(0, 100, 5))
    assert.are.same({ 5, 10, 15 }, scale.ticks(3, 17, 4))
    local ticks, step = scale.ticks(0.12, 0.31, 5)
    assert.are.equal(4, #ticks)
    assert.are.equal("0.15", scale.name(ticks[1], step))
    assert.are.equal("20k", scale.name(20000, 5000))
    assert.are.equal("\226\136\1460.5", scale.name(-0.5, 0.5))
  end)

  it("widens a range that has no length", function()
    assert.are.same({ 0, 1 }, { scale.range {} })
    assert.are.same({ 2, 6 }, { scale.range { 4, 4 } })
    assert.are.same({ -0.5, 0.5 }, { scale.range { 0 } })
  end)

  it("labels short, on one line, wide characters as two", function()
    assert.are.equal("abc", bare(markup.label("abc", 3)))
    assert.are.equal("ab\226\128\166", bare(markup.label("abcd", 3)))
    assert.are.equal("a b", bare(markup.label("a\nb", 5)))
    assert.are.equal("\230\151\165\226\128\166",
      bare(markup.label(("\230\151\165"):rep(3), 5)))
  end)
end)
