/*
** Matrix products, by gemm. Strided and transposed matrices go in as they
** are, when gemm can read them.
*/
#include "op.h"

#include <assert.h>

#include "../kernel/blas.h"
#include "../kernel/gemm.h"

/* {======== shapes ======== */

/* the dimensions in front of the matrices */
static Shape batch_of(const Shape *s) {
  Shape batch = *s;
  batch.ndim -= 2;
  return batch;
}


static Shape with_matrix(const Shape *batch, int64_t rows, int64_t columns) {
  Shape s = *batch;
  s.size[s.ndim++] = rows;
  s.size[s.ndim++] = columns;
  return s;
}


/* a vector is a row on the left, a column on the right */
static Shape as_matrix(const Shape *s, bool left) {
  if (s->ndim != 1) return *s;
  return left ? shape_of(2, INT64_C(1), s->size[0])
              : shape_of(2, s->size[0], INT64_C(1));
}


static int64_t rows(const Shape *s) {
  return s->size[s->ndim - 2];
}


static int64_t columns(const Shape *s) {
  return s->size[s->ndim - 1];
}


/* of matrices, which must fit */
static Shape product_shape(const Shape *a, const Shape *b) {
  Shape x = batch_of(a), y = batch_of(b), batch = { .ndim = 0 };
  bool fits = shape_broadcast(&x, &y, &batch) && columns(a) == rows(b);
  assert(fits);
  (void)fits;
  return with_matrix(&batch, rows(a), columns(b));
}


bool matmul_shape(const Shape *a, const Shape *b, Shape *out) {
  if (a->ndim == 0 || b->ndim == 0) return false;
  Shape x = as_matrix(a, true), y = as_matrix(b, false), batch;
  Shape in_front_of_x = batch_of(&x), in_front_of_y = batch_of(&y);
  if (columns(&x) != rows(&y) ||
      !shape_broadcast(&in_front_of_x, &in_front_of_y, &batch))
    return false;
  if (a->ndim > 1) batch.size[batch.ndim++] = rows(&x);
  if (b->ndim > 1) batch.size[batch.ndim++] = columns(&y);
  *out = batch;
  return true;
}

/* }======== */


/* {======== products without a tape ======== */

typedef struct Matrix {
  const float *at;
  bool transposed;  /* as stored */
  int64_t row;      /* the length of a stored row */
} Matrix;


/* the last two dimensions of t as gemm takes them; false when it can't */
static bool matrix_of(const Tensor *t, Matrix *m) {
  int last = t->shape.ndim - 1;
  int64_t r = rows(&t->shape), c = columns(&t->shape);
  int64_t down = r > 1 ? t->stride[last - 1] : c;
  int64_t right = c > 1 ? t->stride[last] : 1;
  m->at = tensor_f32(t);
  m->transposed = !(right == 1 && down >= c);
  m->row = m->transposed ? right : down;
  if (m->transposed)
    return (r <= 1 || down == 1) && right >= r && right > 0 &&
           right <= BLAS_LARGEST;
  if (m->row > BLAS_LARGEST) return false;
  if (m->row == 0) m->row = 1;  /* no elements, but gemm asks for a length */
  return true;
}


/* t itself, retained, when gemm can read its matrices; else a copy */
static Tensor *readable(Tensor *t) {
  Matrix m;
  if (matrix_of(t, &m)) return tensor_retain(t);
  return tensor_contiguous(t);
}


/* how far matrix i of t lies from the first, as part of the batch */
static int64_t offset_of(const Tensor *t, const Shape *batch, int64_t i) {
  int64_t offset = 0;
  for (int d = batch->ndim - 1; d >= 0; d--) {
    int at = d - (batch->ndim + 2 - t->shape.ndim);
    if (at >= 0 && t->shape.size[at] > 1)
      offset += i % batch->size[d] * t->stride[at];
    i /= batch->size[d];
  }
  return offset;
}


/* out [batch, m, n] = a by b, which gemm can read */
static void multiply_all(Tensor *out, const Tensor *a, const Tensor *b) {
  Shape batch = batch_of(&out->shape);
  int64_t m = rows(&out->shape), n = columns(&out->shape);
  Matrix x, y;
  if (tensor_count(out) == 0) return;
  matrix_of(a, &x);
  matrix_of(b, &y);
  for (int64_t i = 0; i < shape_count(&batch); i++)
    gemm(x.transposed, y.transposed, m, n, columns(&a->shape), 1,
         x.at + offset_of(a, &batch, i), x.row,
         y.at + offset_of(b, &batch, i), y.row, 0,
         tensor_f32(out) + i * m * n, n > 0 ? n : 1);
}


static Tensor *product(Tensor *a, Tensor *b) {
  Shape s = product_shape(&a->shape, &b->shape);
  Tensor *x = readable(a), *y = readable(b);
  Tensor *out = x && y ? tensor_new(FLOAT32, &s) : NULL;
  if (out != NULL) multiply_all(out, x, y);
  tensor_release(x);
  tensor_release(y);
  return out;
}


static Tensor *matrices_transposed(const Tensor *t) {
  return tensor_transposed(t, t->shape.ndim - 2, t->shape.ndim - 1);
}

/* }======== */


/* da = dout b' */
static Tensor *left_gradient(Tensor *dout, const Tensor *b) {
  Tensor *bt = matrices_transposed(b);
  Tensor *da = bt ? product(dout, bt) : NULL;
  tensor_release(bt);
  return da;
}


/* db = a' dout */
static Tensor *right_gradient(const Tensor *a, Tensor *dout) {
  Tensor *at = matrices_transposed(a);
  Tensor *db = at ? product(at, dout) : NULL;
  tensor_release(at);
  return db;
}


/* kept: a when b wants a gradient, b when a does */
static bool matmul_back(Node *n, Tensor *dout) {
  const Kept *k = &n->kept;
  return (!node_wants(n, 0) ||
          node_give(n, 0, left_gradient(dout, k->tensor[1]))) &&
         (!node_wants(n, 1) ||
          node_give(n, 1, right_gradient(k->tensor[0], dout)));
}


static Tensor *matmul(Tape *tape, Tensor *a, Tensor *b) {
  static const Op op = { .name = "matmul", .backward = matmul_back };
  Kept kept = { .tensor = { tape_wants(tape, b) ? a : NULL,
                            tape_wants(tape, a) ? b : NULL } };
  return tape_record(tape, product(a, b), &op, 2, (Tensor *[]){ a, b },
                     &kept);
}


/* a's dimensions but the last as one: one product instead of many by the same
   b, and the gradient of b summed inside it */
static Shape folded(const Shape *a) {
  Shape s = as_matrix(a, true);
  Shape front = s;
  front.ndim--;
  return shape_of(2, shape_count(&front), columns(&s));
}


/* what op_matmul multiplies: a stack of matrices, or one */
static Shape left_of(const Shape *a, const Shape *b) {
  return b->ndim <= 2 ? folded(a) : as_matrix(a, true);
}


static bool is_small(const Shape *s) {
  return rows(s) <= BLAS_LARGEST && columns(s) <= BLAS_LARGEST;
}


bool matmul_small(const Shape *a, const Shape *b) {
  Shape x = left_of(a, b), y = as_matrix(b, false);
  return is_small(&x) && is_small(&y);
}


/* vectors and stacks by one matrix are made into two matrices first, and the
   result into what it should have been, with ops that know their way back */
Tensor *op_matmul(Tape *tape, Tensor *a, Tensor *b) {
  Shape out_shape;
  bool fits = matmul_shape(&a->shape, &b->shape, &out_shape) &&
              matmul_small(&a->shape, &b->shape);
  assert(fits);
  (void)fits;
  if (b->shape.ndim == 2 && a->shape.ndim == 2) return matmul(tape, a, b);
  Shape x = left_of(&a->shape, &b->shape);
  Shape y = as_matrix(&b->shape, false);
  Tensor *left = op_reshape(tape, a, &x), *right = op_reshape(tape, b, &y);
  Tensor *wide = left && right ? matmul(tape, left, right) : NULL;
  Tensor *out = wide ? op_reshape(tape, wide, &out_shape) : NULL;
  tensor_release(left);
  tensor_release(right);
  tensor_release(wide);
  return out;
}
