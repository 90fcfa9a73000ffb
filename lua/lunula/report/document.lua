--- The documents of a report: files and folders, known by their content.
-- @module lunula.report.document

local check = require "lunula.check"
local contents = require "lunula.contents"
local files = require("lunula.core").io
local fields = require "lunula.report.fields"
local json = require "lunula.json"
local record = require "lunula.card.record"

local document = {}

local EXPECTED = "expected JSON of lunula train, evaluate, compare or audit "
  .. "--since (--json FILE), a folder of lunula audit, or a model's folder"

local function fail(path, why)
  error(("report: %s: %s; %s"):format(path, why, EXPECTED), 0)
end

local function bytes_of(path)
  local bytes, why = contents(path)
  if not bytes then error("report: " .. why, 0) end
  return bytes
end

local KINDS = { training = true, evaluation = true, comparison = true,
  effect = true, audit = true, card = true }

local function is_table(value)
  return type(value) == "table"
end

-- What a document is that does not say so.
local function guessed(content)
  if is_table(content.steps) and is_table(content.history) then
    return "training"
  elseif is_table(content.a) and is_table(content.b) then
    return "comparison"
  elseif is_table(content.before) and is_table(content.after) then
    return "effect"
  elseif is_table(content.counts) and is_table(content.files) then
    return "audit"
  elseif type(content.n) == "number" and content.loss ~= nil then
    return "evaluation"
  end
end

local function kind_of(content)
  local said = fields.text(content.kind)
  if said then return KINDS[said] and said ~= "card" and said or nil end
  return guessed(content)
end

local function read_figures(path, shown)
  local content = json.values(bytes_of(path), path)
  if not is_table(content) then fail(path, "no figures") end
  local kind = kind_of(content)
  if not kind then
    fail(path, fields.text(content.kind) and ("figures of '%s'"):format(
      content.kind:sub(1, 40)) or "figures of nothing that is known")
  end
  content.kind, content.path = kind, shown
  return content
end

-- A model's card, and the record of its training, as far as they are there.
local function read_model(path, bare)
  local training = record.read(bare)
  if training then
    training.kind, training.path = "training", bare
  end
  if files.stat(bare .. "/README.md") == "file" then
    return { kind = "card", path = bare, training = training,
      text = bytes_of(bare .. "/README.md") }
  end
  return training or fail(path, "a model with neither a README.md, which "
    .. "lunula card writes, nor a training.json, which lunula train writes")
end

local function read_folder(path)
  local bare = path:gsub("(.)/+$", "%1")
  if files.stat(bare .. "/summary.json") == "file" then
    return read_figures(bare .. "/summary.json", bare)
  elseif files.stat(bare .. "/config.json") ~= "file" then
    fail(path, "a folder with neither summary.json nor config.json")
  end
  return read_model(path, bare)
end

--- Reads a document.
-- @string path of a file or folder
-- @treturn table its content, with its `kind`: "training", "evaluation",
--   "comparison", "effect", "audit" or "card", and its `path`; a card with the
--   `training` that the model's folder has a record of. A model without a card
--   is its training
-- @raise when it can't be read, or is something else
function document.read(path)
  check.path(path, "report.read: path")
  local stat = files.stat(path)
  if stat == nil then error("report: no file '" .. path .. "'", 0) end
  if stat == "folder" then return read_folder(path) end
  return read_figures(path, path)
end

--- What is a document, for `report.page`.
-- @param value
-- @string what
-- @treturn table value, or a copy with its kind
-- @raise when it is none
function document.check(value, what)
  check.table(value, what)
  if value.kind == "card" and fields.text(value.text) then return value end
  local kind = kind_of(value)
  if not kind then fail(what, "figures of nothing that is known") end
  if value.kind == kind then return value end
  local copy = { kind = kind }
  for name, each in pairs(value) do copy[name] = each end
  return copy
end

return document
