/*
** AdamW's step, per instruction set. See step.h.
*/
#include "step.h"

#include <math.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "../base/cpu.h"

#define STEP           step_scalar
#define STEPS          steps_scalar
#define TARGET
#define VEC            float
#define WIDTH          1
#define LOAD(p)        (*(p))
#define STORE(p, x)    (*(p) = (x))
#define SET1(x)        (x)
#define SQRT(x)        sqrtf(x)
#include "step_impl.h"

#if defined(__x86_64__)

#define STEP           step_avx2
#define STEPS          steps_avx2
#define TARGET         __attribute__((target("avx2,fma")))
#define VEC            __m256
#define WIDTH          8
#define LOAD(p)        _mm256_loadu_ps(p)
#define STORE(p, x)    _mm256_storeu_ps(p, x)
#define SET1(x)        _mm256_set1_ps(x)
#define SQRT(x)        _mm256_sqrt_ps(x)
#include "step_impl.h"

#define STEP           step_avx512
#define STEPS          steps_avx512
#define TARGET         __attribute__((target("avx512f")))
#define VEC            __m512
#define WIDTH          16
#define LOAD(p)        _mm512_loadu_ps(p)
#define STORE(p, x)    _mm512_storeu_ps(p, x)
#define SET1(x)        _mm512_set1_ps(x)
#define SQRT(x)        _mm512_sqrt_ps(x)
#include "step_impl.h"

#endif


void step_elements(float *p, float *g, float *m, float *v, int64_t n,
                   const StepNumbers *s) {
  int64_t i = 0;
#if defined(__x86_64__)
  if (cpu_level() >= CPU_AVX512) i = step_avx512(p, g, m, v, n, s);
  if (cpu_level() == CPU_AVX2) i = step_avx2(p, g, m, v, n, s);
#endif
  step_scalar(p + i, g + i, m + i, v + i, n - i, s);
}


void step_without_gradient(float *p, float *m, float *v, int64_t n,
                           const StepNumbers *s, int64_t steps) {
  int64_t i = 0;
  if (steps == 0) return;
#if defined(__x86_64__)
  if (cpu_level() >= CPU_AVX512) i = steps_avx512(p, m, v, n, s, steps);
  if (cpu_level() == CPU_AVX2) i = steps_avx2(p, m, v, n, s, steps);
#endif
  steps_scalar(p + i, m + i, v + i, n - i, s, steps);
}
