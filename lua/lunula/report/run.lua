--- What a training was: where it began, what it learnt from, its options, and
-- the figures that no chart shows.
-- @module lunula.report.run

local fields = require "lunula.report.fields"
local grid = require "lunula.report.grid"
local markup = require "lunula.report.markup"
local number = require "lunula.report.number"

local run = {}

local PATH = 200
local SHOWN = { string = true, number = true, boolean = true }  -- of options

-- figures of a training that no chart shows, before its options
local FIGURES = { { "seed", number.count }, { "threads", number.count },
  { "precision", function(value) return markup.data(value, 20) end },
  { "peak_rss_mib", number.count }, { "truncated", number.count } }
local NAMES = { peak_rss_mib = "memory at most, MiB",
  truncated = "tokens cut off" }

-- what the model was before, and the files that it learnt from
local function add_sources(pairs_of, found)
  local base = fields.text(fields.table(found.base).name)
  if base then
    pairs_of[#pairs_of + 1] = { "trained from", markup.data(base, PATH) }
  end
  local of_training = fields.table(found.files)
  for _, name in ipairs(fields.names(of_training)) do
    local file = fields.table(of_training[name])
    if fields.text(file.file) then
      pairs_of[#pairs_of + 1] = { markup.data(fields.words(name), PATH),
        { markup.data(file.file, PATH), number.known(file.rows) and
          ", " .. number.counted(file.rows, "row") or false } }
    end
  end
end

-- those that were shown as figures are not shown again
local function add_options(pairs_of, found)
  local given = fields.table(found.options)
  for _, name in ipairs(fields.names(given)) do
    local value = given[name]
    if found[name] == nil and SHOWN[type(value)] then
      pairs_of[#pairs_of + 1] = { markup.data(fields.words(name), PATH),
        type(value) == "number" and number.plain(value)
          or markup.data(tostring(value), PATH) }
    end
  end
end

--- What is known of a training.
-- @tparam table found its document
-- @treturn ?{Node,...} nil where nothing is
function run.of(found)
  local pairs_of = {}
  for _, each in ipairs(FIGURES) do
    local name = each[1]
    if found[name] ~= nil then
      pairs_of[#pairs_of + 1] = { NAMES[name] or name,
        each[2](found[name]) }
    end
  end
  add_sources(pairs_of, found)
  add_options(pairs_of, found)
  return #pairs_of > 0 and grid.pairs("The run", pairs_of) or nil
end

return run
