/*
** What the kernels have in common that one template makes for several
** instruction sets: their names, the sets and the table of them all.
*/
#ifndef lunula_levels_h
#define lunula_levels_h

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../base/cpu.h"

#define JOIN_(a, b)  a##_##b
#define JOIN(a, b)  JOIN_(a, b)

/* The kernels of this architecture by their level, to be indexed with
   cpu_level(). `vnni256`, `vnni512` and `bf16` name those that run where
   AVX-VNNI, AVX512-VNNI and AVX512-BF16 are. */
#if defined(__x86_64__)
#define KERNEL_TABLE(vnni256, vnni512, bf16)  { \
  [CPU_SCALAR]     = &kernels_scalar, \
  [CPU_AVX2]       = &kernels_avx2, \
  [CPU_AVXVNNI]    = &kernels_##vnni256, \
  [CPU_AVX512]     = &kernels_avx512, \
  [CPU_AVX512VNNI] = &kernels_##vnni512, \
  [CPU_AVX512BF16] = &kernels_##bf16, \
}
#define TARGET_AVX2  __attribute__((target("avx2,fma")))
#define TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define TARGET_AVXVNNI  __attribute__((target("avx2,fma,avxvnni")))
#define TARGET_AVX512VNNI \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define TARGET_AVX512BF16 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#elif defined(__aarch64__)
#define KERNEL_TABLE(vnni256, vnni512, bf16)  { \
  [CPU_SCALAR] = &kernels_scalar, \
  [CPU_NEON]   = &kernels_neon, \
}
#else
#define KERNEL_TABLE(vnni256, vnni512, bf16) \
  { [CPU_SCALAR] = &kernels_scalar }
#endif

#endif
