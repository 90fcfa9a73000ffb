/*
** What one attention head does to one sequence: small products, and softmax
** down the columns.
**
** A block is up to HEAD_BLOCK rows of queries. What belongs to a block and
** the keys lies [keys, lanes], the queries across a vector's lanes, so that
** softmax needs no sums within a vector. `lanes` is the block's rows rounded
** up to HEAD_LANES; all the lanes of a buffer are computed, and those of no
** query hold finite numbers that nobody reads.
**
** Kernels run on the thread that calls, inside a pool's task (for the
** denormals). Sums run in a fixed order.
*/
#ifndef lunula_heads_h
#define lunula_heads_h

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
  HEAD_LANES = 16,  /* floats of the widest vector */
  HEAD_BLOCK = 64
};

static inline int64_t head_lanes(int64_t n) {
  return (n + HEAD_LANES - 1) / HEAD_LANES * HEAD_LANES;
}

/* element (row, d) of a matrix is at[row * step + d * unit] */
typedef struct Rows {
  const float *at;
  int64_t step, unit;
} Rows;

typedef struct HeadKernels {
  /* out[d, row] = scale * x[row, d]; out [width, head_lanes(rows)], the lanes
     of no row are 0; rows of x are `stride` apart */
  void (*transpose)(float *out, const float *x, int64_t stride, float scale,
                    int64_t rows, int64_t width);
  /* out [rows, head_lanes(width)] = x, filled up with 0 */
  void (*pack)(float *out, const float *x, int64_t stride, int64_t rows,
               int64_t width);
  /* c (+)= a b; c [rows, columns], rows ldc apart; a [rows, depth];
     b [depth, head_lanes(columns)], rows ldb apart */
  void (*product)(float *c, int64_t ldc, bool add, Rows a, const float *b,
                  int64_t ldb, int64_t rows, int64_t columns, int64_t depth);

  /* s [keys, lanes] = softmax(s) of each column, lse [lanes] = log sum
     exp(s). An s that is d <= 64 below the largest gives its probability
     within d + 2 sqrt(keys) ULP: differences are rounded, and so are sums. lse
     is within 1/2 ULP and sqrt(keys) 2^-23. -inf gives at most 2^-126. */
  void (*softmax)(float *s, float *lse, int64_t keys, int64_t lanes);
  /* the same probabilities from the raw s and lse: exp(s - lse), within 1.5
     ULP for exponents of -87 to 88, 2^-126 below */
  void (*softmax_again)(float *s, const float *lse, int64_t keys,
                        int64_t lanes);
  /* from p, what dropout made of p, and dp, the gradient of the latter:
     dp = scale * (dp * dropped - p * sum(dp * dropped)), within 2^-21 of the
     largest scale * p * dp where nothing is dropped */
  void (*softmax_back)(float *dp, const float *p, const float *dropped,
                       float scale, int64_t keys, int64_t lanes);
} HeadKernels;

/* those of the processor's level (base/cpu.h) */
const HeadKernels *head_kernels(void);

#pragma GCC visibility pop

#endif
