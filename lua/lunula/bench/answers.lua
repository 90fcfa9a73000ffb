--- How fast a model answers, in this process: what `lunula bench MODEL`
-- measures of each configuration.
-- Both measures stop when their time is over: the sentences come in an order
-- in which any beginning is like the whole.
-- @module lunula.bench.answers

local core = require "lunula.core"
local encoded = require "lunula.encoded"
local flops = require "lunula.bench.flops"
local sampler = require "lunula.sampler"

local answers = {}

local WARM = 10       -- texts that are answered before the clock starts
local FEWEST = 20     -- latencies, however long they take
local LATENCIES = 400 -- and at most
local BATCH = 32      -- texts
local SEED = 0

local now = core.system.monotonic

-- {======== latency ========

-- Milliseconds of each answer to a text alone.
local function latencies(model, texts, seconds)
  for i = 1, WARM do model:predict(texts[(i - 1) % #texts + 1]) end
  local times, stop = {}, now() + seconds
  repeat
    local text = texts[#times % #texts + 1]
    local begun = now()
    model:predict(text)
    times[#times + 1] = 1e3 * (now() - begun)
  until #times >= FEWEST and now() > stop or #times == LATENCIES
  return times
end

-- The value that a share of them does not exceed.
local function quantile(sorted, share)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

-- }========

-- {======== throughput ========

-- Batches of texts of like length, in an order of chance.
local function batches_of(lengths)
  local batches, mixed = sampler.cut(sampler.by_length(lengths),
    { batch_size = BATCH }), {}
  for i, number in ipairs(sampler.order(#batches, { seed = SEED })) do
    mixed[i] = batches[number]
  end
  return mixed
end

local function longest(batches, lengths)
  local best = batches[1]
  for _, rows in ipairs(batches) do
    if lengths[rows[1]] > lengths[best[1]] then best = rows end
  end
  return best
end

-- Answers batch after batch. Returns the seconds it took, and the tokens of
-- each text that was answered.
local function run(model, texts, lengths, seconds)
  local batches, done, i = batches_of(lengths), {}, 0
  local limit = { batch_size = BATCH }
  model:predict(sampler.pick(texts, longest(batches, lengths)), limit)
  local begun = now()
  repeat
    local rows = batches[i % #batches + 1]
    model:predict(sampler.pick(texts, rows), limit)
    for _, row in ipairs(rows) do done[#done + 1] = lengths[row] end
    i = i + 1
  until now() - begun > seconds
  return now() - begun, done
end

local function sum(list)
  local total = 0
  for _, value in ipairs(list) do total = total + value end
  return total
end

-- }========

local function rows_of(texts)
  local rows = {}
  for i, text in ipairs(texts) do rows[i] = { text = text } end
  return rows
end

--- Measures a model with the threads that are set.
-- @tparam classifier model
-- @tparam {string,...} texts in an order of no meaning
-- @tparam table o
-- @string o.precision that of the model
-- @number o.seconds about how long each of two measures takes
-- @number o.peak_seconds how long the fastest product is looked for
-- @treturn table `p50_ms`, `p95_ms`, `p99_ms` (of an answer to a text alone),
--   `sentences_per_second` and `tokens_per_second` (batches of 32 texts of
--   like length; real tokens; tokenizing included), `peak_rss_mib` (of the
--   process so far), `gflops` (of the products, a second), `peak_gflops` (of
--   the fastest product, in the same precision) and `utilisation` (their
--   ratio)
-- @usage answers.measure(model, texts,
--   { precision = "fp32", seconds = 1, peak_seconds = 0.3 })
function answers.measure(model, texts, o)
  local times = latencies(model, texts, o.seconds)
  table.sort(times)
  local lengths = encoded.new(model.tokenizer, rows_of(texts),
    model.max_length, "bench").lengths
  local seconds, done = run(model, texts, lengths, o.seconds)
  local figures = {
    p50_ms = quantile(times, 0.5), p95_ms = quantile(times, 0.95),
    p99_ms = quantile(times, 0.99), latencies = #times,
    sentences_per_second = #done / seconds,
    tokens_per_second = sum(done) / seconds,
    peak_rss_mib = core.system.peak_rss(),
    gflops = 1e-9 / seconds * flops.forward(model.config, done),
  }
  -- looked for last: it takes memory too
  figures.peak_gflops = core.peak(o.precision, o.peak_seconds)
  figures.utilisation = figures.gflops / figures.peak_gflops
  return figures
end

return answers
