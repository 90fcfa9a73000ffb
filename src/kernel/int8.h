/*
** Products of activations with weights in 8 bits, for inference.
**
** A weight is quantised once, by output channel: w = scale q, q a whole number
** from -127 to 127. Activations are quantised when they are made, by row:
** x = scale (q - zero), q and zero from 0 to 255. Both are rounded to the
** nearest, so that a number is off by half a scale at most. Then
**
**   c[m, n] = scale[m] scale[n] (sum over k of q[m, k] q[n, k]
**                                - zero[m] sums[n]) + bias[n]
**
** What always holds: the sums are exact, on every instruction set and for any
** number of threads. A row of activations that holds NaN or infinity gives
** NaN, and so does a channel of a weight; others are as they would be alone.
** Either is 0 where its scale would be no normal number.
*/
#ifndef lunula_int8_h
#define lunula_int8_h

#include <stdint.h>

#include "product.h"
#include "rows.h"

#pragma GCC visibility push(hidden)

enum {
  INT8_UNIT = 4,       /* elements of the depth that lie together */
  INT8_LINE = 64,      /* rows of activations begin on cache lines */
  INT8_DEPTH = 65536   /* at most; sums of so many fit 32 bits */
};

/* A weight [columns, depth]. Its panels are [columns / 64][depth / 4][64][4]
   on every instruction set, filled up with zeros: they may lie in a file. */
typedef struct Int8Weight {
  const int8_t *panels;   /* int8_panels_size() bytes */
  const float *scale;     /* [columns] */
  const int32_t *sums;    /* [columns], of the q of a channel */
  const float *bias;      /* [columns], or NULL: 0 */
  int64_t columns, depth;
} Int8Weight;

/* Activations [rows, depth] */
typedef struct Int8Matrix {
  uint8_t *values;  /* [rows, int8_step(depth)], 0 to the end of a unit */
  float *scale;     /* [rows] */
  int32_t *zero;    /* [rows] */
  int64_t rows, depth;
} Int8Matrix;

static inline int64_t int8_units(int64_t depth) {
  return (depth + INT8_UNIT - 1) / INT8_UNIT;
}

/* bytes of all panels */
static inline int64_t int8_panels_size(int64_t columns, int64_t depth) {
  return panel_count(columns) * PANEL_COLUMNS * int8_units(depth) * INT8_UNIT;
}

/* bytes from one row of activations to the next */
static inline int64_t int8_step(int64_t depth) {
  return (depth + INT8_LINE - 1) / INT8_LINE * INT8_LINE;
}

/* panels, scale and sums of w [columns, depth] */
void int8_quantise_weight(int8_t *panels, float *scale, int32_t *sums,
                          const float *w, int64_t columns, int64_t depth);

/* rows first .. first + n - 1 of `to` from x [n, to->depth], rows `stride`
   apart. On the thread that calls, inside a pool's task: a Finish may do it
   to the rows of its piece. */
void int8_quantise(const Int8Matrix *to, int64_t first, int64_t n,
                   const float *x, int64_t stride);

/* the same of act(x), which takes the place of x: GELU, of both kinds, within
   2^-12 and exact beyond -4 and 4, which is little beside the rounding */
void int8_activate(Activation act, const Int8Matrix *to, int64_t first,
                   int64_t n, float *x, int64_t stride);

/* c = x w' + bias; c [x->rows, w->columns]. Each piece of c, bias added, goes
   through f, which may be NULL. With f->whole a piece may write where x's
   same rows lie. */
void int8_product(float *c, const Int8Matrix *x, const Int8Weight *w,
                  const Finish *f);

#pragma GCC visibility pop

#endif
