--- One run of a sweep: a training from the start, and what came of it.
-- @module lunula.sweep.trial

local core = require "lunula.core"
local settings = require "lunula.settings"
local train = require "lunula.train"

local trial = {}

-- what is kept of a training's result
local KEPT = { "history", "validations", "best_epoch", "best_step",
  "train_seconds", "tokens_per_second", "truncated", "threads", "precision" }

local function is_finite(x)
  return type(x) == "number" and x - x == 0
end

-- The scores of the weights that the training ended with.
local function best_scores(result)
  for _, entry in ipairs(result.validations) do
    if entry.step == result.best_step then return entry.scores end
  end
end

local function add_result(record, result)
  for _, name in ipairs(KEPT) do record[name] = result[name] end
  record.steps = #result.steps
  record.scores = best_scores(result)
  record.score = record.scores[record.metric]
  if not is_finite(record.score) then
    error(("the validation's %s is %s"):format(record.metric,
      tostring(record.score)), 0)
  end
end

local function fit(job, record, folder)
  local model = settings.model(job.folder, job.train, record.options,
    job.labels)
  local _, options = settings.split(record.options)
  options.validation, options.metric = job.validation, record.metric
  options.checkpoint, options.on_step = folder, job.on_step
  add_result(record, train(model, job.train, options))
end

--- Trains, and fills in the record.
-- @tparam table job `folder` to start from; `train` and `validation`, rows;
--   `labels`, where they are given; `on_step`
-- @tparam table record with `options`, flat, and `metric`; has afterwards
--   `status`: "done", with what `lunula.train` returned, the best `scores` and
--   the `score` among them, or "failed" with the `error`; `wall_seconds`;
--   `peak_rss_mib`, the most that the process had held until the run's end
-- @string folder where the model is saved, as `lunula train` saves it: to the
--   last bit the same
-- @raise on Ctrl-C, where it is caught, and on an option that is not known:
--   no run could have it
function trial.run(job, record, folder)
  local begun = core.system.monotonic()
  local ok, result = pcall(fit, job, record, folder)
  record.wall_seconds = core.system.monotonic() - begun
  record.peak_rss_mib = core.system.peak_rss()
  record.status = ok and "done" or "failed"
  if ok then return end
  record.error = tostring(result)
  if record.error == "interrupted"
      or record.error:find("unknown option", 1, true) then
    error(record.error, 0)
  end
end

return trial
