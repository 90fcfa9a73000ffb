--- Measures of a model, each in a process of its own: what it takes from the
-- start to the first answer, and what memory, is then that of the model alone.
-- A job goes to the process in a file, as JSON; what was measured comes back
-- as a line of JSON, or `error`, why it could not be.
-- @module lunula.bench.process

local core = require "lunula.core"
local json = require "lunula.json"
local shell = require "lunula.shell"

local process = {}

local now = core.system.monotonic

-- {======== the one that waits ========

-- What runs this program: all that stands before its script, less options.
local function interpreter()
  local words, first = rawget(_G, "arg") or {}, 0
  while words[first - 1] do first = first - 1 end
  return words[first] and first < 0 and words[first]
    or error("bench: only a script can be run again, by its lua", 0)
end

local CODE = [[package.path, package.cpath = %q, %q
require("lunula.bench.process").answer(%q)]]

local function command(path)
  return "exec " .. shell.line { interpreter(), "-e",
    CODE:format(package.path, package.cpath, path) }
end

local function run(path)
  local started = now()
  local pipe = assert(io.popen(command(path)))
  local text = pipe:read "*a"
  pipe:close()
  if text == "" then error("bench: a measuring process ended early", 0) end
  local figures = json.values(text, "bench: a measuring process")
  if figures.error then error(figures.error, 0) end
  figures.first_answer_ms = 1e3 * (figures.answered_at - started)
  figures.answered_at = nil
  return figures
end

--- Measures in a new process.
-- @tparam table job `model`, a folder; `labels`, for an encoder that has none;
--   `precision`, the folder's when nil; `threads`, as many as there are when
--   nil; `texts`, of which the first gets the first answer; and `seconds` and
--   `peak_seconds` as for `answers.measure`: nothing more is measured when
--   they are nil
-- @treturn table `load_ms`, how long the model took to load; `first_answer_ms`,
--   from the start of the process to the first answer; and what
--   `answers.measure` returns
-- @raise what the process raised
-- @usage process.measure({ model = dir, texts = { "A test." } }).load_ms
function process.measure(job)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(json.encode(job))
  file:close()
  local ok, figures = pcall(run, path)
  os.remove(path)
  if not ok then error(figures, 0) end
  return figures
end

-- }========

-- {======== the one that measures ========

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return json.values(text, path)
end

local function measured(job)
  if job.threads then core.threads(job.threads) end
  local begun = now()
  local model = require "lunula.classifier"(job.model,
    { labels = job.labels, precision = job.precision })
  local loaded = now()
  model:predict(job.texts[1])
  local answered, figures = now(), {}
  if job.seconds then
    figures = require "lunula.bench.answers".measure(model, job.texts, job)
  end
  figures.load_ms, figures.answered_at = 1e3 * (loaded - begun), answered
  return figures
end

--- Does a job, and writes what was measured to standard output.
-- @string path the job's file
function process.answer(path)
  local ok, figures = pcall(function() return measured(read(path)) end)
  if not ok then figures = { error = tostring(figures) } end
  io.stdout:write(json.encode(figures))
end

-- }========

return process
