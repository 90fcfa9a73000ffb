local checkpoint = require "lunula.checkpoint"
local core = require "lunula.core"
local safetensors = require "lunula.safetensors"
local tensor = core.tensor

local LUA = ("LUA_PATH='%s' LUA_CPATH='%s' %s "):format(package.path,
  package.cpath, require "spec.support.interpreter")

local function put(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function bytes_of(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

-- a model in which everything says which one it is
local function model(x)
  return {
    config = { hidden_size = x, architectures = { "BertModel" } },
    tensors = { weight = tensor.full({ 1000 }, x), bias = tensor.full({}, x) },
    files = { ["vocab.txt"] = ("v%d"):format(x) },
  }
end

-- which one was read; an error when it is a mix
local function which(dir)
  local read = checkpoint.read(dir)
  local x = read.config.hidden_size
  assert.are.equal(x, read.tensors.bias:item())
  assert.are.equal(x, read.tensors.weight:totable()[1000])
  assert.are.equal(("v%d"):format(x), read.files["vocab.txt"])
  return x
end

describe("checkpoint", function()
  local root, dir

  -- in memory where that is possible: a hundred saves wait for a slow disk
  before_each(function()
    root = os.tmpname()
    os.remove(root)
    if core.io.stat("/dev/shm") then
      root = "/dev/shm" .. root:match("/[^/]*$")
    end
    core.io.make_folder(root)
    dir = root .. "/a/model"
  end)

  after_each(function() os.execute("rm -rf " .. root) end)

  local function names_in(folder)
    local names = core.io.list(folder)
    table.sort(names)
    return names
  end

  describe("write", function()
    it("makes a folder that reads back the same", function()
      checkpoint.write(dir, model(1))
      assert.are.equal(1, which(dir))
      assert.are.same({ "config.json", "model.safetensors", "vocab.txt" },
        names_in(dir))
      assert.are.same({ format = "pt" }, checkpoint.read(dir).metadata)
    end)

    it("writes the config as Hugging Face does", function()
      checkpoint.write(dir, model(384))
      assert.are.equal('{\n  "architectures": [\n    "BertModel"\n  ],\n'
        .. '  "hidden_size": 384\n}\n', bytes_of(dir .. "/config.json"))
    end)

    it("replaces a model and leaves the user's files", function()
      checkpoint.write(dir, model(1))
      put(dir .. "/README.md", "mine")
      core.io.make_folder(dir .. "/runs")
      checkpoint.write(dir .. "/", model(2))
      assert.are.equal(2, which(dir))
      assert.are.equal("mine", bytes_of(dir .. "/README.md"))
      assert.are.equal("folder", (core.io.stat(dir .. "/runs")))
    end)

    it("leaves no tokenizer file of the old model beside the new", function()
      local old = model(1)
      old.files = { ["tokenizer.json"] = "{}", ["vocab.txt"] = "v1" }
      checkpoint.write(dir, old)
      checkpoint.write(dir, model(2))
      assert.is_nil(core.io.stat(dir .. "/tokenizer.json"))
      assert.are.equal(2, which(dir))
    end)

    it("leaves the tokenizer when it is told of no files", function()
      checkpoint.write(dir, model(1))
      local weights = model(2)
      weights.files = nil
      checkpoint.write(dir, weights)
      assert.are.equal("v1", checkpoint.read(dir).files["vocab.txt"])
    end)

    it("writes what was read from the folder over it", function()
      checkpoint.write(dir, model(1))
      local read = checkpoint.read(dir)
      read.config.hidden_size = 3
      read.tensors.bias:copy(tensor.from(3))
      checkpoint.write(dir, { config = read.config, tensors = read.tensors,
        files = read.files })
      local again = checkpoint.read(dir)
      assert.are.equal(3, again.tensors.bias:item())
      assert.are.equal(1, again.tensors.weight:totable()[1])
      assert.are.equal("v1", again.files["vocab.txt"])
    end)

    it("goes through a link to a folder, and leaves the link", function()
      checkpoint.write(dir, model(1))
      os.execute(("ln -s a/model %s/link"):format(root))
      checkpoint.write(root .. "/link", model(2))
      assert.are.equal(2, which(dir))
      os.remove(root .. "/link")    -- a folder with files would stay
      assert.is_nil(core.io.stat(root .. "/link"))
    end)

    it("leaves the old model when it fails, and nothing else", function()
      checkpoint.write(dir, model(1))
      local before = names_in(dir)
      local bad = { model(2), model(2), model(2), model(2) }
      bad[1].config.x = 0 / 0
      bad[2].tensors.x = 1
      bad[3].tensors = nil
      bad[4].files["../x"] = "x"
      for _, m in ipairs(bad) do
        assert.has_error(function() checkpoint.write(dir, m) end)
        assert.are.same(before, names_in(dir))
        assert.are.equal(1, which(dir))
      end
    end)

    it("says what it wants", function()
      assert.has_error(function() checkpoint.write(dir, { config = 1 }) end,
        "checkpoint.write: config: expected a table, got number")
      assert.has_error(function()
        checkpoint.write(dir, { config = {}, tensors = {}, file = {} })
      end, "checkpoint.write: unknown option 'file'; known: config, files, "
        .. "tensors")
      put(root .. "/file", "x")
      assert.has_error(function()
        checkpoint.write(root .. "/file", model(1))
      end, root .. "/file: File exists")
    end)

    it("lets one program save at a time", function()
      checkpoint.write(dir, model(1))
      core.io.make_folder(dir .. "/.lunula-save")
      local lock = core.io.lock(dir .. "/.lunula-save")
      assert.has_error(function() checkpoint.write(dir, model(2)) end,
        dir .. ": another program is saving here")
      lock:release()
      checkpoint.write(dir, model(2))
      assert.are.equal(2, which(dir))
    end)
  end)

  describe("a stop while saving", function()
    -- every call of a save that changes the disk
    local CALLS = { { core.io, "write" }, { core.io, "make_folder" },
      { core.io, "sync" }, { os, "rename" }, { os, "remove" } }

    -- runs f, and stops it for good at its nth such call, as a kill would:
    -- whatever f does afterwards fails. True when it came to its end.
    local function stopped_at(n, f)
      local real, calls = {}, 0
      for i, call in ipairs(CALLS) do
        local fields, name = call[1], call[2]
        real[i] = fields[name]
        fields[name] = function(...)
          calls = calls + 1
          if calls >= n then error("stopped", 0) end
          return real[i](...)
        end
      end
      local ok, why = pcall(f)
      for i, call in ipairs(CALLS) do call[1][call[2]] = real[i] end
      assert(ok or why == "stopped", why)
      return ok
    end

    it("leaves the old model or the new one, wherever it comes", function()
      local seen, n, done = {}, 0, false
      while not done do
        n = n + 1
        os.execute("rm -rf " .. dir)
        checkpoint.write(dir, model(1))
        done = stopped_at(n, function() checkpoint.write(dir, model(2)) end)
        local x = which(dir)
        seen[x] = (seen[x] or 0) + 1
        assert(x == 2 or not seen[2], "old again after new")
        checkpoint.write(dir, model(3))
        assert.are.equal(3, which(dir))
        assert.are.same({ "config.json", "model.safetensors", "vocab.txt" },
          names_in(dir))
      end
      assert(seen[1] > 10 and seen[2] > 10, "stopped at too few places")
    end)

    it("can itself be stopped while it is finished", function()
      for n = 1, 8 do
        os.execute("rm -rf " .. dir)
        checkpoint.write(dir, model(1))
        local saved = 0
        repeat    -- the first stop after which the new model counts
          saved = saved + 1
          stopped_at(saved, function() checkpoint.write(dir, model(2)) end)
        until core.io.stat(dir .. "/.lunula-saved")
        pcall(stopped_at, n, function() checkpoint.read(dir) end)
        assert.are.equal(2, which(dir))
      end
    end)

    it("may be SIGKILL, at any moment", function()
      local script = root .. "/save.lua"
      put(script, ([[
        local checkpoint = require "lunula.checkpoint"
        local tensor = require("lunula.core").tensor
        local x = 1
        while true do
          x = x + 1
          checkpoint.write(%q, {
            config = { hidden_size = x },
            tensors = { weight = tensor.full({ 1000 }, x),
              bias = tensor.full({}, x) },
            files = { ["vocab.txt"] = ("v%%d"):format(x) },
          })
        end]]):format(dir))
      checkpoint.write(dir, model(1))
      local random, latest = core.rng(1), 0
      for kills = 1, 200 do
        os.execute(("%s %s & saver=$!; sleep %.3f; kill -9 $saver; "
          .. "wait $saver 2>/dev/null"):format(LUA, script,
          0.02 + 0.05 * random:float()))
        latest = math.max(latest, which(dir))
        if kills >= 20 and latest > 1 then break end
      end
      assert(latest > 1, "no save came to its end")
    end)
  end)

  describe("read", function()
    it("is one model or the other while another program saves", function()
      checkpoint.write(dir, model(1))
      local real, saved = safetensors.read, false
      safetensors.read = function(...)
        if not saved then
          saved = true
          checkpoint.write(dir, model(2))
        end
        return real(...)
      end
      local ok, x = pcall(which, dir)
      safetensors.read = real
      assert.are.equal(2, ok and x)
    end)

    local function sharded()
      checkpoint.write(dir, model(1))
      os.remove(dir .. "/model.safetensors")
      safetensors.write(dir .. "/model-1.safetensors",
        { weight = tensor.full({ 1000 }, 1) })
      safetensors.write(dir .. "/model-2.safetensors",
        { bias = tensor.full({}, 1) })
    end

    local function put_index(map)
      put(dir .. "/model.safetensors.index.json",
        '{"metadata":{},"weight_map":' .. map .. "}")
    end

    it("puts shards together", function()
      sharded()
      put_index '{"weight":"model-1.safetensors","bias":"model-2.safetensors"}'
      assert.are.equal(1, which(dir))
    end)

    it("refuses an index that lies", function()
      local index = dir .. "/model.safetensors.index.json"
      sharded()
      put_index '{"weight":"../x.safetensors"}'
      assert.has_error(function() checkpoint.read(dir) end, index
        .. ": tensor 'weight' is in no file of this folder that is named "
        .. "*.safetensors")
      put_index '{"bias":"model-1.safetensors"}'
      assert.has_error(function() checkpoint.read(dir) end, dir
        .. "/model-1.safetensors: no tensor 'bias', which "
        .. "model.safetensors.index.json says is in it")
      put_index '{"weight":"model-3.safetensors"}'
      assert.has_error(function() checkpoint.read(dir) end, dir
        .. "/model-3.safetensors: No such file or directory")
      put_index "1"
      assert.has_error(function() checkpoint.read(dir) end,
        index .. ": no weight_map in it")
    end)

    it("names the file that is missing or broken", function()
      assert.has_error(function() checkpoint.read(dir) end,
        dir .. ": no such folder")
      checkpoint.write(dir, model(1))
      os.remove(dir .. "/model.safetensors")
      assert.has_error(function() checkpoint.read(dir) end, dir .. ": no "
        .. "weights: neither model.safetensors nor "
        .. "model.safetensors.index.json")
      put(dir .. "/config.json", "{")
      assert.has_error(function() checkpoint.read(dir) end, dir
        .. "/config.json: not valid JSON: Expected object key string but "
        .. "found T_END at character 2")
      put(dir .. "/config.json", "3")
      assert.has_error(function() checkpoint.read(dir) end,
        dir .. "/config.json: no JSON object")
      os.remove(dir .. "/config.json")
      assert.has_error(function() checkpoint.read(dir) end,
        dir .. "/config.json: No such file or directory")
    end)

    it("says how to convert a pickle", function()
      checkpoint.write(dir, model(1))
      os.rename(dir .. "/model.safetensors", dir .. "/pytorch_model.bin")
      local ok, why = pcall(checkpoint.read, dir)
      assert.is_false(ok)
      assert.truthy(why:find("safe_serialization=True", 1, true))
    end)
  end)
end)
