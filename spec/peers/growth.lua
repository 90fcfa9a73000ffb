--- How the cost of training grows: with rows, with the batch, with length.
-- usage: lua5.4 spec/peers/growth.lua MODEL FILE [TEXT [LABEL]]
-- For the last table the texts are joined until each fills any length. Time
-- per token should stay as rows and batches grow; time per FLOP (of
-- `lunula.bench`) as texts do. Each line is the best of three runs, since the
-- machine may not be alone.

local lunula = require "lunula"
local bench = require "lunula.bench"
local labels = require "lunula.labels"

local STEPS, RUNS, TOKENS, SHORTEST = 12, 3, 1024, 1000
local MODEL, FILE, TEXT, LABEL = arg[1], arg[2], arg[3], arg[4]

local rows = lunula.data.read(FILE, { text = TEXT, label = LABEL })

local function first(n)
  local some = {}
  for i = 1, n do some[i] = rows[i] end
  return some
end

-- n rows of many words each, for any max_length up to 512
local function joined(n)
  local long, at = {}, 0
  for i = 1, n do
    local texts, bytes = {}, 0
    while bytes < 4096 do
      at = at % #rows + 1
      texts[#texts + 1] = rows[at].text
      bytes = bytes + #rows[at].text
    end
    long[i] = { text = table.concat(texts, " "), label = rows[at].label }
  end
  return long
end

local function measure(some, batch_size, max_length)
  local best
  for _ = 1, RUNS do
    local model = lunula.classifier(MODEL, { labels = labels.of(rows),
      max_length = max_length })
    local f = bench.train(model, some, { steps = STEPS, peak_seconds = 0.1,
      batch_size = batch_size, max_length = max_length })
    if not best or f.tokens_per_second > best.tokens_per_second then
      best = f
    end
  end
  return best
end

local function line(what, n, f)
  print(("%-12s %7d  %8.1f us a token  %8.2f us a MFLOP"):format(what, n,
    1e6 / f.tokens_per_second, 1e3 / f.gflops))
end

for n = SHORTEST, #rows, #rows - SHORTEST do
  line("rows", n, measure(first(n), 32, 128))
end
for _, n in ipairs { 8, 16, 32, 64 } do
  line("batch_size", n, measure(rows, n, 128))
end
local long = joined(256)
for _, n in ipairs { 32, 64, 128, 256, 512 } do
  line("length", n, measure(long, TOKENS / n, n))
end
