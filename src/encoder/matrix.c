/*
** Matrices in the forms that products read. See matrix.h.
*/
#include "matrix.h"

#include "../base/clock.h"
#include "../base/pool.h"

enum { ROWS_A_TASK = 32 };


static void round_rows(const Matrix *m, Piece p, const float *x,
                       int64_t stride) {
  int64_t step = bf16_step(m->width);
  panel_kernels()->round_rows(m->rounded + p.row * step + p.column, step, x,
                              stride, p.rows, p.columns);
}


void matrix_round(const Matrix *m, Piece p, const float *x, int64_t stride) {
  if (m->rounded != NULL) round_rows(m, p, x, stride);
  if (m->panels != NULL)
    product_pack_piece(m->element, m->panels, m->rows, p, x, stride);
}


void matrix_round_rows(const Matrix *m, int64_t first, int64_t n) {
  matrix_round(m, (Piece){ first, n, 0, m->width },
               m->values + first * m->stride, m->stride);
}


static void round_some(void *ctx, int64_t first, int64_t n) {
  matrix_round_rows(ctx, first, n);
}


void matrix_round_all(const Matrix *m) {
  if (m->rounded == NULL && m->panels == NULL) return;
  Matrix all = *m;
  ClockPart before = clock_enter(CLOCK_GEMM);
  pool_rows(m->rows, ROWS_A_TASK, round_some, &all);
  clock_leave(before);
}
