/*
** Keys of a text: texts that are much alike have one in common, most likely,
** and others have not, so that only texts of one key need be compared.
**
** - Of a short text, all words but one, for each of them, and all words: texts
**   with one word changed or left out share one for certain. This is the
**   deletion neighbourhood that SymSpell (Garbe 2012) has for letters.
** - Of a longer one, MinHash (Broder 1997) over its pairs of neighbouring
**   words, in bands (Indyk and Motwani 1998): two texts of resemblance J share
**   the key of a band with probability J^SKETCH_ROWS.
*/
#ifndef lunula_sketch_h
#define lunula_sketch_h

#include "words.h"

#pragma GCC visibility push(hidden)

enum {
  SKETCH_BANDS = 16,
  SKETCH_ROWS = 4,             /* hashes of a band */
  SKETCH_BAND_LEAST = 6,       /* words from which on a text has bands */
  SKETCH_DELETED_LEAST = 2,    /* words that a text with deleted ones has */
  SKETCH_DELETED_MOST = 24,
  SKETCH_KEYS = SKETCH_DELETED_MOST + 1
};

/* how many keys sketch_deleted gives for n words; 0 where it is not to be
   called */
static inline size_t sketch_deleted_count(size_t n) {
  bool has = SKETCH_DELETED_LEAST <= n && n <= SKETCH_DELETED_MOST;
  return has ? n + 1 : 0;
}

void     sketch_deleted(const Word *words, size_t n,
                        uint64_t keys[SKETCH_KEYS]);

/* n >= SKETCH_BAND_LEAST; 0 <= band < SKETCH_BANDS */
uint64_t sketch_band(const Word *words, size_t n, unsigned band);

#pragma GCC visibility pop

#endif
