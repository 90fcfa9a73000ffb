local core = require "lunula.core"
local embedder = require "lunula.embedder"
local safetensors = require "lunula.safetensors"
local search = require "lunula.search"
local tensor = require "lunula.tensor"
local tiny = require "spec.support.tiny"

-- the answers to a query by sums in Lua, of equal ones the first first
local function by_hand(vectors, query, k)
  local found = {}
  for i, vector in ipairs(vectors) do
    local score = 0
    for j, x in ipairs(vector) do score = score + x * query[j] end
    found[i] = { index = i, score = score }
  end
  table.sort(found, function(a, b)
    return a.score > b.score or a.score == b.score and a.index < b.index
  end)
  for i = k + 1, #found do found[i] = nil end
  return found
end

-- whole numbers, whose sums are exact, and many of them equal
local function whole(shape, seed)
  return (tensor.uniform(shape, { low = -3, high = 3, seed = seed }))
    :to("int32"):to("float32")
end

describe("A search", function()
  local vectors, queries = whole({ 200, 8 }, 1), whole({ 70, 8 }, 2)

  it("finds what comparing one by one finds, equal ones in their order",
  function()
    local index = search.new(vectors)
    for _, k in ipairs { 1, 7, 200 } do
      local found = index:query(queries, k)
      assert.are.equal(70, #found)
      for i, query in ipairs(queries:totable()) do
        assert.are.same(by_hand(vectors:totable(), query, k), found[i])
      end
    end
    assert.are.same(index:query(queries, 3)[5],
      index:query(queries:slice(1, 5, 5):reshape { 8 }, 3))
    assert.are.equal(10, #index:query(queries)[1])
  end)

  it("finds all where there are fewer than asked for", function()
    local index = search.new(tensor.from { { 1, 0 }, { 0, 1 } }, { "x", "y" })
    assert.are.same({ { index = 2, score = 2, item = "y" },
      { index = 1, score = 1, item = "x" } },
      index:query(tensor.from { 1, 2 }, 10))
  end)

  it("grows, and is then as if it had been made at once", function()
    local items = {}
    for i = 1, 200 do items[i] = "item " .. i end
    local wanted = search.new(vectors, items):query(queries, 9)
    local index, first = search.new(), 1
    assert.are.same({ {}, {} }, index:query(tensor.zeros { 2, 8 }, 3))
    for _, last in ipairs { 1, 3, 120, 200 } do
      local some = {}
      for i = first, last do some[#some + 1] = items[i] end
      index:add(vectors:slice(1, first, last), some)
      assert.are.equal(last, index.count)
      if last == 3 then assert.are.equal(3, #index:query(queries)[1]) end
      first = last + 1
    end
    assert.are.same(wanted, index:query(queries, 9))
    assert.are.equal("search (200 vectors of 8)", tostring(index))
  end)

  it("may begin with no vectors, which say nothing of items", function()
    local none = tensor.zeros { 0, 8 }
    local index = search.new(none, {}):add(vectors)
    assert.is_nil(index:query(queries, 1)[1][1].item)
    assert.has_error(function() index:add(vectors, { "x" }) end)
    index = search.new(none):add(vectors:slice(1, 1, 1), { "x" })
    assert.are.equal("x", index:query(queries, 1)[1][1].item)
  end)

  it("records nothing", function()
    local learning = vectors:clone():requires_grad(true)
    local index = search.new(learning)
    index:query(queries, 3)
    assert.is_nil(learning:grad())
  end)

  it("asks by texts where it is given the embedder", function()
    local made = embedder "spec/fixtures/embedder"
    local texts = { "how do I pay?", "where is my parcel?", "when open" }
    local index = search.new(made:encode(texts), texts)
    for i, text in ipairs(texts) do
      local found = index:query(text, 2, made)
      assert.are.same({ 2, i, text }, { #found, found[1].index,
        found[1].item })
      assert.is_near(1, found[1].score, 1e-5)
    end
    assert.are.equal(3, #index:query(texts, 1, made))
    assert.has_error(function() index:query("pay") end,
      "query: texts need the embedder that made the vectors, as the third "
      .. "argument")
  end)

  it("says what is wrong with what it is given", function()
    local index = search.new(vectors)
    for message, f in pairs {
      ["search: expected a float32 tensor [vectors, width], got float32 [3]"] =
        function() search.new(tensor.zeros { 3 }) end,
      ["search: expected a float32 tensor [vectors, width], got int32 [3, 2]"]
        = function() search.new(tensor.zeros({ 3, 2 }, "int32")) end,
      ["search: expected a float32 tensor [vectors, 8], got float32 [3, 7]"] =
        function() index:add(tensor.zeros { 3, 7 }) end,
      ["query: expected a float32 tensor [vectors, 8], got float32 [1, 7]"] =
        function() index:query(tensor.zeros { 7 }) end,
      ["search: items: expected one for each of 200 vectors, got 1"] =
        function() search.new(vectors, { "a" }) end,
      ["search: items: the vectors before have none"] =
        function() index:add(tensor.zeros { 1, 8 }, { "a" }) end,
      ["search: items: the vectors before have some, these none"] =
        function() search.new(vectors, vectors:totable()):add(vectors) end,
      ["query: k: expected an integer of at least 1, got 0"] =
        function() index:query(queries, 0) end,
      ["query: expected a tensor, got 3"] = function() index:query(3) end,
      ["save: the index is empty"] = function() search.new():save "x" end,
    } do
      assert.has_error(f, message)
    end
    assert.are.equal(200, index.count)
  end)

  describe("in a file", function()
    local dir, path

    setup(function()
      dir = tiny.temporary()
      path = dir .. "/index.safetensors"
    end)

    teardown(function() tiny.remove(dir) end)

    it("is the same again, its items too", function()
      local items = { "plain",
        'with "quotes"\n', { question = "a", number = 1 } }
      local some = vectors:slice(1, 1, 3)
      search.new(some, items):save(path)
      local again = search.load(path)
      local found = again:query(queries, 3)
      assert.are.same(search.new(some, items):query(queries, 3), found)
      again:add(some, { 1, 2, 3 })
      assert.are.equal(6, again.count)
      search.new(some):save(path)
      assert.are.same(search.new(some):query(queries, 2),
        search.load(path):query(queries, 2))
    end)

    it("stays what it was when the new one can't be written", function()
      search.new(vectors:slice(1, 1, 2), { "a", "b" }):save(path)
      local other = search.new(vectors:slice(1, 1, 1), { print })
      assert.has_error(function() other:save(path) end,
        "json: a function has no place in JSON")
      assert.are.equal(2, search.load(path).count)
    end)

    local function refuses(message)
      local ok, why = pcall(search.load, path)
      assert.is_false(ok)
      assert.are.equal(path .. ": " .. message, why)
    end

    it("is refused when it is of something else", function()
      safetensors.write(path, { weight = vectors })
      refuses "no tensor 'embeddings'"
      safetensors.write(path, { embeddings = tensor.zeros { 4 } })
      refuses "expected a float32 tensor [vectors, width], got float32 [4]"
      safetensors.write(path, { embeddings = tensor.zeros({ 4, 2 }, "int64") })
      refuses "expected a float32 tensor [vectors, width], got int64 [4, 2]"
      safetensors.write(path, { embeddings = vectors }, { items = '["a"]' })
      refuses "items: expected one for each of 200 vectors, got 1"
      safetensors.write(path, { embeddings = vectors }, { items = "3" })
      refuses "items: expected one for each of 200 vectors, got number"
      safetensors.write(path, { embeddings = vectors }, { items = "[" })
      assert.has_error(function() search.load(path) end)
    end)

    it("is refused wherever it is cut short", function()
      search.new(vectors:slice(1, 1, 3), { "a", "b", "c" }):save(path)
      local file = assert(io.open(path, "rb"))
      local bytes = file:read "*a"
      file:close()
      for n = 0, #bytes - 1, 7 do
        core.io.write(path, { bytes:sub(1, n) })
        assert.is_false((pcall(search.load, path)))
      end
      assert.has_error(function() search.load(dir .. "/none") end)
    end)
  end)
end)
