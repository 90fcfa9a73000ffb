/*
** bfloat16: the upper half of a float32. Rounded to nearest, ties to even.
*/
#ifndef lunula_bf16_h
#define lunula_bf16_h

#include <stdint.h>
#include <string.h>

typedef uint16_t Bf16;

static inline Bf16 bf16_from(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return (Bf16)(u >> 16 | 0x40);  /* NaN */
  return (Bf16)((u + 0x7FFFu + (u >> 16 & 1)) >> 16);
}


static inline float bf16_float(Bf16 b) {
  uint32_t u = (uint32_t)b << 16;
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

#endif
