/*
** WordPiece (Schuster and Nakajima 2012; as in BERT, Devlin et al. 2019): a
** normalised text is cut into words, at spaces and around punctuation, and a
** word into the longest pieces of the vocabulary, from the left. A word that
** can't be cut so is one unknown token.
*/
#ifndef lunula_wordpiece_h
#define lunula_wordpiece_h

#include <assert.h>

#include "lexicon.h"
#include "normalise.h"

#pragma GCC visibility push(hidden)

/* ids of pieces and where they lie; zeros before the first use */
typedef struct Tokens {
  size_t n;
  Buffer ids;    /* int32_t [n] */
  Buffer spans;  /* Span [n] */
} Tokens;

static inline bool tokens_room(Tokens *t, size_t more) {
  return buffer_room(&t->ids, t->n + more, sizeof(int32_t)) &&
         buffer_room(&t->spans, t->n + more, sizeof(Span));
}

/* with room for one */
static inline void tokens_push(Tokens *t, int32_t id, Span span) {
  assert(t->n < t->ids.capacity && t->n < t->spans.capacity);
  ((int32_t *)t->ids.at)[t->n] = id;
  ((Span *)t->spans.at)[t->n++] = span;
}

void tokens_free(Tokens *t);

/* read only once made */
typedef struct WordPiece {
  Lexicon first;        /* what a word may begin with */
  Lexicon following;    /* what follows, without its prefix */
  int32_t unknown;      /* id */
  size_t max_chars;     /* a longer word is unknown */
} WordPiece;

/* with w->first there, of the strings up to `count`; false when there is no
   memory */
bool wordpiece_init(WordPiece *w, size_t count, Bytes prefix);
void wordpiece_free(WordPiece *w);

/* Adds the pieces of a word of 1 byte or more, to which there is room for as
   many tokens as it has bytes. Of each byte, `from` [word.n] says where it came
   from; NULL: from byte `start` of the text on, one by one. */
void wordpiece_word(const WordPiece *w, Bytes word, const Span *from,
                    size_t start, Tokens *out);

/* Adds the pieces of the words in bytes start .. end - 1 of a normalised
   text, with their spans in the text that it was made from. False when there
   is no memory. */
bool wordpiece_split(const WordPiece *w, const Traits *traits,
                     const Normal *text, size_t start, size_t end,
                     Tokens *out);

#pragma GCC visibility pop

#endif
