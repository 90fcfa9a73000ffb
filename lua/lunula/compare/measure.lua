--- What a classifier of ours answers, and what that costs.
-- @module lunula.compare.measure

local core = require "lunula.core"
local encoded = require "lunula.encoded"

local measure = {}

local WINDOW = 1024  -- texts answered between two looks at the clock

local now = core.system.monotonic

-- rows from .. to, one field of each
local function part_of(rows, field, from, to)
  local list = {}
  for i = from, to do list[#list + 1] = rows[i][field] end
  return #list > 0 and list or nil
end

local function answer(model, rows, from, to, labels)
  local texts = part_of(rows, "text", from, to)
  local found = model:predict(texts,
    { text_pairs = part_of(rows, "text_pair", from, to) })
  for _, one in ipairs(found) do labels[#labels + 1] = one.label end
end

local function tokens_of(model, rows)
  local total = 0
  for _, n in ipairs(encoded.new(model.tokenizer, rows, model.max_length,
      "compare").lengths) do
    total = total + n
  end
  return total
end

--- Answers rows.
-- @tparam classifier model
-- @tparam {table,...} rows
-- @func[opt] on_progress called with `{done=, total=, texts=, seconds=}`
-- @treturn {string,...} labels
-- @treturn table `seconds`, tokenizing included; `tokens` that were read
function measure.run(model, rows, on_progress)
  answer(model, rows, 1, 1, {})  -- the first makes its weights ready
  local labels, begun = {}, now()
  for from = 1, #rows, WINDOW do
    answer(model, rows, from, math.min(from + WINDOW - 1, #rows), labels)
    if on_progress then
      on_progress({ done = #labels, total = #rows, texts = #labels,
        seconds = now() - begun })
    end
  end
  return labels, { seconds = now() - begun, tokens = tokens_of(model, rows) }
end

return measure
