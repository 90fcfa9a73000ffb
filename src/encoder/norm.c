/*
** "Add & Norm". See norm.h.
*/
#include "norm.h"

#include <string.h>

#include "../base/pool.h"
#include "gradient.h"

enum {
  ROWS_A_TASK = 32,
  ROWS_AT_ONCE = 4   /* stay in L1 from step to step; even, as a Piece has */
};

typedef struct NormJob {
  const LayerNorm *norm;
  const NormKept *kept;
  const Matrix *out;      /* [count, width] forward; dy backward, or NULL */
  float *z;               /* [count, width] backward: dout and dz */
  const Dropout *d;
  int64_t count, width;
} NormJob;


static int64_t width_of(const LayerNorm *norm) {
  return norm->weight->shape.size[0];
}


static LayerNormRows rows_from(const LayerNorm *norm, const NormKept *kept,
                               int64_t row) {
  return (LayerNormRows){
    tensor_f32(norm->weight), tensor_f32(norm->bias), norm->eps,
    kept->normal + row * width_of(norm), kept->inverse + row };
}


static void drop_some(const Dropout *d, float *x, int64_t first, int64_t n,
                      int64_t width) {
  if (d->p == 0) return;
  for (int64_t r = first; r < first + n; r++)
    row_kernels()->dropout(x + r * width, d,
                           (uint64_t)r * row_blocks(width), width);
}


/* n rows, a few at a time */
static void by_few(PoolRows task, void *ctx, int64_t first, int64_t n) {
  for (int64_t end = first + n; first < end; first += ROWS_AT_ONCE)
    task(ctx, first, end - first < ROWS_AT_ONCE ? end - first
                                                : ROWS_AT_ONCE);
}


/* {======== forward ======== */

static void forward_few(void *ctx, int64_t first, int64_t n) {
  const NormForward *f = ctx;
  const RowKernels *k = row_kernels();
  int64_t width = width_of(f->norm), at = first * width;
  LayerNormRows rows = rows_from(f->norm, &f->kept, first);
  if (f->bias != NULL) k->add_bias(f->y + at, f->bias, n, width);
  drop_some(f->d, f->y, first, n, width);
  if (f->residual != NULL)
    k->add_scaled(f->y + at, f->residual + at, 1, n * width);
  k->layer_norm(f->out->values + at, f->y + at, &rows, n, width);
  matrix_round_rows(f->out, first, n);
}


static void forward_piece(void *ctx, Piece p) {
  by_few(forward_few, ctx, p.row, p.rows);
}


Finish norm_finish(NormForward *n) {
  return (Finish){ forward_piece, n, true };
}


void norm_forward(const NormForward *n) {
  NormForward job = *n;
  Finish f = norm_finish(&job);
  product_finish(n->out->rows, width_of(n->norm), &f);
}


static void drop_few(void *ctx, int64_t first, int64_t n) {
  const DropForward *f = ctx;
  int64_t width = f->out->width, at = first * width;
  float *y = f->out->values;
  if (f->bias != NULL) row_kernels()->add_bias(y + at, f->bias, n, width);
  drop_some(f->d, y, first, n, width);
  if (f->copy != NULL)
    memcpy(f->copy + at, y + at, sizeof *y * (size_t)(n * width));
  matrix_round_rows(f->out, first, n);
}


static void drop_piece(void *ctx, Piece p) {
  by_few(drop_few, ctx, p.row, p.rows);
}


Finish drop_finish(DropForward *d) {
  return (Finish){ drop_piece, d, true };
}


static void again_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  LayerNormRows rows = rows_from(j->norm, j->kept, first);
  row_kernels()->layer_norm_again(j->out->values + first * j->width, &rows,
                                  n, j->width);
  matrix_round_rows(j->out, first, n);
}


void norm_again(const LayerNorm *norm, const NormKept *kept,
                const Matrix *out) {
  NormJob j = { .norm = norm, .kept = kept, .out = out, .count = out->rows,
                .width = width_of(norm) };
  pool_rows(out->rows, ROWS_A_TASK, again_some, &j);
}

/* }======== */


/* {======== backward ======== */

static void back_few(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  int64_t at = first * j->width;
  LayerNormRows rows = rows_from(j->norm, j->kept, first);
  row_kernels()->layer_norm_back(j->z + at, j->z + at, &rows, n, j->width);
  if (j->out == NULL) return;
  float *dy = j->out->values;
  memcpy(dy + at, j->z + at, sizeof(float) * (size_t)(n * j->width));
  drop_some(j->d, dy, first, n, j->width);
  matrix_round_rows(j->out, first, n);
}


static void back_some(void *ctx, int64_t first, int64_t n) {
  by_few(back_few, ctx, first, n);
}


/* the gradients of weight and bias, while z still is dout */
static bool back_parameters(const NormJob *j) {
  const LayerNorm *norm = j->norm;
  if (norm->weight->requires_grad) {
    float *dw = gradient_of(norm->weight);  /* [width] */
    if (dw == NULL) return false;
    gradient_columns(dw, j->z, j->kept->normal, j->count, j->width, j->width);
  }
  if (norm->bias->requires_grad) {
    float *db = gradient_of(norm->bias);    /* [width] */
    if (db == NULL) return false;
    gradient_columns(db, j->z, NULL, j->count, j->width, j->width);
  }
  return true;
}


bool norm_back(const LayerNorm *norm, const NormKept *kept, float *dz,
               const Matrix *dy, const Dropout *d, int64_t rows) {
  NormJob j = { norm, kept, dy, dz, d, rows, width_of(norm) };
  if (!back_parameters(&j)) return false;
  pool_rows(rows, ROWS_A_TASK, back_some, &j);
  return true;
}

/* }======== */


static void dropout_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  drop_some(j->d, j->z, first, n, j->width);
}


void dropout_rows(float *x, const Dropout *d, int64_t rows, int64_t width) {
  NormJob j = { .z = x, .d = d, .count = rows, .width = width };
  pool_rows(rows, ROWS_A_TASK, dropout_some, &j);
}
