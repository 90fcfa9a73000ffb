--- lunula bench: how fast a model starts and answers here.
-- @module lunula.cli.bench

local arguments = require "lunula.cli.arguments"
local core = require "lunula.core"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local output = require "lunula.cli.output"
local process = require "lunula.bench.process"
local progress = require "lunula.progress"
local sentences = require "lunula.bench.sentences"

local PRECISIONS = { "fp32", "bf16", "int8" }
local QUANTIZED = { "int8" }  -- those of a folder that lunula quantize made
local TEXTS = 512       -- measured with
local READ = 20000      -- rows of --data from all over which they are taken
local STARTS = 5        -- fresh processes, of which the median counts
local PEAK_SHARE = 0.25  -- of a measure, to look for the peak in

local bench = {
  name = "bench",
  summary = "measure how fast a model answers; bench train: how fast it learns",
  variants = { train = "bench_train" },
  positional = {
    { name = "MODEL", what = "folder or name of a model" },
  },
  options = {
    { name = "data", value = "F", what = "texts: .csv, .tsv, .jsonl, .txt; "
      .. "sentences of its own else" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "precision", value = "fp32|bf16|int8", choices = PRECISIONS,
      what = "only this one; all when not given" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "the most; one is measured too (all processors)" },
    { name = "seconds", type = "number", value = "S", above = 0,
      default = 1.2, what = "for latency, and for throughput, of each" },
    { name = "json", value = "FILE", what = "write the figures there" },
  },
}

-- {======== what is measured ========

-- Texts from all over the rows that were read.
local function spread(rows)
  local texts, n = {}, math.min(TEXTS, #rows)
  for i = 1, n do
    local row = rows[math.floor((i - 1) * #rows / n) + 1]
    texts[i] = row.text
  end
  return texts
end

local function texts_of(lunula, values)
  if not values.data then return sentences.make(TEXTS) end
  local rows = {}
  for row in lunula.data.rows(values.data, { text = values.text,
      label = false, empty = true }) do
    rows[#rows + 1] = row
    if #rows == READ then break end
  end
  if #rows == 0 then error(values.data .. ": no rows", 0) end
  return spread(rows)
end

-- What all processes are told; and the precisions that the model has. An
-- encoder costs what a classifier of two labels on it does.
local function base_of(lunula, values)
  local folder = fetch.model(values.model)
  local saved = lunula.checkpoint.read(folder)
  return {
    model = folder, texts = texts_of(lunula, values),
    precision = values.precision,
    labels = not saved.tensors["classifier.weight"] and { "0", "1" } or nil,
  }, saved.quantized and QUANTIZED or PRECISIONS
end

local function configurations(values, precisions)
  local all, list = values.threads or core.threads(), {}
  for _, precision in ipairs(values.precision and { values.precision }
      or precisions) do
    for _, threads in ipairs(all > 1 and { 1, all } or { 1 }) do
      list[#list + 1] = { precision = precision, threads = threads }
    end
  end
  return list
end

-- }========

-- {======== measuring ========

local function job_of(base, given)
  local job = {}
  for _, t in ipairs { base, given } do
    for name, value in pairs(t) do job[name] = value end
  end
  return job
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

-- The medians of loading and of the first answer, in fresh processes.
local function starts(base)
  local loads, firsts = {}, {}
  for i = 1, STARTS do
    local f = process.measure(job_of(base, { texts = { base.texts[1] } }))
    loads[i], firsts[i] = f.load_ms, f.first_answer_ms
  end
  return median(loads), median(firsts)
end

local function measure(base, list, values, bar)
  local figures = { results = {} }
  bar:part(1, #list + 1, "starting")
  figures.load_ms, figures.first_answer_ms = starts(base)
  for i, c in ipairs(list) do
    bar:part(i + 1, #list + 1, ("%s, %d thread%s"):format(c.precision,
      c.threads, c.threads == 1 and "" or "s"))
    local f = process.measure(job_of(base, { precision = c.precision,
      threads = c.threads, seconds = values.seconds,
      peak_seconds = PEAK_SHARE * values.seconds }))
    f.precision, f.threads = c.precision, c.threads
    figures.results[i] = f
  end
  return figures
end

-- }========

-- {======== the report ========

-- each column: its head, and what it shows of a result
local COLUMNS = {
  { "precision", function(f) return ("%-9s"):format(f.precision) end },
  { "threads", function(f) return ("%d"):format(f.threads) end },
  { "p50 ms", function(f) return ("%.2f"):format(f.p50_ms) end },
  { "p95 ms", function(f) return ("%.2f"):format(f.p95_ms) end },
  { "p99 ms", function(f) return ("%.2f"):format(f.p99_ms) end },
  { "texts/s", function(f)
    return ("%.0f"):format(f.sentences_per_second)
  end },
  { "tokens/s", function(f) return ("%.0f"):format(f.tokens_per_second) end },
  { "of peak", function(f) return ("%.0f %%"):format(100 * f.utilisation) end },
  { "memory MiB", function(f) return ("%.0f"):format(f.peak_rss_mib) end },
}

local function line_of(cell)
  local cells = {}
  for i, column in ipairs(COLUMNS) do
    cells[i] = ("%" .. #column[1] + (i > 1 and 2 or 0) .. "s"):format(
      cell(column))
  end
  return table.concat(cells)
end

local function report(figures)
  local lines = {
    ("load          %8.1f ms"):format(figures.load_ms),
    ("first answer  %8.1f ms after the start of a fresh process")
      :format(figures.first_answer_ms), "",
    line_of(function(column) return column[1] end),
  }
  for _, f in ipairs(figures.results) do
    lines[#lines + 1] = line_of(function(column) return column[2](f) end)
  end
  return table.concat(lines, "\n")
end

-- }========

--- Runs the command.
-- @tparam table values of its arguments
function bench.run(values)
  local lunula = require "lunula"
  arguments.needs(values, "text", "data")
  guarded.check_file(values, "json")
  local base, precisions = base_of(lunula, values)
  local bar = progress.new()
  local figures = bar:during(measure, base, configurations(values, precisions),
    values, bar)
  figures.texts, figures.version = #base.texts, lunula.version
  output.line(report(figures))
  output.flush()
  if values.json then json.write(values.json, figures) end
end

return bench
