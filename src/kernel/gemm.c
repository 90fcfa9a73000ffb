/*
** Tiled matrix products. See gemm.h.
*/
#include "gemm.h"

#include "../base/clock.h"
#include "../base/pool.h"
#include "blas.h"

/* OpenBLAS packs its operands at every call, which costs as much as about
   nine rows: tiles must be many rows high. */
enum { TILE_ROWS = 256, TILE_COLUMNS = 384, TILE_ALIGN = 16 };

typedef struct Gemm {
  bool ta, tb;
  int64_t m, n, k;
  float alpha, beta;
  const float *a, *b;  /* op(a) [m, k], op(b) [k, n] */
  float *c;            /* [m, n] */
  int64_t lda, ldb, ldc;
  int64_t tile_rows, tile_columns, across;  /* across: tiles in a row */
} Gemm;


/* size cut into equal pieces of at most `most`, rounded up to whole vectors */
static int64_t piece(int64_t size, int64_t most) {
  int64_t pieces = (size + most - 1) / most;
  int64_t each = (size + pieces - 1) / pieces;
  return (each + TILE_ALIGN - 1) / TILE_ALIGN * TILE_ALIGN;
}


static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}


static void run_tile(void *ctx, int64_t i) {
  const Gemm *g = ctx;
  int64_t row = i / g->across * g->tile_rows;
  int64_t column = i % g->across * g->tile_columns;
  const float *a = g->a + (g->ta ? row : row * g->lda);
  const float *b = g->b + (g->tb ? column * g->ldb : column);
  blas_sgemm(g->ta, g->tb, least(g->tile_rows, g->m - row),
             least(g->tile_columns, g->n - column), g->k, g->alpha, a,
             g->lda, b, g->ldb, g->beta, g->c + row * g->ldc + column,
             g->ldc);
}


/* OpenBLAS refuses rows of length 0 */
static void scale(float beta, int64_t m, int64_t n, float *c, int64_t ldc) {
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
}


void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha,
          const float *a, int64_t lda, const float *b, int64_t ldb,
          float beta, float *c, int64_t ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    scale(beta, m, n, c, ldc);
    return;
  }
  Gemm g = { ta, tb, m, n, k, alpha, beta, a, b, c, lda, ldb, ldc,
             piece(m, TILE_ROWS), piece(n, TILE_COLUMNS), 0 };
  g.across = (n + g.tile_columns - 1) / g.tile_columns;
  int64_t down = (m + g.tile_rows - 1) / g.tile_rows;
  ClockPart before = clock_enter(CLOCK_GEMM);
  pool_run(down * g.across, run_tile, &g);
  clock_leave(before);
}
