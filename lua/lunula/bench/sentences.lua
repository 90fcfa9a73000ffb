--- Sentences of usual lengths, to measure with where there are no others.
-- Our own words, put together from clauses: with BERT's vocabulary nearly all
-- have 8 to 40 tokens, 23 on average. The same ones each time.
-- @module lunula.bench.sentences

local core = require "lunula.core"

local sentences = {}

local SEED = 5
local MOST_CLAUSES = 4  -- each as likely as the others

local CLAUSES = {
  "the last train was late again",
  "nobody at the counter knew why",
  "she read the whole letter twice",
  "it was worth every minute",
  "the soup came cold and the waiter smiled",
  "my order never arrived",
  "we laughed until the lights went on",
  "the battery lasts two days at most",
  "he forgot the keys on the kitchen table",
  "our flight to Lisbon was moved to Friday",
  "the garden smelled of rain and cut grass",
  "the second half drags a little",
  "I would gladly go there tomorrow",
  "the app crashes when I open a photo",
  "their new record is quieter than the first",
  "a bird had built its nest in the mailbox",
  "the instructions are short but clear",
  "you can hear the neighbours through the wall",
  "the actors hardly believe their own lines",
  "support answered within the hour",
  "the price went up by fifteen percent",
  "it rained, of course, on the day of the parade",
  "the old bridge is closed for repairs",
  "I can't log in since the update",
  "the children built a castle out of boxes",
  "his speech was longer than the dinner",
  "the colours are warmer than in the picture",
  "somebody left the window open all night",
}

local LINKS = { ", and ", ", but ", "; ", " because ", " although ", ", so ",
  " while " }

local function pick(rng, list)
  return list[rng:below(#list) + 1]
end

local function sentence(rng)
  local text = pick(rng, CLAUSES)
  for _ = 2, rng:below(MOST_CLAUSES) + 1 do
    text = text .. pick(rng, LINKS) .. pick(rng, CLAUSES)
  end
  return text:sub(1, 1):upper() .. text:sub(2) .. "."
end

--- Sentences.
-- @int n how many
-- @treturn {string,...}
-- @usage model:predict(sentences.make(100))
function sentences.make(n)
  local rng, list = core.rng(SEED, 0), {}
  for i = 1, n do list[i] = sentence(rng) end
  return list
end

return sentences
