--- The front matter of a card: what the Hugging Face hub reads of it
-- (https://github.com/huggingface/hub-docs/blob/main/modelcard.md). What is not
-- known is left out, but for the licence, of which the hub has "unknown".
-- @module lunula.card.front

local footprint = require "lunula.card.footprint"
local made = require "lunula.card.made"
local scores = require "lunula.card.scores"
local trimmed = require "lunula.trimmed"
local yaml = require "lunula.card.yaml"

local front = {}

-- the licences that the hub knows by these names
local LICENCES = {}
for name in ([[
  apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m
  bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0
  bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0
  cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0
  cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
  cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0
  cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
  etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1
  lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0
  postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr unknown other]])
    :gmatch "%S+" do
  LICENCES[name] = true
end

-- an answer as an array of texts
local function list_of(answer)
  return type(answer) == "table" and answer or { answer }
end

local function first(answer)
  return list_of(answer)[1]
end

-- letters, digits, dots and dashes
local function slug(text)
  return (text:lower():gsub("[^%w.]+", "-"):gsub("^%-+", "")
    :gsub("%-+$", "")):sub(1, 60)
end

local function licence_of(answers)
  local given = first(answers.model_licence)
  if not given then return "unknown" end
  local name = trimmed(given:lower())
  if LICENCES[name] then return name end
  return "other", slug(given)
end

-- Codes as ISO 639 has them, of two or three letters: the hub takes no others.
local function languages_of(answers)
  local codes = {}
  for _, text in ipairs(list_of(answers.language)) do
    for word in text:gmatch "[^%s,;]+" do
      local is_code = word:find "^%a%a%a?$"
      codes[#codes + 1] = is_code and word:lower() or nil
    end
  end
  return codes
end

local function is_repository(name)
  return type(name) == "string" and name:find "^[%w._-]+/[%w._-]+$" ~= nil
end

-- The model on the hub that all of it began with.
local function base_of(training)
  local base = training.base
  while type(base) == "table" do
    if is_repository(base.hub) then return base.hub end
    base = type(base.record) == "table" and base.record.base or nil
  end
end

local function datasets_of(answers)
  local names = {}
  for _, name in ipairs(list_of(answers.hub_name)) do
    if is_repository(name) then names[#names + 1] = name end
  end
  return names
end

local function tags_of(facts)
  local tags = { "lunula" }
  if facts.model.precision == "int8" then tags[2] = "int8" end
  return tags
end

-- {======== results ========

-- the reports that say something of the weights as they are
local function present(reports)
  local some = {}
  for _, report in ipairs(reports) do
    some[#some + 1] = not report.is_past and report or nil
  end
  return some
end

local function metrics_of(reports)
  local types, seen = {}, {}
  for _, report in ipairs(present(reports)) do
    for _, score in ipairs(scores.of(report)) do
      if score.hub and not seen[score.hub] then
        types[#types + 1], seen[score.hub] = score.hub, true
      end
    end
  end
  return types
end

local function figures_of(report)
  local list = {}
  for _, score in ipairs(scores.of(report)) do
    if score.hub then
      list[#list + 1] = yaml.mapping { { "type", score.hub },
        { "name", score.title }, { "value", score.value } }
    end
  end
  return list
end

-- Whether a report is of a file of the training: of others nobody said where
-- they come from.
local function is_of_training(facts, title)
  local of_training = facts.training.files
  for _, file in pairs(type(of_training) == "table" and of_training or {}) do
    if type(file) == "table" and file.file == title then return true end
  end
  return false
end

local function result_of(facts, report)
  local dataset = is_of_training(facts, report.title)
    and datasets_of(facts.answers)[1]
  return yaml.mapping {
    { "task", yaml.mapping { { "type", facts.model.task } } },
    { "dataset", yaml.mapping {
      { "name", report.title }, { "type", dataset or "custom" },
    } },
    { "metrics", figures_of(report) },
  }
end

local function index_of(facts)
  local results = {}
  for _, report in ipairs(present(facts.reports)) do
    if figures_of(report)[1] then
      results[#results + 1] = result_of(facts, report)
    end
  end
  if #results == 0 then return {} end
  return { yaml.mapping { { "name", facts.title }, { "results", results } } }
end

-- }========

local function emissions_of(facts)
  local seconds = made.seconds(facts.training)
  if not seconds then return nil end
  return yaml.mapping {
    { "emissions", footprint.grams(seconds, facts.watts, facts.intensity) },
    { "source", ("%s, assuming %g W and %g g of CO2 a kWh"):format(
      footprint.duration(seconds), facts.watts, facts.intensity) },
    { "training_type", facts.training.command == "pretrain" and "pre-training"
      or "fine-tuning" },
  }
end

--- The front matter.
-- @tparam table facts
-- @treturn string from `---` to `---`
function front.matter(facts)
  local licence, licence_name = licence_of(facts.answers)
  return "---\n" .. yaml.document(yaml.mapping {
    { "language", languages_of(facts.answers) },
    { "license", licence }, { "license_name", licence_name },
    { "library_name", facts.model.library },
    { "pipeline_tag", facts.model.task },
    { "tags", tags_of(facts) },
    { "base_model", base_of(facts.training) },
    { "datasets", datasets_of(facts.answers) },
    { "metrics", metrics_of(facts.reports) },
    { "co2_eq_emissions", emissions_of(facts) },
    { "model-index", index_of(facts) },
  }) .. "---\n"
end

return front
