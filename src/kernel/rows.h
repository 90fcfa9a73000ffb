/*
** Row kernels: what a BERT encoder does to its activations between matrix
** products, and AdamW's step. One body (rows_impl.h) compiled for each
** instruction set.
**
** All matrices are contiguous float32 rows, [rows, width]. A kernel runs on
** the thread that calls it; callers cut rows or columns for the pool. Rows
** are independent and sums run in a fixed order, so that a result depends on
** the instruction set but never on how rows were cut.
**
** Errors are stated beside each kernel and held on each instruction set; ULP
** are those of float32 at the exact result, or at what is named.
*/
#ifndef lunula_rows_h
#define lunula_rows_h

#include <stdint.h>

#include "../base/rng.h"
#include "step.h"

#pragma GCC visibility push(hidden)

typedef enum Activation {
  ACT_GELU,       /* x Phi(x), Phi the normal distribution function */
  ACT_GELU_TANH,  /* its approximation by tanh (Hendrycks & Gimpel 2016) */
  ACT_RELU,
  ACTIVATIONS
} Activation;

/* Dropout: an element is kept when its random number of 16 bits is at least
   65536 p, rounded; so p is as exact as 2^-17, and a smaller one drops
   nothing. Numbers come in groups of 128 from 16 blocks of the stream: number
   32 w + 16 h + b of a group is half h (0: the lower) of word w of block b. A
   row of its own owns row_blocks(width) blocks. */
typedef struct Dropout {
  float p;   /* in [0, 1); 0: nothing is dropped */
  Rng rng;   /* seed and purpose; its position is not used */
} Dropout;

static inline uint64_t row_blocks(int64_t width) {
  return (uint64_t)((width + 127) / 128) * 16;
}

typedef struct LayerNormRows {
  const float *weight, *bias;  /* [width] */
  float eps;
  float *normal;               /* [rows, width], out: (z - mean) / sigma */
  float *inverse;              /* [rows], out: 1 / sigma */
} LayerNormRows;

typedef struct RowKernels {
  /* y += bias; bias [width]. Within 1/2 ULP. */
  void (*add_bias)(float *y, const float *bias, int64_t rows, int64_t width);

  /* u += bias; out = act(u); out may be u. For |u| <= 88, GELU is within
     6 ULP + 2^-120, by tanh within (6 + 2 u^2) ULP + 2^-120 below 0 and 6 ULP
     above */
  void (*activate)(Activation act, float *out, float *u, const float *bias,
                   int64_t rows, int64_t width);
  /* from u (bias added) and dout: out = act(u), dout *= act'(u),
     act' within 2^-21 */
  void (*activate_back)(Activation act, float *out, const float *u,
                        float *dout, int64_t rows, int64_t width);

  /* x = 0 where dropped, x / (1 - p) where kept, within 3 ULP, for n elements
     whose random numbers begin at first_block, a multiple of 16 */
  void (*dropout)(float *x, const Dropout *d, uint64_t first_block,
                  int64_t n);
  /* to += scale * from, within 1/2 ULP and 1/2 ULP of scale * from */
  void (*add_scaled)(float *to, const float *from, float scale, int64_t n);

  /* x += bias, rounded; then x = e^(x - *most), *most the largest; returns
     their sum. Each within (2 + *most - x) ULP + 2^-120, the sum within 2^-17
     of itself. */
  double (*exp_row)(float *x, const float *bias, int64_t n, float *most);

  /* LayerNorm: normal, inverse, out = normal * weight + bias. z may be
     n->normal. Within 2^-21 of the largest |out|. */
  void (*layer_norm)(float *out, const float *z, const LayerNormRows *n,
                     int64_t rows, int64_t width);
  /* out = normal * weight + bias, again from what was kept */
  void (*layer_norm_again)(float *out, const LayerNormRows *n, int64_t rows,
                           int64_t width);
  /* dz from dout, normal, inverse and weight; dz may be dout. Within 2^-22
     of the largest |dz|. */
  void (*layer_norm_back)(float *dz, const float *dout,
                          const LayerNormRows *n, int64_t rows,
                          int64_t width);

  /* sum[c] += x[r, c] over the rows, for the columns given; `stride` is the
     distance between rows. Of n = rows + 1 numbers with what was in sum[c],
     within n 2^-24 of the sum of their sizes, and within sqrt(n) 2^-23 where
     they are random */
  void (*column_sums)(float *sum, const float *x, int64_t rows,
                      int64_t stride, int64_t columns);
  /* sum[c] += x[r, c] * y[r, c], likewise */
  void (*column_products)(float *sum, const float *x, const float *y,
                          int64_t rows, int64_t stride, int64_t columns);

  /* one step of p, m, v [n] with the gradient g [n]. From the numbers
     given, m is within 2.5 ULP of |b1 m| + |(1 - b1) g|, v within 4 ULP, and p
     within 1/2 ULP and 6 ULP of rate (|u| + decay |p|), u with that sum for
     m; as long as g^2 is a normal number or small beside v */
  void (*step)(float *p, const float *g, float *m, float *v, int64_t n,
               const StepNumbers *s);
  /* s [steps], one after the other, with gradients of 0: the same numbers
     as `step` gives. Only rate, m_fix and v_fix differ between them. */
  void (*step_without_gradient)(float *p, float *m, float *v, int64_t n,
                                const StepNumbers *s, int64_t steps);
} RowKernels;

/* those of the processor's level (base/cpu.h) */
const RowKernels *row_kernels(void);

#pragma GCC visibility pop

#endif
