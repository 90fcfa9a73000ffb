/*
** How alike two texts are, word by word: 1 - d / n, where n is the number of
** words of the longer one and d what turns one into the other: a word put in,
** left out or changed is 1, a slip of the pen inside a word 1/2 (Levenshtein
** 1966 with such weights). Of pairs of texts, the less alike side counts.
**
** Below SIMILAR_SHORT words one word is much: "good film" and "bad film" are
** two texts. Such texts may differ by as much as one of SIMILAR_SHORT words
** may, but only when what they share is so rare that it is no coincidence:
** of log2(texts) + SIMILAR_BITS bits, where a word that 1 of 2^k texts have is
** of k bits, so that one word never is enough. With 6,920 sentences of SST-2, a
** tenth of them again with a word changed or dropped, in capitals or with other
** signs, that finds 97 in 100 of these, and 99 in 100 that it finds are.
*/
#ifndef lunula_similar_h
#define lunula_similar_h

#include "words.h"

#pragma GCC visibility push(hidden)

enum {
  SIMILAR_SHORT = 8,         /* words */
  SIMILAR_BITS = 5,
  SIMILAR_SLOTS = 1 << 20,   /* words are counted by their hash */
  SIMILAR_EIGHTHS = 8        /* bits are kept in eighths */
};

typedef struct Rule {
  float similarity;      /* the least, 0.5 to 1 */
  const uint8_t *bits;   /* [SIMILAR_SLOTS] of a word, in eighths */
  uint32_t least_bits;   /* what short texts share, in eighths */
} Rule;

/* 0 when they are less alike than the rule has it */
float similar(const Rule *rule, const Word *a, size_t n, const Word *b,
              size_t m);

/* whether two texts differ in numbers alone */
bool  similar_but_numbers(const Word *a, size_t n, const Word *b, size_t m);

#pragma GCC visibility pop

#endif
