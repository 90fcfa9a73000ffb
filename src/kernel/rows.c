/*
** The row kernels for each instruction set, and the choice among them.
** See rows.h.
*/
#include "rows.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../base/cpu.h"

#define JOIN_(a, b)  a##_##b
#define JOIN(a, b)  JOIN_(a, b)

#define LEVEL  scalar
#define WIDTH  4
#define TARGET
#if defined(__x86_64__)
#define MULTIPLY_EVEN(a, b) \
  _mm_mul_epu32((__m128i)(a), _mm_set1_epi32((int)(b)))
#define SQRT(v)  _mm_sqrt_ps((__m128)(v))
#else
#define MULTIPLY_EVEN(a, b)  (((VL)(a) & 0xFFFFFFFFu) * (uint64_t)(b))
#define SQRT(v) \
  ((V){ sqrtf((v)[0]), sqrtf((v)[1]), sqrtf((v)[2]), sqrtf((v)[3]) })
#endif
#include "rows_impl.h"
#undef LEVEL
#undef WIDTH
#undef TARGET
#undef MULTIPLY_EVEN
#undef SQRT

#if defined(__x86_64__)
#define LEVEL  avx2
#define WIDTH  8
#define TARGET  __attribute__((target("avx2,fma")))
#define MULTIPLY_EVEN(a, b) \
  _mm256_mul_epu32((__m256i)(a), _mm256_set1_epi32((int)(b)))
#define SQRT(v)  _mm256_sqrt_ps((__m256)(v))
#include "rows_impl.h"
#undef LEVEL
#undef WIDTH
#undef TARGET
#undef MULTIPLY_EVEN
#undef SQRT

#define LEVEL  avx512
#define WIDTH  16
#define TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define MULTIPLY_EVEN(a, b) \
  _mm512_mul_epu32((__m512i)(a), _mm512_set1_epi32((int)(b)))
#define SQRT(v)  _mm512_sqrt_ps((__m512)(v))
#include "rows_impl.h"
#undef LEVEL
#undef WIDTH
#undef TARGET
#undef MULTIPLY_EVEN
#undef SQRT
#endif


const RowKernels *row_kernels(void) {
  static const RowKernels *const kernels[CPU_LEVELS] = {
    [CPU_SCALAR] = &kernels_scalar,
#if defined(__x86_64__)
    [CPU_AVX2]   = &kernels_avx2,
    [CPU_AVX512] = &kernels_avx512,
    [CPU_AVX512BF16] = &kernels_avx512,
#endif
  };
  return kernels[cpu_level()];
}
