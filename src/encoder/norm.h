/*
** "Add & Norm": the end of each half of a layer.
**
**   forward   z = residual + dropout(y + bias),  out = LayerNorm(z)
**   backward  from dout: dz (for the residual), dy = dropout's dz
**
** Kept between the two: z normalised, and 1 / sigma of each row. The output
** and the dropout mask are made again.
*/
#ifndef lunula_norm_h
#define lunula_norm_h

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/product.h"
#include "../kernel/rows.h"
#include "../tensor/tensor.h"
#include "matrix.h"

#pragma GCC visibility push(hidden)

typedef struct LayerNorm {
  Tensor *weight, *bias;  /* [width] */
  float eps;
} LayerNorm;

typedef struct NormKept {
  float *normal;   /* [rows, width] */
  float *inverse;  /* [rows] */
} NormKept;

/* out = LayerNorm(residual + dropout(y + bias)) */
typedef struct NormForward {
  const LayerNorm *norm;
  NormKept kept;
  const Matrix *out;
  float *y;               /* [rows, width], used up unless kept.normal */
  const float *bias;      /* [width] or NULL */
  const float *residual;  /* [rows, width] or NULL */
  const Dropout *d;
} NormForward;

void norm_forward(const NormForward *n);

/* the same of each piece of a product that makes y */
Finish norm_finish(NormForward *n);

/* What comes before an adapter: out = dropout(y + bias), with y in out's
   values; or the way back, without a bias. */
typedef struct DropForward {
  const Matrix *out;   /* [rows, width] */
  const float *bias;   /* [width] or NULL */
  const Dropout *d;
  float *copy;         /* [rows, width] that gets the same; or NULL */
} DropForward;

/* of whole rows of a product that makes y */
Finish drop_finish(DropForward *d);

/* the same output again */
void norm_again(const LayerNorm *norm, const NormKept *kept,
                const Matrix *out);

/* dz [rows, width] from dout (in place); dy = dz through the dropout unless
   dy is NULL. Adds to the gradients of weight and bias. false: no memory */
bool norm_back(const LayerNorm *norm, const NormKept *kept, float *dz,
               const Matrix *dy, const Dropout *d, int64_t rows);

/* x = dropout(x), or the way back through it; x [rows, width] */
void dropout_rows(float *x, const Dropout *d, int64_t rows, int64_t width);

#pragma GCC visibility pop

#endif
