/*
** The row kernels for each instruction set, and the choice among them.
** See rows.h.
*/
#include "rows.h"

#include <math.h>
#include <string.h>

#include "levels.h"

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

#if defined(__x86_64__)
#define LEVEL  avx2
#define FIRST(n) \
  _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), \
                     _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_PART(p, n, fill) \
  _mm256_blendv_ps((__m256)(fill), _mm256_maskload_ps(p, FIRST(n)), \
                   _mm256_castsi256_ps(FIRST(n)))
#define STORE_PART(p, n, v)  _mm256_maskstore_ps(p, FIRST(n), (__m256)(v))
#define WIDTH  8
#define TARGET  TARGET_AVX2
#define MULTIPLY_EVEN(a, b) \
  _mm256_mul_epu32((__m256i)(a), _mm256_set1_epi32((int)(b)))
#define SQRT(v)  _mm256_sqrt_ps((__m256)(v))
#include "rows_impl.h"
#undef FIRST

#define LEVEL  avx512
#define FIRST(n)  ((__mmask16)((1u << (n)) - 1))
#define LOAD_PART(p, n, fill) \
  _mm512_mask_loadu_ps((__m512)(fill), FIRST(n), p)
#define STORE_PART(p, n, v)  _mm512_mask_storeu_ps(p, FIRST(n), (__m512)(v))
#define WIDTH  16
#define TARGET  TARGET_AVX512
#define MULTIPLY_EVEN(a, b) \
  _mm512_mul_epu32((__m512i)(a), _mm512_set1_epi32((int)(b)))
#define SQRT(v)  _mm512_sqrt_ps((__m512)(v))
#include "rows_impl.h"
#undef FIRST

#elif defined(__aarch64__)
#define LEVEL  neon
#define WIDTH  4
#define TARGET
#define MULTIPLY_EVEN(a, b) \
  vmull_u32(vmovn_u64((uint64x2_t)(a)), vdup_n_u32(b))
#define SQRT(v)  vsqrtq_f32((float32x4_t)(v))
#include "rows_impl.h"
#endif


const RowKernels *row_kernels(void) {
  static const RowKernels *const kernels[CPU_LEVELS] =
    KERNEL_TABLE(avx2, avx512, avx512);
  return kernels[cpu_level()];
}
