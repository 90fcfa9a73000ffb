--- lunula explain: what each word of a text says for its label.
-- On a terminal the text, its words on green where they speak for the label
-- and on red where they speak against it; elsewhere a line for each word; with
-- --jsonl a line of JSON for each text, its offsets as `tokenize` has them.
-- @module lunula.cli.explain

local arguments = require "lunula.cli.arguments"
local array = require("lunula.json").array
local fetch = require "lunula.cli.fetch"
local json = require "lunula.cli.json"
local system = require("lunula.core").system
local texts = require "lunula.cli.texts"

local explain = {
  name = "explain",
  summary = "show what each word of a text says for its label",
  positional = {
    { name = "MODEL", what = "folder that lunula train made" },
    texts.positional,
  },
  options = {
    texts.options[1], texts.options[2],
    { name = "label", value = "LABEL",
      what = "label to explain; each text's own when not given" },
    { name = "color", value = "WHEN", default = "auto",
      choices = { "always", "never", "auto" },
      what = "words on green and red: auto is on a terminal, unless NO_COLOR "
        .. "is set" },
    { name = "jsonl", type = "boolean", what = "a line of JSON for each text" },
  },
}

local FIELDS = { "text", "label", "score", "baseline", "completeness",
  "words" }

-- colours of xterm's 256, from pale to strong, under black letters
local FOR = { 194, 157, 120, 83 }
local AGAINST = { 224, 217, 210, 203 }
local LEAST = 0.05  -- of the largest score: what is below has no colour
local BLACK, PLAIN = "\27[38;5;16;48;5;%dm", "\27[0m"

-- What a terminal would take for orders is shown as a blank.
local function shown(text)
  return (text:gsub("%c", " "):gsub("\194[\128-\159]", " "))
end

local function strongest(words)
  local most = 0
  for _, word in ipairs(words) do
    most = math.max(most, math.abs(word.score))
  end
  return most
end

local function painted(text, share)
  local shades = share > 0 and FOR or AGAINST
  if math.abs(share) < LEAST then return shown(text) end
  local shade = shades[math.max(1, math.ceil(math.abs(share) * #shades))]
  return BLACK:format(shade) .. shown(text) .. PLAIN
end

local function heading(found)
  return ("%s %.4f (baseline %.4f)"):format(shown(found.label), found.score,
    found.baseline)
end

-- the text as it is, its words painted
local function in_colour(text, found)
  local parts, at = { heading(found), "  " }, 1
  local most = strongest(found.words)
  for _, word in ipairs(found.words) do
    if word.first >= at then
      parts[#parts + 1] = shown(text:sub(at, word.first - 1))
      parts[#parts + 1] = painted(word.text,
        most > 0 and word.score / most or 0)
      at = word.last + 1
    end
  end
  parts[#parts + 1] = shown(text:sub(at))
  return table.concat(parts)
end

local function in_lines(_, found)
  local lines = { heading(found) }
  for _, word in ipairs(found.words) do
    lines[#lines + 1] = ("%+.4f  %s"):format(word.score, shown(word.text))
  end
  return table.concat(lines, "\n")
end

local function in_json(text, found)
  local words = array()
  for i, word in ipairs(found.words) do
    words[i] = { text = word.text, score = word.score,
      offsets = { word.first - 1, word.last } }
  end
  return json.object({ text = text, label = found.label, score = found.score,
    baseline = found.baseline, completeness = found.completeness,
    words = words }, FIELDS)
end

local function wants_colour(when)
  if when ~= "auto" then return when == "always" end
  return system.isatty(1) and (os.getenv "NO_COLOR" or "") == ""
    and os.getenv "TERM" ~= "dumb"
end

local function layout_of(values)
  if values.jsonl then return in_json end
  return wants_colour(values.color) and in_colour or in_lines
end

local function check_label(model, label)
  if label == nil or #model.labels == 0 then return end
  for _, known in ipairs(model.labels) do
    if label == known then return end
  end
  arguments.wrong("--label: expected %s, got '%s'",
    table.concat(model.labels, ", "), label)
end

local function warn(text, found)
  if found.complete then return end
  io.stderr:write(("lunula: the scores of '%s' are off by %.0f %%\n"):format(
    shown(text:sub(1, 40)), 100 * found.completeness))
end

--- Runs the command.
-- @tparam table values of its arguments
function explain.run(values)
  local lunula = require "lunula"
  local model = lunula.classifier(fetch.model(values.model))
  check_label(model, values.label)
  local layout = layout_of(values)
  texts.answer(values, function(batch)
    local found = model:explain(batch[1], { label = values.label })
    warn(batch[1], found)
    return { layout(batch[1], found) }
  end, 1)
end

return explain
