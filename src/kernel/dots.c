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
  PIECE_UNITS = 512, /* of the depth, widened at once */
  GELU_TERMS = 6
};

/* by spec/fixtures/gelu8.py */
static const float gelu_terms[][GELU_TERMS] = {
  [ACT_GELU] = { 2.25882053e-08f, 5.79640689e-07f, 7.39643234e-06f,
                 2.7729805e-05f, 0.000270774992f, -0.00382691732f },
  [ACT_GELU_TANH] = { 2.34688266e-08f, 6.12285133e-07f, 7.79701507e-06f,
                      2.96509903e-05f, 0.000274144723f, -0.00383022945f },
};

/* {======== what vectors of so many lanes do ======== */

/* a b + c, rounded once; the larger and the smaller number, b where one is
   NaN; the larger whole number, with a sign and without; whole numbers of at
   least 0 as bytes, at most 255 */
typedef float Floats4 __attribute__((vector_size(16)));
typedef int32_t Integers4 __attribute__((vector_size(16)));
typedef uint8_t Bytes4 __attribute__((vector_size(4)));

static inline Floats4 fused_4(Floats4 a, Floats4 b, Floats4 c) {
  return (Floats4){ fmaf(a[0], b[0], c[0]), fmaf(a[1], b[1], c[1]),
                    fmaf(a[2], b[2], c[2]), fmaf(a[3], b[3], c[3]) };
}


static inline Integers4 choose_4(Integers4 mask, Integers4 yes,
                                 Integers4 no) {
  return (mask & yes) | (~mask & no);
}


static inline Bytes4 bytes_4(Integers4 v) {
  return __builtin_convertvector(choose_4(v > 255, 255 - (Integers4){ 0 }, v),
                                 Bytes4);
}

#define FUSED_4(a, b, c)  fused_4(a, b, c)
#define LARGER_4(a, b) \
  ((Floats4)choose_4((a) > (b), (Integers4)(a), (Integers4)(b)))
#define SMALLER_4(a, b) \
  ((Floats4)choose_4((a) < (b), (Integers4)(a), (Integers4)(b)))
#define LARGER_BITS_4(a, b)  choose_4((a) > (b), a, b)
#define LARGER_UNSIGNED_4(a, b) \
  choose_4(((a) ^ INT32_MIN) > ((b) ^ INT32_MIN), a, b)
#define BYTES_4(v)  bytes_4(v)

#if defined(__x86_64__)

typedef uint8_t Bytes8 __attribute__((vector_size(8)));

static inline __attribute__((always_inline)) TARGET_AVX2
Bytes8 bytes_8(__m256i v) {
  Bytes8 bytes;
  __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v),
                                   _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64((__m128i *)&bytes, _mm_packus_epi16(words, words));
  return bytes;
}

#define FUSED_8(a, b, c) \
  ((V)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define LARGER_8(a, b)   ((V)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER_8(a, b)  ((V)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define LARGER_BITS_8(a, b) \
  ((VI)_mm256_max_epi32((__m256i)(a), (__m256i)(b)))
#define LARGER_UNSIGNED_8(a, b) \
  ((VI)_mm256_max_epu32((__m256i)(a), (__m256i)(b)))
#define BYTES_8(v)       bytes_8((__m256i)(v))

#define FUSED_16(a, b, c) \
  ((V)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define LARGER_16(a, b)   ((V)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SMALLER_16(a, b)  ((V)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define LARGER_BITS_16(a, b) \
  ((VI)_mm512_max_epi32((__m512i)(a), (__m512i)(b)))
#define LARGER_UNSIGNED_16(a, b) \
  ((VI)_mm512_max_epu32((__m512i)(a), (__m512i)(b)))
#define BYTES_16(v)       ((VB)_mm512_cvtusepi32_epi8((__m512i)(v)))

#endif

/* }======== */


/* byte i of a unit: of the left operand, and of vectors of the right one */
#define UNSIGNED(unit, i)  ((unit) >> 8 * (i) & 0xFF)
#define SIGNED(unit, i)    ((unit) << (24 - 8 * (i)) >> 24)
#define PRODUCT(a, b, i)   (UNSIGNED(a, i) * SIGNED(b, i))

#define LEVEL    scalar
#define WIDTH    4
#define ROWS     4
#define VECTORS  2
#define PARTS    1
#define TARGET
#define DOT(sum, a, b) \
  ((sum) += PRODUCT((a)[0], b, 0) + PRODUCT((a)[0], b, 1) + \
            PRODUCT((a)[0], b, 2) + PRODUCT((a)[0], b, 3))
#include "dots_impl.h"


#if defined(__x86_64__)

/* Where bytes cannot be multiplied with exact sums of four (sums of two, in 16
   bits, are cut off at the ends), words are: sums of two, in 32 bits. GCC
   keeps sums in memory unless it is told where they are added up. */
#define ADD_PAIRS(sum, a, b)  do { \
  __m256i pairs_; \
  __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" \
          : "+x"(sum), "=&x"(pairs_) : "x"(a), "x"(b)); \
} while (0)

#define LEVEL    avx2
#define WIDTH    8
#define ROWS     4
#define VECTORS  2
#define PARTS    2
#define TARGET   TARGET_AVX2
#define DOT(sum, a, b)  do { \
  ADD_PAIRS(sum, (a)[0], \
            _mm256_srai_epi16(_mm256_slli_epi16((__m256i)(b), 8), 8)); \
  ADD_PAIRS(sum, (a)[1], _mm256_srai_epi16((__m256i)(b), 8)); \
} while (0)
#include "dots_impl.h"

#define LEVEL    avxvnni
#define WIDTH    8
#define ROWS     6
#define VECTORS  2
#define PARTS    1
#define TARGET   TARGET_AVXVNNI
#define DOT(sum, a, b) \
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"((a)[0]), "x"(b))
#include "dots_impl.h"

#define LEVEL    avx512
#define WIDTH    16
#define ROWS     6
#define VECTORS  2
#define PARTS    2
#define TARGET   TARGET_AVX512
#define DOT(sum, a, b) \
  ((sum) += (VI)_mm512_madd_epi16((__m512i)(a)[0], \
     _mm512_srai_epi16(_mm512_slli_epi16((__m512i)(b), 8), 8)), \
   (sum) += (VI)_mm512_madd_epi16((__m512i)(a)[1], \
     _mm512_srai_epi16((__m512i)(b), 8)))
#include "dots_impl.h"

#define LEVEL    avx512vnni
#define WIDTH    16
#define ROWS     6
#define VECTORS  4
#define PARTS    1
#define TARGET   TARGET_AVX512VNNI
#define DOT(sum, a, b) \
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"((a)[0]), "v"(b))
#include "dots_impl.h"

#elif defined(__aarch64__)
#define kernels_neon  kernels_scalar
#endif


const DotKernels *dot_kernels(void) {
  static const DotKernels *const kernels[CPU_LEVELS] =
    KERNEL_TABLE(avxvnni, avx512vnni, avx512vnni);
  return kernels[cpu_level()];
}
