/*
** Linear layers over the rows of a ragged batch, in float32 or bfloat16.
**
**   forward   y = x W' + b        x [rows, in], W [out, in], y [rows, out]
**   backward  dW += dy' x,  db += column sums of dy,  dx (+)= dy W
**
** In bfloat16 the operands of products are rounded; weights, sums, gradients
** and all else stay float32. Weights are packed when they changed. Float32
** products that our own kernels do not take are OpenBLAS's.
*/
#ifndef lunula_linear_h
#define lunula_linear_h

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/product.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

typedef enum Precision {
  PRECISION_FP32,
  PRECISION_BF16
} Precision;

typedef struct LinearPanels {
  uint32_t *forward;  /* for x W'; NULL: never packed */
  uint32_t *back;     /* for dy W, bf16 alone; NULL: never packed */
  uint64_t version;   /* of the weight, when it was packed */
} LinearPanels;

typedef struct Linear {
  Tensor *weight;     /* [out, in] */
  Tensor *bias;       /* [out] */
  LinearPanels panels[2];  /* for each Precision */
} Linear;

/* How products are done, and the memory that rounding takes. */
typedef struct Arithmetic {
  Precision precision;
  Bf16 *rows;       /* [rows, out or in] */
  uint32_t *left;   /* panels of dy, depth rows */
  uint32_t *right;  /* panels of x, depth rows */
} Arithmetic;

/* packs the weight unless that was done; with `back` for the backward too.
   false: no memory */
bool linear_pack(Linear *l, Precision p, bool back);
void linear_unpack(Linear *l);  /* forgets the panels */

/* y = x W', the bias left to whoever reads y next */
void linear_product(const Linear *l, const Arithmetic *a, float *y,
                    const float *x, int64_t rows);

/* Adds to the gradients that are wanted of `count` layers of one shape that
   read the same x and whose dy stand side by side: dy [rows, count * out].
   false: no memory */
bool linear_back(const Linear *l, int count, const Arithmetic *a,
                 const float *dy, const float *x, int64_t rows);

/* dx = dy W, or dx += dy W */
void linear_back_input(const Linear *l, const Arithmetic *a, float *dx,
                       bool add, const float *dy, int64_t rows);

#pragma GCC visibility pop

#endif
