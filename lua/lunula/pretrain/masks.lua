--- Which tokens of a batch are masked, and by what: whole words at a time.
--
-- A word is a group of WordPieces: a token and those that go on with it. Of a
-- text's words some are drawn, one at least, and all pieces of a drawn word
-- are to be predicted: 80 % of these tokens become [MASK], 10 % another token
-- at random, 10 % stay (Devlin et al. 2019, https://arxiv.org/abs/1810.04805;
-- whole words: https://github.com/google-research/bert, of May 2019). Special
-- tokens are never drawn, and none is put in but [MASK].
--
-- What is drawn depends on the seed, the epoch and the row alone, not on the
-- batch that the row is in.
-- @module lunula.pretrain.masks

local core = require "lunula.core"
local tensor = require "lunula.tensor"

local masks = {}

local MASKED, REPLACED = 0.8, 0.9  -- below the first: [MASK]; the second: any

-- a stream of random numbers that nothing else uses (see lunula.classifier)
local PURPOSE = 3000000

local Masks = {}
Masks.__index = Masks

--- Makes what masks batches.
-- @tparam tokenizer tokenizer
-- @tparam table given
-- @number given.masking the share of a text's words
-- @int given.seed
-- @int given.vocab_size of the encoder: other tokens are below it
-- @treturn Masks with the methods below
-- @raise when the vocabulary has no [MASK]
function masks.new(tokenizer, given)
  if not tokenizer.mask_id then
    error("pretrain: the vocabulary has no [MASK]", 0)
  end
  local goes_on = setmetatable({}, { __index = function(known, id)
    known[id] = tokenizer:continues(id)
    return known[id]
  end })
  return setmetatable({
    masking = given.masking, mask_id = tokenizer.mask_id,
    special = tokenizer.special, goes_on = goes_on,
    vocabulary = math.min(tokenizer.vocabulary_size, given.vocab_size),
    seed = core.rng(given.seed, PURPOSE):below(2 ^ 53),
  }, Masks)
end

-- The first token of each word among ids[first .. last], and the last one.
local function words_of(self, ids, first, last)
  local starts, ends, open = {}, {}, false
  for i = first, last do
    local id = ids[i]
    local special = self.special[id]
    if not special and not (open and self.goes_on[id]) then
      starts[#starts + 1] = i
    end
    if not special then ends[#starts] = i end
    open = not special
  end
  return starts, ends
end

-- some of 1 .. n, each as likely: the first steps of a shuffle, then in order
local function draw(n, wanted, rng)
  local order = {}
  for i = 1, n do order[i] = i end
  for i = 1, wanted do
    local j = i + rng:below(n - i + 1)
    order[i], order[j] = order[j], order[i]
  end
  for i = n, wanted + 1, -1 do order[i] = nil end
  table.sort(order)
  return order
end

local function any_word(self, rng)
  local id
  repeat id = rng:below(self.vocabulary) until not self.special[id]
  return id
end

local function replacement(self, id, rng)
  local chance = rng:float()
  if chance < MASKED then return self.mask_id end
  return chance < REPLACED and any_word(self, rng) or id
end

local function mask_row(self, ids, first, last, rng, out)
  local starts, ends = words_of(self, ids, first, last)
  if #starts == 0 then return end
  local wanted = math.max(1, math.floor(self.masking * #starts + 0.5))
  for _, word in ipairs(draw(#starts, wanted, rng)) do
    for i = starts[word], ends[word] do
      out.positions[#out.positions + 1] = i - 1
      out.targets[#out.targets + 1] = ids[i]
      ids[i] = replacement(self, ids[i], rng)
    end
  end
end

--- Masks a batch.
-- @tparam table batch `ids`, `types` [tokens], `offsets` [sequences + 1], as
--   from `encoded:batch`; stays as it is
-- @tparam {int,...} rows the number of each sequence
-- @int epoch
-- @treturn table the batch with other ids; and `positions` and `targets`,
--   int32 [masked], where tokens are to be predicted, from 0, and which
function Masks:apply(batch, rows, epoch)
  local ids, ends = batch.ids:totable(), batch.offsets:totable()
  local seed = core.rng(self.seed, epoch):below(2 ^ 53)
  local out = { positions = {}, targets = {} }
  for i, row in ipairs(rows) do
    mask_row(self, ids, ends[i] + 1, ends[i + 1], core.rng(seed, row), out)
  end
  return {
    ids = tensor.from(ids, "int32"), types = batch.types,
    offsets = batch.offsets,
    positions = tensor.from(out.positions, "int32"),
    targets = tensor.from(out.targets, "int32"),
  }
end

--- Whether each sequence of a batch has a word that could be masked.
-- @tparam table batch
-- @treturn {bool,...}
function Masks:have_words(batch)
  local ids, ends, have = batch.ids:totable(), batch.offsets:totable(), {}
  for i = 1, #ends - 1 do
    local found = false
    for at = ends[i] + 1, ends[i + 1] do
      found = found or not self.special[ids[at]]
    end
    have[i] = found
  end
  return have
end

return masks
