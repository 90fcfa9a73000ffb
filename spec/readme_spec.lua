--- Runs every snippet of the README, in its order, as somebody would who
-- copies it into an empty folder with data of his own. The Python snippet
-- needs transformers: spec/peers/checkpoint.py does what it shows.

local hub = require "lunula.hub"
local interpreter = require "spec.support.interpreter"

local ROWS = {
  { "What a quiet, lovely film.", "positive" },
  { "I laughed, I wept, I stayed for the credits.", "positive" },
  { "A warm and clever story, told with care.", "positive" },
  { "The best evening I had this year.", "positive" },
  { "Every actor shines.", "positive" },
  { "Bright, brave and moving.", "positive" },
  { "Two hours that nobody will give back to me.", "negative" },
  { "Dull, loud and far too long.", "negative" },
  { "The plot makes no sense at all.", "negative" },
  { "I left before the end, and so did my dog.", "negative" },
  { "A waste of a good cast.", "negative" },
  { "Flat jokes, flatter people.", "negative" },
}

-- commands that change the machine: their targets must exist, no more
local SET_UP = { make = true, sudo = true }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

local function snippets()
  local list = {}
  for language, body in read "README.md":gmatch "\n```(%w+)\n(.-)\n```" do
    list[#list + 1] = { language = language, body = body }
  end
  return list
end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local ROOT = output_of "pwd":gsub("\n$", "")
local dir

local ENVIRONMENT = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' "
  .. "LUA_CPATH='%s/?.so;;'"):format(ROOT, ROOT, ROOT)

-- runs a script in the folder; what it printed, and whether it ended well
local function run(program, name, body)
  write(dir .. "/" .. name, body)
  local text = output_of(("cd %s && PATH=%s/bin:$PATH %s %s %s 2>&1; "
    .. "echo status $?"):format(dir, dir, ENVIRONMENT, program, name))
  return text, text:find "status 0\n$" ~= nil
end

local function reviews_csv()
  local lines = { "text,label" }
  for _ = 1, 4 do
    for _, row in ipairs(ROWS) do
      lines[#lines + 1] = ('"%s",%s'):format(row[1], row[2])
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function tickets_csv()
  local lines = { "message,intent,customer,date" }
  for i = 1, 60 do
    lines[#lines + 1] = ("Where is order %d?,%s,c%d,2026-01-%02d")
      :format(i, i % 2 == 0 and "delivery" or "refund", i % 20, i % 28 + 1)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function posts_csv()
  local lines = { "text,label" }
  for i = 1, 40 do
    lines[#lines + 1] = ('Thanks for all %d of them!,"%s"'):format(i,
      i % 3 == 0 and "joy,surprise" or i % 3 == 1 and "joy" or "")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function notes_txt()
  local lines = {}
  for i, row in ipairs(ROWS) do lines[i] = row[1] end
  return table.concat(lines, "\n") .. "\n"
end

describe("the README", function()
  setup(function()
    hub.fetch "all-MiniLM-L6-v2"  -- outside the snippets, where it may be slow
    dir = output_of "mktemp -d":gsub("\n$", "")
    write(dir .. "/reviews.csv", reviews_csv())
    write(dir .. "/tickets.csv", tickets_csv())
    write(dir .. "/posts.csv", posts_csv())
    write(dir .. "/notes.txt", notes_txt())
    os.execute("mkdir " .. dir .. "/bin")
    write(dir .. "/bin/lunula",
      ("#!/bin/sh\nexec %s %s/src/bin/lunula \"$@\"\n")
        :format(interpreter, ROOT))
    os.execute("chmod +x " .. dir .. "/bin/lunula")
  end)

  teardown(function() os.execute("rm -rf " .. dir) end)

  for i, snippet in ipairs(snippets()) do
    local first = snippet.body:match "^[^\n]*"
    local name = ("snippet %d (%s)"):format(i, first)
    if snippet.language == "lua" then
      it("has a Lua program that runs: " .. name, function()
        local text, ok = run(interpreter, ("snippet%d.lua"):format(i),
          snippet.body)
        assert.is_true(ok, text)
      end)
    elseif snippet.language == "sh" and SET_UP[first:match "^%w+"] then
      it("names targets that are there: " .. name, function()
        for target in snippet.body:gmatch "make (%l+)" do
          assert.are.equal("0\n",
            output_of("make -n " .. target .. " >/dev/null 2>&1; echo $?"))
        end
      end)
    elseif snippet.language == "sh" then
      it("has commands that run: " .. name, function()
        local text, ok = run("sh -e", ("snippet%d.sh"):format(i),
          snippet.body)
        assert.is_true(ok, text)
      end)
    end
  end

  it("makes lunula known to a shell in a clone", function()
    for _, snippet in ipairs(snippets()) do
      if snippet.language == "bash" then
        write(dir .. "/alias.sh", ("cd %s\nshopt -s expand_aliases\n%s\n"
          .. "lunula --version\n"):format(ROOT,
          (snippet.body:gsub("lua5%.4", interpreter))))
        local text = output_of("bash " .. dir .. "/alias.sh 2>&1")
        assert.is_truthy(text:find "^lunula %d", text)
      end
    end
  end)

  it("holds no figure that is still to be measured", function()
    assert.is_nil(read "README.md":match "@%u+@")
  end)

  it("shows data that can be read", function()
    for _, snippet in ipairs(snippets()) do
      if snippet.language == "csv" then
        write(dir .. "/shown.csv", snippet.body .. "\n")
        local rows = require "lunula.data".read(dir .. "/shown.csv")
        assert.are.equal(2, #rows)
      end
    end
  end)
end)
