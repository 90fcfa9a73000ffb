--- lunula audit --since LOG: what a refinement did to the accuracy on
-- validation texts, after a retrain.
-- @module lunula.cli.audit_since

local arguments = require "lunula.cli.arguments"
local fetch = require "lunula.cli.fetch"
local guarded = require "lunula.cli.guarded"
local json = require "lunula.cli.json"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local rows = require "lunula.cli.rows"
local training = require "lunula.cli.training"

local BEFORE = {
  { name = "validation", value = "V", required = true,
    what = "labelled texts that neither model learns from" },
  { name = "model", value = "DIR|NAME",
    what = "what both models start from, as for lunula train" },
  { name = "before", value = "DIR",
    what = "instead: a model that was trained on the file as it was" },
  { name = "after", value = "DIR",
    what = "and one that was trained on the refined file" },
  { name = "runs", type = "integer", value = "N", min = 1, default = 1,
    what = "pairs of trainings, each of another seed" },
  rows.options[1], rows.options[2], rows.options[3],
}

local AFTER = {
  { name = "threads", type = "integer", value = "N", min = 1, max = 64,
    what = "processors to use; all when not given" },
  { name = "json", value = "FILE", what = "write the figures there" },
}

local function all_options()
  local all = {}
  for _, list in ipairs { BEFORE, training.options, AFTER } do
    for _, option in ipairs(list) do all[#all + 1] = option end
  end
  return all
end

local since = {
  name = "audit --since",
  summary = "what a refinement did to accuracy: two models are trained alike, "
    .. "on the file as it was and as it is refined, and compared",
  positional = {
    { name = "LOG", what = "that lunula refine wrote" },
  },
  options = all_options(),
}

-- what chooses by the validation texts would be judged by what it chose by
local CHOOSE = { "validate-every", "patience", "metric" }

local function check_values(values)
  if (values.model == nil) == (values.before == nil) then
    arguments.wrong("give --model, or --before and --after")
  end
  arguments.needs(values, "before", "after")
  arguments.needs(values, "after", "before")
  for _, option in ipairs(CHOOSE) do
    if values[option:gsub("-", "_")] ~= nil then
      arguments.wrong("--%s: no epoch is chosen here", option)
    end
  end
end

local function options_of(values, bar)
  local options = training.given(values)
  options.on_step = function(info) bar:step(info) end
  return options
end

--- Runs the command.
-- @tparam table values of its arguments
function since.run(values)
  check_values(values)
  guarded.check_file(values, "json")
  local lunula = require "lunula"
  if values.threads then lunula.threads(values.threads) end
  local bar = progress.new()
  local report = bar:during(lunula.refine.effect, values.log, {
    validation = values.validation, runs = values.runs,
    model = values.model and fetch.model(values.model),
    before = values.before, after = values.after, text = values.text,
    text_pair = values.text_pair, label = values.label,
    options = options_of(values, bar),
    on_progress = function(what) bar:say(what) end })
  output.line(tostring(report))
  output.flush()
  if values.json then json.write(values.json, report) end
end

return since
