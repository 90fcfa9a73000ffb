--- The record of a training: a file `training.json` in the model's folder, so
-- that the folder alone can say what it was trained on and how. `lunula train`
-- and `lunula pretrain` write it; other programs leave it alone.
--
-- It holds names of files and not where they lie, and no text of them.
-- @module lunula.card.record

local contents = require "lunula.contents"
local core = require "lunula.core"
local files = require "lunula.card.files"
local hub = require "lunula.hub"
local json = require "lunula.json"

local record = {}

local FILE, WEIGHTS = "/training.json", "/model.safetensors"

--- The day, in UTC; that of SOURCE_DATE_EPOCH where it is set, so that what is
-- made again is the same.
-- @treturn string such as "2026-11-25"
-- @raise when SOURCE_DATE_EPOCH is no number of seconds
function record.date()
  local given = os.getenv "SOURCE_DATE_EPOCH"
  if not given then return os.date "!%Y-%m-%d" end
  if not given:find "^%d+$" or #given > 12 then
    error(("SOURCE_DATE_EPOCH: expected seconds since 1970, got '%s'"):format(
      given), 0)
  end
  return os.date("!%Y-%m-%d", math.floor(tonumber(given)))
end

local function copied(values)
  local copy = {}
  for name, value in pairs(values) do copy[name] = value end
  return copy
end

local function weights_of(dir)
  if core.io.stat(dir .. WEIGHTS) ~= "file" then return nil end
  return core.io.sha256(dir .. WEIGHTS)
end

--- What a model was trained from.
-- @string name a folder, or a name as in `hub.resolve`
-- @treturn table `name`; `hub`, its name on the hub, where it has one;
--   `licence` where that is known; of a folder that was trained here `record`,
--   its own record without figures
function record.base(name)
  local repository, licence, is_folder = hub.origin(name)
  local base = { name = is_folder and files.name(name) or name,
    hub = repository, licence = licence }
  local before = is_folder and record.read(name)
  if before then
    base.record = { base = before.base, command = before.command,
      files = before.files, version = before.version,
      train_seconds = before.train_seconds,
      wall_seconds = before.wall_seconds }
  end
  return base
end

--- Writes the record of a training into the folder of its model.
-- @string dir a folder to which the model was saved
-- @tparam table figures as for `--json`, of which steps and confusions, of
--   which there may be thousands, are left out; with `command`, `options`,
--   `base` and `files`: those of the training
-- @raise when it can't be written
function record.write(dir, figures)
  local kept = copied(figures)
  kept.steps, kept.date = nil, record.date()
  if kept.test then
    kept.test = copied(kept.test)
    kept.test.confusion, kept.test.selective = nil, nil
  end
  kept.weights_sha256 = weights_of(dir)
  core.io.write(dir .. FILE, { json.pretty(json.finite(kept)) })
end

--- Takes the record of a model along to a folder that was made of it.
-- @string from
-- @string to
-- @raise when it can't be read or written
function record.copy(from, to)
  local path = from .. FILE
  if core.io.stat(path) ~= "file" then return os.remove(to .. FILE) end
  core.io.write(to .. FILE, { assert(contents(path)) })
end

--- Reads the record of a folder.
-- @string dir
-- @treturn ?table nil where there is none; `is_changed` is true in it when the
--   folder's weights are others than those that the training left
-- @raise when it is no JSON
function record.read(dir)
  local path = dir .. FILE
  if core.io.stat(path) ~= "file" then return nil end
  local found = files.document(path)
  found.is_changed = found.weights_sha256 ~= weights_of(dir)
  return found
end

return record
