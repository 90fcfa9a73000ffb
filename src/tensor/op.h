/*
** The ops: what tensors are turned into, each with its way back.
**
** Every op takes the tape first and returns a new reference, or NULL when
** there is no memory. Unless a line says otherwise, inputs are FLOAT32, of
** any strides, and unchanged; the result is contiguous. Shapes and index
** values must fit: bindings check them with the functions at the end, the ops
** assert. Dimensions count from 0; ALL_DIMS is all of them. Long sums are
** added up in double.
*/
#ifndef lunula_op_h
#define lunula_op_h

#include "../base/rng.h"
#include "tape.h"

#pragma GCC visibility push(hidden)

/* arithmetic (op_arith.c); shapes broadcast */

Tensor *op_add(Tape *tape, Tensor *a, Tensor *b);  /* a + b */
Tensor *op_sub(Tape *tape, Tensor *a, Tensor *b);  /* a - b */
Tensor *op_mul(Tape *tape, Tensor *a, Tensor *b);  /* a * b */
Tensor *op_div(Tape *tape, Tensor *a, Tensor *b);  /* a / b */

/* of one tensor, element by element (op_unary.c) */

Tensor *op_neg(Tape *tape, Tensor *x);      /* -x */
Tensor *op_exp(Tape *tape, Tensor *x);      /* e^x */
Tensor *op_log(Tape *tape, Tensor *x);      /* ln x */
Tensor *op_sqrt(Tape *tape, Tensor *x);     /* x^(1/2) */
Tensor *op_tanh(Tape *tape, Tensor *x);
Tensor *op_relu(Tape *tape, Tensor *x);     /* max(x, 0) */
Tensor *op_gelu(Tape *tape, Tensor *x);     /* x (1 + erf(x / sqrt 2)) / 2 */
Tensor *op_sigmoid(Tape *tape, Tensor *x);  /* 1 / (1 + e^-x) */

/* shape (op_shape.c), of any dtype; the first three are views where they can
   be */

Tensor *op_transpose(Tape *tape, Tensor *x, int a, int b);
Tensor *op_reshape(Tape *tape, Tensor *x, const Shape *s);
/* elements first .. first + count - 1 of dimension dim */
Tensor *op_slice(Tape *tape, Tensor *x, int dim, int64_t first,
                 int64_t count);
Tensor *op_concat(Tape *tape, int n, Tensor *const *x, int dim);  /* n > 0 */
Tensor *op_contiguous(Tape *tape, Tensor *x);  /* a view when it is already */
Tensor *op_clone(Tape *tape, Tensor *x);       /* always a copy */
/* floats are cut towards 0; what does not fit becomes the nearest that does,
   NaN becomes 0 */
Tensor *op_to(Tape *tape, Tensor *x, DType d);

/* over a dimension or ALL_DIMS (op_reduce.c), which stays with size 1 when
   keep is true and goes when it is not */

Tensor *op_sum(Tape *tape, Tensor *x, int dim, bool keep);
Tensor *op_mean(Tape *tape, Tensor *x, int dim, bool keep);
/* the largest, the first of equal ones, NaN above all; no dimension of size 0.
   Its positions, INT64, go to *at, unless at is NULL. */
Tensor *op_max(Tape *tape, Tensor *x, int dim, bool keep, Tensor **at);
/* the k largest of dimension dim, of which there are as many, ordered as by
   op_max: the largest first. Their positions, INT64, go to *at. */
Tensor *op_topk(Tape *tape, Tensor *x, int dim, int64_t k, Tensor **at);

/* products (op_matmul.c) */

/* a [..., m, k] by b [..., k, n]: [..., m, n]; the dimensions in front
   broadcast; a vector is a row on the left and a column on the right, and the
   result is without it */
Tensor *op_matmul(Tape *tape, Tensor *a, Tensor *b);

/* along a dimension (op_norm.c) */

Tensor *op_softmax(Tape *tape, Tensor *x, int dim);  /* e^x / sum e^x */
Tensor *op_log_softmax(Tape *tape, Tensor *x, int dim);  /* its logarithm */
/* (x - mean) / sqrt(variance + eps) * weight + bias over the last dimension;
   weight and bias are as long as it */
Tensor *op_layer_norm(Tape *tape, Tensor *x, Tensor *weight, Tensor *bias,
                      float eps);

/* random (op_random.c): element i has the numbers at rng.at + i */

/* x / (1 - p), or 0 with probability p < 1, by the numbers of 16 bits that
   kernel/rows.h tells of; the way back draws the same ones again */
Tensor *op_dropout(Tape *tape, Tensor *x, float p, Rng rng);
/* ((1 - m) x + m base - p base) / (1 - p), m = 1 where op_dropout drops (Lee et
   al. 2020); base has x's shape and gets no gradient */
Tensor *op_mixout(Tape *tape, Tensor *x, Tensor *base, float p, Rng rng);
/* no inputs, so no tape */
Tensor *op_normal(const Shape *s, double mean, double std, Rng rng);
Tensor *op_uniform(const Shape *s, double low, double high, Rng rng);

/* by index (op_index.c), x of any dtype; ids are INT32 or INT64 and count
   from 0 */

/* rows ids [n] of dimension dim */
Tensor *op_index(Tape *tape, Tensor *x, int dim, Tensor *ids);
/* out[i][j][k] = x[i][ids[i][j][k]][k] for dim 1, and so on */
Tensor *op_gather(Tape *tape, Tensor *x, int dim, Tensor *ids);
/* rows of weight [V, H]: ids [...] gives [..., H] */
Tensor *op_embedding(Tape *tape, Tensor *weight, Tensor *ids);

/* losses (op_loss.c): one number */

typedef struct CrossEntropy {
  Tensor *weight;         /* [C] or NULL: of each class; a constant */
  float label_smoothing;  /* 0 .. 1 */
  int64_t ignore_index;   /* rows of this class don't count */
} CrossEntropy;

/* Of logits [n, C] and classes [n], INT32 or INT64. With log p the log_softmax,
   y a row's class, s the smoothing and w the weights:
     sum over rows of ((1 - s) w[y] -log p[y] + s / C sum over c of w[c] -log
     p[c]), over the sum over rows of w[y] */
Tensor *op_cross_entropy(Tape *tape, Tensor *logits, Tensor *classes,
                         const CrossEntropy *how);
/* the same, without weights, of the logits x weight' + bias: x [n, H], weight
   [C, H], bias [C], classes [n]. For many classes (op_linear_loss.c) */
Tensor *op_linear_cross_entropy(Tape *tape, Tensor *x, Tensor *weight,
                                Tensor *bias, Tensor *classes);
Tensor *op_mse(Tape *tape, Tensor *a, Tensor *b);  /* mean of (a - b)^2 */
/* mean of -(w y log p + (1 - y) log(1 - p)), p = sigmoid(x); y of x's shape
   and w (NULL: 1), which broadcasts to it, are constants */
Tensor *op_binary_cross_entropy(Tape *tape, Tensor *x, Tensor *y, Tensor *w);

/* what fits: each false when it does not */

bool matmul_shape(const Shape *a, const Shape *b, Shape *out);
/* of shapes that fit: are there no more rows and columns than BLAS counts? */
bool matmul_small(const Shape *a, const Shape *b);
/* *into: sizes, one of which may be -1, which is then worked out */
bool reshape_shape(const Shape *from, Shape *into);
/* adds one more to *all, the shape of those before it */
bool concat_shape(Shape *all, const Shape *more, int dim);
bool gather_shape(const Shape *x, int dim, const Shape *ids);
/* are ids in 0 .. n - 1, or *also (unless NULL)? If not, *bad is one that is
   not */
bool ids_within(const Tensor *ids, int64_t n, const int64_t *also,
                int64_t *bad);

#pragma GCC visibility pop

#endif
