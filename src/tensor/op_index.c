/*
** Ops that pick elements by number, and scatter gradients back: an element
** that was picked twice gets both. ids were checked before (ids_within).
*/
#include "op.h"

#include <assert.h>
#include <string.h>

/* {======== checking ======== */

typedef struct Range {
  DType dtype;
  int64_t n;
  const int64_t *also;
  int64_t *bad;
  bool ok;
} Range;


static void check_run(char *const *at, const int64_t *stride, int64_t length,
                      void *ctx) {
  Range *r = ctx;
  const int32_t *narrow = (const int32_t *)(const void *)at[0];
  const int64_t *wide = (const int64_t *)(const void *)at[0];
  for (int64_t i = 0; r->ok && i < length; i++) {
    int64_t id = r->dtype == INT32 ? narrow[i * stride[0]]
                                   : wide[i * stride[0]];
    r->ok = (0 <= id && id < r->n) || (r->also && id == *r->also);
    if (!r->ok) *r->bad = id;
  }
}


bool ids_within(const Tensor *ids, int64_t n, const int64_t *also,
                int64_t *bad) {
  Range r = { ids->dtype, n, also, bad, true };
  tensor_walk(1, &ids, check_run, &r);
  return r.ok;
}


/* ids, contiguous and INT64 */
static Tensor *wide_ids(Tape *tape, Tensor *ids) {
  return op_to(tape, ids, INT64);
}

/* }======== */


/* {======== index and embedding: whole rows ======== */

/* out [outer, n, inner] from x [outer, size, inner] and id [n] */
static void take(Tensor *out, const Tensor *x, Around a, const int64_t *id,
                 int64_t n) {
  size_t bytes = (size_t)a.inner * dtype_size(x->dtype);
  char *to = out->storage->data;
  const char *from = (const char *)x->storage->data +
                     x->start * (int64_t)dtype_size(x->dtype);
  for (int64_t o = 0; o < a.outer; o++)
    for (int64_t i = 0; i < n; i++) {
      memcpy(to, from + (o * a.size + id[i]) * (int64_t)bytes, bytes);
      to += bytes;
    }
}


/* dx [outer, size, inner] += dout [outer, n, inner] */
static void put_back(float *dx, const float *dout, Around a,
                     const int64_t *id, int64_t n) {
  for (int64_t o = 0; o < a.outer; o++)
    for (int64_t i = 0; i < n; i++) {
      float *row = dx + (o * a.size + id[i]) * a.inner;
      for (int64_t j = 0; j < a.inner; j++) row[j] += *dout++;
    }
}


/* kept: the ids, the dimension */
static bool take_back(Node *n, Tensor *dout) {
  const Shape *s = &n->input[0].shape;
  const Tensor *ids = n->kept.tensor[0];
  Tensor *dx = tensor_zeros(FLOAT32, s);
  if (dx != NULL)
    put_back(tensor_f32(dx), tensor_f32(dout),
             shape_around(s, (int)n->kept.integer[0]), tensor_i64(ids),
             tensor_count(ids));
  return node_give(n, 0, dx);
}


/* rows `ids` of dimension dim, as a tensor of shape s */
static Tensor *rows_of(Tape *tape, Tensor *x, int dim, Tensor *ids,
                       const Shape *s, const Op *op) {
  Tensor *wide = wide_ids(tape, ids), *rows = tensor_contiguous(x);
  Tensor *out = wide && rows ? tensor_new(x->dtype, s) : NULL;
  if (out != NULL)
    take(out, rows, shape_around(&x->shape, dim), tensor_i64(wide),
         tensor_count(wide));
  Kept kept = { .tensor = { wide }, .integer = { dim } };
  out = tape_record(tape, out, op, 1, &x, &kept);
  tensor_release(wide);
  tensor_release(rows);
  return out;
}


Tensor *op_index(Tape *tape, Tensor *x, int dim, Tensor *ids) {
  static const Op op = { .name = "index", .backward = take_back };
  Shape s = x->shape;
  assert(ids->shape.ndim == 1);
  s.size[dim] = ids->shape.size[0];
  return rows_of(tape, x, dim, ids, &s, &op);
}


Tensor *op_embedding(Tape *tape, Tensor *weight, Tensor *ids) {
  static const Op op = { .name = "embedding", .backward = take_back };
  Shape s = ids->shape;
  assert(weight->shape.ndim == 2 && s.ndim < TENSOR_DIMS);
  s.size[s.ndim++] = weight->shape.size[1];
  return rows_of(tape, weight, 0, ids, &s, &op);
}

/* }======== */


/* {======== gather: single elements ======== */

bool gather_shape(const Shape *x, int dim, const Shape *ids) {
  if (x->ndim != ids->ndim) return false;
  for (int i = 0; i < x->ndim; i++)
    if (i != dim && ids->size[i] > x->size[i]) return false;
  return true;
}


/* x as ids see it: at each place, the first of the elements that the id
   there chooses from */
static Tensor *lanes_of(const Tensor *x, int dim, const Shape *ids) {
  Tensor *v = tensor_alias(x);
  if (v == NULL) return NULL;
  v->shape = *ids;
  v->stride[dim] = 0;
  return v;
}


typedef struct Lane {
  int64_t step;  /* between elements of a lane */
  size_t bytes;  /* of an element */
} Lane;


/* out, x, ids */
static void gather_run(char *const *at, const int64_t *stride, int64_t length,
                       void *ctx) {
  const Lane *l = ctx;
  const int64_t *id = (const int64_t *)(const void *)at[2];
  int64_t size = (int64_t)l->bytes;
  for (int64_t i = 0; i < length; i++)
    memcpy(at[0] + i * stride[0] * size,
           at[1] + (i * stride[1] + id[i * stride[2]] * l->step) * size,
           l->bytes);
}


/* dout, dx, ids */
static void scatter_run(char *const *at, const int64_t *stride,
                        int64_t length, void *ctx) {
  const Lane *l = ctx;
  const float *dout = (const float *)(const void *)at[0];
  float *dx = (float *)(void *)at[1];
  const int64_t *id = (const int64_t *)(const void *)at[2];
  for (int64_t i = 0; i < length; i++)
    dx[i * stride[1] + id[i * stride[2]] * l->step] += dout[i * stride[0]];
}


/* runs over t (of ids' shape), the lanes of x, and ids; false: no memory */
static bool walk_lanes(Tensor *t, Tensor *x, int dim, const Tensor *ids,
                       TensorRun run) {
  Lane l = { x->stride[dim], dtype_size(x->dtype) };
  Tensor *v = lanes_of(x, dim, &ids->shape);
  if (v == NULL) return false;
  tensor_walk(3, (const Tensor *[]){ t, v, ids }, run, &l);
  tensor_release(v);
  return true;
}


/* kept: the ids, the dimension */
static bool gather_back(Node *n, Tensor *dout) {
  Tensor *dx = tensor_zeros(FLOAT32, &n->input[0].shape);
  if (dx != NULL && walk_lanes(dout, dx, (int)n->kept.integer[0],
                               n->kept.tensor[0], scatter_run))
    return node_give(n, 0, dx);
  tensor_release(dx);
  return false;
}


Tensor *op_gather(Tape *tape, Tensor *x, int dim, Tensor *ids) {
  static const Op op = { .name = "gather", .backward = gather_back };
  Tensor *wide = wide_ids(tape, ids);
  Tensor *out = wide ? tensor_new(x->dtype, &ids->shape) : NULL;
  if (out != NULL && !walk_lanes(out, x, dim, wide, gather_run)) {
    tensor_release(out);
    out = NULL;
  }
  Kept kept = { .tensor = { wide }, .integer = { dim } };
  out = tape_record(tape, out, &op, 1, &x, &kept);
  tensor_release(wide);
  return out;
}

/* }======== */
