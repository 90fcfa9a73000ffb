local core = require "lunula.core"
local safetensors = require "lunula.safetensors"
local tensor = core.tensor

local FIXTURES = "spec/fixtures/safetensors/"

local function bytes_of(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local function put(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

local function little_endian(n)
  local bytes = {}
  for i = 1, 8 do
    bytes[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(bytes)
end

-- a file of this header and so many bytes of data
local function with_header(header, data_size)
  return little_endian(#header) .. header .. ("\0"):rep(data_size)
end

describe("safetensors", function()
  local folder, path

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    core.io.make_folder(folder)
    path = folder .. "/x.safetensors"
  end)

  teardown(function() os.execute("rm -rf " .. folder) end)

  local function names_in_folder()
    local names = core.io.list(folder)
    table.sort(names)
    return names
  end

  describe("read", function()
    local types = safetensors.read(FIXTURES .. "types.safetensors")

    it("gives what the reference library wrote", function()
      assert.are.same({ format = "pt", note = "naïve" }, types.metadata)
      assert.are.equal(10, #types.names)
      assert.are.equal(2.5, types.tensors.scalar:item())
      assert.are.same({ 0, 3 }, types.tensors.empty:shape())
      assert.are.same({ -2 ^ 31, 0, 2 ^ 31 - 1 },
        types.tensors.i32:totable())
      assert.are.same({ { -2 ^ 53 }, { 2 ^ 53 } },
        types.tensors.i64:totable())
      assert.are.same({ { 0, 1, 2 }, { 3, 4, 5 } },
        types.tensors["κλειδί/名前 \"\\\n\1"]:totable())
    end)

    it("converts half, bfloat16 and double to float32", function()
      local exact = { 0, -0.0, 1, -1.5 }
      for _, name in ipairs { "f16", "bf16" } do
        local t = types.tensors[name]
        assert.are.equal("float32", t:dtype())
        local values = t:totable()
        for i, x in ipairs(exact) do assert.are.equal(x, values[i]) end
        assert.are.equal(1 / 0, values[8])
        assert.are.equal(-1 / 0, values[9])
      end
      local half = types.tensors.f16:totable()
      assert.are.equal(65504, half[5])
      assert.are.equal(2 ^ -24, half[6])            -- the least subnormal
      assert.are.equal(1023 * 2 ^ -24, half[7])     -- the greatest
      assert.are.equal(-0.5, types.tensors.f64:totable()[4])
    end)

    it("keeps the order of the file", function()
      assert.are.equal("i64", types.names[1])
      assert.are.equal("f16", types.names[#types.names - 1])
    end)

    it("copies what is not aligned", function()
      local file = safetensors.read(FIXTURES .. "unaligned.safetensors")
      assert.are.same({ 1.5, -2.5 }, file.tensors.a:totable())
    end)

    it("never lets a write reach the file", function()
      safetensors.write(path, { w = tensor.from({ 1, 2, 3 }) })
      local before = bytes_of(path)
      local w = safetensors.read(path).tensors.w
      w:copy(tensor.from({ 7, 8, 9 }))
      assert.are.same({ 7, 8, 9 }, w:totable())
      assert.are.equal(before, bytes_of(path))
      assert.are.same({ 1, 2, 3 }, safetensors.read(path).tensors.w:totable())
    end)

    it("keeps the tensors when the file is replaced or removed", function()
      safetensors.write(path, { w = tensor.from({ 1, 2, 3 }) })
      local w = safetensors.read(path).tensors.w
      safetensors.write(path, { w = tensor.from({ 4, 5, 6 }) })
      os.remove(path)
      collectgarbage()
      assert.are.same({ 1, 2, 3 }, w:totable())
    end)

    it("minds a type that it has not only when asked for it", function()
      local file = safetensors.read(FIXTURES .. "unreadable.safetensors")
      assert.are.same({ 0, 1, 2, 3 }, file.tensors.weight:totable())
      assert.is_nil(file.tensors.absent)
      assert.has_error(function() return file.tensors.mask end,
        FIXTURES .. "unreadable.safetensors: tensor 'mask' is BOOL; lunula "
        .. "reads F32, F16, BF16, F64, I32, I64")
    end)
  end)

  describe("read refuses", function()
    local function why_not(bytes)
      put(path, bytes)
      local ok, why = pcall(safetensors.read, path)
      assert.is_false(ok)
      assert.are.equal(path .. ": ", why:sub(1, #path + 2))
      return why:sub(#path + 3)
    end

    local function refuses(header, data_size, reason)
      local why = why_not(with_header(header, data_size))
      assert(why:find(reason, 1, true), ("%q lacks %q"):format(why, reason))
    end

    local function entry(dtype, shape, first, last)
      return ('{"a":{"dtype":"%s","shape":%s,"data_offsets":[%s,%s]}}')
        :format(dtype, shape, first, last)
    end

    it("what is no file", function()
      assert.has_error(function() safetensors.read("/no/such/file") end,
        "/no/such/file: No such file or directory")
      assert.has_error(function() safetensors.read("spec") end,
        "spec: Is a directory")
      assert.has_error(function() safetensors.read("/dev/null") end,
        "/dev/null: is a device or a pipe, no file")
      assert.has_error(function() safetensors.read("x\0y") end)
    end)

    it("a file without a whole header", function()
      assert.truthy(why_not(""):find("^no safetensors file: 0 bytes"))
      assert.truthy(why_not("1234567"):find("^no safetensors file: 7 bytes"))
      assert.truthy(why_not(little_endian(1)):find("^cut short"))
      assert.truthy(why_not(("\255"):rep(8) .. "{}"):find("^cut short"))
      assert.truthy(why_not(("\255"):rep(7) .. "\127{}"):find("^cut short"))
    end)

    it("a header that is no JSON object", function()
      refuses("", 0, "its header is no JSON object")
      refuses("[]", 0, "its header is no JSON object")
      refuses("{", 0, "not valid JSON")
      refuses("{} x", 0, "not valid JSON")
      refuses("{}\0", 0, "not valid JSON: a control character")
      refuses('{"\255":1}', 0, "not valid JSON: not UTF-8")
      refuses('{"a":' .. ("["):rep(1e5), 0, "not valid JSON")
    end)

    it("a header longer than anybody needs", function()
      local file = assert(io.open(path, "wb"))
      file:write(little_endian(100000001), "{}")
      file:seek("set", 100000100)    -- a hole: takes no room on the disk
      file:write("x")
      file:close()
      assert.has_error(function() safetensors.read(path) end, path
        .. ": a header of 100000001 bytes, at most 100000000 are allowed")
      os.remove(path)
    end)

    it("entries of another form", function()
      refuses('{"a":1}', 0, "tensor 'a': its entry is no object")
      refuses('{"a":{}}', 0, "tensor 'a': unknown dtype 'nil'")
      refuses(entry("F33", "[2]", 0, 8), 8, "unknown dtype 'F33'")
      refuses(entry("F32", "2", 0, 8), 8, "its shape is no array")
      refuses(entry("F32", '{"x":2}', 0, 8), 8, "its shape is no array")
      refuses(entry("F32", '["2"]', 0, 8), 8, "its shape holds 2")
      refuses(entry("F32", "[-2]", 0, 8), 8, "its shape holds -2")
      refuses(entry("F32", "[2.0]", 0, 8), 8, "a number that is no integer")
      refuses(entry("F32", "[2]", 0, "8e0"), 8, "a number that is no integer")
      refuses(entry("F32", "[2]", -1, 7), 8, "data_offsets must be")
      refuses(entry("F32", "[2]", 0, "8,9"), 8, "data_offsets must be")
      refuses(entry("F32", "[2]", 0, "null"), 8, "data_offsets must be")
      refuses(entry("F32", '[2],"x":1', 0, 8), 8, "unknown field 'x'")
      refuses('{"__metadata__":{"a":1}}', 0, "each value must be a string")
    end)

    it("a name given twice", function()
      refuses('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
        .. '"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', 0,
        "the header gives a name twice")
      refuses(entry("F32", '[1],"shape":[2]', 0, 8), 8, "a name twice")
    end)

    it("sizes that don't fit, or overflow", function()
      refuses(entry("F32", "[3]", 0, 8), 8, "need 12 bytes, its offsets give 8")
      refuses(entry("F32", "[1099511627776,1099511627776]", 0, 8), 8,
        "more elements than fit in memory")
      refuses(entry("F32", "[4294967296,4294967296,1]", 0, 0), 0,
        "more elements than fit in memory")
      refuses(entry("F32", "[4611686018427387904]", 0, 0), 0, "its shape holds")
      refuses(entry("F32", "[2]", 0, "9223372036854775808"), 8,
        "data_offsets must be")
      refuses(entry("F32", "[2]", 0, "18446744073709551624"), 8,
        "data_offsets must be")
    end)

    it("data that is cut, overlaps or is nobody's", function()
      refuses(entry("F32", "[2]", 0, 8), 7, "bytes 0 to 8, the data has 7")
      refuses(entry("F32", "[2]", 8, 0), 8, "bytes 8 to 0")
      refuses(entry("F32", "[2]", 0, 8), 9, "1 bytes at the end belong to no")
      refuses(entry("F32", "[1]", 4, 8), 8, "4 bytes before tensor 'a' belong")
      refuses('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
        .. '"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}', 12,
        "tensor 'b' overlaps the one before it")
    end)

    it("any damage without harm", function()
      local whole = bytes_of(FIXTURES .. "types.safetensors")
      local random = core.rng(3)
      for _ = 1, 500 do
        local at = random:below(#whole)
        local cut = random:below(3) == 0
        put(path, whole:sub(1, at) .. string.char(random:below(256))
          .. (cut and "" or whole:sub(at + 2)))
        local ok, file = pcall(safetensors.read, path)
        if ok then
          for _, name in ipairs(file.names) do file.tensors[name]:totable() end
        else
          assert.are.equal(path, file:sub(1, #path))
        end
      end
    end)
  end)

  describe("a mapped file", function()
    it("lets nobody reach past its data", function()
      put(path, with_header("{}", 8))
      local file = core.io.map(path)
      assert.are.same({ 0, 0 }, file:tensor("F32", { 2 }, 0):totable())
      for _, bad in ipairs { { { 3 }, 0 }, { { 2 }, 1 }, { { 1 }, 2 ^ 62 },
        { { 2 ^ 60 }, 0 }, { { 1 }, -1 } } do
        assert.has_error(function() file:tensor("F32", bad[1], bad[2]) end)
      end
      assert.has_error(function() file:tensor("F33", { 1 }, 0) end)
    end)
  end)

  describe("write", function()
    local function written()
      return { b = tensor.from({ { 0, 1, 2 }, { 3, 4, 5 } }),
        a = tensor.from(2.5), ids = tensor.from({ 7, 8 }, "int64"),
        ["é"] = tensor.zeros({ 0, 2 }), n = tensor.from({ 1, 2, 3 }, "int32") }
    end

    it("leaves the same bytes as the reference library", function()
      safetensors.write(path, written(), { format = "pt" })
      assert.are.equal(bytes_of(FIXTURES .. "written.safetensors"),
        bytes_of(path))
    end)

    it("leaves nothing but the file", function()
      safetensors.write(path, written())
      assert.are.same({ "x.safetensors" }, names_in_folder())
    end)

    it("writes over the file that its tensors lie in", function()
      safetensors.write(path, { w = tensor.from({ 1, 2 }) })
      local file = safetensors.read(path)
      file.tensors.w:copy(tensor.from({ 3, 4 }))
      safetensors.write(path, file.tensors, file.metadata)
      assert.are.same({ 3, 4 }, safetensors.read(path).tensors.w:totable())
    end)

    it("refuses what is no tensor, no name and no text", function()
      local t = tensor.from(1)
      for _, bad in ipairs { { { a = 1 } }, { { t } }, { { ["\255"] = t } },
        { { __metadata__ = t } }, { { a = io.stdout } },
        { { a = t }, { format = 1 } } } do
        local ok, why = pcall(safetensors.write, path, bad[1], bad[2])
        assert.is_false(ok)
        assert.are.equal(path .. ": ", why:sub(1, #path + 2))
      end
    end)

    it("keeps the old file when the new one finds no room", function()
      safetensors.write(path, written())
      local old = bytes_of(path)
      local script = folder .. "/big.lua"
      put(script, ([[
        local core = require "lunula.core"
        local ok, why = pcall(require("lunula.safetensors").write, %q,
          { w = core.tensor.zeros({ 100000 }) })
        io.write(tostring(ok), " ", tostring(why))]]):format(path))
      -- files of 64 KiB at most, and no signal for trying
      local run = io.popen(("trap '' XFSZ; ulimit -f 64; LUA_PATH='%s' "
        .. "LUA_CPATH='%s' %s %s"):format(package.path, package.cpath,
        require "spec.support.interpreter", script))
      local said = run:read("*a")
      run:close()
      os.remove(script)
      assert.are.equal("false " .. path .. ": File too large", said)
      assert.are.equal(old, bytes_of(path))
      assert.are.same({ "x.safetensors" }, names_in_folder())
    end)

    it("tells of a full disk", function()
      assert.has_error(function()
        safetensors.write("/dev/full", written())
      end, "/dev/full: No space left on device")
      assert.are.equal("other", (core.io.stat("/dev/full")))
    end)

    it("tells of a folder that is missing, or in the way", function()
      local missing = folder .. "/no/x"
      assert.has_error(function() safetensors.write(missing, {}) end,
        missing .. ": No such file or directory")
      assert.has_error(function() safetensors.write(folder, {}) end,
        folder .. ": Is a directory")
    end)
  end)
end)
