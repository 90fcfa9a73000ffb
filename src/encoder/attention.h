/*
** Self-attention within each sequence of a ragged batch.
**
**   forward   P = softmax(Q K' / sqrt(d)),  context = dropout(P) V
**   backward  from dcontext: dQ, dK, dV; P is made again from Q, K and the
**             log-sum-exp of each row (Dao et al. 2022)
**
** Q, K and V are one buffer, qkv [tokens, 3 hidden], each head a slice of
** columns. A block of query rows at a time, so that memory does not grow with
** the square of the length.
*/
#ifndef lunula_attention_h
#define lunula_attention_h

#include <stdint.h>

#include "../kernel/rows.h"

#pragma GCC visibility push(hidden)

typedef struct Attention {
  int64_t tokens, sequences, longest;
  const int32_t *offsets;  /* [sequences + 1] */
  int64_t hidden, heads;
  const float *qkv;        /* [tokens, 3 hidden] */
  float *lse;              /* [tokens, heads] */
  Dropout dropout;         /* on the probabilities */
  float *scratch;          /* [attention_scratch] */
} Attention;

/* floats of scratch for a batch of which this is the longest sequence */
int64_t attention_scratch(int64_t longest);

/* context [tokens, hidden] */
void attention_forward(const Attention *a, float *context);
/* dcontext [tokens, hidden], dqkv [tokens, 3 hidden] (written, not added) */
void attention_back(const Attention *a, const float *dcontext, float *dqkv);

#pragma GCC visibility pop

#endif
