/*
** Texts cut into tokens, a stretch at a time: who needs the first hundred
** tokens of a long text reads no more of it than that takes.
**
**   text -> added tokens as written -> normalise -> added tokens normalised
**        -> words -> pieces
**
** Where a stretch ends nothing is lost: at a blank, a sign or an ideograph,
** which no word, no mark and no normalised added token goes across. Words of
** ASCII are cut as they stand, everything else by way of a Normal.
*/
#ifndef lunula_splitter_h
#define lunula_splitter_h

#include "added.h"
#include "wordpiece.h"

#pragma GCC visibility push(hidden)

/* read only once made */
typedef struct Splitter {
  Normaliser normaliser;
  WordPiece model;
  Matcher written;      /* added tokens, looked for before normalisation */
  Matcher normalised;   /* and after it */
  uint8_t letter[256];  /* what a byte becomes inside a word of ASCII;
                           NORMAL_REMOVED for what is none */
  uint8_t kind[256];    /* ByteKind */
  bool in_stretches;    /* a text may be cut so; else it is one */
} Splitter;

/* with normaliser, model and the matchers there */
void splitter_init(Splitter *s);
void splitter_free(Splitter *s);

/* how far a text is read; made with its text alone */
typedef struct Reading {
  Bytes text;     /* at most INT32_MAX bytes, any */
  size_t at;      /* what is before is read */
  size_t end;     /* of the stretch that is read; behind it where `at` is */
  bool done;
  Search search;  /* for added tokens as written */
} Reading;

/* Adds the tokens of the next stretch, with their spans in the text; `normal`
   is what that needs. False when there is no memory. */
bool splitter_step(const Splitter *s, Reading *r, Normal *normal,
                   Tokens *out);

#pragma GCC visibility pop

#endif
