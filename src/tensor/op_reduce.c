/*
** Sums, means and largest elements, over one dimension or all; and the k
** largest of one.
*/
#include "op.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../base/pool.h"
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


/* {======== the k largest ======== */

typedef struct Found {
  float value;
  int64_t at;
} Found;

typedef struct TopK {
  const float *x;  /* [outer, size, inner] */
  int64_t *at;     /* [outer, k, inner] */
  Found *heap;     /* [outer, inner, k] */
  Around around;   /* of x */
  int64_t k;
} TopK;


static bool before(const Found *a, const Found *b) {
  if (above(a->value, b->value)) return true;
  return !above(b->value, a->value) && a->at < b->at;
}


/* makes a heap of n whose root is the last of all, where only element i may
   be out of place */
static void sink(Found *heap, int64_t n, int64_t i) {
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child + 1 < n && before(&heap[child], &heap[child + 1])) child++;
    if (child >= n || !before(&heap[i], &heap[child])) return;
    Found swap = heap[i];
    heap[i] = heap[child];
    heap[child] = swap;
    i = child;
  }
}


/* in order: the root, which comes last, goes behind those left */
static void sort_heap(Found *heap, int64_t n) {
  for (; n > 1; n--) {
    Found last = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = last;
    sink(heap, n - 1, 0);
  }
}


/* A position later in the lane is never before an equal number. */
static void find_in_lane(void *ctx, int64_t lane) {
  const TopK *t = ctx;
  Found *heap = t->heap + lane * t->k;
  int64_t step = t->around.inner;
  const float *x = t->x + around_lane(t->around, lane);
  for (int64_t i = 0; i < t->k; i++) heap[i] = (Found){ x[i * step], i };
  for (int64_t i = t->k / 2; i-- > 0;) sink(heap, t->k, i);
  for (int64_t i = t->k; i < t->around.size; i++) {
    if (!above(x[i * step], heap[0].value)) continue;
    heap[0] = (Found){ x[i * step], i };
    sink(heap, t->k, 0);
  }
  sort_heap(heap, t->k);
  int64_t *at = t->at + lane / step * t->k * step + lane % step;
  for (int64_t i = 0; i < t->k; i++) at[i * step] = heap[i].at;
}


/* INT64, of x's shape but k of dimension dim; NULL: no memory */
static Tensor *positions_of_top(Tensor *x, int dim, int64_t k) {
  Shape s = x->shape;
  Around a = shape_around(&x->shape, dim);
  s.size[dim] = k;
  Tensor *rows = tensor_contiguous(x), *at = tensor_new(INT64, &s);
  int64_t lanes = k > 0 ? a.outer * a.inner : 0;
  Found *heap = malloc(sizeof *heap * (size_t)(lanes * k + 1));
  bool ok = rows != NULL && at != NULL && heap != NULL;
  if (ok) {
    TopK t = { tensor_f32(rows), tensor_i64(at), heap, a, k };
    pool_run(lanes, find_in_lane, &t);
  }
  tensor_release(rows);
  free(heap);
  if (ok) return at;
  tensor_release(at);
  return NULL;
}


Tensor *op_topk(Tape *tape, Tensor *x, int dim, int64_t k, Tensor **at) {
  assert(0 <= k && k <= x->shape.size[dim]);
  *at = positions_of_top(x, dim, k);
  return *at ? op_gather(tape, x, dim, *at) : NULL;
}

/* }======== */
