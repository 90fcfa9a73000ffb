/*
** Philox4x32-10. See rng.h for what is promised.
*/
#include "rng.h"

#include <assert.h>

enum { ROUNDS = 10 };

static const uint32_t MUL[2] = { 0xD2511F53u, 0xCD9E8D57u };
static const uint32_t WEYL[2] = { 0x9E3779B9u, 0xBB67AE85u };


Rng rng_new(uint64_t seed, uint32_t purpose) {
  return (Rng){ .seed = seed, .purpose = purpose, .at = 0 };
}


static void one_round(uint32_t c[4], const uint32_t k[2]) {
  uint64_t p0 = (uint64_t)MUL[0] * c[0], p1 = (uint64_t)MUL[1] * c[2];
  uint32_t c1 = c[1], c3 = c[3];
  c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k[0];
  c[1] = (uint32_t)p1;
  c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k[1];
  c[3] = (uint32_t)p0;
}


void rng_block(const Rng *r, uint64_t block, uint32_t out[4]) {
  uint32_t k[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
  out[0] = (uint32_t)block; out[1] = (uint32_t)(block >> 32);
  out[2] = r->purpose;      out[3] = 0;
  for (int i = 0; i < ROUNDS; i++) {
    one_round(out, k);
    k[0] += WEYL[0]; k[1] += WEYL[1];
  }
}


uint32_t rng_u32(Rng *r) {
  uint32_t w[4];
  rng_block(r, r->at / 4, w);
  return w[r->at++ % 4];
}


/* 24 bits, so that the result is exact and never rounds up to 1 */
float rng_float(Rng *r) {
  return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}


/* rejects the short last interval: without it small values come too often */
uint64_t rng_below(Rng *r, uint64_t n) {
  assert(n > 0);
  uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
  do {
    x = (uint64_t)rng_u32(r) << 32;
    x |= rng_u32(r);
  } while (x >= limit);
  return x % n;
}
