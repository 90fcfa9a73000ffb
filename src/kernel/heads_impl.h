/*
** The body of the head kernels, included once for each instruction set with
**   LEVEL    its name, the suffix of every function here
**   WIDTH    floats in a vector, HEAD_LANES or a divisor of it
**   VECTORS  of a tile of a product: ROWS x VECTORS sums stay in registers
**   TARGET   the attribute that lets the compiler use it
**   LARGER(a, b)   the larger of each lane, where both are numbers
** It undefines them all.
*/

#define FN(name)  JOIN(name, LEVEL)
#define V         FN(Vector)
#define VI        FN(Integers)
#define QUAD      FN(Quad)
#define INLINE    static inline __attribute__((always_inline)) TARGET
#define KERNEL    static TARGET
#define ROWS      6

#include "exp_impl.h"

typedef float QUAD __attribute__((vector_size(16)));


/* {======== copies ======== */

/* the first n of four floats, times scale, the others 0 */
INLINE QUAD FN(quad)(const float *x, int64_t n, float scale) {
  QUAD v = { 0 };
  if (n >= 4) memcpy(&v, x, sizeof v);
  else memcpy(&v, x, (size_t)n * sizeof *x);
  return v * scale;
}


/* four rows of x, of which `rows` are there, to four lanes */
INLINE void FN(transpose_rows)(float *out, const float *x, int64_t stride,
                               float scale, int64_t lanes, int64_t rows,
                               int64_t width) {
  for (int64_t d = 0; d < width; d += 4) {
    int64_t n = width - d;
    QUAD v[4];
    for (int i = 0; i < 4; i++)
      v[i] = i < rows ? FN(quad)(x + i * stride + d, n, scale) : (QUAD){ 0 };
    for (int i = 0; i < 4 && i < n; i++) {
      QUAD column = { v[0][i], v[1][i], v[2][i], v[3][i] };
      memcpy(out + (d + i) * lanes, &column, sizeof column);
    }
  }
}


KERNEL void FN(transpose)(float *out, const float *x, int64_t stride,
                          float scale, int64_t rows, int64_t width) {
  int64_t lanes = head_lanes(rows), r = 0;
  for (; r + 4 <= rows; r += 4)
    FN(transpose_rows)(out + r, x + r * stride, stride, scale, lanes, 4,
                       width);
  for (; r < lanes; r += 4)
    FN(transpose_rows)(out + r, x + (r < rows ? r : 0) * stride, stride,
                       scale, lanes, rows - r, width);
}


KERNEL void FN(pack)(float *out, const float *x, int64_t stride,
                     int64_t rows, int64_t width) {
  int64_t padded = head_lanes(width);
  for (int64_t r = 0; r < rows; r++, x += stride, out += padded) {
    memcpy(out, x, (size_t)width * sizeof *x);
    memset(out + width, 0, (size_t)(padded - width) * sizeof *x);
  }
}

/* }======== */


/* {======== products ======== */

/* the first n floats of a vector at c */
INLINE void FN(put)(float *c, bool add, V v, int64_t n) {
  if (n >= WIDTH) {
    FN(store)(c, add ? v + FN(load)(c) : v);
    return;
  }
  for (int64_t i = 0; i < n; i++) c[i] = add ? c[i] + v[i] : v[i];
}


/* one tile of c */
INLINE void FN(tile)(const int rows, const int vectors, float *c,
                     int64_t ldc, bool add, Rows a, const float *b,
                     int64_t ldb, int64_t columns, int64_t depth) {
  V s[ROWS][VECTORS];
  for (int r = 0; r < rows; r++)  /* an initialiser would clear memory */
    for (int v = 0; v < vectors; v++) s[r][v] = (V){ 0 };
  for (int64_t d = 0; d < depth; d++, a.at += a.unit, b += ldb) {
    V column[VECTORS];
    for (int v = 0; v < vectors; v++) column[v] = FN(load)(b + v * WIDTH);
    for (int r = 0; r < rows; r++)
      for (int v = 0; v < vectors; v++)
        s[r][v] += a.at[r * a.step] * column[v];
  }
  for (int r = 0; r < rows; r++, c += ldc)
    for (int v = 0; v < vectors; v++)
      FN(put)(c + v * WIDTH, add, s[r][v], columns - v * WIDTH);
}


/* one constant number of rows a call, so that the tile's loops unroll */
INLINE void FN(tile_rows)(int rows, const int vectors, float *c, int64_t ldc,
                          bool add, Rows a, const float *b, int64_t ldb,
                          int64_t columns, int64_t depth) {
#define TILE(n)  FN(tile)(n, vectors, c, ldc, add, a, b, ldb, columns, depth)
  switch (rows) {
    case 1: TILE(1); break;
    case 2: TILE(2); break;
    case 3: TILE(3); break;
    case 4: TILE(4); break;
    case 5: TILE(5); break;
    default: TILE(6);
  }
#undef TILE
}


/* all the rows of up to VECTORS * WIDTH columns, in tiles about as high */
INLINE void FN(strip)(const int vectors, float *c, int64_t ldc, bool add,
                      Rows a, const float *b, int64_t ldb, int64_t rows,
                      int64_t columns, int64_t depth) {
  int64_t tiles = (rows + ROWS - 1) / ROWS;
  for (; tiles > 0; tiles--) {
    int n = (int)((rows + tiles - 1) / tiles);
    FN(tile_rows)(n, vectors, c, ldc, add, a, b, ldb, columns, depth);
    a.at += n * a.step;
    c += n * ldc;
    rows -= n;
  }
}


KERNEL void FN(product)(float *c, int64_t ldc, bool add, Rows a,
                        const float *b, int64_t ldb, int64_t rows,
                        int64_t columns, int64_t depth) {
#define STRIP(n)  FN(strip)(n, c, ldc, add, a, b, ldb, rows, columns, depth)
  while (columns > 0) {
    switch ((columns + WIDTH - 1) / WIDTH) {
      case 1: STRIP(1); break;
#if VECTORS > 2
      case 2: STRIP(2); break;
      case 3: STRIP(3); break;
#endif
      default: STRIP(VECTORS);
    }
    b += VECTORS * WIDTH;
    c += VECTORS * WIDTH;
    columns -= VECTORS * WIDTH;
  }
#undef STRIP
}

/* }======== */


/* {======== softmax down the columns, a vector of them at a time ======== */

INLINE V FN(column_exp)(float *s, V most, int64_t keys, int64_t lanes) {
  V total = { 0 };
  for (int64_t k = 0; k < keys; k++, s += lanes) {
    V e = FN(exp)(FN(load)(s) - most);
    total += e;
    FN(store)(s, e);
  }
  return total;
}


KERNEL void FN(softmax)(float *s, float *lse, int64_t keys, int64_t lanes) {
  for (int64_t q = 0; q < lanes; q += WIDTH) {
    V most = FN(load)(s + q);
    for (int64_t k = 1; k < keys; k++)
      most = LARGER(FN(load)(s + k * lanes + q), most);
    V total = FN(column_exp)(s + q, most, keys, lanes);
    V inverse = 1.0f / total;
    for (int64_t k = 0; k < keys; k++)
      FN(store)(s + k * lanes + q, FN(load)(s + k * lanes + q) * inverse);
    FN(store)(lse + q, most + FN(log)(total));
  }
}


KERNEL void FN(softmax_again)(float *s, const float *lse, int64_t keys,
                              int64_t lanes) {
  for (int64_t q = 0; q < lanes; q += WIDTH)
    FN(column_exp)(s + q, FN(load)(lse + q), keys, lanes);
}


KERNEL void FN(softmax_back)(float *dp, const float *p, const float *dropped,
                             float scale, int64_t keys, int64_t lanes) {
  for (int64_t q = 0; q < lanes; q += WIDTH) {
    V dot = { 0 };
    for (int64_t i = q; i < keys * lanes; i += lanes)
      dot += FN(load)(dp + i) * FN(load)(dropped + i);
    for (int64_t i = q; i < keys * lanes; i += lanes) {
      V d = FN(load)(dp + i) * FN(load)(dropped + i) - FN(load)(p + i) * dot;
      FN(store)(dp + i, scale * d);
    }
  }
}

/* }======== */


static const HeadKernels FN(kernels) = {
  .transpose     = FN(transpose),
  .pack          = FN(pack),
  .product       = FN(product),
  .softmax       = FN(softmax),
  .softmax_again = FN(softmax_again),
  .softmax_back  = FN(softmax_back),
};

#undef FN
#undef V
#undef VI
#undef QUAD
#undef INLINE
#undef KERNEL
#undef ROWS
#undef LEVEL
#undef WIDTH
#undef VECTORS
#undef TARGET
#undef LARGER
