/*
** Pooling over ragged sequences. See pooling.h.
*/
#include "pooling.h"

#include <string.h>

typedef struct Pool {
  const int32_t *offsets;  /* [sequences + 1] */
  int64_t sequences, width;
  Pooling how;
} Pool;


/* rows of sequence s that are pooled; the first is *first */
static int64_t pooled_rows(const Pool *p, int64_t s, int64_t *first) {
  *first = p->offsets[s];
  return p->how == POOL_FIRST ? 1 : p->offsets[s + 1] - p->offsets[s];
}


/* out [sequences, width] += x [tokens, width] */
static void pool_forward(const Pool *p, const float *x, float *out) {
  for (int64_t s = 0; s < p->sequences; s++) {
    int64_t first, n = pooled_rows(p, s, &first);
    for (int64_t r = first; r < first + n; r++)
      for (int64_t c = 0; c < p->width; c++)
        out[s * p->width + c] += x[r * p->width + c] / (float)n;
  }
}


/* dx [tokens, width] += dout [sequences, width], given back to its rows */
static void pool_backward(const Pool *p, const float *dout, float *dx) {
  for (int64_t s = 0; s < p->sequences; s++) {
    int64_t first, n = pooled_rows(p, s, &first);
    for (int64_t r = first; r < first + n; r++)
      for (int64_t c = 0; c < p->width; c++)
        dx[r * p->width + c] += dout[s * p->width + c] / (float)n;
  }
}


static Pool pool_of(const Tensor *offsets, const Tensor *rows, Pooling how) {
  return (Pool){ tensor_i32(offsets), tensor_count(offsets) - 1,
                 rows->shape.size[1], how };
}


static bool pool_back(Node *n, Tensor *dout) {
  Tensor *dx = tensor_zeros(FLOAT32, &n->input[0].shape);
  if (dx == NULL) return false;
  Pool p = pool_of(n->kept.tensor[0], dout, (Pooling)n->kept.integer[0]);
  pool_backward(&p, tensor_f32(dout), tensor_f32(dx));
  return node_give(n, 0, dx);
}


static const Op POOL = { .name = "pool", .backward = pool_back };


Tensor *op_pool(Tape *tape, Tensor *x, Tensor *offsets, Pooling how) {
  Tensor *rows = tensor_contiguous(x), *at = tensor_contiguous(offsets);
  Tensor *out = NULL;
  if (rows != NULL && at != NULL) {
    Pool p = pool_of(at, rows, how);
    Shape s = shape_of(2, p.sequences, p.width);
    out = tensor_zeros(FLOAT32, &s);
    if (out != NULL) pool_forward(&p, tensor_f32(rows), tensor_f32(out));
    Kept kept = { .tensor = { at }, .integer = { how } };
    out = tape_record(tape, out, &POOL, 1, (Tensor *[]){ x }, &kept);
  }
  tensor_release(rows);
  tensor_release(at);
  return out;
}
