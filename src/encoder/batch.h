/*
** A ragged batch: the tokens of all sequences in a row, no padding.
*/
#ifndef lunula_batch_h
#define lunula_batch_h

#include <stdint.h>

typedef struct Batch {
  int64_t tokens, sequences;
  int64_t longest;         /* tokens of the longest sequence */
  const int32_t *ids;      /* [tokens]; NULL where the words are given: */
  const float *words;      /* [tokens, hidden], in a forward; or NULL */
  const int32_t *types;    /* [tokens] token types */
  const int32_t *offsets;  /* [sequences + 1], from 0 to tokens */
} Batch;

#endif
