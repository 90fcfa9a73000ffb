/*
** Detection of the processor. See cpu.h.
*/
#include "cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const NAMES[CPU_LEVELS] = {
  [CPU_SCALAR] = "scalar",
  [CPU_AVX2]   = "avx2",
  [CPU_AVX512] = "avx512",
  [CPU_AVX512BF16] = "avx512bf16",
};

/* one more than the level; 0: not detected yet. States of several threads
   may load the module at once, and find the same. */
static int found = 0;


static CpuLevel best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return CPU_SCALAR;
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl"))
    return CPU_AVX2;
  return __builtin_cpu_supports("avx512bf16") ? CPU_AVX512BF16 : CPU_AVX512;
#else
  return CPU_SCALAR;
#endif
}


static int level_named(const char *name) {
  for (int l = 0; l < CPU_LEVELS; l++)
    if (strcmp(name, NAMES[l]) == 0) return l;
  return -1;
}


static bool choose(CpuLevel *level, Error *e) {
  const char *asked = getenv("LUNULA_CPU");
  CpuLevel best = best_level();
  *level = best;
  if (asked == NULL || *asked == '\0') return true;
  int l = level_named(asked);
  if (l < 0)
    return error_set(e, "LUNULA_CPU=%s: expected scalar, avx2, avx512 or "
                     "avx512bf16", asked);
  if (l > (int)best)
    return error_set(e, "LUNULA_CPU=%s: this processor has %s at most",
                     asked, NAMES[best]);
  *level = (CpuLevel)l;
  return true;
}


bool cpu_detect(Error *e) {
  CpuLevel level;
  if (__atomic_load_n(&found, __ATOMIC_ACQUIRE) != 0) return true;
  if (!choose(&level, e)) return false;
  __atomic_store_n(&found, (int)level + 1, __ATOMIC_RELEASE);
  return true;
}


CpuLevel cpu_level(void) {
  return (CpuLevel)(__atomic_load_n(&found, __ATOMIC_RELAXED) - 1);
}


const char *cpu_level_name(CpuLevel l) {
  return NAMES[l];
}
