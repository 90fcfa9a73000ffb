/*
** The words of a text, as two texts are compared by them: letters, marks and
** digits after compatibility decomposition and full case folding (what NFKC
** and casefold agree on). Punctuation and case don't count, accents do. An
** apostrophe or a hyphen inside a word is not there, as where punctuation was
** stripped; any other sign parts two words.
**
** Characters of scripts that put no blanks between words (Han, kana, Thai,
** Lao, Khmer, Myanmar) and pictures (emoji) are words of their own. Where a
** text has no word at all, its signs are its words, so that ":-)" is not
** equal to "?"; nothing but blanks has none.
**
** Of a word 8 bytes are kept: a hash, and which letters it has, by which a
** misspelt word is known. Marks after a letter hash alike in any order.
*/
#ifndef lunula_words_h
#define lunula_words_h

#include "buffer.h"
#include "utf8.h"

#pragma GCC visibility push(hidden)

typedef struct Word {
  uint32_t hash;     /* WORD_DIVIDER for what divides the texts of a pair */
  uint32_t letters;  /* see words.c */
} Word;

enum { WORD_DIVIDER = 0 };

/* kept from one text to the next; zeros before the first use */
typedef struct Words {
  Buffer at;         /* Word [n] */
  size_t n;
  uint64_t hash;     /* of the words in their order */
  uint64_t letters;  /* of the letters, wherever words begin; but what parts
                        two numbers counts */
  uint64_t mark_sum; /* of `letters` */
  bool after_digit;
} Words;

/* both false when there is no memory */
bool words_of(Words *w, Bytes text);
/* words_of both, with a divider between them */
bool words_of_pair(Words *w, Bytes text, Bytes other);
void words_free(Words *w);

static inline const Word *words_at(const Words *w) {
  return (const Word *)w->at.at;
}

/* whether one slip of the pen may lie between two words: a letter left out,
   doubled, taken for another, or two swapped. The first letter and anything
   in a number is no slip, nor is one in a word of fewer than 5 letters. */
bool word_is_slip(Word a, Word b);
bool word_is_number(Word w);  /* it has a digit */

/* a 64-bit number whose bits all hang on all of x's: splitmix64's */
static inline uint64_t words_mix(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

#pragma GCC visibility pop

#endif
