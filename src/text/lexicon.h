/*
** Byte strings numbered from 0, and tables that find them.
**
** A Strings holds the bytes of all; a Lexicon finds some of them by their
** bytes past the first `skip`, so that the continuing pieces of WordPiece
** ("##ing") are found without their prefix and without a copy. Both are
** read only once filled. A Lexicon's hash takes one byte after another, so
** that one walk over a text tries every prefix of it.
*/
#ifndef lunula_lexicon_h
#define lunula_lexicon_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "utf8.h"

#pragma GCC visibility push(hidden)

/* zeros before the first is added */
typedef struct Strings {
  size_t count;
  Buffer bytes;   /* uint8_t, all of them, one after another */
  Buffer ends;    /* uint32_t [count], into bytes */
} Strings;

/* room for `bytes` more of `count` more strings, so that adding them takes no
   memory; false when there is none */
bool  strings_reserve(Strings *s, size_t bytes, size_t count);
/* a copy of s becomes number `count`; false when there is no memory or 2 GiB
   are full */
bool  strings_add(Strings *s, Bytes string);
Bytes strings_at(const Strings *s, size_t i);
void  strings_free(Strings *s);

typedef struct LexiconSlot {
  uint32_t hash;
  int32_t id;  /* LEXICON_NONE where empty */
} LexiconSlot;

typedef struct Lexicon {
  const Strings *strings;
  size_t skip;
  size_t longest;      /* bytes of the longest string, the skip taken off */
  unsigned shift;      /* of a spread hash, to the number of a slot */
  LexiconSlot *slots;  /* a power of 2 of them, at most half in use */
} Lexicon;

enum { LEXICON_NONE = -1 };

/* with room for `room` strings; false when there is no memory */
bool    lexicon_init(Lexicon *l, const Strings *s, size_t skip, size_t room);
void    lexicon_free(Lexicon *l);

/* Adds string id, which has at least `skip` bytes. LEXICON_NONE, or the id of
   the equal string that was there: then nothing is added. */
int32_t lexicon_add(Lexicon *l, int32_t id);

int32_t lexicon_find(const Lexicon *l, Bytes s);
/* the longest string of 1 byte or more that s begins with, and in *n its
   bytes */
int32_t lexicon_longest(const Lexicon *l, Bytes s, size_t *n);

#pragma GCC visibility pop

#endif
