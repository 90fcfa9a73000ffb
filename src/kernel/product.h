/*
** Matrix products by our own kernels, and packing for them, cut over the
** pool. See panels.h for the layouts. Work is cut by the sizes alone: the
** same bits for any number of threads.
*/
#ifndef lunula_product_h
#define lunula_product_h

#include <stdbool.h>
#include <stdint.h>

#include "panels.h"

#pragma GCC visibility push(hidden)

/* are products of float32 of these sizes better done here than by OpenBLAS?
   Only on wide vectors, and for whole panels, which need no packing. */
bool product_has_fp32(int64_t columns, int64_t depth);

/* elements of a row of bf16 that takes n: even, and whole cache lines */
static inline int64_t bf16_step(int64_t n) {
  return (n + 31) / 32 * 32;
}

/* panels of x [columns, depth], for products with its transpose */
void product_pack_rows(Element e, uint32_t *panels, const float *x,
                       int64_t columns, int64_t depth);
/* bf16 panels of x [depth, columns] */
void product_pack_columns(uint32_t *panels, const float *x, int64_t columns,
                          int64_t depth);

/* A piece of a matrix. It begins at an even row, and an odd number of rows
   ends the matrix; it begins at a multiple of PANEL_COLUMNS, and a number of
   columns that is none ends the row. */
typedef struct Piece {
  int64_t row, rows, column, columns;
} Piece;

/* the same of a piece x [p.rows, p.columns], rows `stride` apart; on the
   thread that calls */
void product_pack_piece(Element e, uint32_t *panels, int64_t depth, Piece p,
                        const float *x, int64_t stride);

/* What is done to each piece of c when its sums are complete, by the thread
   that made them, while they are in the cache. With `whole` a piece is whole
   rows, and then it may write where a's same rows lie: nobody else reads
   them. It counts as CLOCK_ELEMENTWISE. */
typedef struct Finish {
  void (*piece)(void *ctx, Piece p);
  void *ctx;
  bool whole;
} Finish;

/* A Finish that adds a bias to each row; whoever makes it keeps it alive. */
typedef struct Bias {
  float *y;           /* [rows, width] */
  const float *bias;  /* [width] */
  int64_t width;
} Bias;

Finish product_bias(Bias *b);

/* c (+)= a b, c [m, n]; a [m, k], and packed panels of b with n columns and
   depth k. bf16: rows of a are bf16_step(k) apart. f may be NULL. */
void product_rows(Element e, float *c, bool add, const void *a,
                  const uint32_t *panels, int64_t m, int64_t n, int64_t k,
                  const Finish *f);

/* c (+)= a b in float32, b [k, n] as it lies; n in whole panels */
void product_plain(float *c, bool add, const float *a, const float *b,
                   int64_t m, int64_t n, int64_t k, const Finish *f);

/* finishes one piece, on the thread that calls; f may be NULL */
void product_finish_piece(const Finish *f, Piece p);

/* finishes a c that was made otherwise */
void product_finish(int64_t m, int64_t n, const Finish *f);

/* c (+)= a' b, c [m, n]: panels of a with m columns, of b with n, both of this
   depth */
void product_columns(Element e, float *c, bool add, const uint32_t *a,
                     const uint32_t *b, int64_t m, int64_t n, int64_t depth);

#pragma GCC visibility pop

#endif
