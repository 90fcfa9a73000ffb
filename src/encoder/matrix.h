/*
** A matrix of activations or of their gradients, [rows, width], in the forms
** that products read: float32, and what its maker rounds to bfloat16 or packs
** into panels while the numbers are still in the cache.
**
** A form that is NULL is not wanted. In float32 nothing is rounded, and only
** a backward by our own kernels wants panels.
*/
#ifndef lunula_matrix_h
#define lunula_matrix_h

#include <stddef.h>
#include <stdint.h>

#include "../kernel/product.h"

#pragma GCC visibility push(hidden)

typedef struct Matrix {
  float *values;      /* [rows, width], rows `stride` apart */
  Bf16 *rounded;      /* [rows, bf16_step(width)], for products with weights */
  uint32_t *panels;   /* of depth `rows`, for the gradients of weights */
  int64_t rows, width, stride;
  Element element;    /* of the panels */
} Matrix;

/* values alone */
static inline Matrix matrix_of(float *values, int64_t rows, int64_t width) {
  return (Matrix){ .values = values, .rows = rows, .width = width,
                   .stride = width };
}

/* rounds and packs what is wanted of a piece; x [p.rows, p.columns], rows
   `stride` apart. On the thread that calls, inside a pool's task */
void matrix_round(const Matrix *m, Piece p, const float *x, int64_t stride);

/* the same of whole rows of the values */
void matrix_round_rows(const Matrix *m, int64_t first, int64_t n);

/* the same of all values, over the pool */
void matrix_round_all(const Matrix *m);

#pragma GCC visibility pop

#endif
