/*
** The body of the kernels of dots.h, included once for each instruction set
** with
**   LEVEL   its name, the suffix of every function here
**   WIDTH   floats in a vector, the suffix of what OP names
**   ROWS, VECTORS   of a tile that stays in registers
**   TARGET  the attribute that lets the compiler use it
**   PARTS   of a row's unit: 1, the bytes as they lie, or 2, those at even and
**           at odd places as words
**   DOT(sum, a, b)  adds to each lane the four products of a unit: a [PARTS]
**           of a row, b a vector of signed bytes
** It undefines them all.
*/

#define FN(name)  JOIN(name, LEVEL)
#define V         FN(Vector)
#define VI        FN(Integers)
#define VB        FN(Bytes)
#define OP(name)  JOIN(name, WIDTH)
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


/* {======== quantising ======== */

/* The smallest and largest of x and 0; false: one is no finite number. As
   whole numbers, bits are ordered as the floats are where these are positive;
   negative ones are above them where no sign is taken, the larger the
   further down they are. */
INLINE bool FN(range)(const float *x, int64_t n, float *low, float *high) {
  const int32_t infinite = 0x7F800000;
  VI most = { 0 }, least = { 0 };
  int64_t i = 0;
  for (; i < n; i += WIDTH) {
    VI bits = (VI)FN(take)(x + i, n - i);
    most = OP(LARGER_BITS)(bits, most);
    least = OP(LARGER_UNSIGNED)(bits, least);
  }
  int32_t top = 0;
  uint32_t bottom = 0;
  for (i = 0; i < WIDTH; i++) {
    if (most[i] > top) top = most[i];
    if ((uint32_t)least[i] > bottom) bottom = (uint32_t)least[i];
  }
  memcpy(high, &top, sizeof top);
  memcpy(low, &bottom, sizeof bottom);
  if (bottom >> 31 == 0) *low = 0;
  return top < infinite && (bottom & INT32_MAX) < (uint32_t)infinite;
}


/* x inverse, at most 2^22, to the nearest whole number, and zero */
INLINE VI FN(whole)(V x, float inverse, int32_t zero) {
  const float magic = 0x1.8p23f;  /* adding it rounds to an integer */
  const int32_t bits = 0x4B400000;  /* of magic */
  return (VI)OP(FUSED)(x, FN(splat)(inverse), FN(splat)(magic)) + (zero - bits);
}


INLINE void FN(put_bytes)(void *q, VB v, int64_t n) {
  if (n >= WIDTH) memcpy(q, &v, sizeof v);
  else memcpy(q, &v, (size_t)n);
}


/* fills a row of n up to whole units, from element `from` on */
INLINE void FN(fill_up)(void *q, int64_t from, int64_t n) {
  int64_t end = (n + INT8_UNIT - 1) / INT8_UNIT * INT8_UNIT;
  memset((uint8_t *)q + from, 0, (size_t)(end - from));
}


/* Sets the scale of a row, and returns what to multiply with: 0 where the row
   is as good as 0, or where it holds what is no number. */
INLINE float FN(set_scale)(float *scale, float x, bool finite) {
  bool normal = finite && x >= FLT_MIN;
  *scale = normal ? x : finite ? 0 : NAN;
  return normal ? 1 / x : 0;
}


KERNEL void FN(quantise)(uint8_t *q, float *scale, int32_t *zero,
                         const float *x, int64_t n) {
  float low, high;
  bool finite = FN(range)(x, n, &low, &high);
  float inverse = FN(set_scale)(scale, high / 255 - low / 255, finite);
  FN(fill_up)(q, inverse > 0 ? n : 0, n);
  *zero = 0;
  if (inverse == 0) return;
  int32_t at_0 = -FN(whole)(FN(splat)(low), inverse, 0)[0];
  *zero = at_0;
  for (int64_t i = 0; i < n; i += WIDTH) {
    VI v = FN(whole)(FN(take)(x + i, n - i), inverse, at_0);
    /* where low and high were rounded up, one is 256 */
    FN(put_bytes)(q + i, OP(BYTES)(v), n - i);
  }
}


KERNEL int32_t FN(quantise_signed)(int8_t *q, float *scale, const float *x,
                                   int64_t n) {
  float low, high;
  VI sums = { 0 };
  int32_t sum = 0;
  bool finite = FN(range)(x, n, &low, &high);
  float inverse = FN(set_scale)(scale, (high > -low ? high : -low) / 127,
                                finite);
  FN(fill_up)(q, inverse > 0 ? n : 0, n);
  if (inverse == 0) return 0;
  for (int64_t i = 0; i < n; i += WIDTH) {
    VI v = FN(whole)(FN(take)(x + i, n - i), inverse, 0);
    FN(put_bytes)(q + i, __builtin_convertvector(v, VB), n - i);
    sums += v;
  }
  for (int i = 0; i < WIDTH; i++) sum += sums[i];
  return sum;
}


/* x (1/2 + t (1/8 + w q(w))) with t = x, or 4 at its side of 0 where that is
   nearer, and w = t^2 - 16; q of spec/fixtures/gelu8.py. From 4 on it is x, or
   0. */
INLINE V FN(gelu)(V x, const float *q) {
  V t = OP(LARGER)(OP(SMALLER)(x, FN(splat)(4)), FN(splat)(-4));
  V w = t * t - 16.0f, p = FN(splat)(q[0]);
  UNROLL for (int i = 1; i < GELU_TERMS; i++) p = p * w + q[i];
  p = p * w + 0.125f;
  return x * (t * p + 0.5f);
}


INLINE void FN(activate_as)(Activation act, float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    V v = FN(take)(x + i, n - i);
    v = act == ACT_RELU ? OP(LARGER)(v, FN(splat)(0))
                        : FN(gelu)(v, gelu_terms[act]);
    if (n - i >= WIDTH) FN(store)(x + i, v);
    else memcpy(x + i, &v, (size_t)(n - i) * sizeof *x);
  }
}


KERNEL void FN(activate)(Activation act, float *x, int64_t n) {
  switch (act) {  /* a constant in each call, so that no loop asks again */
    case ACT_GELU:      FN(activate_as)(ACT_GELU, x, n); break;
    case ACT_GELU_TANH: FN(activate_as)(ACT_GELU_TANH, x, n); break;
    default:            FN(activate_as)(ACT_RELU, x, n);
  }
}

/* }======== */


/* {======== products ======== */

INLINE VI FN(splat_unit)(const void *p) {
  int32_t unit;
  memcpy(&unit, p, sizeof unit);
  return unit - (VI){ 0 };
}


/* the columns beside those of a tile at b, which are next */
INLINE void FN(prefetch_next)(const int8_t *b) {
  if (VECTORS * WIDTH == PANEL_COLUMNS) return;
  for (int i = 0; i < VECTORS * WIDTH; i += LINE_FLOATS)
    __builtin_prefetch(b + (VECTORS * WIDTH + i) * INT8_UNIT);
}


/* sum [rows][VECTORS] of a tile; rows of a are `step` bytes apart */
INLINE void FN(tile)(const int rows, VI sum[ROWS][VECTORS], const uint8_t *a,
                     int64_t step, const int8_t *b, int64_t units) {
  VI s[ROWS][VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) s[r][v] = (VI){ 0 };
  for (int64_t u = 0; u < units; u++) {
    VI column[VECTORS];
    for (int v = 0; v < VECTORS; v++)
      memcpy(&column[v], b + (int)sizeof(VI) * v, sizeof column[v]);
    FN(prefetch_next)(b);
    for (int r = 0; r < rows; r++) {
      VI row[PARTS];
      for (int p = 0; p < PARTS; p++)
        row[p] = FN(splat_unit)(a + r * step + p * INT8_UNIT);
      for (int v = 0; v < VECTORS; v++) DOT(s[r][v], row, column[v]);
    }
    a += INT8_UNIT * PARTS;
    b += INT8_UNIT * PANEL_COLUMNS;
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < VECTORS; v++) sum[r][v] = s[r][v];
}


/* of rows `first` on, and the columns of a tile at `at` */
INLINE void FN(put_tile)(const int rows, const DotTile *t, int64_t first,
                         int64_t at, VI sum[ROWS][VECTORS]) {
  float *c = t->c + first * t->c_step;
  UNROLL for (int i = 0; i < VECTORS; i++, at += WIDTH) {
    VI sums;
    memcpy(&sums, t->sums + at, sizeof sums);
    V scale = FN(load)(t->scale + at), bias = FN(load)(t->bias + at);
    UNROLL for (int r = 0; r < rows; r++) {
      VI exact = sum[r][i] - t->a_zero[first + r] * sums;
      V x = __builtin_convertvector(exact, V);
      FN(store)(c + r * t->c_step + at,
                x * (t->a_scale[first + r] * scale) + bias);
    }
  }
}


/* c is in the cache when the sums are done */
INLINE void FN(prefetch_rows)(const int rows, const float *c, int64_t step) {
  for (int r = 0; r < rows; r++, c += step)
    for (int i = 0; i < PANEL_COLUMNS; i += LINE_FLOATS)
      __builtin_prefetch(c + i, 1);
}


#if PARTS == 1

/* some rows of c; `rows` is a constant, so that the tile's loops unroll */
INLINE void FN(some_rows)(const int rows, const DotTile *t, int64_t first) {
  const uint8_t *a = t->a + first * t->a_step;
  FN(prefetch_rows)(rows, t->c + first * t->c_step, t->c_step);
  for (int64_t at = 0; at < PANEL_COLUMNS; at += VECTORS * WIDTH) {
    VI sum[ROWS][VECTORS];
    FN(tile)(rows, sum, a, t->a_step, t->panel + at * INT8_UNIT, t->units);
    FN(put_tile)(rows, t, first, at, sum);
  }
}

#else

/* n units of a row, from unit u on, as words */
INLINE void FN(widen)(uint32_t *words, const uint8_t *a, int64_t n) {
  const uint32_t even = 0x00FF00FFu;
  for (int64_t i = 0; i < n; i++) {
    uint32_t unit;
    memcpy(&unit, a + i * INT8_UNIT, sizeof unit);
    words[2 * i] = unit & even;
    words[2 * i + 1] = unit >> 8 & even;
  }
}


/* the same, a piece of the depth at a time: its words stay in L1 */
INLINE void FN(some_rows)(const int rows, const DotTile *t, int64_t first) {
  enum { ACROSS = PANEL_COLUMNS / (VECTORS * WIDTH) };
  uint32_t words[ROWS][2 * PIECE_UNITS];
  VI sum[ACROSS][ROWS][VECTORS] = { { { { 0 } } } };
  FN(prefetch_rows)(rows, t->c + first * t->c_step, t->c_step);
  for (int64_t u = 0; u < t->units; u += PIECE_UNITS) {
    int64_t n = t->units - u < PIECE_UNITS ? t->units - u : PIECE_UNITS;
    const int8_t *b = t->panel + u * INT8_UNIT * PANEL_COLUMNS;
    for (int r = 0; r < rows; r++)
      FN(widen)(words[r], t->a + (first + r) * t->a_step + u * INT8_UNIT, n);
    for (int i = 0; i < ACROSS; i++) {
      VI more[ROWS][VECTORS];
      FN(tile)(rows, more, (uint8_t *)words, sizeof words[0],
               b + i * (int64_t)sizeof *more, n);
      for (int r = 0; r < rows; r++)
        for (int v = 0; v < VECTORS; v++) sum[i][r][v] += more[r][v];
    }
  }
  for (int i = 0; i < ACROSS; i++)
    FN(put_tile)(rows, t, first, i * VECTORS * WIDTH, sum[i]);
}

#endif


KERNEL void FN(product)(const DotTile *t) {
  int64_t tiles = (t->rows + ROWS - 1) / ROWS, first = 0;
  for (; tiles > 0; tiles--) {
    int64_t rows = (t->rows - first + tiles - 1) / tiles;
    switch (rows) {  /* all tiles about as high */
      case 1: FN(some_rows)(1, t, first); break;
      case 2: FN(some_rows)(2, t, first); break;
      case 3: FN(some_rows)(3, t, first); break;
      case 4: FN(some_rows)(4, t, first); break;
#if ROWS > 4
      case 5: FN(some_rows)(5, t, first); break;
      default: FN(some_rows)(6, t, first);
#endif
    }
    first += rows;
  }
}

/* }======== */


static const DotKernels FN(kernels) = {
  .quantise        = FN(quantise),
  .quantise_signed = FN(quantise_signed),
  .activate        = FN(activate),
  .product         = FN(product),
};

#undef FN
#undef V
#undef VI
#undef VB
#undef OP
#undef INLINE
#undef KERNEL
#undef LEVEL
#undef WIDTH
#undef ROWS
#undef VECTORS
#undef TARGET
#undef PARTS
#undef DOT
