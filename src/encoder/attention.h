/*
** Self-attention within each sequence of a ragged batch.
**
**   forward   P = softmax(Q K' / sqrt(d)),  context = dropout(P) V
**   backward  from dcontext: dQ, dK, dV; P is made again from Q, K and the
**             log-sum-exp of each row (Dao et al. 2022)
**
** Causal, a token sees itself and those before it in its sequence: P is 0
** elsewhere, and what is 0 is computed but within a block of rows.
**
** Q, K and V are one buffer, qkv [tokens, 3 hidden], each head a slice of
** columns. A block of query rows at a time, so that memory does not grow with
** the square of the length.
*/
#ifndef lunula_attention_h
#define lunula_attention_h

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/rows.h"

#pragma GCC visibility push(hidden)

typedef struct Attention {
  int64_t tokens, sequences, longest;
  const int32_t *offsets;  /* [sequences + 1] */
  int64_t hidden, heads;
  bool causal;
  const float *qkv;        /* [tokens, 3 hidden] */
  float *lse;              /* [tokens, heads], or NULL: there is no backward */
  Dropout dropout;         /* on the probabilities */
  int64_t lanes;
  float *scratch;          /* [attention_scratch] */
  /* Not NULL: the first tokens alone ask, forward. [sequences, hidden]; then
     qkv holds K and V, [tokens, 2 hidden], and context is [sequences,
     hidden]. */
  const float *first;
} Attention;

/* Pairs of a sequence and a head that run at once. The pool's threads are
   counted once for a pass, since anyone may change them. */
int64_t attention_lanes(int64_t sequences, int64_t heads);
/* floats of scratch for a batch of which this is the longest sequence; width:
   columns of a head; back: for the backward, too */
int64_t attention_scratch(int64_t lanes, int64_t longest, int64_t width,
                          bool back);

/* context [tokens, hidden] */
void attention_forward(const Attention *a, float *context);
/* dcontext [tokens, hidden], dqkv [tokens, 3 hidden] (written, not added) */
void attention_back(const Attention *a, const float *dcontext, float *dqkv);

#pragma GCC visibility pop

#endif
