--- Augmentation: each time that a text is learnt from, some of its words are
-- missing or have changed places, by chance.
--
--   word_dropout  a word goes with this probability (Iyyer et al. 2015, "Deep
--                 Unordered Composition Rivals Syntactic Methods for Text
--                 Classification"); one stays at least
--   word_swap     a word changes places with the next one with this probability
--                 (Wei & Zou 2019, "EDA: Easy Data Augmentation Techniques for
--                 Boosting Performance on Text Classification Tasks",
--                 https://arxiv.org/abs/1901.11196; there any two words)
--
-- Words are what whitespace separates: texts in scripts that have none between
-- words stay as they are. What becomes of a row depends on seed, step and row
-- alone, so that R-Drop reads one text twice.
-- @module lunula.train.augment

local core = require "lunula.core"
local draw = require "lunula.train.draw"

local augment = {}

augment.options = {
  { name = "word_dropout", type = "number", least = 0, below = 1, default = 0,
    what = "probability that a word is left out" },
  { name = "word_swap", type = "number", least = 0, below = 1, default = 0,
    what = "probability that a word changes places with the next" },
}

local Augment = {}
Augment.__index = Augment

-- A word that has moved stays where it is.
local function swap(words, p, rng)
  local i = 1
  while i < #words do
    if rng:float() < p then
      words[i], words[i + 1] = words[i + 1], words[i]
      i = i + 1
    end
    i = i + 1
  end
end

local function drop(words, p, rng)
  local left, one = {}, words[rng:below(#words) + 1]
  for _, word in ipairs(words) do
    if rng:float() >= p then left[#left + 1] = word end
  end
  return #left > 0 and left or { one }
end

--- A text with words dropped and swapped.
-- @string text
-- @number p_drop
-- @number p_swap
-- @tparam rng rng
-- @treturn string its words with a space between them; the text itself where
--   there is no word
function augment.text(text, p_drop, p_swap, rng)
  local words = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  if #words == 0 then return text end
  if p_swap > 0 then swap(words, p_swap, rng) end
  if p_drop > 0 then words = drop(words, p_drop, rng) end
  return table.concat(words, " ")
end

function Augment:first(run)
  self.seed = draw.seed(run.options.seed, "augment", run.step)
end

function Augment:batch(item)
  local model, rows = self.run.model, self.run.plan.rows
  local texts, text_pairs = {}, {}
  for i, number in ipairs(item.rows) do
    local row, rng = rows[number], core.rng(self.seed, number)
    texts[i] = augment.text(row.text, self.drop, self.swap, rng)
    text_pairs[i] = row.text_pair
      and augment.text(row.text_pair, self.drop, self.swap, rng)
  end
  item.batch = model.tokenizer:encode(texts, {
    max_length = model.max_length,
    text_pairs = #text_pairs > 0 and text_pairs or nil,
  })
  item.tokens = #item.batch.ids
end

--- Makes it, where it is asked for.
-- @tparam table run
-- @treturn ?table
function augment.new(run)
  local o = run.options
  if o.word_dropout == 0 and o.word_swap == 0 then return nil end
  return setmetatable({ run = run, drop = o.word_dropout,
    swap = o.word_swap }, Augment)
end

return augment
