/*
** Detection of the processor. See cpu.h.
*/
#include "cpu.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const NAMES[CPU_LEVELS] = {
  [CPU_SCALAR] = "scalar",
  [CPU_NEON]   = "neon",
  [CPU_AVX2]   = "avx2",
  [CPU_AVXVNNI] = "avxvnni",
  [CPU_AVX512] = "avx512",
  [CPU_AVX512VNNI] = "avx512vnni",
  [CPU_AVX512BF16] = "avx512bf16",
};

/* one more than the level; 0: not detected yet. States of several threads
   may load the module at once, and find the same. */
static int found = 0;


#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}


/* not every compiler's __builtin_cpu_supports knows it */
static bool has_avxvnni(void) {
  enum { LEAF = 7, SUBLEAF = 1, BIT = 1 << 4 };
  unsigned a, b, c, d;
  return has_avx2() && __get_cpuid_count(LEAF, SUBLEAF, &a, &b, &c, &d) &&
         (a & BIT) != 0;
}


static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}


static bool has_avx512vnni(void) {
  return has_avx512() && __builtin_cpu_supports("avx512vnni");
}


static bool has(int level) {
  __builtin_cpu_init();
  switch (level) {
    case CPU_SCALAR:     return true;
    case CPU_AVX2:       return has_avx2();
    case CPU_AVXVNNI:    return has_avxvnni();
    case CPU_AVX512:     return has_avx512();
    case CPU_AVX512VNNI: return has_avx512vnni();
    case CPU_AVX512BF16: return has_avx512vnni() &&
                                __builtin_cpu_supports("avx512bf16");
    default:             return false;
  }
}
#elif defined(__aarch64__)
static bool has(int level) {
  return level == CPU_SCALAR || level == CPU_NEON;
}
#else
static bool has(int level) {
  return level == CPU_SCALAR;
}
#endif


static int best_level(void) {
  int l = CPU_LEVELS - 1;
  while (!has(l)) l--;
  return l;
}


static int level_named(const char *name) {
  for (int l = 0; l < CPU_LEVELS; l++)
    if (strcmp(name, NAMES[l]) == 0) return l;
  return -1;
}


static bool choose(int *level, Error *e) {
  const char *asked = getenv("LUNULA_CPU");
  *level = best_level();
  if (asked == NULL || *asked == '\0') return true;
  int l = level_named(asked);
  if (l < 0)
    return error_set(e, "LUNULA_CPU=%s: expected scalar, neon, avx2, avxvnni, "
                     "avx512, avx512vnni or avx512bf16", asked);
  if (!has(l))
    return error_set(e, "LUNULA_CPU=%s: not of this processor, which has %s "
                     "at most", asked, NAMES[*level]);
  *level = l;
  return true;
}


bool cpu_detect(Error *e) {
  int level;
  if (__atomic_load_n(&found, __ATOMIC_ACQUIRE) != 0) return true;
  if (!choose(&level, e)) return false;
  __atomic_store_n(&found, level + 1, __ATOMIC_RELEASE);
  return true;
}


CpuLevel cpu_level(void) {
  return (CpuLevel)(__atomic_load_n(&found, __ATOMIC_RELAXED) - 1);
}


const char *cpu_level_name(CpuLevel l) {
  return NAMES[l];
}
