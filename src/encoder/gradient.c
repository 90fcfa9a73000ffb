/*
** Adding to gradients. See gradient.h.
*/
#include "gradient.h"

#include <stddef.h>

#include "../base/pool.h"
#include "../kernel/rows.h"
#include "../tensor/row_gradient.h"

enum { COLUMNS_A_TASK = 64 };

typedef struct ColumnSums {
  float *sum;         /* [columns] */
  const float *x, *y; /* [rows, columns], rows `stride` apart; y or NULL */
  int64_t rows, stride;
} ColumnSums;


float *gradient_of(Tensor *parameter) {
  Tensor *grad = tensor_gradient(parameter);
  return grad ? tensor_f32(grad) : NULL;
}


float *gradient_to_fill(Tensor *parameter, bool *add) {
  Tensor *grad = tensor_gradient_to_fill(parameter, add);
  return grad ? tensor_f32(grad) : NULL;
}


static void sum_some(void *ctx, int64_t c, int64_t n) {
  const ColumnSums *s = ctx;
  if (s->y == NULL)
    row_kernels()->column_sums(s->sum + c, s->x + c, s->rows, s->stride, n);
  else
    row_kernels()->column_products(s->sum + c, s->x + c, s->y + c, s->rows,
                                   s->stride, n);
}


void gradient_columns(float *sum, const float *x, const float *y,
                      int64_t rows, int64_t stride, int64_t columns) {
  ColumnSums s = { sum, x, y, rows, stride };
  pool_rows(columns, COLUMNS_A_TASK, sum_some, &s);
}
