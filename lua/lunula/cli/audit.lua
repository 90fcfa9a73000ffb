--- lunula audit: what is wrong with labelled texts, before they are learnt.
-- Standard output has a table; the folder has every issue.
-- @module lunula.cli.audit

local counted = require "lunula.counted"
local fetch = require "lunula.cli.fetch"
local output = require "lunula.cli.output"
local progress = require "lunula.progress"
local rows = require "lunula.cli.rows"
local texts = require "lunula.cli.texts"

local audit = {
  name = "audit",
  summary = "look for what is wrong with labelled texts; audit --since: what "
    .. "mending it did",
  positional = {
    { name = "F", several = true, what = "labelled texts: .csv, .tsv, .jsonl "
      .. "or .txt; what is to train, to validate and to test is known by the "
      .. "names, or by the order" },
  },
  variants = { ["--since"] = "audit_since" },
  options = {
    { name = "output", value = "DIR", required = true,
      what = "folder of issues.csv, summary.json and report.html" },
    rows.options[1], rows.options[2], rows.options[3], rows.options[4],
    texts.options[2],
    { name = "group", value = "COL", what = "column or field of the group" },
    { name = "model", value = "DIR|NAME", what = "a classifier or an encoder, "
      .. "for the checks that need one" },
    { name = "encoder", value = "DIR|NAME", what = "an encoder that has not "
      .. "learnt these texts, for label errors, outliers and texts that say "
      .. "the same; the model's when not given" },
    { name = "label-method", value = "NAME", choices = { "head", "train" },
      default = "head", what = "how label errors are found: a head on the "
      .. "encoder, or the encoder fine-tuned for each fold" },
    { name = "groups", value = "FILE", what = "JSON of groups of people and "
      .. "the words for them; English ones of women and men when not given" },
    { name = "max-length", type = "integer", value = "N", min = 3, max = 2^31,
      what = "tokens of a text that are read; the model's when not given" },
    { name = "checks", type = "list", value = "NAMES",
      what = "which to make, with commas between; all when not given" },
    { name = "languages", type = "list", value = "CODES",
      what = "that texts may be in (en,de); that of most when not given" },
    { name = "similarity", type = "number", value = "X", min = 0.5, max = 1,
      default = 0.85, what = "least share of words that nearly equal texts "
      .. "have in common" },
    { name = "folds", type = "integer", value = "N", min = 2, default = 5,
      what = "that each label must have enough rows for" },
    { name = "fail-on", value = "SEVERITY",
      choices = { "high", "medium", "low" },
      what = "fail when there are issues of this severity or a worse one" },
    { name = "threads", type = "integer", value = "N", min = 1, max = 64,
      what = "processors to use; all when not given" },
  },
}

-- The options that `lunula.data.audit` has under the same name.
local SAME = { "text", "text_pair", "label", "label_separator", "format",
  "group", "max_length", "checks", "languages", "similarity", "folds", "output",
  "groups", "label_method" }

local function show(bar)
  return function(info)
    if not info.check then
      bar:texts { done = info.done, total = info.total, texts = info.rows,
        seconds = info.seconds }
    elseif bar.terminal then
      bar:part(info.number, info.checks, info.check)
    end
  end
end

local function options_of(values, bar)
  local options = { on_progress = show(bar),
    model = values.model and fetch.model(values.model),
    encoder = values.encoder and fetch.model(values.encoder) }
  for _, name in ipairs(SAME) do options[name] = values[name] end
  return options
end

local function check_severity(document, severity, dir)
  local n = severity and document:at_least(severity) or 0
  if n == 0 then return end
  error(("%s of severity %s%s: see %s/issues.csv"):format(
    counted(n, "issue"), severity, severity == "high" and "" or " or worse",
    dir), 0)
end

--- Runs the command.
-- @tparam table values of its arguments
-- @raise when there are issues that are to fail it
function audit.run(values)
  local lunula = require "lunula"
  if values.threads then lunula.threads(values.threads) end
  local bar = progress.new()
  local document = bar:during(lunula.data.audit, values.f,
    options_of(values, bar))
  output.line(tostring(document))
  output.flush()
  io.stderr:write("every issue is in ", values.output, "/issues.csv\n")
  check_severity(document, values.fail_on, values.output)
end

return audit
