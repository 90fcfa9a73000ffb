/*
** The embeddings under the first layer.
**
**   forward   out = dropout(LayerNorm(word[id] + position[p] + type[t]))
**   backward  adds each token's gradient to the rows it was made from
**
** The batch may bring its words along; then the table of words has no part in
** either.
*/
#ifndef lunula_embeddings_h
#define lunula_embeddings_h

#include "batch.h"
#include "../tensor/tape.h"
#include "norm.h"

#pragma GCC visibility push(hidden)

typedef struct Embeddings {
  Tensor *word;      /* [vocab, hidden] */
  Tensor *position;  /* [positions, hidden] */
  Tensor *type;      /* [types, hidden] */
  LayerNorm norm;
  int64_t untrained;  /* id whose word gets no gradient; -1: none */
} Embeddings;

/* out [tokens, hidden] */
void embeddings_forward(const Embeddings *e, const Batch *b,
                        const NormKept *kept, const Dropout *d,
                        const Matrix *out);
void embeddings_again(const Embeddings *e, const Batch *b,
                      const NormKept *kept, const Dropout *d,
                      const Matrix *out);

/* dout [tokens, hidden] becomes the gradient of the words, that is of the
   sum. false: no memory */
bool embeddings_back(const Embeddings *e, const Batch *b,
                     const NormKept *kept, const Dropout *d, float *dout);

/* word[id], [tokens, hidden], of ids INT32 and contiguous, within the table;
   the way back is as above. NULL: no memory */
Tensor *embeddings_words(const Embeddings *e, Tape *tape, Tensor *ids);

#pragma GCC visibility pop

#endif
