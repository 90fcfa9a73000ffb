/*
** The kernels of 8 bits for each instruction set, and the choice among them.
** See dots.h.
*/
#include "dots.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "int8.h"
#include "levels.h"

#if defined(__clang__)
#define UNROLL  _Pragma("unroll")
#else
#define UNROLL  _Pragma("GCC unroll 8")
#endif

enum {
  LINE_FLOATS = 16,  /* of a cache line */
  GELU_TERMS = 6
};

/* by spec/fixtures/gelu8.py */
static const float gelu_terms[][GELU_TERMS] = {
  [ACT_GELU] = { 2.25882053e-08f, 5.79640689e-07f, 7.39643234e-06f,
                 2.7729805e-05f, 0.000270774992f, -0.00382691732f },
  [ACT_GELU_TANH] = { 2.34688266e-08f, 6.12285133e-07f, 7.79701507e-06f,
                      2.96509903e-05f, 0.000274144723f, -0.00383022945f },
};

/* byte i of a unit: of the left operand, and of vectors of the right one */
#define UNSIGNED(unit, i)  ((unit) >> 8 * (i) & 0xFF)
#define SIGNED(unit, i)    ((unit) << (24 - 8 * (i)) >> 24)

#define LEVEL    scalar
#define WIDTH    4
#define ROWS     4
#define VECTORS  2
#define TARGET
#define FUSED(a, b, c)  fused_scalar(a, b, c)
#define LARGER(a, b)    FN(choose)((a) > (b), a, b)
#define SMALLER(a, b)   FN(choose)((a) < (b), a, b)
#define LARGER_BITS(a, b)      larger_scalar(a, b, 0)
#define LARGER_UNSIGNED(a, b)  larger_scalar(a, b, INT32_MIN)
#define BYTES(v)        bytes_scalar(v)
#define DOT(sum, a, b) \
  ((sum) += UNSIGNED(a, 0) * SIGNED(b, 0) + UNSIGNED(a, 1) * SIGNED(b, 1) + \
            UNSIGNED(a, 2) * SIGNED(b, 2) + UNSIGNED(a, 3) * SIGNED(b, 3))

typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourIntegers __attribute__((vector_size(16)));
typedef uint8_t FourBytes __attribute__((vector_size(4)));

static inline Four fused_scalar(Four a, Four b, Four c) {
  return (Four){ fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]),
                 fmaf(a[2], b[2], c[2]), fmaf(a[3], b[3], c[3]) };
}

/* a sign bit that is turned around orders numbers as if it were none */
static inline FourIntegers larger_scalar(FourIntegers a, FourIntegers b,
                                         int32_t turn) {
  FourIntegers mask = (a ^ turn) > (b ^ turn);
  return (mask & a) | (~mask & b);
}


static inline FourBytes bytes_scalar(FourIntegers v) {
  FourIntegers over = v > 255;
  return __builtin_convertvector((v & ~over) | (over & 255), FourBytes);
}

#include "dots_impl.h"


#if defined(__x86_64__)

#define FUSED_256(a, b, c) \
  ((V)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define LARGER_256(a, b)   ((V)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER_256(a, b)  ((V)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define LARGER_BITS_256(a, b) \
  ((VI)_mm256_max_epi32((__m256i)(a), (__m256i)(b)))
#define LARGER_UNSIGNED_256(a, b) \
  ((VI)_mm256_max_epu32((__m256i)(a), (__m256i)(b)))
#define BYTES_256(v)       bytes_256((__m256i)(v))

typedef uint8_t EightBytes __attribute__((vector_size(8)));

static inline __attribute__((always_inline)) TARGET_AVX2
EightBytes bytes_256(__m256i v) {
  EightBytes bytes;
  __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v),
                                   _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64((__m128i *)&bytes, _mm_packus_epi16(words, words));
  return bytes;
}

/* Two bytes of a unit as words, twice: no pair of products that is exact in
   16 bits, so they are widened before they are multiplied */
#define LEVEL    avx2
#define WIDTH    8
#define ROWS     4
#define VECTORS  2
#define TARGET   TARGET_AVX2
#define FUSED    FUSED_256
#define LARGER   LARGER_256
#define SMALLER  SMALLER_256
#define LARGER_BITS      LARGER_BITS_256
#define LARGER_UNSIGNED  LARGER_UNSIGNED_256
#define BYTES    BYTES_256
#define DOT(sum, a, b)  ((sum) += (VI)dot_avx2((__m256i)(a), (__m256i)(b)))

static inline __attribute__((always_inline)) TARGET
__m256i dot_avx2(__m256i a, __m256i b) {
  __m256i even = _mm256_madd_epi16(
    _mm256_and_si256(a, _mm256_set1_epi16(0xFF)),
    _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8),
                                  _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(even, odd);
}

#include "dots_impl.h"

#define LEVEL    avxvnni
#define WIDTH    8
#define ROWS     6
#define VECTORS  2
#define TARGET   TARGET_AVXVNNI
#define FUSED    FUSED_256
#define LARGER   LARGER_256
#define SMALLER  SMALLER_256
#define LARGER_BITS      LARGER_BITS_256
#define LARGER_UNSIGNED  LARGER_UNSIGNED_256
#define BYTES    BYTES_256
#define DOT(sum, a, b) \
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b))
#include "dots_impl.h"

#define FUSED_512(a, b, c) \
  ((V)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define LARGER_512(a, b)   ((V)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SMALLER_512(a, b)  ((V)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define LARGER_BITS_512(a, b) \
  ((VI)_mm512_max_epi32((__m512i)(a), (__m512i)(b)))
#define LARGER_UNSIGNED_512(a, b) \
  ((VI)_mm512_max_epu32((__m512i)(a), (__m512i)(b)))
#define BYTES_512(v)       ((VB)_mm512_cvtusepi32_epi8((__m512i)(v)))

#define LEVEL    avx512
#define WIDTH    16
#define ROWS     6
#define VECTORS  2
#define TARGET   TARGET_AVX512
#define FUSED    FUSED_512
#define LARGER   LARGER_512
#define SMALLER  SMALLER_512
#define LARGER_BITS      LARGER_BITS_512
#define LARGER_UNSIGNED  LARGER_UNSIGNED_512
#define BYTES    BYTES_512
#define DOT(sum, a, b)  ((sum) += (VI)dot_avx512((__m512i)(a), (__m512i)(b)))

static inline __attribute__((always_inline)) TARGET
__m512i dot_avx512(__m512i a, __m512i b) {
  __m512i even = _mm512_madd_epi16(
    _mm512_and_si512(a, _mm512_set1_epi16(0xFF)),
    _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8));
  __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a, 8),
                                  _mm512_srai_epi16(b, 8));
  return _mm512_add_epi32(even, odd);
}

#include "dots_impl.h"

#define LEVEL    avx512vnni
#define WIDTH    16
#define ROWS     6
#define VECTORS  4
#define TARGET   TARGET_AVX512VNNI
#define FUSED    FUSED_512
#define LARGER   LARGER_512
#define SMALLER  SMALLER_512
#define LARGER_BITS      LARGER_BITS_512
#define LARGER_UNSIGNED  LARGER_UNSIGNED_512
#define BYTES    BYTES_512
#define DOT(sum, a, b) \
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#include "dots_impl.h"

#elif defined(__aarch64__)
#define kernels_neon  kernels_scalar
#endif


const DotKernels *dot_kernels(void) {
  static const DotKernels *const kernels[CPU_LEVELS] =
    KERNEL_TABLE(avxvnni, avx512vnni, avx512vnni);
  return kernels[cpu_level()];
}
