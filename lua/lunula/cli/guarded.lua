--- Long work that Ctrl-C ends after a step, not in the middle of one, and that
-- saves to a folder on its way.
-- @module lunula.cli.guarded

local core = require "lunula.core"
local progress = require "lunula.progress"

local files, system = core.io, core.system

local guarded = {}

local function saved_model(folder)
  local _, _, id = files.stat(folder .. "/config.json")
  return id
end

local function explain_interruption(folder, before, hint)
  local saved = saved_model(folder)
  if saved and saved ~= before then
    error(("interrupted; the last checkpoint stays in %s%s"):format(folder,
      hint or ""), 0)
  end
  error("interrupted before there was a checkpoint", 0)
end

--- Checks that an option's folder, where it is given, can be saved to.
-- @tparam table values of a command's arguments
-- @string option its name
-- @raise when there is something else of this name
function guarded.check_folder(values, option)
  local folder = values[option]
  local kind = folder == "" and "nothing" or folder and files.stat(folder)
  if kind and kind ~= "folder" then
    error(("--%s: '%s' is no folder"):format(option, folder), 0)
  end
end

-- Whether a file can be made beside another, as one is before it is renamed.
local function check_writable(path, option)
  local probe = path .. ".probe"
  if files.stat(probe) then return end
  local file, why = io.open(probe, "wb")
  if not file then
    error(("--%s: %s"):format(option, (why:gsub("%.probe:", ":", 1))), 0)
  end
  file:close()
  os.remove(probe)
end

--- Checks that an option's file, where it is given, can be written: what can't
-- is better known before the work than after.
-- @tparam table values of a command's arguments
-- @string option its name
-- @raise when its folder is not there or can't be written to, or the path is
--   that of a folder
function guarded.check_file(values, option)
  local path = values[option]
  if not path then return end
  local folder = path:match "^(.*/)[^/]*$" or "."
  if files.stat(folder) ~= "folder" then
    error(("--%s: no folder '%s'"):format(option, folder), 0)
  elseif path == "" or files.stat(path) == "folder" then
    error(("--%s: '%s' is no name of a file"):format(option, path), 0)
  end
  check_writable(path, option)
end

--- Calls a function with a bar.
-- @string folder that it saves to
-- @func f called with a bar, to show its progress
-- @string[opt] hint what follows the folder's name after Ctrl-C
-- @return what f returns
-- @raise what f raises; after Ctrl-C, what there is in the folder
function guarded.run(folder, f, hint)
  local bar, before = progress.new(), saved_model(folder)
  system.catch_interrupt(true)
  local ok, result, more = pcall(bar.during, bar, f, bar)
  system.catch_interrupt(false)
  if ok then return result, more end
  if result == "interrupted" then
    explain_interruption(folder, before, hint)
  end
  error(result, 0)
end

return guarded
