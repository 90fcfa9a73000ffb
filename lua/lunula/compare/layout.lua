--- A comparison as text for a terminal.
-- @module lunula.compare.layout

local counted = require "lunula.counted"
local tables = require "lunula.metrics.layout"

local layout = {}

local LABELS = 10   -- whose recall is shown
local EXAMPLES = 5  -- texts of each kind
local LINE = 72     -- columns of a text, after which it is cut
local NAME = 28     -- and of a system's name or a label

-- {======== pieces ========

-- One line, of a length that a terminal has room for. UTF-8 is cut between
-- characters.
local function clipped(text, most)
  text = text:gsub("[%c%s]+", " ")
  local kept, n = {}, 0
  for character in text:gmatch "[%z\1-\127\192-\255][\128-\191]*" do
    n = n + 1
    if n > most then return table.concat(kept, "", 1, most - 1) .. "~" end
    kept[n] = character
  end
  return table.concat(kept)
end

local function fraction(x)
  return x and ("%.3f"):format(x) or "-"
end

local function interval(found)
  return ("%.3f to %.3f"):format(found.low, found.high)
end

local function p_value(p)
  return p < 0.0001 and "p < 0.0001" or ("p = %.4f"):format(p)
end

-- Money, whatever its unit: cents matter and less than that too.
local function money(x)
  return x and ("%.4g"):format(x) or "-"
end

local function whole(x)
  return x and ("%.0f"):format(x) or "-"
end

-- }========

-- {======== parts ========

local function accuracies(found)
  local rows = { { "", "", "accuracy", "95 % interval", "macro F1" } }
  for _, name in ipairs { "a", "b" } do
    local side = found[name]
    rows[#rows + 1] = { name:upper(), clipped(side.name, NAME),
      fraction(side.accuracy), interval(side), fraction(side.macro_f1) }
  end
  return tables.aligned(rows, 2)
end

-- What is counted as wrong since it is no label.
local function without_label(found)
  local lines = {}
  for _, name in ipairs { "a", "b" } do
    local side, upper = found[name], name:upper()
    if side.abstained > 0 then
      lines[#lines + 1] = ("%s abstained from %s: counted as wrong; of the "
        .. "%d others %s are right\n"):format(upper,
        counted(side.abstained, "text"), side.answered,
        fraction(side.answered_accuracy))
    end
    if side.unparsed > 0 then
      lines[#lines + 1] = ("%s gave %s that are no label: counted as wrong\n")
        :format(upper, counted(side.unparsed, "answer"))
    end
  end
  return table.concat(lines)
end

local function tests(found)
  local n = found.mcnemar
  return ("A less B: %+.3f, 95 %% interval %+.3f to %+.3f (paired "
    .. "bootstrap)\nMcNemar's exact test: %s\n\n"):format(
    found.difference.mean, found.difference.low, found.difference.high,
    p_value(n.p))
    .. tables.aligned({ { "", "B right", "B wrong" },
      { "A right", whole(found.both), whole(n.only_a) },
      { "A wrong", whole(n.only_b), whole(found.neither) } }, 1)
end

-- What a language model took in all.
local function tokens(side, n)
  if not side.input_tokens or not side.output_tokens then return "" end
  local cost = side.cost_per_1000 and side.cost_per_1000 * n / 1000
  return ("B read %s and wrote %d%s\n"):format(
    counted(side.input_tokens, "token"), side.output_tokens,
    cost and ": " .. money(cost) .. " in all" or "")
end

local function costs(found)
  local rows = { { "", "texts/s", "tokens/s", "cost of 1,000 texts",
    "memory, MiB" } }
  for _, name in ipairs { "a", "b" } do
    local side = found[name]
    local seconds = side.seconds and side.seconds > 0 and side.seconds
    rows[#rows + 1] = { name:upper(),
      seconds and ("%.4g"):format(found.n / seconds) or "-",
      whole(side.tokens_per_second), money(side.cost_per_1000),
      whole(side.memory_mib) }
  end
  return tables.aligned(rows, 1) .. tokens(found.b, found.n)
end

local function per_label(found)
  local rows, list = { { "", "texts", "A", "B", "A less B" } },
    found.per_label
  for i = 1, math.min(#list, LABELS) do
    local one = list[i]
    if one.a == one.b then break end
    rows[#rows + 1] = { clipped(one.label, NAME), whole(one.n),
      fraction(one.a), fraction(one.b), ("%+.3f"):format(one.a - one.b) }
  end
  if #rows == 1 then return "" end
  return ("recall of labels, where they differ most (%d of %d)\n"):format(
    #rows - 1, #list) .. tables.aligned(rows, 1) .. "\n"
end

local function wins(found, name, other)
  local n, list = found.mcnemar["only_" .. name], found.wins[name]
  local shown = math.min(#list, EXAMPLES)
  if shown == 0 then return "" end
  local lines = { ("only %s is right: %s%s"):format(name:upper(),
    counted(n, "text"), shown < n and ", such as" or "") }
  for i = 1, shown do
    local one = list[i]
    lines[#lines + 1] = ("  row %d: %s"):format(one.row,
      clipped(one.text, LINE))
    lines[#lines + 1] = ("    %s; %s said %s"):format(
      clipped(one.label, NAME), other:upper(), clipped(one[other], NAME))
  end
  return table.concat(lines, "\n") .. "\n\n"
end

local REASONS = {
  { "not_covered", "%s without an answer, not judged", "text" },
  { "doubled", "%s that came again", "answer" },
  { "extra", "%s to other texts", "answer" },
  { "without_text", "%s without a text", "answer" },
  { "other_prompts", "%s to other prompts", "answer" },
}

local function left_out(found)
  local parts = {}
  for _, reason in ipairs(REASONS) do
    local n = found.left_out[reason[1]] or 0
    if n > 0 then
      parts[#parts + 1] = reason[2]:format(counted(n, reason[3]))
    end
  end
  local text = #parts > 0
    and "left out: " .. table.concat(parts, "; ") .. "\n" or ""
  if found.matched_loosely > 0 then
    text = text .. ("%s found by text, but for its space, quotes, "
      .. "dashes and full stops\n"):format(
      counted(found.matched_loosely, "answer"))
  end
  return text
end

-- }========

--- Lays a comparison out.
-- @tparam table found as from `lunula.compare`
-- @treturn string lines, each with its end
function layout.text(found)
  return ("%s%s\n\n"):format(counted(found.n, "text"),
      found.file and " of " .. found.file or "")
    .. accuracies(found) .. without_label(found) .. "\n"
    .. tests(found) .. "\n" .. costs(found) .. "\n" .. per_label(found)
    .. wins(found, "a", "b") .. wins(found, "b", "a") .. left_out(found)
end

return layout
