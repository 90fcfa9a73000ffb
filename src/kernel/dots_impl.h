/*
** The body of the kernels of dots.h, included once for each instruction set
** with
**   LEVEL   its name, the suffix of every function here
**   WIDTH   floats in a vector
**   ROWS, VECTORS   of a tile that stays in registers
**   TARGET  the attribute that lets the compiler use it
**   FUSED(a, b, c)   a b + c, rounded once
**   LARGER(a, b), SMALLER(a, b)   of numbers that are not NaN
**   DOT(sum, a, b)   adds to each lane the four products of a unit: a is
**           unsigned bytes, b signed ones
** It undefines them all.
*/

#define FN(name)  JOIN(name, LEVEL)
#define V         FN(Vector)
#define VI        FN(Integers)
#define VB        FN(Bytes)
#define INLINE    static inline __attribute__((always_inline)) TARGET
#define KERNEL    static TARGET

#include "exp_impl.h"

typedef uint8_t VB __attribute__((vector_size(WIDTH)));


/* the first n elements; the others are 0 */
INLINE V FN(take)(const float *p, int64_t n) {
  V v = { 0 };
  if (n >= WIDTH) return FN(load)(p);
  if (n > 0) memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}


INLINE VI FN(take_integers)(const int32_t *p, int64_t n) {
  VI v = { 0 };
  if (n >= WIDTH) memcpy(&v, p, sizeof v);
  else if (n > 0) memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}


/* {======== quantising ======== */

/* the smallest and largest of x and 0; false: one is no finite number */
INLINE bool FN(range)(const float *x, int64_t n, float *low, float *high) {
  V least = { 0 }, most = { 0 }, odd = { 0 };
  for (int64_t i = 0; i < n; i += WIDTH) {
    V v = FN(take)(x + i, n - i);
    least = SMALLER(v, least);
    most = LARGER(v, most);
    odd += v - v;  /* NaN from then on */
  }
  float sum = 0;
  *low = *high = 0;
  for (int i = 0; i < WIDTH; i++) {
    if (least[i] < *low) *low = least[i];
    if (most[i] > *high) *high = most[i];
    sum += odd[i];
  }
  return sum == 0;
}


/* x inverse, at most 2^22, to the nearest whole number */
INLINE VI FN(whole)(V x, float inverse) {
  const float magic = 0x1.8p23f;  /* adding it rounds to an integer */
  V shifted = FUSED(x, FN(splat)(inverse), FN(splat)(magic));
  return (VI)shifted - (VI)FN(splat)(magic);
}


/* the first n of v, as bytes */
INLINE void FN(put_bytes)(void *q, VI v, int64_t n) {
  VB bytes = __builtin_convertvector(v, VB);
  if (n >= WIDTH) memcpy(q, &bytes, sizeof bytes);
  else memcpy(q, &bytes, (size_t)n);
}


/* fills a row of n up to whole units */
INLINE void FN(fill_up)(uint8_t *q, int64_t n) {
  memset(q + n, 0, (size_t)(-n & 3));
}


/* 0 where a row of this scale is as good as 0, or is no number */
INLINE float FN(inverse)(float scale) {
  return scale >= FLT_MIN ? 1 / scale : 0;
}


KERNEL void FN(quantise)(uint8_t *q, float *scale, int32_t *zero,
                         const float *x, int64_t n) {
  float low, high;
  bool finite = FN(range)(x, n, &low, &high);
  *scale = finite ? high / 255 - low / 255 : NAN;
  float inverse = FN(inverse)(*scale);
  *zero = inverse > 0 ? -FN(whole)(FN(splat)(low), inverse)[0] : 0;
  for (int64_t i = 0; i < n; i += WIDTH) {
    VI v = FN(whole)(FN(take)(x + i, n - i), inverse) + *zero;
    VI over = v > 255;  /* both ends were rounded up */
    FN(put_bytes)(q + i, (v & ~over) | (over & 255), n - i);
  }
  FN(fill_up)(q, n);
}


KERNEL int32_t FN(quantise_signed)(int8_t *q, float *scale, const float *x,
                                   int64_t n) {
  float low, high;
  VI sums = { 0 };
  int32_t sum = 0;
  bool finite = FN(range)(x, n, &low, &high);
  *scale = finite ? (high > -low ? high : -low) / 127 : NAN;
  float inverse = FN(inverse)(*scale);
  for (int64_t i = 0; i < n; i += WIDTH) {
    VI v = FN(whole)(FN(take)(x + i, n - i), inverse);
    FN(put_bytes)(q + i, v, n - i);
    sums += v;
  }
  FN(fill_up)((uint8_t *)q, n);
  for (int i = 0; i < WIDTH; i++) sum += sums[i];
  return sum;
}

/* }======== */


/* {======== products ======== */

/* sum [rows][VECTORS] of a tile */
INLINE void FN(tile)(const int rows, VI sum[ROWS][VECTORS], const uint8_t *a,
                     int64_t step, const int8_t *b, int64_t units) {
  VI s[ROWS][VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) s[r][v] = (VI){ 0 };
  for (int64_t u = 0; u < units; u++) {
    VI column[VECTORS];
    for (int v = 0; v < VECTORS; v++)
      memcpy(&column[v], b + (int)sizeof(VI) * v, sizeof column[v]);
    for (int r = 0; r < rows; r++) {
      int32_t unit;
      memcpy(&unit, a + r * step, sizeof unit);
      VI row = unit - (VI){ 0 };
      for (int v = 0; v < VECTORS; v++) DOT(s[r][v], row, column[v]);
    }
    a += INT8_UNIT;
    b += INT8_UNIT * PANEL_COLUMNS;
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = s[r][v];
}


INLINE void FN(put)(float *c, V v, int64_t n) {
  if (n >= WIDTH) FN(store)(c, v);
  else if (n > 0) memcpy(c, &v, (size_t)n * sizeof *c);
}


/* of rows `first` on, and the columns of a tile at `at` */
INLINE void FN(put_tile)(const int rows, const DotTile *t, int64_t first,
                         int64_t at, VI sum[ROWS][VECTORS]) {
  for (int i = 0; i < VECTORS; i++, at += WIDTH) {
    int64_t n = t->columns - at;
    VI sums = FN(take_integers)(t->sums + at, n);
    V scale = FN(take)(t->scale + at, n);
    V bias = t->bias ? FN(take)(t->bias + at, n) : (V){ 0 };
    for (int r = 0; r < rows; r++) {
      VI exact = sum[r][i] - t->a_zero[first + r] * sums;
      V x = __builtin_convertvector(exact, V);
      FN(put)(t->c + (first + r) * t->c_step + at,
              x * (t->a_scale[first + r] * scale) + bias, n);
    }
  }
}


/* a constant number of rows, so that the tile's loops unroll */
INLINE void FN(tile_rows)(const int rows, const DotTile *t, int64_t first,
                          int64_t at) {
  VI sum[ROWS][VECTORS];
  FN(tile)(rows, sum, t->a + first * t->a_step, t->a_step,
           t->panel + at * INT8_UNIT, t->units);
  FN(put_tile)(rows, t, first, at, sum);
}


KERNEL void FN(product)(const DotTile *t) {
  int64_t tiles = (t->rows + ROWS - 1) / ROWS, first = 0;
  for (; tiles > 0; tiles--) {
    int64_t rows = (t->rows - first + tiles - 1) / tiles;  /* all about */
    for (int64_t at = 0; at < t->columns; at += VECTORS * WIDTH)
      switch (rows) {                                      /* as high */
        case 1: FN(tile_rows)(1, t, first, at); break;
        case 2: FN(tile_rows)(2, t, first, at); break;
        case 3: FN(tile_rows)(3, t, first, at); break;
        case 4: FN(tile_rows)(4, t, first, at); break;
#if ROWS > 4
        case 5: FN(tile_rows)(5, t, first, at); break;
        default: FN(tile_rows)(6, t, first, at);
#endif
      }
    first += rows;
  }
}

/* }======== */


static const DotKernels FN(kernels) = {
  .quantise        = FN(quantise),
  .quantise_signed = FN(quantise_signed),
  .product         = FN(product),
};

#undef FN
#undef V
#undef VI
#undef VB
#undef INLINE
#undef KERNEL
#undef LEVEL
#undef WIDTH
#undef ROWS
#undef VECTORS
#undef TARGET
#undef FUSED
#undef LARGER
#undef SMALLER
#undef DOT
