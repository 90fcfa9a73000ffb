/*
** The body of the panel kernels, included once for each instruction set with
**   LEVEL   its name, the suffix of every function here
**   WIDTH   floats in a vector
**   ROWS, VECTORS   of a tile of c that stays in registers
**   TARGET  the attribute that lets the compiler use it
**   DOT(sum, a, b)  the sum and two products of a pair in each lane: a and b
**           are pairs of bf16, the even element in the lower half
** and, where the processor rounds by itself (denormals to zero, as products
** take them anyway),
**   PAIR(even, odd), HALF(x)   what FN(pair) and FN(half) are for
** It undefines them all.
*/

#define FN(name)  JOIN(name, LEVEL)
#define V         FN(Vector)
#define VU        FN(Pairs)
#define VH        FN(Halves)
#define INLINE    static inline __attribute__((always_inline)) TARGET
#define KERNEL    static TARGET

typedef float    V  __attribute__((vector_size(4 * WIDTH)));
typedef uint32_t VU __attribute__((vector_size(4 * WIDTH)));
typedef uint16_t VH __attribute__((vector_size(2 * WIDTH)));


/* {======== rounding ======== */

/* the upper halves of floats, rounded to nearest even; NaN stays NaN */
INLINE VU FN(round)(VU u) {
  VU nan = (VU)((u & 0x7FFFFFFFu) > 0x7F800000u);
  VU rounded = u + 0x7FFFu + (u >> 16 & 1u);
  return (rounded & ~nan) | ((u | 0x400000u) & nan);
}


/* even below, odd above */
INLINE VU FN(pair)(VU even, VU odd) {
#ifdef PAIR
  return (VU)PAIR(even, odd);
#else
  return FN(round)(even) >> 16 | (FN(round)(odd) & 0xFFFF0000u);
#endif
}


INLINE VH FN(half)(VU x) {
#ifdef HALF
  return (VH)HALF(x);
#else
  return __builtin_convertvector(FN(round)(x) >> 16, VH);
#endif
}


INLINE VU FN(load_bits)(const float *x, int64_t n) {
  VU u = { 0 };
  if (n >= WIDTH) memcpy(&u, x, sizeof u);
  else if (n > 0) memcpy(&u, x, (size_t)n * sizeof *x);
  return u;
}


INLINE void FN(round_row)(Bf16 *out, const float *x, int64_t n) {
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    VH v = FN(half)(FN(load_bits)(x + i, WIDTH));
    memcpy(out + i, &v, sizeof v);
  }
  for (; i < n; i++) out[i] = bf16_from(x[i]);
  if (n % 2) out[n] = 0;
}


KERNEL void FN(round_rows)(Bf16 *out, int64_t step, const float *x,
                           int64_t stride, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++)
    FN(round_row)(out + r * step, x + r * stride, n);
}

/* }======== */


/* {======== packing ======== */

/* a pair of rows at a time, so that they are read as they lie */
KERNEL void FN(pack_columns_bf16)(uint32_t *panels, int64_t size,
                                  const float *x, int64_t stride,
                                  int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d += 2) {
    const float *even = x + d * stride, *odd = even + stride;
    uint32_t *unit = panels + d / 2 * PANEL_COLUMNS;
    for (int64_t p = 0; p < columns; p += PANEL_COLUMNS, unit += size)
      for (int64_t c = 0; c < PANEL_COLUMNS; c += WIDTH) {
        int64_t n = columns - p - c;
        VU v = FN(pair)(FN(load_bits)(even + p + c, n),
                        d + 1 < depth ? FN(load_bits)(odd + p + c, n)
                                      : (VU){ 0 });
        memcpy(unit + c, &v, sizeof v);
      }
  }
}


KERNEL void FN(pack_columns_fp32)(uint32_t *panels, int64_t size,
                                  const float *x, int64_t stride,
                                  int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d++, x += stride) {
    uint32_t *unit = panels + d * PANEL_COLUMNS;
    for (int64_t p = 0; p < columns; p += PANEL_COLUMNS, unit += size)
      for (int64_t c = 0; c < PANEL_COLUMNS; c += WIDTH) {
        VU v = FN(load_bits)(x + p + c, columns - p - c);
        memcpy(unit + c, &v, sizeof v);
      }
  }
}


/* n of a row of the depth, as units; odd ends are filled up */
INLINE void FN(take_row)(const Element e, Strip *to, const float *x,
                         int64_t n) {
  if (e == ELEMENT_BF16) FN(round_row)(to->half, x, n);
  else memcpy(to->unit, x, (size_t)n * sizeof *x);
}


/* four columns of the panel; x [columns, n], rows `stride` apart */
INLINE void FN(pack_four)(const Element e, uint32_t *panel, const float *x,
                          int64_t stride, int64_t columns, int64_t n) {
  Strip strips[TURNED];
  int64_t units = panel_units(e, n), u = 0;
  for (int64_t c = 0; c < TURNED; c++) {
    if (c < columns) FN(take_row)(e, &strips[c], x + c * stride, n);
    else memset(&strips[c], 0, sizeof strips[c]);
  }
  for (; u + TURNED <= units; u += TURNED)
    turn(panel + u * PANEL_COLUMNS, strips, u);
  for (; u < units; u++)
    for (int c = 0; c < TURNED; c++)
      panel[u * PANEL_COLUMNS + c] = strips[c].unit[u];
}


INLINE void FN(prefetch_piece)(const float *x) {
  for (int i = 0; i < PIECE; i += LINE_FLOATS) __builtin_prefetch(x + i, 0, 2);
}


/* A cache line of columns and a piece of the depth at a time: both sides stay
   in L1. The next line's rows are fetched meanwhile; they are too far apart
   for a processor to foresee. */
INLINE void FN(pack_rows)(const Element e, uint32_t *panel, const float *x,
                          int64_t stride, int64_t columns, int64_t depth) {
  for (int64_t line = 0; line < PANEL_COLUMNS; line += LINE_FLOATS)
    for (int64_t d = 0; d < depth; d += PIECE) {
      int64_t n = depth - d < PIECE ? depth - d : PIECE;
      uint32_t *at = panel + panel_units(e, d) * PANEL_COLUMNS;
      for (int64_t c = line + LINE_FLOATS;
           c < line + 2 * LINE_FLOATS && c < columns; c++)
        FN(prefetch_piece)(x + c * stride + d);
      for (int64_t c = line; c < line + LINE_FLOATS; c += TURNED)
        FN(pack_four)(e, at + c, x + c * stride + d, stride, columns - c, n);
    }
}


KERNEL void FN(pack_rows_fp32)(uint32_t *panel, const float *x,
                               int64_t stride, int64_t columns,
                               int64_t depth) {
  FN(pack_rows)(ELEMENT_FP32, panel, x, stride, columns, depth);
}


KERNEL void FN(pack_rows_bf16)(uint32_t *panel, const float *x,
                               int64_t stride, int64_t columns,
                               int64_t depth) {
  FN(pack_rows)(ELEMENT_BF16, panel, x, stride, columns, depth);
}

/* }======== */


/* {======== products ======== */

/* sum += the product of a unit of a row and those of some columns */
INLINE V FN(add_unit)(const Element e, V sum, uint32_t unit, VU column) {
  if (e == ELEMENT_FP32) return sum + bits_float(unit) * (V)column;
  DOT(sum, unit, column);
  return sum;
}


/* sum [rows][VECTORS] of a tile */
INLINE void FN(tile)(const Element e, const int rows, V sum[ROWS][VECTORS],
                     const Operand *a, const Operand *b, int64_t units) {
  const uint32_t *row = a->at, *panel = b->at;
  V s[ROWS][VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) s[r][v] = (V){ 0 };
  for (int64_t u = 0; u < units; u++) {
    VU column[VECTORS];  /* loaded one by one, or GCC keeps them in memory */
    for (int v = 0; v < VECTORS; v++)
      memcpy(&column[v], panel + WIDTH * v, sizeof column[v]);
    for (int r = 0; r < rows; r++)
      for (int v = 0; v < VECTORS; v++)
        s[r][v] = FN(add_unit)(e, s[r][v], row[r * a->step], column[v]);
    row += a->unit_step;
    panel += b->unit_step;
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = s[r][v];
}


/* the first n floats of a vector at c; n is WIDTH but at the right edge */
INLINE void FN(put)(float *c, bool add, V v, int64_t n) {
  V old = { 0 };
  if (n >= WIDTH) {
    if (add) memcpy(&old, c, sizeof old);
    old += v;
    memcpy(c, &old, sizeof old);
    return;
  }
  for (int64_t i = 0; i < n; i++) c[i] = add ? c[i] + v[i] : v[i];
}


INLINE void FN(put_tile)(const int rows, float *c, int64_t ldc, bool add,
                         V sum[ROWS][VECTORS], int64_t columns) {
  for (int r = 0; r < rows; r++, c += ldc)
    for (int v = 0; v < VECTORS; v++)
      FN(put)(c + v * WIDTH, add, sum[r][v], columns - v * WIDTH);
}


/* c is in the cache when the sums are done */
INLINE void FN(prefetch_tile)(int rows, const float *c, int64_t ldc) {
  for (int r = 0; r < rows; r++, c += ldc)
    for (int i = 0; i < VECTORS * WIDTH; i += LINE_FLOATS)
      __builtin_prefetch(c + i, 1);
}


/* one constant number of rows a call, so that the tile's loops unroll */
INLINE void FN(tile_rows)(const Element e, int rows, float *c, int64_t ldc,
                          bool add, const Operand *a, const Operand *b,
                          int64_t columns, int64_t units) {
  V sum[ROWS][VECTORS];
  FN(prefetch_tile)(rows, c, ldc);
  switch (rows) {
    case 1: FN(tile)(e, 1, sum, a, b, units); break;
    case 2: FN(tile)(e, 2, sum, a, b, units); break;
    case 3: FN(tile)(e, 3, sum, a, b, units); break;
    case 4: FN(tile)(e, 4, sum, a, b, units); break;
#if ROWS > 4
    case 5: FN(tile)(e, 5, sum, a, b, units); break;
    default: FN(tile)(e, 6, sum, a, b, units);
#endif
  }
  FN(put_tile)(rows, c, ldc, add, sum, columns);
}


INLINE void FN(product)(const Element e, float *c, int64_t ldc, bool add,
                        const Operand *a, const Operand *b, int64_t rows,
                        int64_t columns, int64_t units) {
  Operand from = *a;
  int64_t tiles = (rows + ROWS - 1) / ROWS;
  for (; tiles > 0; tiles--) {
    int n = (int)((rows + tiles - 1) / tiles);  /* all tiles about as high */
    for (int64_t v = 0; v < columns; v += VECTORS * WIDTH) {
      Operand some = { b->at + v, 1, b->unit_step };
      FN(tile_rows)(e, n, c + v, ldc, add, &from, &some, columns - v, units);
    }
    from.at += n * from.step;
    c += n * ldc;
    rows -= n;
  }
}


KERNEL void FN(product_fp32)(float *c, int64_t ldc, bool add,
                             const Operand *a, const Operand *b,
                             int64_t rows, int64_t columns, int64_t units) {
  FN(product)(ELEMENT_FP32, c, ldc, add, a, b, rows, columns, units);
}


KERNEL void FN(product_bf16)(float *c, int64_t ldc, bool add,
                             const Operand *a, const Operand *b,
                             int64_t rows, int64_t columns, int64_t units) {
  FN(product)(ELEMENT_BF16, c, ldc, add, a, b, rows, columns, units);
}

/* }======== */


static const PanelKernels FN(kernels) = {
  .pack_rows    = { [ELEMENT_FP32] = FN(pack_rows_fp32),
                    [ELEMENT_BF16] = FN(pack_rows_bf16) },
  .pack_columns = { [ELEMENT_FP32] = FN(pack_columns_fp32),
                    [ELEMENT_BF16] = FN(pack_columns_bf16) },
  .round_rows   = FN(round_rows),
  .product      = { [ELEMENT_FP32] = FN(product_fp32),
                    [ELEMENT_BF16] = FN(product_bf16) },
};

#undef FN
#undef V
#undef VU
#undef VH
#undef INLINE
#undef KERNEL
#undef LEVEL
#undef WIDTH
#undef ROWS
#undef VECTORS
#undef TARGET
#undef DOT
#undef PAIR
#undef HALF
