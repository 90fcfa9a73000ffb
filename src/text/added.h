/*
** Added tokens: whole tokens that are found in a text before its words are,
** special ones ("[SEP]") as they are written, others in the normalised text.
**
** The leftmost is taken, of those the longest, and the search goes on behind
** it. What lstrip and rstrip take along follows the `tokenizers` library to
** the letter, so that a token may begin before the end of the one before.
*/
#ifndef lunula_added_h
#define lunula_added_h

#include "lexicon.h"
#include "normalise.h"

#pragma GCC visibility push(hidden)

typedef struct AddedToken {
  int32_t id;
  bool single_word;  /* not beside a letter, digit or mark */
  bool lstrip;       /* takes the spaces before it along */
  bool rstrip;       /* takes the spaces behind it along */
  bool normalized;   /* looked for, normalised, in the normalised text */
} AddedToken;

/* finds the added tokens of one kind; read only once made */
typedef struct Matcher {
  Strings patterns;
  Lexicon lexicon;       /* of patterns */
  Buffer tokens;         /* AddedToken [patterns.count] */
  bool begins[256];      /* whether a pattern begins with this byte */
} Matcher;

/* Of list [count], whose content is in `tokens` by id, those that are
   `normalized` or not, as asked. Of two that look the same the first is
   found (the library takes either, by chance); one that normalises to nothing
   never is. False when there is no memory. */
bool matcher_init(Matcher *m, const AddedToken *list, size_t count,
                  const Strings *tokens, bool normalized,
                  const Normaliser *r);
void matcher_free(Matcher *m);

/* what is looked for, for the token of that id; false when it isn't here */
bool matcher_pattern(const Matcher *m, int32_t id, Bytes *pattern);

/* where a search in a text has come to; zeros at its start */
typedef struct Search {
  size_t at;    /* matches begin here or later */
  size_t done;  /* where the last token ended, with what it took along */
} Search;

typedef struct Found {
  int32_t id;
  size_t after;       /* the end of the token before, 0 for the first */
  size_t start, end;  /* start may lie before `after` */
} Found;

/* The next added token of those that begin, lstrip left aside, before byte
   `limit`; false when there is none left, and what follows s->done up to
   there is plain. A search may go on with a higher limit. */
bool matcher_next(const Matcher *m, const Traits *traits, Bytes text,
                  size_t limit, Search *s, Found *found);

#pragma GCC visibility pop

#endif
