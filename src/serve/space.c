/*
** The memory of a run. See space.h.
*/
#include "space.h"

#include <stdlib.h>

#include "../base/mem.h"
#include "model.h"

/* what it grows by beyond what was asked: batches are seldom of one size */
#define SLACK(bytes)  ((bytes) / 8)


Space *space_new(void) {
  return calloc(1, sizeof(Space));
}


void space_free(Space *s) {
  if (s == NULL) return;
  mem_free(s->memory);
  free(s);
}


size_t space_bytes(const Space *s) {
  return s->bytes;
}


void space_set_threads(Space *s, int n) {
  s->threads = n;
}


static bool reserve(Space *s, size_t bytes) {
  if (bytes <= s->bytes) return true;
  mem_free(s->memory);
  s->bytes = bytes + SLACK(bytes);
  s->memory = mem_alloc(s->bytes);
  if (s->memory == NULL) s->bytes = 0;
  return s->memory != NULL;
}


bool space_lanes(Space *s, Lane *lane, int64_t count, const Network *n,
                 int64_t tokens, int64_t sequences, int64_t longest) {
  size_t each = lane_place(&lane[0], NULL, n, tokens, sequences, longest);
  if (!reserve(s, each * (size_t)count)) return false;
  for (int64_t i = 0; i < count; i++)
    lane_place(&lane[i], (char *)s->memory + (size_t)i * each, n, tokens,
               sequences, longest);
  return true;
}
