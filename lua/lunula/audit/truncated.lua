--- Texts of which a model reads only the beginning: how many, and how much.
-- Tokens are counted by the model's own tokenizer.
-- @module lunula.audit.truncated

local check = require "lunula.check"

local truncated = {}

local Truncated = {}
Truncated.__index = Truncated

local TOGETHER = 256  -- texts tokenized at once
local QUANTILES = { { "median", 0.5 }, { "p90", 0.9 }, { "p95", 0.95 },
  { "p99", 0.99 }, { "longest", 1 } }

--- A detector.
-- @tparam table options of the audit: `max_length`
-- @tparam table context with a `tokenizer` and its `max_length`
-- @treturn table with `see` and `finish`
function truncated.new(options, context)
  if options.max_length ~= nil then
    check.integer(options.max_length, "audit: max_length", { least = 3 })
  end
  return setmetatable({ found = context.found, tokenizer = context.tokenizer,
    max_length = context.max_length, rows = {}, n = 0, cut = 0, lost = 0,
    tokens = 0, of_length = {} }, Truncated)
end

local function severity_of(share)
  return share > 0.5 and "high" or share > 0.2 and "medium" or "low"
end

local function count(self, row, length)
  local lost = math.max(length - self.max_length, 0)
  self.n, self.tokens = self.n + 1, self.tokens + length
  self.of_length[length] = (self.of_length[length] or 0) + 1
  if lost == 0 then return end
  self.cut, self.lost = self.cut + 1, self.lost + lost
  self.found:add(row, "truncated", severity_of(lost / length),
    ("%d of %d tokens %s cut at max_length %d"):format(lost, length,
      lost == 1 and "is" or "are", self.max_length), "look")
end

-- Counts the tokens of the rows that wait.
local function flush(self)
  local rows, texts, pairs_of = self.rows, {}, nil
  if #rows == 0 then return end
  for i, row in ipairs(rows) do
    texts[i] = row.text
    if row.text_pair then
      pairs_of = pairs_of or {}
      pairs_of[i] = row.text_pair
    end
  end
  local offsets = self.tokenizer:encode(texts, { text_pairs = pairs_of,
    max_length = false }).offsets:totable()
  for i, row in ipairs(rows) do
    count(self, row, offsets[i + 1] - offsets[i])
  end
  self.rows = {}
end

--- Looks at a row.
-- @tparam table row
function Truncated:see(row)
  if not self.tokenizer then return end
  local rows = self.rows
  -- all of a batch have a second text, or none
  if rows[1] and not rows[1].text_pair ~= not row.text_pair then flush(self) end
  self.rows[#self.rows + 1] = row
  if #self.rows == TOGETHER then flush(self) end
end

-- The least length that this share of the texts does not exceed.
local function quantile(of_length, n, share)
  local lengths, seen = {}, 0
  for length in pairs(of_length) do lengths[#lengths + 1] = length end
  table.sort(lengths)
  for _, length in ipairs(lengths) do
    seen = seen + of_length[length]
    if seen >= share * n then return length end
  end
end

--- Tells how long the texts are.
-- @tparam issues found
function Truncated:finish(found)
  if not self.tokenizer then
    found:skipped("truncated", "counting tokens needs a model")
    return
  end
  flush(self)
  local lengths = {}
  for _, each in ipairs(QUANTILES) do
    lengths[each[1]] = quantile(self.of_length, self.n, each[2])
  end
  found:figure("tokens", { max_length = self.max_length, texts = self.n,
    truncated = self.cut, truncated_share = self.cut / self.n,
    lost_share = self.lost / self.tokens, lengths = lengths,
    mean = self.tokens / self.n })
end

return truncated
