--- What is wrong with labelled texts, before they are learnt from.
-- One pass over the files of a project, train, validation and test together;
-- each row goes to every check. The files are streamed: no more than a few
-- bytes of a row are kept, but where a model is given, which needs them all.
-- Nothing is changed: what is found is told, with a suggestion.
--
-- A check is a module `lunula.audit.NAME` with `new(options, context)`, whose
-- object has `see(row)`, called for each row, and `finish(found)`, called after
-- the last. What a row shows by itself may be added to `context.found` as it is
-- seen. Options of its own are in its field `options`, each with its default.
-- @module lunula.audit

local check = require "lunula.check"
local checkpoint = require "lunula.checkpoint"
local classifier = require "lunula.classifier"
local core = require "lunula.core"
local counted = require "lunula.counted"
local data = require "lunula.data"
local hub = require "lunula.hub"
local issues = require "lunula.audit.issues"
local layout = require "lunula.metrics.layout"
local opt = require "lunula.options"
local parts = require "lunula.audit.parts"
local places = require "lunula.data.places"
local tokenizer = require "lunula.tokenizer"

local audit = {}

--- The checks, in the order in which they are made.
audit.CHECKS = {
  "duplicates", "encoding", "language", "empty", "boilerplate", "personal",
  "balance", "truncated", "label_errors", "outliers", "semantic", "fairness",
}

local none = opt.none
local OF_READING = { text = none, text_pair = none, label = none,
  group = none, label_separator = none, format = none, header = true }
local OWN = { model = none, encoder = none, max_length = none, checks = none,
  output = none, on_progress = none }

local ROWS_BETWEEN = 1000  -- two calls of on_progress

local function module_of(name)
  return require("lunula.audit." .. name)
end

-- All options with their defaults: of reading, our own, and of the checks.
local function known()
  local all = {}
  for _, some in ipairs { OF_READING, OWN } do
    for name, default in pairs(some) do all[name] = default end
  end
  for _, name in ipairs(audit.CHECKS) do
    for option, default in pairs(module_of(name).options or {}) do
      all[option] = default
    end
  end
  return all
end

-- {======== options ========

local function wanted_checks(given)
  if given == nil then return audit.CHECKS end
  check.table(given, "audit: checks")
  local is_known, wanted = {}, {}
  for _, name in ipairs(audit.CHECKS) do is_known[name] = true end
  for _, name in ipairs(given) do
    check.choice(name, "audit: checks", is_known)
    wanted[name] = true
  end
  local list = {}
  for _, name in ipairs(audit.CHECKS) do
    if wanted[name] then list[#list + 1] = name end
  end
  return list
end

local function path_of(file)
  return check.path(type(file) == "table" and file.path or file,
    "audit: files")
end

local PARTS = { train = true, validation = true, test = true }

local function files_of(given)
  if type(given) == "string" then given = { given } end
  check.table(given, "audit: files")
  if #given == 0 then error("audit: no files", 0) end
  local paths, seen, files = {}, {}, {}
  for i, file in ipairs(given) do
    paths[i] = path_of(file)
    local _, _, id = core.io.stat(paths[i])
    local other = seen[id or paths[i]]
    if other then
      error(("audit: '%s' is given twice%s"):format(paths[i],
        other ~= paths[i] and ", as '" .. other .. "'" or ""), 0)
    end
    seen[id or paths[i]] = paths[i]
  end
  for i, part in ipairs(parts.of(paths)) do
    local told = type(given[i]) == "table" and given[i].part
    local kind, size = core.io.stat(paths[i])
    files[i] = { path = paths[i], rows = 0,
      bytes = kind == "file" and size or nil,
      part = told and check.choice(told, "audit: part", PARTS) or part }
  end
  return files
end

-- Makes the folder. None of what is written there may be a file that is read.
local function make_output(dir, files, groups)
  checkpoint.make_folders(check.path(dir, "audit: output"))
  local list = {}
  for i, file in ipairs(files) do
    list[i] = { path = file.path, what = "a file that is audited" }
  end
  if type(groups) == "string" then
    list[#list + 1] = { path = groups, what = "the groups" }
  end
  for _, name in ipairs(issues.FILES) do
    list[#list + 1] = { path = dir .. "/" .. name, what = "output",
      written = true }
  end
  places.check(list, "audit")
end

-- A classifier with its tokenizer; of a folder without a head the tokenizer
-- alone, and where an encoder may be loaded from.
local function model_of(given)
  if given == nil then return {} end
  if type(given) == "table" then
    check.classifier(given, "audit: model")
    return { model = given, tokenizer = given.tokenizer,
      max_length = given.max_length }
  end
  local dir = hub.resolve(check.path(given, "audit: model"))
  if checkpoint.read(dir).tensors["classifier.weight"] then
    local found = model_of(classifier(dir))
    found.encoder_source = dir
    return found
  end
  local text = tokenizer.load(dir)
  return { encoder_source = dir, tokenizer = text,
    max_length = math.min(classifier.max_length, text.max_length) }
end

-- }========

-- {======== the pass ========

-- What checks are told beside their options. The place of a row is found by
-- its index, so that they need not keep more of it.
local function context_of(files, o)
  local context = model_of(o.model)
  if o.encoder ~= nil then
    context.encoder_source = hub.resolve(check.path(o.encoder,
      "audit: encoder"))
  end
  context.files, context.on_progress = files, o.on_progress
  context.max_length = o.max_length or context.max_length
  if o.model or o.encoder then context.rows = {} end
  function context.place(index)
    for _, file in ipairs(files) do
      if index <= file.rows then return { file = file.path, number = index } end
      index = index - file.rows
    end
  end
  return context
end

local function reading_options(o)
  local options = { strict = false, empty = true }
  for name in pairs(OF_READING) do options[name] = o[name] end
  return options
end

local function tell(context, file, input, begun)
  if not context.on_progress or not file.bytes then return end
  context.on_progress { file = file.path, rows = file.rows,
    done = input:seek "cur", total = file.bytes,
    seconds = core.system.monotonic() - begun }
end

-- Gives each row of a file to all checks; `index` is that of the row before.
local function read_file(file, made, context, options, index)
  local begun, n, rows = core.system.monotonic(), #made, context.rows
  local next_row, _, _, input = data.rows(file.path, options)
  for row in next_row, nil, nil, input do
    file.rows, index = file.rows + 1, index + 1
    row.part, row.number, row.index = file.part, file.rows, index
    if rows then rows[index] = row end
    for i = 1, n do made[i]:see(row) end
    if file.rows % ROWS_BETWEEN == 0 then tell(context, file, input, begun) end
  end
  if file.rows == 0 then error(file.path .. ": no rows", 0) end
  return index
end

local function run(files, context, names, o)
  local made, index, found = {}, 0, issues.new(files)
  context.found = found
  for i, name in ipairs(names) do made[i] = module_of(name).new(o, context) end
  local options = reading_options(o)
  for _, file in ipairs(files) do
    index = read_file(file, made, context, options, index)
  end
  for i, name in ipairs(names) do
    if o.on_progress then
      o.on_progress { check = name, number = i, checks = #names }
    end
    made[i]:finish(found)
  end
  return found
end

-- }========

-- {======== the document ========

local Audit = {}
Audit.__index = Audit

-- How many issues of a severity there are, over all kinds.
local function total(document, severity)
  local n = 0
  for _, by in pairs(document.severities) do n = n + by[severity] end
  return n
end

--- How many issues there are of a severity or a worse one.
-- @string severity "high", "medium" or "low"
-- @treturn int
function Audit:at_least(severity)
  local n = 0
  for _, each in ipairs(issues.SEVERITIES) do
    n = n + total(self, each)
    if each == severity then return n end
  end
end

local function kind_lines(document)
  local rows = { { "kind", "high", "medium", "low", "all" } }
  for _, kind in ipairs(issues.KINDS) do
    local by = document.severities[kind]
    if by then
      rows[#rows + 1] = { kind, ("%d"):format(by.high),
        ("%d"):format(by.medium), ("%d"):format(by.low),
        ("%d"):format(document.counts[kind]) }
    end
  end
  return layout.aligned(rows, 1)
end

local function example_lines(document)
  local lines = {}
  for _, kind in ipairs(issues.KINDS) do
    local first = (document.examples[kind] or {})[1]
    lines[#lines + 1] = first and ("%s, %s:%d: %s"):format(kind, first.file,
      first.row, first.evidence)
  end
  return table.concat(lines, "\n") .. "\n"
end

--- A table of kinds and severities, an example of each, and what was not
-- looked for.
-- @treturn string
function Audit:__tostring()
  local lines = {}
  for i, file in ipairs(self.files) do
    lines[i] = ("%s: %s, %s"):format(file.file, counted(file.rows, "row"),
      file.part)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = next(self.counts) and kind_lines(self) .. "\n"
    .. example_lines(self) or "nothing found\n"
  for _, name in ipairs(opt.names(self.skipped)) do
    lines[#lines + 1] = ("not looked for: %s: %s"):format(name,
      self.skipped[name])
  end
  return table.concat(lines, "\n")
end

local function document_of(files, found, begun)
  local document = found:summary()
  document.kind, document.files = "audit", {}
  for i, file in ipairs(files) do
    document.files[i] = { file = file.path, part = file.part,
      rows = file.rows, sha256 = file.bytes and core.io.sha256(file.path) }
  end
  document.issues_file = "issues.csv"
  document.seconds = core.system.monotonic() - begun
  return setmetatable(document, Audit)
end

-- }========

--- Looks at all rows of some files.
-- Reading is not strict: what `data.read` refuses of a row is an issue here,
-- but a file that can't be taken apart is an error.
-- @function audit
-- @tparam string|{string,...} files paths; the part that one is (train,
--   validation, test) is known by its name, or by its place: the first, the
--   others, the last of three or more. Or `{ path =, part = }` for each
-- @tparam[opt] table given
-- @string[opt] given.text column of the text, and `text_pair`, `label`,
--   `group`, `label_separator`, `format`, `header`: as for `data.read`; files
--   need have no labels
-- @tparam[opt] {string,...} given.checks which to make; all when not given
-- @tparam[opt] string|classifier given.model for the checks that need one: a
--   classifier, or a folder or name of one or of an encoder
-- @string[opt] given.encoder folder or name of a pretrained encoder, whose
--   vectors tell label errors, outliers and texts that say the same; the
--   model's when not given. One that has learnt these rows hides their faults
-- @tparam[opt] table|string given.groups of people, for fairness: as for
--   `lunula.audit.groups`
-- @string[opt="head"] given.label_method how label errors are found: "head", or
--   "train" with `label_train`, a table of options of `lunula.train`
-- @int[opt] given.max_length tokens of a text that are read; the model's
-- @tparam[opt] {string,...} given.languages that texts may be in, such as "en";
--   the one of most texts when not given
-- @number[opt=0.85] given.similarity least share of words that nearly equal
--   texts have in common, from 0.5 to 1
-- @int[opt=5] given.folds that each label must be in enough rows for
-- @string[opt] given.output folder for `issues.csv`, `summary.json` and
--   `report.html`
-- @func[opt] given.on_progress called with `{ file=, rows=, done=, total=,
--   seconds= }` (bytes of the file) as it is read, and with `{ check=, number=,
--   checks= }` as each check comes to its end
-- @treturn table the summary: `counts` by kind, `severities` by kind,
--   `examples`, `figures`, `skipped`, `files`, `seconds`. `tostring` gives a
--   table for a terminal
-- @treturn issues what was found: `for issue in found:each() do`
-- @raise with file and line, when a file can't be read, and as `data.rows`;
--   when what is to be written is a file that is read
-- @usage print((lunula.data.audit({ "train.csv", "test.csv" },
--   { label = "label", output = "audit" })))
local function look(_, files, given)
  local begun = core.system.monotonic()
  local o = opt.check(given, known(), "audit")
  local names = wanted_checks(o.checks)
  files = files_of(files)
  if o.output then make_output(o.output, files, o.groups) end
  local found = run(files, context_of(files, o), names, o)
  local document = document_of(files, found, begun)
  if o.output then found:write(o.output, document) end
  return document, found
end

return setmetatable(audit, { __call = look })
