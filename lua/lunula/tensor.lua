--- Tensors: numbers with a shape, and what can be done with them.
--
-- A tensor has a dtype (`"float32"`, `"int32"`, `"int64"`) and a shape. Views
-- (transpose, slice, reshape of a contiguous tensor, detach) share their
-- elements with the tensor they came from. Positions that a program writes
-- count from 1, dimensions and elements alike, and from the end when negative;
-- numbers inside index tensors (token ids, classes) count from 0, as in model
-- files. Ops take float32 and broadcast by NumPy's rules where they take two
-- tensors; those that only move elements take any dtype.
--
-- A float32 tensor that was told `requires_grad(true)` is a leaf: ops that
-- reach it are recorded, and `backward` on a result fills its `grad`.
--
--    local tensor = require "lunula.tensor"
--    local w = tensor.from({ 1, 2 }):requires_grad(true)
--    local loss = ((w * 3 - 1):exp()):sum()
--    loss:backward()
--    print(w:grad())
--
-- Operators: `a + b`, `a - b`, `a * b`, `a / b`, `-a`, where one of the two
-- may be a number; `#t` is the size of the first dimension; `tostring(t)`
-- shows dtype, shape and the first values. `==` compares identity.
-- @module lunula.tensor

local core = require "lunula.core"
local options = require "lunula.options"

local tensor = {}

--- A tensor of a number or of nested tables of numbers.
-- @function tensor.from
-- @param numbers a number, or tables of one length at each depth
-- @string[opt="float32"] dtype
-- @treturn tensor
-- @raise when rows differ in length, or a value is no number of the dtype
-- @usage tensor.from({ { 1, 2, 3 }, { 4, 5, 6 } })  -- [2, 3]
tensor.from = core.tensor.from

--- A tensor of zeros.
-- @function tensor.zeros
-- @tparam {int,...} shape
-- @string[opt="float32"] dtype
-- @treturn tensor
tensor.zeros = core.tensor.zeros

--- A tensor of ones.
-- @function tensor.ones
-- @tparam {int,...} shape
-- @string[opt="float32"] dtype
-- @treturn tensor
tensor.ones = core.tensor.ones

--- A tensor of one number, repeated.
-- @function tensor.full
-- @tparam {int,...} shape
-- @number value
-- @string[opt="float32"] dtype
-- @treturn tensor
tensor.full = core.tensor.full

--- Normally distributed numbers (Box & Muller 1958, over Philox): the same for
-- the same seed and purpose, on any machine with the same C library.
-- @tparam {int,...} shape
-- @tparam[opt] table given
-- @number[opt=0] given.mean
-- @number[opt=1] given.std standard deviation
-- @int[opt=0] given.seed
-- @int[opt=0] given.purpose what the numbers are for, 0 .. 2^32 - 1: another
-- purpose is another stream
-- @treturn tensor float32
-- @usage local w = tensor.normal({ 2, 384 }, { std = 0.02, seed = 1 })
function tensor.normal(shape, given)
  local o = options.check(given, { mean = 0, std = 1, seed = 0, purpose = 0 },
    "tensor.normal")
  return core.ops.normal(shape, o.mean, o.std, o.seed, o.purpose)
end

--- Uniformly distributed numbers between two bounds.
-- @tparam {int,...} shape
-- @tparam[opt] table given
-- @number[opt=0] given.low
-- @number[opt=1] given.high
-- @int[opt=0] given.seed
-- @int[opt=0] given.purpose see `normal`
-- @treturn tensor float32
-- @usage local w = tensor.uniform({ 3 }, { low = -1, high = 1, seed = 1 })
function tensor.uniform(shape, given)
  local o = options.check(given, { low = 0, high = 1, seed = 0, purpose = 0 },
    "tensor.uniform")
  return core.ops.uniform(shape, o.low, o.high, o.seed, o.purpose)
end

--- Joins tensors along a dimension; the others must be equal.
-- @function tensor.concat
-- @tparam {tensor,...} parts of one dtype, at least one
-- @int dim
-- @treturn tensor
-- @usage tensor.concat({ a, b }, 1)
tensor.concat = core.ops.concat

--- Looking into a tensor.
-- @section asking

--- The sizes of its dimensions, a table.
-- @function tensor:shape
-- @treturn {int,...}

--- @function tensor:dtype
-- @treturn string `"float32"`, `"int32"` or `"int64"`

--- Its elements as nested tables; a number when it has no dimension.
-- @function tensor:totable
-- @treturn table|number

--- The only element of a tensor of one.
-- @function tensor:item
-- @treturn number
-- @raise when there are more or none

--- Do its rows follow each other in memory?
-- @function tensor:is_contiguous
-- @treturn bool

--- Says whether two tensors are the same: equal for equal dtypes, shapes and
-- bits. Against mistakes, not against malice.
-- @function tensor:checksum
-- @treturn string 16 hexadecimal digits
-- @usage assert(copy:checksum() == original:checksum())

--- Gradients.
-- @section gradients

--- Asks whether a gradient can reach the tensor, or says that one is to.
-- @function tensor:requires_grad
-- @bool[opt] on makes the tensor a leaf that collects its gradient, or stops
-- @treturn bool|tensor the answer, or the tensor itself
-- @raise for integers, and for the result of an op

--- Fills `grad` of every leaf that the tensor depends on, adding to what is
-- there, and frees what the ops kept: it runs once for each forward.
-- @function tensor:backward
-- @tparam[opt] tensor seed of the tensor's shape; not needed for one number
-- @raise when nothing wants a gradient, when it ran before, or when a tensor
-- that is needed was written in place since
-- @usage loss:backward()

--- The gradient gathered so far.
-- @function tensor:grad
-- @treturn ?tensor float32, of the same shape; nil when there is none

--- Forgets the gradient gathered so far.
-- @function tensor:zero_grad
-- @treturn tensor itself

--- The same elements without their history: no gradient goes further back.
-- @function tensor:detach
-- @treturn tensor

--- Writes over the elements, in place, seen by all views.
-- @function tensor:copy
-- @tparam tensor from of the same shape and dtype
-- @treturn tensor itself
-- @raise when the tensor is the result of a recorded op

--- Moves the elements towards another tensor's, in place, seen by all views:
-- self = (1 - weight) self + weight other. For averages of weights, with no
-- memory of its own. Weight 1 gives what `copy` does, to the last bit.
-- @function tensor:lerp_to
-- @tparam tensor other float32, of the same shape
-- @number weight 0 to 1
-- @treturn tensor itself
-- @raise when the tensor is the result of a recorded op
-- @usage average:lerp_to(weight, 1 - 0.999)  -- exponential moving average
-- average:lerp_to(weight, 1 / n)             -- mean, with the n-th of them

--- Elementwise functions.
-- @section elementwise

--- @function tensor:add
-- @tparam tensor|number other
-- @treturn tensor `self + other`

--- @function tensor:sub
-- @tparam tensor|number other
-- @treturn tensor `self - other`

--- @function tensor:mul
-- @tparam tensor|number other
-- @treturn tensor `self * other`

--- @function tensor:div
-- @tparam tensor|number other
-- @treturn tensor `self / other`

--- @function tensor:neg
-- @treturn tensor `-x`

--- @function tensor:exp
-- @treturn tensor e^x

--- @function tensor:log
-- @treturn tensor the natural logarithm

--- @function tensor:sqrt
-- @treturn tensor

--- @function tensor:tanh
-- @treturn tensor

--- @function tensor:relu
-- @treturn tensor max(x, 0)

--- Hendrycks & Gimpel 2016, with the error function, as BERT has it.
-- @function tensor:gelu
-- @treturn tensor x (1 + erf(x / sqrt 2)) / 2

--- @function tensor:sigmoid
-- @treturn tensor 1 / (1 + e^-x)

--- Zeroes elements with probability p and scales the others by 1 / (1 - p).
-- @function tensor:dropout
-- @number p at least 0, below 1
-- @int[opt=0] seed
-- @int[opt=0] purpose
-- @int[opt=0] position where in the stream: element i takes number
-- `position + i`
-- @treturn tensor
-- @see lunula.nn.dropout

--- Puts elements of a base, such as pretrained weights, in the place of the
-- tensor's own with probability p, and scales the others so that the mean
-- stays: ((1 - m) x + m base - p base) / (1 - p), where m is 1 with probability
-- p. `dropout` of the same stream drops where m is 1. The gradient goes to the
-- tensor alone.
-- Lee, Cho & Kang 2020, "Mixout: Effective Regularization to Finetune
-- Large-scale Pretrained Language Models", https://arxiv.org/abs/1909.11299.
-- @function tensor:mixout
-- @tparam tensor base float32, of the same shape
-- @number p at least 0, below 1
-- @int[opt=0] seed
-- @int[opt=0] purpose
-- @int[opt=0] position as for `dropout`
-- @treturn tensor
-- @raise when the base has another shape
-- @usage local mixed = weight:mixout(pretrained, 0.7, seed, purpose)

--- Reductions. Without a dimension they run over all elements; with one it
-- goes, or stays with size 1 when `keepdim` is true.
-- @section reductions

--- @function tensor:sum
-- @int[opt] dim
-- @bool[opt=false] keepdim
-- @treturn tensor

--- @function tensor:mean
-- @int[opt] dim
-- @bool[opt=false] keepdim
-- @treturn tensor NaN for no elements

--- The largest elements; of equal ones the first. NaN counts as larger.
-- @function tensor:max
-- @int[opt] dim
-- @bool[opt=false] keepdim
-- @treturn tensor
-- @treturn ?tensor with a dimension, where they were: int64, counting from 0
-- @raise when there is nothing to choose from

--- The k largest elements of a dimension, the largest first, ordered as by
-- `max`.
-- @function tensor:topk
-- @int k at least 0, at most the size of the dimension
-- @int[opt=-1] dim
-- @treturn tensor
-- @treturn tensor where they were: int64, counting from 0
-- @usage local scores, rows = similarity:topk(10)

--- @function tensor:softmax
-- @int dim
-- @treturn tensor e^x over its sum along dim

--- @function tensor:log_softmax
-- @int dim
-- @treturn tensor the logarithm of the softmax

--- Ba, Kiros & Hinton 2016, over the last dimension.
-- @function tensor:layer_norm
-- @tparam tensor weight as long as the last dimension
-- @tparam tensor bias as long as the last dimension
-- @number[opt=1e-5] eps added to the variance
-- @treturn tensor (x - mean) / sqrt(variance + eps) * weight + bias

--- Products and shape.
-- @section shape

--- The matrix product `[..., m, k]` by `[..., k, n]`. Dimensions in front
-- broadcast; a vector is a row on the left, a column on the right.
-- @function tensor:matmul
-- @tparam tensor other
-- @treturn tensor `[..., m, n]`
-- @raise when the sizes don't fit
-- @usage local scores = hidden:matmul(weight:transpose(1, 2))

--- Swaps two dimensions; a view.
-- @function tensor:transpose
-- @int a
-- @int b
-- @treturn tensor

--- The same elements in another shape; a view when contiguous.
-- @function tensor:reshape
-- @tparam {int,...} shape one size may be -1: what is left over
-- @treturn tensor
-- @usage x:reshape{ 2, -1 }

--- Elements first to last of a dimension, both included, cut to what is there
-- as by `string.sub`; a view.
-- @function tensor:slice
-- @int dim
-- @int first
-- @int[opt=-1] last
-- @treturn tensor
-- @usage x:slice(1, 2, -2)  -- without the first and the last row

--- Rows of a dimension by number.
-- @function tensor:index
-- @int dim
-- @tparam tensor ids `[n]`, int32 or int64, counting from 0
-- @treturn tensor

--- Elements by number: for dim 2 of three,
-- `out[i][j][k] = x[i][ids[i][j][k]][k]`.
-- @function tensor:gather
-- @int dim
-- @tparam tensor ids of as many dimensions, int32 or int64, counting from 0
-- @treturn tensor of ids' shape

--- Rows of a matrix `[V, H]` by number.
-- @function tensor:embedding
-- @tparam tensor ids of any shape, int32 or int64, counting from 0
-- @treturn tensor ids' shape and `H`

--- A contiguous tensor of the same elements: a view when it is one.
-- @function tensor:contiguous
-- @treturn tensor

--- A copy.
-- @function tensor:clone
-- @treturn tensor

--- In another dtype. Towards integers numbers are cut towards 0, what does not
-- fit becomes the nearest that does, NaN 0, and no gradient goes back.
-- @function tensor:to
-- @string dtype
-- @treturn tensor

return tensor
