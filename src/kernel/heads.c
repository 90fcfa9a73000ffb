/*
** The head kernels for each instruction set, and the choice among them.
** See heads.h.
*/
#include "heads.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../base/cpu.h"

#define JOIN_(a, b)  a##_##b
#define JOIN(a, b)  JOIN_(a, b)

#define LEVEL    scalar
#define WIDTH    4
#define VECTORS  2
#define TARGET
#if defined(__x86_64__)
#define LARGER(a, b)  ((V)_mm_max_ps((__m128)(a), (__m128)(b)))
#else
#define LARGER(a, b) \
  ((V)((((a) > (b)) & (VI)(a)) | (~((a) > (b)) & (VI)(b))))
#endif
#include "heads_impl.h"
#undef LEVEL
#undef WIDTH
#undef TARGET
#undef LARGER

#if defined(__x86_64__)
#define LEVEL    avx2
#define WIDTH    8
#define TARGET   __attribute__((target("avx2,fma")))
#define LARGER(a, b)  ((V)_mm256_max_ps((__m256)(a), (__m256)(b)))
#include "heads_impl.h"
#undef LEVEL
#undef WIDTH
#undef VECTORS
#undef TARGET
#undef LARGER

#define LEVEL    avx512
#define WIDTH    16
#define VECTORS  4
#define TARGET   __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define LARGER(a, b)  ((V)_mm512_max_ps((__m512)(a), (__m512)(b)))
#include "heads_impl.h"
#undef LEVEL
#undef WIDTH
#undef VECTORS
#undef TARGET
#undef LARGER
#endif


const HeadKernels *head_kernels(void) {
  static const HeadKernels *const kernels[CPU_LEVELS] = {
    [CPU_SCALAR]     = &kernels_scalar,
#if defined(__x86_64__)
    [CPU_AVX2]       = &kernels_avx2,
    [CPU_AVX512]     = &kernels_avx512,
    [CPU_AVX512BF16] = &kernels_avx512,
#endif
  };
  return kernels[cpu_level()];
}
