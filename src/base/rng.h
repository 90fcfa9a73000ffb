/*
** Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011).
**
** A stream is a pure function of (seed, purpose, position): no state is
** shared, any position can be read in any order and by any thread, and the
** same position always gives the same bits. Dropout reads it twice, forward
** and backward, instead of keeping a mask.
*/
#ifndef lunula_rng_h
#define lunula_rng_h

#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct Rng {
  uint64_t seed;     /* what the user gave */
  uint32_t purpose;  /* what the numbers are for: layer, site */
  uint64_t at;       /* position of the next number */
} Rng;

Rng      rng_new(uint64_t seed, uint32_t purpose);

/* the 4 words at `block`, without moving: r is not written */
void     rng_block(const Rng *r, uint64_t block, uint32_t out[4]);

uint32_t rng_u32(Rng *r);                   /* uniform over 32 bits */
float    rng_float(Rng *r);                 /* uniform in [0, 1) */
uint64_t rng_below(Rng *r, uint64_t n);     /* unbiased in [0, n), n > 0 */

#pragma GCC visibility pop

#endif
