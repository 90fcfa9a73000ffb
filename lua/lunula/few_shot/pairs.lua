--- Batches of rows in which each has a row of its own class, and what pairs of
-- their vectors teach an encoder.
-- Each text is encoded once; the pairs are the elements of one matrix, of
-- every vector's product with every other. The vectors have length 1, so that
-- a product is a cosine.
-- @module lunula.few_shot.pairs

local core = require "lunula.core"
local sampler = require "lunula.sampler"
local tensor = require "lunula.tensor"

local pairs_of = {}

local GROUP = 2       -- rows of a class that come together, at least
local FAR = -1e9      -- a logit that softmax makes 0 of

-- {======== batches ========

-- row numbers of each class
local function by_class(classes)
  local rows, list = {}, {}
  for i, class in ipairs(classes) do
    if not rows[class] then
      rows[class] = {}
      list[#list + 1] = rows[class]
    end
    table.insert(rows[class], i)
  end
  return list
end

-- Groups of one class each; a row left over joins the group before it.
local function add_groups(rows, rng, groups)
  sampler.shuffle(rows, rng)
  local before = #groups
  for i, row in ipairs(rows) do
    local alone = i == #rows and #groups > before
    if (i - 1) % GROUP == 0 and not alone then groups[#groups + 1] = {} end
    table.insert(groups[#groups], row)
  end
end

--- The batches of one epoch: every row once, those of a class in pairs.
-- @tparam {int,...} classes of the rows
-- @tparam table o `batch_size`, about so many rows; `seed`, `epoch`
-- @treturn {{int,...},...} row numbers of each batch
function pairs_of.batches(classes, o)
  local rng, groups = core.rng(o.seed, o.epoch), {}
  for _, rows in ipairs(by_class(classes)) do add_groups(rows, rng, groups) end
  sampler.shuffle(groups, rng)
  local count = math.ceil(#classes / o.batch_size)
  local batches, most = {}, #classes / count
  for _, group in ipairs(groups) do
    local last = batches[#batches]
    if not last or #last >= most then
      last = {}
      batches[#batches + 1] = last
    end
    for _, row in ipairs(group) do last[#last + 1] = row end
  end
  return batches
end

-- }========

-- {======== the loss ========

-- Each row's share in its mean: 1 over the number of its class's others, for
-- each of them; 0 for the row itself and other classes.
local function shares(classes)
  local count, anchors, rows = {}, 0, {}
  for _, class in ipairs(classes) do count[class] = (count[class] or 0) + 1 end
  for _, class in ipairs(classes) do
    if count[class] > 1 then anchors = anchors + 1 end
  end
  for i, a in ipairs(classes) do
    rows[i] = {}
    for j, b in ipairs(classes) do
      rows[i][j] = i ~= j and a == b and 1 / (anchors * (count[a] - 1)) or 0
    end
  end
  return tensor.from(rows)
end

local function diagonal(n, value)
  local rows = {}
  for i = 1, n do
    rows[i] = {}
    for j = 1, n do rows[i][j] = i == j and value or 0 end
  end
  return tensor.from(rows)
end

--- How far vectors of one class are from each other, beside the others: the
-- supervised contrastive loss (Khosla et al. 2020, "Supervised Contrastive
-- Learning", equation 2). Of every vector, the others compete by their cosine
-- with it; those of its class should win.
-- @tparam tensor vectors float32 [n, width], of length 1
-- @tparam {int,...} classes of each
-- @number temperature above 0: the cosines are divided by it
-- @treturn tensor one number; 0 where no two rows have one class
-- @usage local loss = pairs_of.loss(nn.normalize(x), { 0, 0, 1, 1 }, 0.1)
function pairs_of.loss(vectors, classes, temperature)
  local logits = vectors:matmul(vectors:transpose(1, 2)) / temperature
    + diagonal(#classes, FAR)
  return -(logits:log_softmax(2) * shares(classes)):sum()
end

-- }========

return pairs_of
