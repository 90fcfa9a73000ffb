--- The known answers are NIST's, of FIPS 180-4's examples and of the SHA-2
-- validation system (SHAVS): https://csrc.nist.gov/projects/
-- cryptographic-algorithm-validation-program/secure-hashing.
local core = require "lunula.core"
local data = require "lunula.data"
local file = require "spec.support.file"
local shell = require "lunula.shell"

local KNOWN = {
  [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  ["abc"] = "ba7816bf8f01cfea414140de5dae2223"
    .. "b00361a396177a9cb410ff61f20015ad",
  ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"] =
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ["abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
    .. "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"] =
    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
  ["\189"] =
    "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b",
  ["\201\140\142\085"] =
    "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504",
  [("a"):rep(1000000)] =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  [("\0"):rep(1000000)] =
    "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025",
}

local path

local function random_bytes(rng, n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(rng:below(256)) end
  return table.concat(bytes)
end

describe("SHA-256", function()
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("gives NIST's answers, of a string and of a file", function()
    for bytes, digest in pairs(KNOWN) do
      assert.are.equal(digest, core.sha256(bytes))
      file.write(path, bytes)
      assert.are.equal(digest, core.io.sha256(path))
    end
  end)

  it("gives what sha256sum gives, around the ends of blocks and beyond",
    function()
      if not shell.has "sha256sum" then pending "needs sha256sum" end
      local rng, lengths = core.rng(4), {}
      for n = 54, 66 do lengths[#lengths + 1] = n end
      for n = 118, 130 do lengths[#lengths + 1] = n end
      for _ = 1, 20 do lengths[#lengths + 1] = rng:below(70000) end
      for _, n in ipairs(lengths) do
        local bytes = random_bytes(rng, n)
        file.write(path, bytes)
        local said = shell.must { "sha256sum", path }:match "^%x+"
        assert.are.equal(said, core.sha256(bytes), n)
        assert.are.equal(said, core.io.sha256(path), n)
      end
    end)

  it("is the same of bytes that come in pieces, and may go on", function()
    local rng, hasher, all = core.rng(5), core.hasher(), ""
    for _ = 1, 60 do
      local piece = random_bytes(rng, rng:below(150))
      all = all .. piece
      hasher:add(piece)
      assert.are.equal(core.sha256(all), hasher:text())
    end
  end)

  it("refuses what is no string, and a file that can't be read", function()
    assert.has_error(function() core.sha256({}) end)
    local ok, why = pcall(core.io.sha256, path .. "/none")
    assert.is_false(ok)
    assert.are.equal(path .. "/none: Not a directory", why)
    ok, why = pcall(core.io.sha256, "/")
    assert.is_false(ok)
    assert.are.equal("/: Is a directory", why)
  end)
end)

describe("the hash of a row", function()
  it("is that of its texts and its label", function()
    assert.are.equal(core.sha256 "a\0b\0c",
      data.hash { text = "a", text_pair = "b", label = "c" })
    assert.are.equal(core.sha256 "a\0\0", data.hash { text = "a" })
    assert.are.equal(core.sha256 "a\0\0001.5",
      data.hash { text = "a", label = 1.5 })
  end)

  it("tells texts, pairs and labels apart", function()
    local seen = {}
    for _, row in ipairs { { text = "ab" }, { text = "a", text_pair = "b" },
      { text = "a", label = "b" }, { text = "a", labels = { "b", "c" } },
      { text = "a", label = "bc" } } do
      local hash = data.hash(row)
      assert.is_nil(seen[hash])
      seen[hash] = true
    end
  end)

  it("takes no notice of the order of several labels, or of other fields",
    function()
      assert.are.equal(data.hash { text = "a", labels = { "x", "y" } },
        data.hash { text = "a", labels = { "y", "x" }, line = 3, file = "f" })
    end)

  it("refuses a row without a text", function()
    local ok, why = pcall(data.hash, { label = "a" })
    assert.is_false(ok)
    assert.are.equal("data.hash: text: expected a string, got nil", why)
  end)
end)
