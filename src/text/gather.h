/*
** Rows of a tokenized set as one ragged batch, in any order, any of them more
** than once.
*/
#ifndef lunula_gather_h
#define lunula_gather_h

#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef struct TokenRows {
  const int32_t *ids;      /* [tokens] */
  const int32_t *types;    /* [tokens] */
  const int32_t *offsets;  /* [rows + 1]; of the rows asked for, rising and
                              within the tokens */
} TokenRows;

/* offsets [n + 1] of a batch of the rows `row` [n]; returns its tokens, -1
   when they are more than offsets can say */
int64_t gather_offsets(const TokenRows *from, const int32_t *row, int64_t n,
                       int32_t *offsets);
/* its ids and types [tokens] */
void    gather_tokens(const TokenRows *from, const int32_t *row, int64_t n,
                      int32_t *ids, int32_t *types);

#pragma GCC visibility pop

#endif
