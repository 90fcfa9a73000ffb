/*
** Sums, means and largest elements, over one dimension or all.
*/
#include "op.h"

#include <assert.h>
#include <math.h>

#include "map.h"

/* what a reduction of x has for a shape */
static Shape result_shape(const Tensor *x, int dim, bool keep) {
  Shape s = shape_reduced(&x->shape, dim);
  if (keep) return s;
  if (dim == ALL_DIMS) return shape_of(0);
  for (int i = dim; i + 1 < s.ndim; i++) s.size[i] = s.size[i + 1];
  s.ndim--;
  return s;
}


/* t, contiguous, in another shape. Takes t; NULL is passed on. */
static Tensor *into_shape(Tensor *t, const Shape *s) {
  Tensor *out = t ? tensor_reshaped(t, s) : NULL;
  tensor_release(t);
  return out;
}


/* {======== sum and mean ======== */

RUN1(divide, x / *(const float *)ctx)


/* dx = dout over kept.number[0], repeated over the dimensions that went */
static bool sum_back(Node *n, Tensor *dout) {
  Shape s = shape_reduced(&n->input[0].shape, (int)n->kept.integer[0]);
  Tensor *d = into_shape(map1(divide, &n->kept.number[0], dout), &s);
  Tensor *dx = d ? tensor_expanded(d, &n->input[0].shape) : NULL;
  tensor_release(d);
  return node_give(n, 0, dx);
}


static const Op SUM = { .name = "sum", .backward = sum_back };


Tensor *op_sum(Tape *tape, Tensor *x, int dim, bool keep) {
  Shape s = result_shape(x, dim, keep);
  Kept kept = { .integer = { dim }, .number = { 1 } };
  return tape_record(tape, into_shape(tensor_summed(x, dim), &s), &SUM, 1,
                     &x, &kept);
}


static const Op MEAN = { .name = "mean", .backward = sum_back };


/* of nothing it is 0 / 0, NaN */
Tensor *op_mean(Tape *tape, Tensor *x, int dim, bool keep) {
  Shape s = result_shape(x, dim, keep);
  float count = (float)shape_around(&x->shape, dim).size;
  Kept kept = { .integer = { dim }, .number = { count } };
  Tensor *sum = into_shape(tensor_summed(x, dim), &s);
  Tensor *out = sum ? map1(divide, &count, sum) : NULL;
  tensor_release(sum);
  return tape_record(tape, out, &MEAN, 1, &x, &kept);
}

/* }======== */


/* {======== max ======== */

static bool above(float x, float best) {
  return x > best || (isnan(x) && !isnan(best));
}


/* in a lane of n elements, `step` apart */
static int64_t position_of_max(const float *x, int64_t n, int64_t step) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++)
    if (above(x[i * step], x[best * step])) best = i;
  return best;
}


/* out [outer, inner], at [outer, inner], x [outer, size, inner] */
static void fill_max(float *out, int64_t *at, const float *x, Around a) {
  for (int64_t i = 0; i < a.outer * a.inner; i++) {
    const float *lane = x + around_lane(a, i);
    at[i] = position_of_max(lane, a.size, a.inner);
    out[i] = lane[at[i] * a.inner];
  }
}


/* kept: the positions */
static bool max_back(Node *n, Tensor *dout) {
  const Shape *s = &n->input[0].shape;
  Around a = shape_around(s, (int)n->kept.integer[0]);
  const int64_t *at = tensor_i64(n->kept.tensor[0]);
  Tensor *dx = tensor_zeros(FLOAT32, s);
  for (int64_t i = 0; dx != NULL && i < tensor_count(dout); i++)
    tensor_f32(dx)[around_lane(a, i) + at[i] * a.inner] = tensor_f32(dout)[i];
  return node_give(n, 0, dx);
}


static const Op MAX = { .name = "max", .backward = max_back };


Tensor *op_max(Tape *tape, Tensor *x, int dim, bool keep, Tensor **at) {
  Shape s = result_shape(x, dim, keep);
  Around a = shape_around(&x->shape, dim);
  assert(a.size > 0);
  Tensor *rows = tensor_contiguous(x), *out = tensor_new(FLOAT32, &s);
  Tensor *positions = tensor_new(INT64, &s);
  bool ok = rows && out && positions;
  if (ok) fill_max(tensor_f32(out), tensor_i64(positions), tensor_f32(rows), a);
  Kept kept = { .tensor = { positions }, .integer = { dim } };
  tensor_release(rows);
  if (!ok) {
    tensor_release(out);
    out = NULL;
  }
  out = tape_record(tape, out, &MAX, 1, &x, &kept);
  if (at != NULL && out != NULL) *at = positions;
  else tensor_release(positions);
  return out;
}

/* }======== */
