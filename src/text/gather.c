/*
** Ragged batches of rows. See gather.h.
*/
#include "gather.h"

#include <string.h>


int64_t gather_offsets(const TokenRows *from, const int32_t *row, int64_t n,
                       int32_t *offsets) {
  int64_t tokens = 0;
  offsets[0] = 0;
  for (int64_t i = 0; i < n; i++) {
    tokens += from->offsets[row[i] + 1] - from->offsets[row[i]];
    if (tokens > INT32_MAX) return -1;
    offsets[i + 1] = (int32_t)tokens;
  }
  return tokens;
}


void gather_tokens(const TokenRows *from, const int32_t *row, int64_t n,
                   int32_t *ids, int32_t *types) {
  for (int64_t i = 0; i < n; i++) {
    int32_t first = from->offsets[row[i]];
    size_t count = (size_t)(from->offsets[row[i] + 1] - first);
    memcpy(ids, from->ids + first, count * sizeof *ids);
    memcpy(types, from->types + first, count * sizeof *types);
    ids += count;
    types += count;
  }
}
