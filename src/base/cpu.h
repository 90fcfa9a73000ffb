/*
** Which instruction set to use. Found once, when the module is first loaded;
** the environment variable LUNULA_CPU names another one that the processor has
** (scalar, neon, avx2, avxvnni, avx512, avx512vnni or avx512bf16), so that
** each path can be tested on one machine.
*/
#ifndef lunula_cpu_h
#define lunula_cpu_h

#include <stdbool.h>

#include "status.h"

#pragma GCC visibility push(hidden)

/* Each architecture has some of them; of those, each has what the ones before
   it have. Only avxvnni is for processors without AVX-512: those with it have
   the wider products of bytes, and need not have the narrow ones. */
typedef enum CpuLevel {
  CPU_SCALAR,  /* all: what the compiler takes for granted */
  CPU_NEON,    /* aarch64, all of them */
  CPU_AVX2,    /* x86-64: AVX2 and FMA */
  CPU_AVXVNNI, /* x86-64: and products of bytes */
  CPU_AVX512,  /* x86-64: AVX2 and AVX-512 F, BW, DQ, VL */
  CPU_AVX512VNNI,  /* x86-64: and products of bytes */
  CPU_AVX512BF16,  /* x86-64: and products of bfloat16 */
  CPU_LEVELS
} CpuLevel;

/* looks at the processor and at LUNULA_CPU; false when this names no level,
   or one that the processor lacks */
bool        cpu_detect(Error *e);

CpuLevel    cpu_level(void);             /* after cpu_detect */
const char *cpu_level_name(CpuLevel l);  /* "avx2" */

#pragma GCC visibility pop

#endif
