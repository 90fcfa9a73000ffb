--- lunula bench train: how fast training is here, and where the time goes.
-- @module lunula.cli.bench_train

local core = require "lunula.core"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local labels = require "lunula.labels"
local output = require "lunula.cli.output"

local bench_train = {
  name = "bench train",
  summary = "measure the speed of training on this machine",
  positional = {},
  options = {
    { name = "model", value = "DIR|NAME", required = true,
      what = "what to start from, as for lunula train" },
    { name = "train", value = "F", required = true,
      what = "labelled texts: .csv, .tsv, .jsonl" },
    { name = "text", value = "COL", what = "column or field of the text" },
    { name = "label", value = "COL", what = "column or field of the label" },
    { name = "batch-size", type = "integer", value = "N", min = 1,
      default = 32, what = "texts a step" },
    { name = "max-length", type = "integer", value = "N", min = 2,
      default = 128, what = "tokens kept of a text" },
    { name = "steps", type = "integer", value = "N", min = 2, default = 60,
      what = "how many; the first is measured apart" },
    { name = "seed", type = "integer", value = "N", min = 0, max = 2^53,
      default = 0, what = "of the order" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "processors to use; all when not given" },
    { name = "precision", value = "fp32|bf16", choices = { "fp32", "bf16" },
      default = "fp32", what = "of the arithmetic" },
    { name = "json", value = "FILE", what = "write the figures there" },
  },
}

local PARTS = { "gemm", "attention", "elementwise", "optimizer", "data" }

local function add(lines, name, value, ...)
  lines[#lines + 1] = ("%-24s %s"):format(name, value:format(...))
end

local function add_parts(lines, f)
  local whole = f.seconds / f.steps
  add(lines, "a step", "%.1f ms, of which", whole * 1e3)
  for _, part in ipairs(PARTS) do
    add(lines, "  " .. part, "%5.1f %%", 100 * f.step[part] / whole)
  end
end

local function report(f)
  local lines = {}
  add(lines, "precision, threads", "%s, %d", f.precision, f.threads)
  add(lines, "tokens/s", "%.0f", f.tokens_per_second)
  add(lines, "tokens a text", "%.1f", f.tokens / f.texts)
  add(lines, "utilisation", "%.1f %%: %.0f of %.0f GFLOP/s",
    100 * f.utilisation, f.gflops, f.peak_gflops)
  add_parts(lines, f)
  add(lines, "activations", "%.0f bytes a token", f.bytes_per_token)
  add(lines, "peak memory", "%.0f MiB", f.peak_rss_mib)
  if f.first_step_seconds then
    add(lines, "start to first step", "%.2f s", f.first_step_seconds)
  end
  return table.concat(lines, "\n")
end

--- Runs the command.
-- @tparam table values of its arguments
function bench_train.run(values)
  local lunula = require "lunula"
  guarded.check_file(values, "json")
  local rows = lunula.data.read(values.train,
    { text = values.text, label = values.label })
  if values.threads then core.threads(values.threads) end
  local model = lunula.classifier(fetch.model(values.model), {
    labels = labels.of(rows), max_length = values.max_length,
    seed = values.seed })
  local figures = require "lunula.bench".train(model, rows, {
    steps = values.steps, batch_size = values.batch_size,
    max_length = values.max_length, precision = values.precision,
    seed = values.seed })
  figures.version = lunula.version
  output.line(report(figures))
  output.flush()
  if values.json then json.write(values.json, figures) end
end

return bench_train
