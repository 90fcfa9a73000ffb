/*
** Texts by their keys. See buckets.h.
*/
#include "buckets.h"

#include <stdlib.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, KEY_BITS = 32 };


bool buckets_add(Buckets *b, uint32_t key, uint32_t id) {
  if (!buffer_room(&b->entries, b->n + 1, sizeof(Entry))) return false;
  ((Entry *)b->entries.at)[b->n++] = (Entry){ key, id };
  return true;
}


/* one pass of a radix sort, stable */
static void sort_digit(const Entry *from, size_t n, unsigned shift,
                       Entry *to) {
  size_t at[DIGITS + 1] = { 0 };
  for (size_t i = 0; i < n; i++) at[(from[i].key >> shift) % DIGITS + 1]++;
  for (size_t d = 0; d < DIGITS; d++) at[d + 1] += at[d];
  for (size_t i = 0; i < n; i++)
    to[at[(from[i].key >> shift) % DIGITS]++] = from[i];
}


bool buckets_sort(Buckets *b) {
  if (!buffer_room(&b->spare, b->n, sizeof(Entry))) return false;
  for (unsigned shift = 0; shift < KEY_BITS; shift += DIGIT_BITS) {
    sort_digit(b->entries.at, b->n, shift, b->spare.at);
    Buffer sorted = b->spare;
    b->spare = b->entries;
    b->entries = sorted;
  }
  return true;
}


void buckets_free(Buckets *b) {
  free(b->entries.at);
  free(b->spare.at);
}
