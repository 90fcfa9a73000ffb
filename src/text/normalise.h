/*
** BERT's normalisation of a text, and where each byte of it came from.
**
** In this order, as the `tokenizers` library's BertNormalizer: control
** characters are removed and spaces made ' ' (clean_text), ideographs are set
** apart by spaces, accents are stripped (NFD, then no nonspacing marks), and
** letters lowered one by one, without a look at their neighbours.
**
** Where a code point came from: the bytes of the one that it stands for. NFD
** may reorder marks; the library then lets the reordered ones stand for the
** originals in the order of the text, and so do we.
*/
#ifndef lunula_normalise_h
#define lunula_normalise_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "traits.h"
#include "utf8.h"

#pragma GCC visibility push(hidden)

typedef struct NormalOptions {
  bool clean_text;
  bool handle_chinese_chars;
  bool strip_accents;
  bool lowercase;
} NormalOptions;

/* read only once made */
typedef struct Normaliser {
  NormalOptions options;
  Traits traits;
  uint8_t ascii[128];  /* what each becomes; NORMAL_REMOVED for nothing */
} Normaliser;

enum { NORMAL_REMOVED = 0xFF };  /* no byte of ASCII */

/* bytes start .. end - 1 of a text */
typedef struct Span {
  int32_t start, end;
} Span;

/* A normalised text, always valid UTF-8, and what making it needs. Kept from
   one text to the next; zeros before its first use. */
typedef struct Normal {
  size_t n;
  Buffer bytes;      /* uint8_t [n] */
  Buffer from;       /* Span [n], of each byte */
  size_t waiting_n;
  Buffer waiting;    /* Waiting [waiting_n]: marks whose place isn't known */
  Buffer sorted;     /* Waiting [waiting_n] */
  Span source;       /* what the last code point stood for */
  bool failed;       /* there was no memory: nothing more is written */
} Normal;

void normaliser_init(Normaliser *r, NormalOptions options);

/* Normalises a piece of a text, which begins at byte `start` of it, into out,
   over what was there. Any bytes; start + piece.n <= INT32_MAX. False when
   there is no memory. */
bool normalise(const Normaliser *r, Bytes piece, size_t start, Normal *out);
void normal_free(Normal *out);

#pragma GCC visibility pop

#endif
