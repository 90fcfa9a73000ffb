--- Active learning: which of these unlabelled texts to label next.
-- Settles 2009, "Active Learning Literature Survey".
-- @module lunula.active

local check = require "lunula.check"
local core = require "lunula.core"
local encoded = require "lunula.encoded"
local kcenter = require "lunula.active.kcenter"
local options = require "lunula.options"
local sampler = require "lunula.sampler"

local active = {}

local KNOWN = {
  strategy = "margin", count = 16, labelled = options.none, seed = 0,
  batch_size = 32,
}

-- {======== what speaks for a text ========

local function check_interrupt()
  if core.system.interrupted() then error("interrupted", 0) end
end

local function logits_of(model, rows, o)
  local tokens = encoded.new(model.tokenizer, rows, model.max_length, "active")
  return tokens:map(function(batch)
    check_interrupt()
    return model:logits(batch)
  end, #model.labels, o.batch_size)
end

-- The vectors that the head sees: [rows, hidden_size].
local function vectors_of(model, rows, o)
  local tokens = encoded.new(model.tokenizer, rows, model.max_length, "active")
  return model:infer(tokens.map, tokens, function(batch)
    check_interrupt()
    return model.encoder:pooled(batch, model.pooling)
  end, model.config.hidden_size, o.batch_size)
end

-- The positions of the largest of some numbers [n], the largest first.
local function largest(numbers, count)
  local _, positions = numbers:topk(count)
  return positions:totable()
end

local strategies = {}

-- how far the probabilities are from certain
function strategies.entropy(model, rows, o)
  local logp = logits_of(model, rows, o):log_softmax(2)
  return largest(-(logp:exp() * logp):sum(2), o.count)
end

-- how little the best label is ahead of the next
function strategies.margin(model, rows, o)
  local best = logits_of(model, rows, o):softmax(2):topk(2)
  local ahead = best:slice(2, 1, 1) - best:slice(2, 2, 2)
  return largest(-ahead:reshape { #rows }, o.count)
end

function strategies.coreset(model, rows, o)
  local labelled = o.labelled or {}
  return kcenter.choose(vectors_of(model, rows, o),
    #labelled > 0 and vectors_of(model, labelled, o) or nil, o.count)
end

function strategies.random(_, rows, o)
  local positions = {}
  for i, row in ipairs(sampler.order(#rows, { seed = o.seed })) do
    positions[i] = i <= o.count and row - 1 or nil
  end
  return positions
end

-- }========

local function check_options(o)
  check.choice(o.strategy, "active: strategy", strategies)
  check.integer(o.count, "active: count", { least = 1 })
  check.integer(o.batch_size, "active: batch_size", { least = 1 })
  check.integer(o.seed, "active: seed")
  if o.labelled ~= nil then check.table(o.labelled, "active: labelled") end
end

-- The rows whose text nobody has labelled yet, each text once, and their
-- numbers.
local function fresh(rows, labelled)
  local seen, left, numbers = {}, {}, {}
  local function key(row)
    return tostring(row.text) .. "\0" .. tostring(row.text_pair)
  end
  for _, row in ipairs(labelled or {}) do seen[key(row)] = true end
  for i, row in ipairs(rows) do
    local name = key(row)
    if not seen[name] then
      left[#left + 1], numbers[#numbers + 1] = row, i
    end
    seen[name] = true
  end
  return left, numbers
end

--- Chooses texts to label.
--
-- `"margin"`: those whose best two labels are closest (Scheffer et al. 2001).
-- `"entropy"`: those whose probabilities are closest to even (Shannon 1948;
-- Settles 2009). `"coreset"`: those furthest from all that are labelled or
-- chosen, by the encoder's vectors (k-center greedy, Sener & Savarese 2018).
-- `"random"`: any, which is what the others have to beat.
--
-- A text that is among the labelled ones is never chosen, and none twice.
-- @tparam classifier model
-- @tparam {table,...} rows unlabelled, with `text`
-- @tparam[opt] table given
-- @string[opt="margin"] given.strategy
-- @int[opt=16] given.count all, where there are fewer
-- @tparam[opt] {table,...} given.labelled rows that have a label already
-- @int[opt=0] given.seed of `"random"`
-- @int[opt=32] given.batch_size most texts of a batch
-- @treturn {table,...} the rows chosen, the most wanted first
-- @treturn {int,...} their numbers among `rows`
-- @raise when a row has no text; on options out of range
-- @usage local next_rows = lunula.active.select(model, pool,
--   { strategy = "margin", count = 16, labelled = labelled })
function active.select(model, rows, given)
  local o = options.check(given, KNOWN, "active")
  check.classifier(model, "active")
  check.table(rows, "active: rows")
  check_options(o)
  local left, numbers = fresh(rows, o.labelled)
  local chosen, chosen_numbers = {}, {}
  if #left == 0 then return chosen, chosen_numbers end
  o.count = math.min(o.count, #left)
  for i, position in ipairs(strategies[o.strategy](model, left, o)) do
    chosen[i] = left[position + 1]
    chosen_numbers[i] = numbers[position + 1]
  end
  return chosen, chosen_numbers
end

--- The names of the strategies, sorted.
active.STRATEGIES = { "coreset", "entropy", "margin", "random" }

return active
