/*
** A model that answers: all that a classifier (or an embedder) needs to go
** from token ids to numbers, and nothing of Lua.
**
**   ids -> embeddings -> layers -> pooling -> pooler -> head -> logits
**
** What always holds: a Model never changes once it is made, as far as anybody
** can see, and any number of threads may run one at the same time, each with
** a Space of its own. It is counted, atomically: who has it across threads
** retains it, the last to release it frees it. It keeps the storage of the
** weights that it was made of: a file's pages, or tensors, which then nobody
** may write to. Products read packed copies; float32's are made for each
** product until it is worth the memory to keep them. Its Tokenizer is read
** only, too: any thread may encode with it, each into an Encoding of its own.
**
** A Space is the memory that a run works in. It belongs to one thread at a
** time, serves any models one after the other, and has the size of the
** largest batch so far: who bounds the tokens of a batch bounds it. A run
** that is no larger than an earlier one allocates nothing.
**
** The same bits come out however a text is batched and whatever the threads,
** but for float32 where OpenBLAS multiplies it: there within rounding.
*/
#ifndef lunula_model_h
#define lunula_model_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/status.h"
#include "../encoder/batch.h"
#include "../text/tokenizer.h"

#pragma GCC visibility push(hidden)

typedef struct Model Model;
typedef struct Space Space;

Model *model_retain(Model *m);   /* from any thread */
void   model_release(Model *m);  /* from any thread; NULL is allowed */

/* What an answer has: a logit for each label; of a model without a head the
   pooled vector, hidden_size numbers. */
int64_t    model_width(const Model *m);
Tokenizer *model_tokenizer(const Model *m);  /* NULL: it was made without */
const char *model_precision_name(const Model *m);  /* "fp32" "bf16" "int8" */
size_t     model_bytes(const Model *m);  /* of its own: what was packed for it
                                         when it was made */

/* NULL: no memory. It allocates with the first run. */
Space *space_new(void);
void   space_free(Space *s);          /* NULL is allowed */
size_t space_bytes(const Space *s);   /* what it holds now */
/* Threads that a run may use: 0, as at first: the caller alone for one
   sequence or few tokens, as many as the pool has for others; 1: the caller
   alone. */
void   space_set_threads(Space *s, int n);

/* whether every id, type and length is one that the model has, no sequence is
   empty and there is one; a batch of its own tokenizer with at most
   as many tokens for each as it has positions is */
bool   model_accepts(const Model *m, const Batch *b, Error *e);

/* out [sequences, model_width], of a batch that it accepts. false: no memory,
   and out is undefined */
bool   model_run(Model *m, Space *s, const Batch *b, float *out);

/* what an answer's logits mean */
typedef enum ModelActivation {
  MODEL_SOFTMAX,  /* one of several labels: probabilities that sum to 1 */
  MODEL_SIGMOID,  /* of each label whether: a probability each */
  MODEL_LINEAR    /* they are the answer */
} ModelActivation;

/* logits to what they mean, in place; x [rows, width] */
void   model_activate(float *x, int64_t rows, int64_t width,
                      ModelActivation how);

#pragma GCC visibility pop

#endif
