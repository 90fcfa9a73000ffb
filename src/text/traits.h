/*
** What a code point is to the tokenizer: its traits (unidata.h), and its
** decomposition, combining class and lowercase through utf8proc.
*/
#ifndef lunula_traits_h
#define lunula_traits_h

#include "unidata.h"

#pragma GCC visibility push(hidden)

enum {
  TRAITS_BMP = 0x10000,
  DECOMPOSITION_LONGEST = 4,  /* canonical, whole: U+1F82 and the like */
  LOWER_LONGEST = 2           /* U+0130 */
};

/* the ranges of unidata.h laid out for the code points that are common:
   never written after traits_init */
typedef struct Traits {
  uint8_t bmp[TRAITS_BMP];
} Traits;

void     traits_init(Traits *t);
unsigned traits_find(uint32_t c);  /* by search; any code point */

static inline unsigned traits_of(const Traits *t, uint32_t c) {
  return c < TRAITS_BMP ? t->bmp[c] : traits_find(c);
}

/* for c that DECOMPOSES; returns how many */
size_t   code_decompose(uint32_t c, uint32_t out[DECOMPOSITION_LONGEST]);
/* of a NONSTARTER, 1 to 254 */
unsigned code_combining_class(uint32_t c);
/* returns how many */
size_t   code_lower(uint32_t c, uint32_t out[LOWER_LONGEST]);
/* what `\w` matches: letters, marks, digits, connectors, joiners */
int      code_is_word(uint32_t c);

#pragma GCC visibility pop

#endif
