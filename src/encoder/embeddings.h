/*
** The embeddings under the first layer.
**
**   forward   out = dropout(LayerNorm(word[id] + position[p] + type[t]))
**   backward  adds each token's gradient to the rows it was made from
*/
#ifndef lunula_embeddings_h
#define lunula_embeddings_h

#include "batch.h"
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

/* dout [tokens, hidden] is used up. false: no memory */
bool embeddings_back(const Embeddings *e, const Batch *b,
                     const NormKept *kept, const Dropout *d, float *dout);

#pragma GCC visibility pop

#endif
