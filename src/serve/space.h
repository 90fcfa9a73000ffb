/*
** The memory of a run: see Space in model.h. A lane for each thread that runs
** a part of the batch, all in one block.
*/
#ifndef lunula_space_h
#define lunula_space_h

#include "network.h"

#pragma GCC visibility push(hidden)

struct Space {
  void *memory;
  size_t bytes;
  int threads;   /* see space_set_threads */
};

/* `count` lanes in s, each for batches of at most this size; false: no
   memory. `lane` [count] has `lanes` set. */
bool space_lanes(struct Space *s, Lane *lane, int64_t count, const Network *n,
                 int64_t tokens, int64_t sequences, int64_t longest);

#pragma GCC visibility pop

#endif
