/*
** Activations. See activate.h.
*/
#include "activate.h"

enum {
  PIECE_ROWS = 2,       /* of a matrix that goes through act at once, */
  PIECE_COLUMNS = 512   /* and is rounded before it leaves L1 */
};


static void activate_row(const Activate *j, float *out, Piece p,
                         int64_t row) {
  const RowKernels *k = row_kernels();
  int64_t at = row * j->out->width + p.column;
  if (j->dout == NULL)
    k->activate(j->act, out, j->u + at, j->bias + p.column, 1, p.columns);
  else
    k->activate_back(j->act, out, j->u + at, j->dout->values + at, 1,
                     p.columns);
}


static void activate_piece(const Activate *j, Piece p) {
  float buffer[PIECE_ROWS * PIECE_COLUMNS];
  const Matrix *m = j->out;
  int64_t at = p.row * m->width + p.column;
  float *out = m->values ? m->values + at : buffer;
  int64_t stride = m->values ? m->width : PIECE_COLUMNS;
  for (int64_t r = 0; r < p.rows; r++)
    activate_row(j, out + r * stride, p, p.row + r);
  matrix_round(m, p, out, stride);
  if (j->dout != NULL)
    matrix_round(j->dout, p, j->dout->values + at, m->width);
}


static int64_t at_most(int64_t limit, int64_t n) {
  return n < limit ? n : limit;
}


static void activate_pieces(void *ctx, Piece p) {
  for (int64_t r = 0; r < p.rows; r += PIECE_ROWS)
    for (int64_t c = 0; c < p.columns; c += PIECE_COLUMNS)
      activate_piece(ctx, (Piece){ p.row + r, at_most(PIECE_ROWS, p.rows - r),
                                   p.column + c,
                                   at_most(PIECE_COLUMNS, p.columns - c) });
}


Finish activate_finish(Activate *a) {
  return (Finish){ activate_pieces, a, false };
}
