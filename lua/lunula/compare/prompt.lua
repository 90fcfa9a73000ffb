--- What a large language model is asked about a text: a template in which
-- {labels}, {examples}, {text} and {text_pair} stand for what they say. It is
-- filled in one pass, so that braces in a text mean nothing.
-- @module lunula.compare.prompt

local align = require "lunula.compare.align"
local core = require "lunula.core"
local sampler = require "lunula.sampler"

local prompt = {}

local Prompt = {}
Prompt.__index = Prompt

local PLAIN = [[
Decide which one of these labels fits the text below best:

{labels}

{examples}Text: {text}

Answer with that label alone, spelt as it is in the list.
]]

local OF_PAIRS = [[
Decide which one of these labels fits the two texts below best:

{labels}

{examples}Text: {text}
Second text: {text_pair}

Answer with that label alone, spelt as it is in the list.
]]

local function fail(message, ...)
  error(message:format(...), 0)
end

-- {======== shots ========

local function by_label(rows)
  local lists, names = {}, {}
  for _, row in ipairs(rows) do
    if not lists[row.label] then
      lists[row.label], names[#names + 1] = {}, row.label
    end
    table.insert(lists[row.label], row)
  end
  table.sort(names)
  return lists, names
end

-- Rows that are none of those that will be asked about.
local function others(rows, asked)
  local seen, kept = {}, {}
  for _, row in ipairs(asked) do seen[align.plain(row.text)] = true end
  for _, row in ipairs(rows) do
    if not seen[align.plain(row.text)] then kept[#kept + 1] = row end
  end
  return kept
end

--- Draws examples: of each label as many, or one more, and none of the texts
-- that are to be asked about.
-- @tparam {table,...} rows to draw from
-- @tparam {table,...} asked
-- @int n how many
-- @int seed
-- @treturn {table,...} in an order of chance
-- @raise when there are not as many
function prompt.draw(rows, asked, n, seed)
  local kept = others(rows, asked)
  if #kept < n then
    fail("compare: shots: expected at least %d rows that are not judged, "
      .. "found %d", n, #kept)
  end
  local rng, drawn = core.rng(seed), {}
  local lists, names = by_label(kept)
  for _, name in ipairs(names) do sampler.shuffle(lists[name], rng) end
  sampler.shuffle(names, rng)
  while #drawn < n do
    for _, name in ipairs(names) do
      if #drawn < n then drawn[#drawn + 1] = table.remove(lists[name]) end
    end
  end
  return sampler.shuffle(drawn, rng)
end

local function examples_of(shots)
  if #shots == 0 then return "" end
  local parts = { "Some examples:\n\n" }
  for _, row in ipairs(shots) do
    parts[#parts + 1] = ("Text: %s\n%sLabel: %s\n\n"):format(row.text,
      row.text_pair and "Second text: " .. row.text_pair .. "\n" or "",
      row.label)
  end
  return table.concat(parts)
end

-- }========

local function check_template(template, shots, has_pairs)
  local needed = { "text", "labels", #shots > 0 and "examples" or nil }
  if has_pairs then needed[#needed + 1] = "text_pair" end
  for _, name in ipairs(needed) do
    if not template:find("{" .. name .. "}", 1, true) then
      fail("compare: prompt: {%s} does not stand in it", name)
    end
  end
end

--- Makes a prompt.
-- @tparam {string,...} labels
-- @tparam {table,...} shots examples to show
-- @bool has_pairs whether texts have a second one
-- @string[opt] template one in plain words when not given
-- @treturn Prompt with the method below
-- @raise when something that is needed does not stand in the template
function prompt.new(labels, shots, has_pairs, template)
  template = template or (has_pairs and OF_PAIRS or PLAIN)
  check_template(template, shots, has_pairs)
  return setmetatable({ template = template, fixed = {
    labels = table.concat(labels, "\n"), examples = examples_of(shots),
  } }, Prompt)
end

--- The question about a text.
-- @tparam ?table row with `text`, and `text_pair`; nil for what is the same of
--   all: the texts' places stay
-- @treturn string
function Prompt:of(row)
  local fixed = self.fixed
  return (self.template:gsub("{([%l_]+)}", function(name)
    return fixed[name]
      or row and (name == "text" or name == "text_pair") and row[name] or nil
  end))
end

return prompt
