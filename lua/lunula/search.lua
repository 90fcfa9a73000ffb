--- The nearest of many vectors: an exact search by dot product.
-- All vectors lie in one matrix in memory; a query is one matrix product and
-- the largest of its row. For vectors of length 1, as embedders make them, the
-- score is the cosine. There is no approximation, and so nothing to tune.
-- @classmod lunula.search

local check = require "lunula.check"
local json = require "lunula.json"
local no_grad = require("lunula.grad").no_grad
local safetensors = require "lunula.safetensors"
local tensor = require "lunula.tensor"

local search = {}

local Index = {}
Index.__index = Index

local TOGETHER = 32  -- queries: a score for each vector is held for each
local EMBEDDINGS, ITEMS = "embeddings", "items"

-- {======== making ========

-- a matrix of vectors, with no history
local function check_matrix(embeddings, what, width)
  check.tensor(embeddings, what)
  local shape = embeddings:shape()
  if #shape ~= 2 or embeddings:dtype() ~= "float32" or shape[2] < 1
      or width and shape[2] ~= width then
    error(("%s: expected a float32 tensor [vectors, %s], got %s [%s]"):format(
      what, width or "width", embeddings:dtype(), table.concat(shape, ", ")),
      0)
  end
  return embeddings:detach():contiguous()
end

local function check_items(items, what, count)
  if items == nil then return nil end
  if type(items) ~= "table" or #items ~= count then
    error(("%s: items: expected one for each of %d vectors, got %s"):format(
      what, count, type(items) == "table" and #items or type(items)), 0)
  end
  return items
end

--- A new index.
-- @param[opt] embeddings tensor float32 [vectors, width], which is used where
-- it is and not copied; an index without any is filled by `add`
-- @tparam[opt] table items what each vector stands for, in the same order:
-- strings, or whatever else a query is to answer with
-- @treturn search with the field `count`, the number of vectors
-- @raise when the tensor is no such matrix, or items are more or fewer
-- @usage local index = search.new(embedder:encode(questions), questions)
-- print(index:query("How do I pay?", 3, embedder)[1].item)
function search.new(embeddings, items)
  local self = setmetatable({ parts = {}, count = 0 }, Index)
  if embeddings ~= nil then return self:add(embeddings, items) end
  check_items(items, "search.new", 0)
  return self
end

--- Adds vectors, behind those that are there.
-- @param embeddings tensor float32 [vectors, width]
-- @tparam[opt] table items for each; all or none of an index's vectors have
-- them
-- @treturn search itself
-- @raise as `search.new`; the index is then as it was
-- @usage index:add(embedder:encode(more), more)
function Index:add(embeddings, items)
  local matrix = check_matrix(embeddings, "search", self.width)
  local count = #matrix
  check_items(items, "search", count)
  if self.count > 0 and (items == nil) ~= (self.items == nil) then
    error(("search: items: the vectors before have %s"):format(
      self.items and "some, these none" or "none"), 0)
  end
  if items and count > 0 and not self.items then self.items = {} end
  for i = 1, items and count or 0 do
    self.items[self.count + i] = items[i]
  end
  self.parts[#self.parts + 1] = matrix
  self.width = matrix:shape()[2]
  self.count = self.count + count
  return self
end

-- all vectors, in one piece from now on
local function matrix_of(self)
  if #self.parts > 1 then self.parts = { tensor.concat(self.parts, 1) } end
  return self.parts[1]
end

-- }========

-- {======== asking ========

-- queries as a matrix, and whether there was but one
local function check_queries(self, queries, embedder)
  if type(queries) == "string" or type(queries) == "table" then
    if type(embedder) ~= "table" or type(embedder.encode) ~= "function" then
      error("query: texts need the embedder that made the vectors, as the "
        .. "third argument", 0)
    end
    queries = embedder:encode(queries)
  end
  local is_one = #check.tensor(queries, "query"):shape() == 1
  if is_one then queries = queries:reshape { 1, #queries } end
  return check_matrix(queries, "query", self.width), is_one
end

local function found_of(self, scores, rows)
  local found = {}
  for i, row in ipairs(rows) do
    local index = row + 1
    found[i] = { index = index, score = scores[i],
      item = self.items and self.items[index] }
  end
  return found
end

local function query_all(self, queries, k)
  local matrix, answers = matrix_of(self):transpose(1, 2), {}
  for first = 1, #queries, TOGETHER do
    local some = queries:slice(1, first,
      math.min(first + TOGETHER - 1, #queries))
    local scores, rows = some:matmul(matrix):topk(k)
    scores, rows = scores:totable(), rows:totable()
    for i = 1, #scores do
      answers[#answers + 1] = found_of(self, scores[i], rows[i])
    end
  end
  return answers
end

--- The vectors with the largest dot products, the largest first; of equal ones
-- that with the lower index.
-- @param queries a tensor float32 [width], or [queries, width]; or a text, or
-- an array of texts
-- @int[opt=10] k how many; all where there are fewer
-- @tparam[opt] embedder embedder for texts
-- @treturn table an array of `{ index =, score =, item = }`, index from 1; for
-- several queries, an array of those
-- @raise when the width is another, or k no positive integer
-- @usage for _, found in ipairs(index:query("How do I pay?", 3, embedder)) do
--   print(found.score, found.item)
-- end
function Index:query(queries, k, embedder)
  k = check.integer(k == nil and 10 or k, "query: k", { least = 1 })
  local matrix, is_one = check_queries(self, queries, embedder)
  local answers = {}
  if self.count == 0 then
    for i = 1, #matrix do answers[i] = {} end
  else
    answers = no_grad(query_all, self, matrix, math.min(k, self.count))
  end
  return is_one and answers[1] or answers
end

-- }========

-- {======== files ========

--- Writes the index to a file: safetensors, with the items as JSON in its
-- metadata. Whole or not at all: a failure leaves the old file.
-- @string path
-- @raise when it is empty, an item has no place in JSON, or it can't be
-- written
-- @usage index:save "faq.safetensors"
function Index:save(path)
  check.path(path, "save")
  if self.count == 0 then error("save: the index is empty", 0) end
  safetensors.write(path, { [EMBEDDINGS] = matrix_of(self) },
    { format = "pt", [ITEMS] = self.items and json.encode(self.items) })
end

local function read_items(path, text, count)
  if text == nil then return nil end
  local items = json.decode(text, path .. ": " .. ITEMS)
  return check_items(items, path, count)
end

--- Reads what `save` wrote. The vectors are used where they lie in the file
-- (see `safetensors`).
-- @string path
-- @treturn search
-- @raise `PATH: what is wrong` when the file is missing, cut or not valid
-- @usage local index = search.load "faq.safetensors"
function search.load(path)
  check.path(path, "search.load")
  local file = safetensors.read(path)
  local embeddings = file.tensors[EMBEDDINGS]
  if not embeddings then
    error(("%s: no tensor '%s'"):format(path, EMBEDDINGS), 0)
  end
  check_matrix(embeddings, path)
  return search.new(embeddings,
    read_items(path, file.metadata[ITEMS], #embeddings))
end

-- }========

--- One line: how many vectors, of which width.
function Index:__tostring()
  return ("search (%d vectors of %d)"):format(self.count, self.width or 0)
end

return search
