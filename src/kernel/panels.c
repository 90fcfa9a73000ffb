/*
** The panel kernels for each instruction set, and the choice among them.
** See panels.h.
*/
#include "panels.h"

#include <math.h>
#include <string.h>

#include "levels.h"

enum {
  PIECE = 64,       /* of a row, rounded at once; even */
  LINE_FLOATS = 16  /* of a cache line */
};

enum { TURNED = 4 };  /* rows that become columns together */

typedef union Strip {
  Bf16 half[PIECE];
  uint32_t unit[PIECE];
} Strip;


/* units u to u + 3 of four strips: to four columns of four units */
static inline void turn(uint32_t *panel, const Strip *strips, int64_t u) {
#if defined(__SSE2__)
  __m128 v[TURNED];
  for (int c = 0; c < TURNED; c++) memcpy(&v[c], strips[c].unit + u, 16);
  _MM_TRANSPOSE4_PS(v[0], v[1], v[2], v[3]);
  for (int i = 0; i < TURNED; i++)
    memcpy(panel + i * PANEL_COLUMNS, &v[i], 16);
#else
  for (int i = 0; i < TURNED; i++)
    for (int c = 0; c < TURNED; c++)
      panel[i * PANEL_COLUMNS + c] = strips[c].unit[u + i];
#endif
}


static inline float bits_float(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}


/* the floats of a pair, for processors that cannot multiply pairs */
#define EVEN(pair)  ((pair) << 16)
#define ODD(pair)   ((pair) & 0xFFFF0000u)


/* {======== portable: a lane at a time, fused by the C library ======== */

#define LEVEL    scalar
#define WIDTH    1
#define ROWS     4
#define VECTORS  4
#define TARGET
#define DOT(sum, a, b) \
  ((sum)[0] = fmaf(bits_float(EVEN(a)), bits_float(EVEN((b)[0])), \
                   fmaf(bits_float(ODD(a)), bits_float(ODD((b)[0])), \
                        (sum)[0])))
#include "panels_impl.h"

/* }======== */


#if defined(__x86_64__)

#define LEVEL    avx2
#define WIDTH    8
#define ROWS     6
#define VECTORS  2
#define TARGET   TARGET_AVX2
#define DOT(sum, a, b) \
  ((sum) = (V)_mm256_fmadd_ps( \
     (__m256)_mm256_set1_epi32((int)EVEN(a)), (__m256)EVEN(b), \
     _mm256_fmadd_ps((__m256)_mm256_set1_epi32((int)ODD(a)), \
                     (__m256)ODD(b), (__m256)(sum))))
#include "panels_impl.h"

#define LEVEL    avx512
#define WIDTH    16
#define ROWS     6
#define VECTORS  4
#define TARGET   TARGET_AVX512
#define DOT(sum, a, b) \
  ((sum) = (V)_mm512_fmadd_ps( \
     (__m512)_mm512_set1_epi32((int)EVEN(a)), (__m512)EVEN(b), \
     _mm512_fmadd_ps((__m512)_mm512_set1_epi32((int)ODD(a)), \
                     (__m512)ODD(b), (__m512)(sum))))
#include "panels_impl.h"

#define LEVEL    avx512bf16
#define WIDTH    16
#define ROWS     6
#define VECTORS  4
#define TARGET   TARGET_AVX512BF16
#define DOT(sum, a, b) \
  ((sum) = (V)_mm512_dpbf16_ps((__m512)(sum), \
                               (__m512bh)_mm512_set1_epi32((int)(a)), \
                               (__m512bh)(b)))
#define PAIR(even, odd)  interleave(_mm512_cvtne2ps_pbh((__m512)(odd), \
                                                        (__m512)(even)))
#define HALF(x)  _mm512_cvtneps_pbh((__m512)(x))

/* the halves of v: its elements in turn */
static inline __attribute__((always_inline)) TARGET
__m512i interleave(__m512bh v) {
  const __m512i order = _mm512_set_epi16(
    31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
    23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)v);
}

#include "panels_impl.h"

#elif defined(__aarch64__)

#define LEVEL    neon
#define WIDTH    4
#define ROWS     4  /* the sums and both floats of a row of pairs: 24 of 32 */
#define VECTORS  4
#define TARGET
#define DOT(sum, a, b) \
  ((sum) = (V)vfmaq_n_f32( \
     vfmaq_n_f32((float32x4_t)(sum), (float32x4_t)ODD(b), \
                 bits_float(ODD(a))), \
     (float32x4_t)EVEN(b), bits_float(EVEN(a))))
#include "panels_impl.h"

#endif


const PanelKernels *panel_kernels(void) {
  static const PanelKernels *const kernels[CPU_LEVELS] =
    KERNEL_TABLE(avx2, avx512, avx512bf16);
  return kernels[cpu_level()];
}
