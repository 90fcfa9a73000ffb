--- Lua files that hold a table: read without letting them do anything.
-- A file may come from outside, and it is a program. It has no globals, not
-- even the methods of strings; it may run a million instructions and take a
-- few megabytes. What it returns is data, or an error.
-- @module lunula.sweep.file

local file = {}

local BYTES = 2 ^ 20         -- of a file
local INSTRUCTIONS = 1000000
local KIBIBYTES = 4096       -- of memory, at most

local function read_text(path)
  local opened, why = io.open(path, "rb")
  if not opened then error(why, 0) end
  local text, reason = opened:read(BYTES + 1)
  opened:close()
  if reason then error(path .. ": " .. reason, 0) end
  text = text or ""
  if #text > BYTES then error(path .. ": more than a megabyte", 0) end
  return text
end

-- The chunk, with nothing to call. Text only: no check is made of what is
-- compiled already.
local function load_bare(text, path)
  if text:sub(1, 1) == "\27" then
    return nil, path .. ": compiled Lua, not its text"
  elseif not setfenv then  -- luacheck: ignore
    return load(text, "@" .. path, "t", {})
  end
  local chunk, why = loadstring(text, "@" .. path)  -- luacheck: ignore
  return chunk and setfenv(chunk, {}), why  -- luacheck: ignore
end

-- Called at each instruction. What it has ended can't catch that, and those
-- instructions that come after are ours.
local function guard()
  local count, memory, has_ended = 0, collectgarbage "count", false
  return function()
    count = count + 1
    if has_ended then return end
    if count > INSTRUCTIONS then
      has_ended = true
      error("runs for too long: it should only return a table", 0)
    elseif collectgarbage "count" - memory > KIBIBYTES then
      has_ended = true
      error("takes too much memory: it should only return a table", 0)
    end
  end
end

-- Methods of strings are reached without globals: one call may take for ever.
-- A hook, which is not called in compiled code, sees the rest.
local function run_guarded(chunk)
  local strings = debug.getmetatable("")
  local methods, hook, mask, every = strings.__index, debug.gethook()
  if jit then jit.off(chunk, true) end  -- luacheck: ignore
  strings.__index = nil
  debug.sethook(guard(), "", 1)
  local ok, value = pcall(chunk)
  debug.sethook(hook, mask, every)
  strings.__index = methods
  return ok, value
end

--- The table that a Lua file returns.
-- @string path
-- @treturn table
-- @raise with the file's name when it can't be read or is not Lua, when it
--   fails, runs too long, or returns something else
-- @usage local plan = file.read "sweep.lua"
function file.read(path)
  local chunk, why = load_bare(read_text(path), path)
  if not chunk then error(why, 0) end
  local ok, value = run_guarded(chunk)
  if not ok then
    why = tostring(value)
    error(why:find(path, 1, true) and why or path .. ": " .. why, 0)
  elseif type(value) ~= "table" then
    error(("%s: returns a %s, not a table"):format(path, type(value)), 0)
  end
  return value
end

return file
