/*
** The memory that a pass of the encoder works in: what it keeps for the way
** back, and what is used up within a call. Each lies in one block, which the
** next pass uses again.
*/
#ifndef lunula_workspace_h
#define lunula_workspace_h

#include "layer.h"

#pragma GCC visibility push(hidden)

/* a block that is used again; grows by an eighth more than was asked for */
typedef struct Block {
  float *memory;
  size_t room;  /* floats */
} Block;

/* makes room, and forgets what was there when it must grow; false: no
   memory */
bool block_reserve(Block *b, size_t floats);

/* What a pass keeps until its end. */
typedef enum Keeping {
  KEEP_ONE,     /* a layer's buffers, for each in turn: nothing goes back */
  KEEP_ALL,     /* every layer's */
  KEEP_INPUTS   /* one layer's, and the input of each */
} Keeping;

typedef struct PassKept {
  NormKept embeddings;
  float *inputs;        /* [layers, tokens, hidden] with KEEP_INPUTS; or NULL */
  LayerKept *layer;     /* [num_hidden_layers], the caller's */
} PassKept;

/* floats that it takes, more than any block has where that does not fit */
size_t kept_floats(const EncoderConfig *c, int64_t tokens, Keeping keeping);
void   kept_place(PassKept *k, float *at, const EncoderConfig *c,
                  int64_t tokens, Keeping keeping);

/* What a scratch is for: a forward that finds all weights packed, one that
   packs what it multiplies, or the way back. */
typedef enum Scope {
  PACKED,
  FORWARD,
  BACKWARD
} Scope;

typedef struct Scratch {
  LayerScratch layer;
  float *x;             /* [tokens, hidden] */
} Scratch;

/* false: no memory */
bool scratch_get(Block *block, Scratch *s, const EncoderConfig *c,
                 const Batch *b, Precision p, Scope scope);

#pragma GCC visibility pop

#endif
