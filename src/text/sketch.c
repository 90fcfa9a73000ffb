/*
** Keys of a text. See sketch.h.
*/
#include "sketch.h"

#include <assert.h>

#define BASE  UINT64_C(0x9E3779B97F4A7C15)  /* odd: 2^64 / golden ratio */


/* A text's hash is a polynomial of its words: what is left of one without its
   word i is that of the words before, moved, and of those behind. */
void sketch_deleted(const Word *words, size_t n, uint64_t keys[SKETCH_KEYS]) {
  uint64_t before[SKETCH_KEYS], behind = 0, power = 1;
  assert(sketch_deleted_count(n) == n + 1);
  before[0] = 0;
  for (size_t i = 0; i < n; i++)
    before[i + 1] = before[i] * BASE + words_mix(words[i].hash);
  for (size_t i = n; i-- > 0;) {
    keys[i] = words_mix(before[i] * power + behind);
    behind += words_mix(words[i].hash) * power;
    power *= BASE;
  }
  keys[n] = words_mix(behind);
}


uint64_t sketch_band(const Word *words, size_t n, unsigned band) {
  uint64_t factor[SKETCH_ROWS], key = band;
  uint32_t least[SKETCH_ROWS];
  assert(n >= SKETCH_BAND_LEAST && band < SKETCH_BANDS);
  for (unsigned r = 0; r < SKETCH_ROWS; r++) {
    factor[r] = words_mix(BASE * (band * SKETCH_ROWS + r + 1)) | 1;
    least[r] = UINT32_MAX;
  }
  for (size_t i = 0; i + 1 < n; i++) {
    uint64_t two = (uint64_t)words[i].hash << 32 | words[i + 1].hash;
    two = words_mix(two);
    for (unsigned r = 0; r < SKETCH_ROWS; r++) {
      uint32_t x = (uint32_t)(two * factor[r] >> 32);
      if (x < least[r]) least[r] = x;
    }
  }
  for (unsigned r = 0; r < SKETCH_ROWS; r++)
    key = words_mix(key * BASE + least[r]);
  return key;
}
