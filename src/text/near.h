/*
** Texts that are there more than once, or nearly so, in up to 2^31 - 1 rows
** of up to NEAR_PARTS parts (train, test ...).
**
** What always holds: of a text 8 bytes a word are kept, once for all rows that
** have it, and no letter. Equal texts (words.h) are known as soon as they are
** added, compared word by word. near_search finds those that are much alike
** (similar.h) among the ones that share a key (sketch.h); each of them is
** compared with at most NEAR_COMPARED others of a key, whatever the texts are.
** What it finds is the same for any number of threads. Texts without words
** are alike to none.
*/
#ifndef lunula_near_h
#define lunula_near_h

#include "similar.h"

#pragma GCC visibility push(hidden)

enum {
  NEAR_PARTS = 32,
  NEAR_COMPARED = 8,
  NEAR_MOST = INT32_MAX
};

#define NEAR_NONE  UINT32_MAX

/* a text, in however many rows */
typedef struct NearText {
  uint64_t hash, letters;
  size_t at;             /* of its first word among all */
  uint32_t n;            /* words */
  uint32_t parts;        /* a bit each that it occurs in */
  uint32_t first, last;  /* rows */
} NearText;

typedef struct NearRow {
  uint32_t text;
  uint32_t next;  /* row of the same text; NEAR_NONE after the last */
} NearRow;

/* the text most like another, among those of some part */
typedef struct NearLink {
  uint32_t text;  /* NEAR_NONE: there is none */
  float similarity;
} NearLink;

/* what near_search has found of a text */
typedef struct NearFound {
  NearLink same;    /* with a row of a part that the text is in, too */
  NearLink across;  /* with a row of another part than one of the text's */
  uint32_t group;   /* the first text of those it hangs together with */
} NearFound;

/* zeros, but `most`, before the first use */
typedef struct Near {
  uint32_t most;       /* rows, up to NEAR_MOST */
  uint32_t parts;      /* a bit each that was seen */
  Buffer words;        /* Word [words_n] */
  size_t words_n;
  Buffer texts;        /* NearText [texts_n] */
  uint32_t texts_n;
  Buffer rows;         /* NearRow [rows_n] */
  uint32_t rows_n;
  uint32_t *slots;     /* [slots_n] texts by their hash; NEAR_NONE: none */
  size_t slots_n;
  uint32_t *counts;    /* [SIMILAR_SLOTS] texts that have a word */
  NearFound *found;    /* [found_n], after near_search */
  uint32_t found_n;    /* texts that there were then */
  uint64_t compared;   /* pairs of texts, by near_search */
  Words reading;
} Near;

typedef enum NearStatus { NEAR_OK, NEAR_NO_MEMORY, NEAR_FULL } NearStatus;

/* Adds a row, whose number is n->rows_n before; other.at NULL: no second text.
   When it fails nothing is added. */
NearStatus near_add(Near *n, Bytes text, Bytes other, unsigned part);

/* false when there is no memory; nothing is found then */
bool near_search(Near *n, float similarity);

size_t near_bytes(const Near *n);  /* that are held */
void   near_free(Near *n);

static inline const NearText *near_text(const Near *n, uint32_t text) {
  return (const NearText *)n->texts.at + text;
}

static inline const NearRow *near_row(const Near *n, uint32_t row) {
  return (const NearRow *)n->rows.at + row;
}

static inline const Word *near_words(const Near *n, const NearText *t) {
  return (const Word *)n->words.at + t->at;
}

#pragma GCC visibility pop

#endif
