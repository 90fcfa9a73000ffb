/*
** "Add & Norm". See norm.h.
*/
#include "norm.h"

#include <string.h>

#include "../base/pool.h"
#include "gradient.h"

enum { ROWS_A_TASK = 32 };

typedef struct NormJob {
  LayerNormRows rows;     /* from row 0 */
  const Matrix *out;      /* [count, width] forward; dy backward, or NULL */
  float *z;               /* [count, width] y forward, dout and dz backward */
  const float *bias;      /* [width] or NULL */
  const float *residual;  /* [count, width] or NULL */
  const Dropout *d;
  int64_t count, width;
} NormJob;


static LayerNormRows rows_from(const NormJob *j, int64_t row) {
  LayerNormRows r = j->rows;
  r.normal += row * j->width;
  r.inverse += row;
  return r;
}


static void drop_some(const Dropout *d, float *x, int64_t first, int64_t n,
                      int64_t width) {
  if (d->p == 0) return;
  for (int64_t r = first; r < first + n; r++)
    row_kernels()->dropout(x + r * width, d,
                           (uint64_t)r * row_blocks(width), width);
}


static void forward_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  const RowKernels *k = row_kernels();
  int64_t at = first * j->width;
  LayerNormRows rows = rows_from(j, first);
  if (j->bias != NULL) k->add_bias(j->z + at, j->bias, n, j->width);
  drop_some(j->d, j->z, first, n, j->width);
  if (j->residual != NULL)
    k->add_scaled(j->z + at, j->residual + at, 1, n * j->width);
  k->layer_norm(j->out->values + at, j->z + at, &rows, n, j->width);
  matrix_round_rows(j->out, first, n);
}


static NormJob job_of(const LayerNorm *norm, const NormKept *kept,
                      int64_t rows) {
  return (NormJob){
    .rows = { tensor_f32(norm->weight), tensor_f32(norm->bias), norm->eps,
              kept->normal, kept->inverse },
    .count = rows, .width = norm->weight->shape.size[0] };
}


void norm_forward(const LayerNorm *norm, const NormKept *kept,
                  const Matrix *out, float *y, const float *bias,
                  const float *residual, const Dropout *d) {
  NormJob j = job_of(norm, kept, out->rows);
  j.out = out;
  j.z = y;
  j.bias = bias;
  j.residual = residual;
  j.d = d;
  pool_rows(out->rows, ROWS_A_TASK, forward_some, &j);
}


static void again_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  LayerNormRows rows = rows_from(j, first);
  row_kernels()->layer_norm_again(j->out->values + first * j->width, &rows,
                                  n, j->width);
  matrix_round_rows(j->out, first, n);
}


void norm_again(const LayerNorm *norm, const NormKept *kept,
                const Matrix *out) {
  NormJob j = job_of(norm, kept, out->rows);
  j.out = out;
  pool_rows(out->rows, ROWS_A_TASK, again_some, &j);
}


static void back_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  int64_t at = first * j->width;
  LayerNormRows rows = rows_from(j, first);
  row_kernels()->layer_norm_back(j->z + at, j->z + at, &rows, n, j->width);
  if (j->out == NULL) return;
  float *dy = j->out->values;
  memcpy(dy + at, j->z + at, sizeof(float) * (size_t)(n * j->width));
  drop_some(j->d, dy, first, n, j->width);
  matrix_round_rows(j->out, first, n);
}


/* the gradients of weight and bias, while z still is dout */
static bool back_parameters(const LayerNorm *norm, const NormJob *j) {
  if (norm->weight->requires_grad) {
    float *dw = gradient_of(norm->weight);  /* [width] */
    if (dw == NULL) return false;
    gradient_columns(dw, j->z, j->rows.normal, j->count, j->width, j->width);
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
  NormJob j = job_of(norm, kept, rows);
  j.out = dy;
  j.z = dz;
  j.d = d;
  if (!back_parameters(norm, &j)) return false;
  pool_rows(rows, ROWS_A_TASK, back_some, &j);
  return true;
}


static void dropout_some(void *ctx, int64_t first, int64_t n) {
  const NormJob *j = ctx;
  drop_some(j->d, j->z, first, n, j->width);
}


void dropout_rows(float *x, const Dropout *d, int64_t rows, int64_t width) {
  NormJob j = { .z = x, .d = d, .count = rows, .width = width };
  pool_rows(rows, ROWS_A_TASK, dropout_some, &j);
}
