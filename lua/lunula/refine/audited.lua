--- Which of the audited files is the one that is refined, and whether it is
-- still what was audited: the audit's summary beside `issues.csv` has the
-- hashes of its files.
-- @module lunula.refine.audited

local contents = require "lunula.contents"
local files = require("lunula.core").io
local json = require "lunula.json"
local sorted = require("lunula.options").names

local audited = {}

local function fail(message, ...)
  error(message:format(...), 0)
end

--- Where the summary of an audit stands.
-- @string issues the path of its `issues.csv`
-- @treturn string
function audited.summary_path(issues)
  return (issues:match "^.*/" or "") .. "summary.json"
end

-- The SHA-256 of each file that the summary has one of, by its name.
local function hashes_of(issues)
  local path = audited.summary_path(issues)
  local text = contents(path)
  if not text then return {} end
  local summary, hashes = json.values(text, path), {}
  local list = type(summary) == "table" and summary.files
  if type(list) ~= "table" then fail("%s: no array 'files'", path) end
  for _, entry in ipairs(list) do
    if type(entry) ~= "table" or type(entry.file) ~= "string" then
      fail("%s: files: expected objects with 'file'", path)
    end
    hashes[entry.file] = type(entry.sha256) == "string" and entry.sha256
      or json.null
  end
  return hashes
end

local function identity(path)
  if path == "" or path:find("\0", 1, true) then return nil end
  local _, _, id = files.stat(path)
  return id
end

local function same_place(name, path)
  local id = identity(name)
  return name == path or id ~= nil and id == identity(path)
end

-- The name by which the audit had a file: by its place, else by its content.
local function name_of(path, hash, names, hashes)
  for _, name in ipairs(names) do
    if same_place(name, path) then return name end
  end
  for _, name in ipairs(names) do
    if hashes[name] == hash then return name end
  end
end

--- Finds a file among those of an audit.
-- @string path of the file
-- @string issues the path of `issues.csv`
-- @tparam table found the marks by file, as from `marks.read`
-- @treturn ?string its name there; nil where there are no issues at all
-- @treturn string its SHA-256
-- @raise when the audit was of other files, or the file is not what it was
-- @usage local name = audited.find("train.csv", "audit/issues.csv", found)
function audited.find(path, issues, found)
  local hash, hashes = files.sha256(path), hashes_of(issues)
  local all = {}
  for name in pairs(found) do all[name] = true end
  for name in pairs(hashes) do all[name] = true end
  local names = sorted(all)
  local name = name_of(path, hash, names, hashes)
  if not name and #names > 0 then
    fail("%s: no issue is of %s; they are of: %s%s", issues, path,
      table.concat(names, ", "), next(hashes) and "" or " (with the audit's "
        .. "summary.json beside it, a file is known by what it holds)")
  end
  local was = hashes[name]
  if was and was ~= json.null and was:lower() ~= hash then
    fail("%s has changed since the audit (%s has another SHA-256), so that "
      .. "its rows may be others: audit it again", path,
      audited.summary_path(issues))
  end
  return name, hash
end

return audited
