/*
** One vector for each sequence of a ragged batch.
**
**   first   out[s] = x[offsets[s]]
**   mean    out[s] = mean of x[offsets[s] .. offsets[s + 1] - 1]
*/
#ifndef lunula_pooling_h
#define lunula_pooling_h

#include "../tensor/tape.h"

#pragma GCC visibility push(hidden)

typedef enum Pooling {
  POOL_FIRST,
  POOL_MEAN
} Pooling;

/* x FLOAT32 [tokens, width], offsets INT32 [sequences + 1], rising from 0 to
   tokens, no sequence empty; out [sequences, width]. NULL: no memory */
Tensor *op_pool(Tape *tape, Tensor *x, Tensor *offsets, Pooling how);

#pragma GCC visibility pop

#endif
