--- The folder of what was fetched, and how something gets into it.
-- A thing is in the cache when its folder is: it is gathered in a staging
-- folder of its own beside it and renamed into place when it is whole, so
-- that a fetch that failed, was cut or killed leaves nothing there, and two
-- that fetch the same thing do not meet. Each staging folder is locked by
-- whom it belongs to; from one that nobody holds any more, half-fetched
-- weights are taken over, to go on from there.
-- @module lunula.hub.cache

local checkpoint = require "lunula.checkpoint"
local contents = require "lunula.contents"
local files = require("lunula.core").io
local json = require "lunula.json"
local shell = require "lunula.shell"

local cache = {}

--- The file inside each cached folder that says where it is from.
cache.RECORD = "lunula.json"

--- The one file that is worth going on with.
cache.WEIGHTS = "model.safetensors"

--- Where the cache is: `$XDG_CACHE_HOME/lunula`, else `~/.cache/lunula`.
-- @treturn string
-- @raise when neither XDG_CACHE_HOME nor HOME says where
function cache.root()
  local base, home = os.getenv("XDG_CACHE_HOME"), os.getenv("HOME")
  if base and base:sub(1, 1) == "/" then return base .. "/lunula" end
  if not home or home == "" then
    error("no place for the cache: set HOME or XDG_CACHE_HOME", 0)
  end
  return home .. "/.cache/lunula"
end

--- Whether there is a folder at this path.
-- @string path
-- @treturn bool
function cache.is_folder(path)
  local is_path = path ~= "" and not path:find("\0", 1, true)
  return is_path and files.stat(path) == "folder"
end

--- A file's length.
-- @string path
-- @treturn ?int bytes, nil when there is no such file
function cache.size(path)
  local _, size = files.stat(path)
  return size
end

--- A file's bytes.
-- @string path
-- @treturn ?string nil when it can't be read
function cache.read(path)
  return (contents(path))
end

--- Writes a file: whole, or not at all.
-- @string path
-- @string bytes
-- @raise when the disk is full, or the place can't be written
function cache.write(path, bytes)
  files.write(path, { bytes })
end

--- Whether a file is the one that was meant.
-- @string path
-- @string expected its SHA-256
-- @treturn bool
-- @treturn string the SHA-256 that the file has
-- @raise when it can't be read
function cache.verify(path, expected)
  local found = files.sha256(path)
  return found == expected:lower(), found
end

--- What a folder that was fetched says of where it is from.
-- @string folder
-- @treturn ?table its record, with `folder`; nil when there is none
function cache.record(folder)
  local path = folder .. "/" .. cache.RECORD
  local ok, record = pcall(json.decode, cache.read(path) or "", path)
  if not ok or type(record) ~= "table" then return nil end
  record.folder = folder
  return record
end

--- What is in the cache under a key.
-- @string key such as "models/org/model"
-- @treturn ?table as `cache.record`; nil when it is not there
function cache.find(key)
  return cache.record(cache.root() .. "/" .. key)
end

local function staging_root()
  return cache.root() .. "/partial"
end

-- the staging folders of a key are `key@random`: @ is in no key, so that
-- none is another's beginning
local function prefix(key)
  return (key:gsub("/", "--")) .. "@"
end

local function remove(folder)
  shell.must { "rm", "-rf", folder }
end

-- Makes a folder that is ours. Before it is locked an heir may take it for
-- one that was left; then the next is made.
local function make_locked(template)
  while true do
    local folder = shell.must({ "mktemp", "-d", template }):gsub("\n$", "")
    local there, lock = pcall(files.lock, folder)
    if there and lock then return folder, lock end
  end
end

local function inherit(stage)
  local root, mark = staging_root(), prefix(stage.key)
  for _, name in ipairs(files.list(root)) do
    local left = root .. "/" .. name
    local there, lock = false, nil
    if name:sub(1, #mark) == mark then there, lock = pcall(files.lock, left) end
    if there and lock then
      os.rename(left .. "/out/" .. cache.WEIGHTS,
        stage.out .. "/" .. cache.WEIGHTS)
      remove(left)
      lock:release()
    end
  end
end

--- A fresh place to gather the files of a key.
-- @string key
-- @treturn table `folder` for anything, `out` for what will be published
-- @raise when the cache can't be written
function cache.stage(key)
  local root = staging_root()
  checkpoint.make_folders(root)
  local folder, lock = make_locked(root .. "/" .. prefix(key) .. "XXXXXX")
  local stage = { key = key, folder = folder, out = folder .. "/out",
    lock = lock }
  files.make_folder(stage.out)
  inherit(stage)
  return stage
end

--- Puts what was gathered in its place, all at once.
-- @tparam table stage from `cache.stage`
-- @tparam table record what to remember of it: name, source, license
-- @treturn table the record as `cache.find` gives it
-- @raise when the disk is full or the place is taken by something else
function cache.publish(stage, record)
  local final = cache.root() .. "/" .. stage.key
  cache.write(stage.out .. "/" .. cache.RECORD, json.pretty(record))
  for _, name in ipairs(files.list(stage.out)) do
    files.sync(stage.out .. "/" .. name)
  end
  files.sync(stage.out)
  local parent = final:gsub("/[^/]*$", "")
  checkpoint.make_folders(parent)
  local moved, why = os.rename(stage.out, final)
  files.sync(parent)
  local found = cache.find(stage.key)  -- another process's, if not ours
  if not moved and not found then
    error(("cannot put %s in place: %s"):format(final, why), 0)
  end
  remove(stage.folder)
  stage.lock:release()
  return found
end

--- Gives up gathering: keeps half-fetched weights for the next attempt.
-- @tparam table stage from `cache.stage`
function cache.abandon(stage)
  if not cache.size(stage.out .. "/" .. cache.WEIGHTS) then
    remove(stage.folder)
  end
  stage.lock:release()
end

return cache
