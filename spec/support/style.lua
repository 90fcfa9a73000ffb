--- What `make lint` checks that no linter does: the plan of the house.
-- Includes point down, lua.h stays in src/lua and cblas.h in one file, lines
-- have at most 80 columns and files at most 600 lines. Headers hide what they
-- declare from the program that loads the library. Lua is what 5.1 knows: this
-- runs under it.

local RANK = { base = 0, kernel = 1, tensor = 2, text = 3, encoder = 3,
  optim = 3, io = 3, serve = 4, lua = 5 }
local COLUMNS, LINES = 80, 600
local OF_NO_TABLE = { __len = true, __gc = true, __close = true,
  __pairs = true, __ipairs = true }

local found = 0

local function complain(where, what)
  found = found + 1
  io.stderr:write(where, ": ", what, "\n")
end

local function files(pattern)
  local pipe = assert(io.popen("find " .. pattern))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  table.sort(list)
  return list
end

local function check_include(where, path, line)
  local name = line:match '^#%s*include%s+[<"]([^>"]+)[>"]'
  if not name then return end
  local room, file = path:match "^src/(%w+)/([^/]+)$"
  if name:find "^lua%.h$" or name:find "^l.*lib%.h$" then
    if room ~= "lua" then complain(where, name .. " outside src/lua") end
  elseif name == "cblas.h" and file ~= "blas.c" then
    complain(where, "cblas.h outside src/kernel/blas.c")
  end
  local target = name:match "^%.%./(%w+)/"
  if not target then return end
  local same_floor = RANK[target] == RANK[room] and target ~= room
  if not RANK[target] or RANK[target] > RANK[room] or same_floor then
    complain(where, ("src/%s must not include src/%s"):format(room, target))
  end
end

-- what every Lua reads and does not understand alike
local function check_lua(where, line)
  local bare = line:gsub("\\\\", "")
  if bare:find "\\x%x%x" or bare:find "\\u{" or bare:find "\\z" then
    complain(where, "an escape that Lua 5.1 does not know")
  end
  local event = where:find "^lua/" and bare:match "%f[%w_]__%l+"
  if OF_NO_TABLE[event] then
    complain(where, event .. " of a table, which Lua 5.1 does not call")
  end
end

-- characters, not bytes: what begins one is no continuation byte
local function columns(line)
  return #line:gsub("[\128-\191]", "")
end

local function check_file(path)
  local n = 0
  for line in io.lines(path) do
    n = n + 1
    local where = path .. ":" .. n
    if columns(line) > COLUMNS then
      complain(where, "longer than " .. COLUMNS .. " columns")
    end
    if line:find "[ \t]$" then complain(where, "ends in a blank") end
    if path:find "^src/" then check_include(where, path, line) end
    if path:find "%.lua$" then check_lua(where, line) end
  end
  if n > LINES and not path:find "^spec/" then
    complain(path, ("%d lines, at most %d"):format(n, LINES))
  end
  if path:find "%.lua$" then
    local parsed, why = loadfile(path)
    if not parsed then complain(path, why) end
  end
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

-- functions and data that a header declares, inline functions left out
local function declares(text)
  local bare = text:gsub("/%*.-%*/", ""):gsub("#[^\n]*[^\n\\]\n", "\n")
    :gsub("%b{}", "")
  return bare:find "[%w_]%s*%b()%s*;" or bare:find "%f[%w]extern%f[%W]"
end

local function check_header(path)
  local text = read(path)
  local hides = text:find("\n#pragma GCC visibility push(hidden)\n", 1, true)
    and text:find("\n#pragma GCC visibility pop\n", 1, true)
  if declares(text) and not hides then
    complain(path, "declares what it does not hide: #pragma GCC visibility")
  end
end

local SOURCES = "src lua spec examples -name '*.[ch]' -o -name '*.lua'"
for _, path in ipairs(files(SOURCES)) do check_file(path) end
local HEADERS = "src -name '*.h' ! -name '*_impl.h'"
for _, path in ipairs(files(HEADERS)) do check_header(path) end
os.exit(found == 0 and 0 or 1)
