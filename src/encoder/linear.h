/*
** Linear layers over the rows of a ragged batch, in float32 or bfloat16.
**
**   forward   y = x W' + b        x [rows, in], W [out, in], y [rows, out]
**   backward  dW += dy' x,  db += column sums of dy,  dx (+)= dy W
**
** In bfloat16 the operands of products are rounded; weights, sums, gradients
** and all else stay float32. Weights are packed for each product; those that
** do not change meanwhile may be packed once and kept. Float32 products that
** our own kernels do not take are OpenBLAS's.
*/
#ifndef lunula_linear_h
#define lunula_linear_h

#include <stdbool.h>
#include <stdint.h>

#include "../tensor/tensor.h"
#include "matrix.h"

#pragma GCC visibility push(hidden)

typedef enum Precision {
  PRECISION_FP32,
  PRECISION_BF16
} Precision;

typedef struct LinearPanels {
  uint32_t *forward;  /* for x W'; NULL: not kept */
  uint64_t version;   /* of the weight, when it was packed */
} LinearPanels;

typedef struct Linear {
  Tensor *weight;     /* [out, in] */
  Tensor *bias;       /* [out] */
  LinearPanels panels[2];  /* for each Precision */
} Linear;

/* How products are done, and where a weight is packed for one. */
typedef struct Arithmetic {
  Precision precision;
  uint32_t *weight;   /* panels of any weight, either way; NULL: those of the
                         forward are kept, and there is no backward */
} Arithmetic;

/* are products with a weight [out, in] our own, and not OpenBLAS's? Then the
   weight's gradient is made from panels. */
bool linear_is_ours(Precision p, int64_t out, int64_t in);
Element linear_element(Precision p);

/* packs the weight, to be kept, unless that was done; false: no memory */
bool linear_pack(Linear *l, Precision p);
void linear_unpack(Linear *l);  /* forgets the panels */

/* units that panels of a weight [out, in] take */
int64_t linear_units(Precision p, int64_t out, int64_t in);

/* y = x W', or y += x W', then f: the bias is left to it, or to whoever reads y
   next */
void linear_product(const Linear *l, const Arithmetic *a, float *y, bool add,
                    const Matrix *x, const Finish *f);

/* adds to the gradients that are wanted; false: no memory */
bool linear_back(const Linear *l, const Arithmetic *a, const Matrix *dy,
                 const Matrix *x);

/* dx = dy W, or dx += dy W, then f */
void linear_back_input(const Linear *l, const Arithmetic *a, float *dx,
                       bool add, const Matrix *dy, const Finish *f);

#pragma GCC visibility pop

#endif
