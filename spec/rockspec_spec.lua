--- The rockspec lists what is there: a file it forgets is missing from every
-- installed lunula.

local function load_rockspec()
  local spec = {}
  local file = assert(io.open "lunula-scm-1.rockspec")
  local text = file:read "*a"
  file:close()
  local chunk
  if setfenv then  -- luacheck: ignore
    chunk = assert(loadstring(text))  -- luacheck: ignore
    setfenv(chunk, spec)  -- luacheck: ignore
  else
    chunk = assert(load(text, "rockspec", "t", spec))
  end
  chunk()
  return spec
end

local function find(arguments)
  local pipe = assert(io.popen("find " .. arguments .. " | LC_ALL=C sort"))
  local list = {}
  for path in pipe:lines() do list[#list + 1] = path end
  pipe:close()
  return list
end

describe("the rockspec", function()
  local spec = load_rockspec()

  it("lists every C source, and no other", function()
    local listed = spec.build.modules["lunula.core"].sources
    table.sort(listed)
    assert.are.same(find "src -name '*.c'", listed)
  end)

  it("lists every Lua module under its name, and no other", function()
    local expected = {}
    for _, path in ipairs(find "lua -name '*.lua'") do
      local name = path:gsub("^lua/", ""):gsub("%.lua$", "")
        :gsub("/init$", ""):gsub("/", ".")
      expected[name] = path
    end
    local listed = {}
    for name, source in pairs(spec.build.modules) do
      if type(source) == "string" then listed[name] = source end
    end
    assert.are.same(expected, listed)
  end)

  it("takes the Lua that runs this", function()
    local least, below = spec.dependencies[1]
      :match "^lua >= 5%.(%d), < 5%.(%d)$"
    local ours = tonumber(_VERSION:match "^Lua 5%.(%d)$")
    assert.is_true(ours >= tonumber(least) and ours < tonumber(below))
  end)

  it("installs the command", function()
    assert.are.equal("src/bin/lunula", spec.build.install.bin.lunula)
  end)
end)
