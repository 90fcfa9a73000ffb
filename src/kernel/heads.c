/*
** The head kernels for each instruction set, and the choice among them.
** See heads.h.
*/
#include "heads.h"

#include <string.h>

#include "levels.h"

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

#if defined(__x86_64__)
#define LEVEL    avx2
#define WIDTH    8
#define VECTORS  2
#define TARGET   TARGET_AVX2
#define LARGER(a, b)  ((V)_mm256_max_ps((__m256)(a), (__m256)(b)))
#include "heads_impl.h"

#define LEVEL    avx512
#define WIDTH    16
#define VECTORS  4
#define TARGET   TARGET_AVX512
#define LARGER(a, b)  ((V)_mm512_max_ps((__m512)(a), (__m512)(b)))
#include "heads_impl.h"

#elif defined(__aarch64__)
#define LEVEL    neon
#define WIDTH    4
#define VECTORS  4
#define TARGET
#define LARGER(a, b)  ((V)vmaxq_f32((float32x4_t)(a), (float32x4_t)(b)))
#include "heads_impl.h"
#endif


const HeadKernels *head_kernels(void) {
  static const HeadKernels *const kernels[CPU_LEVELS] =
    KERNEL_TABLE(avx2, avx512, avx512);
  return kernels[cpu_level()];
}
