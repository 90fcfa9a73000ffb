--- Files that are read and files that are written: no path may be both, however
-- it is spelt or linked.
-- @module lunula.data.places

local check = require "lunula.check"
local files = require("lunula.core").io

local places = {}

-- One place, whatever its spelling: of a file that is there what it is, else
-- its folder and its name.
local function place_of(path)
  local _, _, id = files.stat(path)
  if id then return id end
  local folder, name = path:match "^(.*/)([^/]*)$"
  local _, _, parent = files.stat(folder or ".")
  return (parent or folder) .. "/" .. (name or path)
end

local function check_folder(path, what)
  local folder = path:match "^(.*/)[^/]*$" or "."
  if files.stat(folder) ~= "folder" then
    error(("%s: no folder '%s'"):format(what, folder), 0)
  elseif path:sub(-1) == "/" or files.stat(path) == "folder" then
    error(("%s: '%s' is no name of a file"):format(what, path), 0)
  end
end

--- Checks the files of a work.
-- @tparam {table,...} list `{ path=, what=, written= }`, those that are read
--   first
-- @string asker who asks, for the message
-- @raise when one that is written is another of them, or can't be where it is
--   to be
-- @usage places.check({ { path = "a.csv", what = "the file" },
--   { path = "b.csv", what = "output", written = true } }, "refine")
function places.check(list, asker)
  local known = {}
  for _, file in ipairs(list) do
    local what = asker .. ": " .. file.what
    check.path(file.path, what)
    if file.written then check_folder(file.path, what) end
    local place = place_of(file.path)
    local other = known[place]
    if file.written and other then
      error(("%s '%s' is %s: nothing is changed in place, give another name")
        :format(what, file.path, other.what), 0)
    end
    known[place] = other or file
  end
end

return places
