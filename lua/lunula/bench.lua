--- How fast a training runs, and where its time goes.
-- What `lunula bench train` measures, as a function: it runs `lunula.train`
-- itself, so that what is measured is what users run.
-- @module lunula.bench

local core = require "lunula.core"
local encoded = require "lunula.encoded"
local flops = require "lunula.bench.flops"
local options = require "lunula.options"
local train = require "lunula.train"

local bench = {}

local TICKS = 100  -- a second, in Linux's /proc

local KNOWN = {
  steps = 60, batch_size = 32, max_length = 128, precision = "fp32", seed = 0,
  peak_seconds = 1,
}

-- {======== time ========

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a")
  if file then file:close() end
  return text
end

-- Seconds since this process began, to a hundredth; nil where there is no
-- /proc. Its start is the 22nd field of stat, the 20th behind the name.
local function age()
  local stat, uptime = read "/proc/self/stat", read "/proc/uptime"
  if not (stat and uptime) then return nil end
  local started = stat:match(".*%)" .. (" %S+"):rep(19) .. " (%d+)")
  return tonumber(uptime:match("^%S+")) - tonumber(started) / TICKS
end

local function per_step(parts, steps)
  local mean = {}
  for name, seconds in pairs(parts) do mean[name] = seconds / steps end
  return mean
end

-- }========

-- Trains; the clock starts when the first step is over, which alone takes
-- memory for the first time. Returns what happened after it.
local function measure(model, rows, o)
  local seen, begun = { rows = {}, tokens = 0 }, nil
  local function on_step(info)
    if info.step == 1 then
      seen.first_step_seconds, begun = age(), core.system.monotonic()
      core.clock(true)
      return
    end
    seen.tokens = seen.tokens + info.tokens
    for _, row in ipairs(info.rows) do seen.rows[#seen.rows + 1] = row end
    if info.step < info.steps then return end
    seen.seconds, seen.parts = core.system.monotonic() - begun, core.clock()
    seen.peak_rss_mib = core.system.peak_rss()
  end
  local ok, why = pcall(train, model, rows, { max_steps = o.steps,
    batch_size = o.batch_size, max_length = o.max_length, seed = o.seed,
    precision = o.precision, on_step = on_step })
  core.clock(false)
  if not ok then error(why, 0) end
  return seen
end

local function lengths_of(model, rows, numbers)
  local all = encoded.new(model.tokenizer, rows, model.max_length, "bench")
  local lengths = {}
  for i, row in ipairs(numbers) do lengths[i] = all.lengths[row] end
  return lengths
end

-- Bytes a token that the encoder keeps from forward to backward.
local function kept(model, tokens)
  return model.encoder.core:keeps(tokens) / tokens
end

local function check(o)
  if type(o.steps) ~= "number" or o.steps % 1 ~= 0 or o.steps < 2 then
    error("bench: steps: expected an integer of at least 2, the first of "
      .. "which is not measured, got " .. tostring(o.steps), 0)
  end
end

--- Measures a training.
-- @tparam classifier model is trained
-- @tparam {table,...} rows as from `data.read`
-- @tparam[opt] table given
-- @int[opt=60] given.steps at least 2: the first is measured apart
-- @int[opt=32] given.batch_size
-- @int[opt=128] given.max_length
-- @string[opt="fp32"] given.precision or "bf16"
-- @int[opt=0] given.seed
-- @number[opt=1] given.peak_seconds how long the fastest product is looked for
-- @treturn table over all steps but the first: `steps`, `texts`, `tokens`,
--   `seconds`, `tokens_per_second` (real tokens), `gflops` (of the products, a
--   second: see `lunula.bench.flops`), `peak_gflops` (of the fastest product
--   in this process, now), `utilisation` (their ratio), `step` (seconds of a
--   step by part: `gemm`, `attention`, `elementwise`, `optimizer`, `data`);
--   `peak_rss_mib`, `bytes_per_token` (kept by the encoder for its backward),
--   `first_step_seconds` (from the process's start to the first step's end;
--   nil where that is not known), `threads`, `rows`, and the options
-- @raise as `lunula.train`
-- @usage print(bench.train(model, rows, { steps = 100 }).tokens_per_second)
function bench.train(model, rows, given)
  local o = options.check(given, KNOWN, "bench")
  check(o)
  local seen = measure(model, rows, o)
  local steps = o.steps - 1
  local gflops = 1e-9 / seen.seconds * flops.step(model.encoder.config,
    lengths_of(model, rows, seen.rows))
  local peak = core.peak(o.precision, o.peak_seconds)
  return {
    steps = steps, texts = #seen.rows, tokens = seen.tokens,
    seconds = seen.seconds,
    tokens_per_second = seen.tokens / seen.seconds,
    gflops = gflops, peak_gflops = peak, utilisation = gflops / peak,
    step = per_step(seen.parts, steps), peak_rss_mib = seen.peak_rss_mib,
    bytes_per_token = kept(model, math.ceil(seen.tokens / steps)),
    first_step_seconds = seen.first_step_seconds,
    threads = core.threads(), precision = o.precision,
    batch_size = o.batch_size, max_length = o.max_length, seed = o.seed,
    rows = #rows,
  }
end

return bench
