/*
** Texts by their keys: entries sorted by key, and of equal keys in the order
** in which they were added, so that what is made of them never depends on
** the number of threads.
*/
#ifndef lunula_buckets_h
#define lunula_buckets_h

#include <stdint.h>

#include "buffer.h"

#pragma GCC visibility push(hidden)

typedef struct Entry {
  uint32_t key, id;
} Entry;

/* zeros before the first use */
typedef struct Buckets {
  Buffer entries;  /* Entry [n] */
  Buffer spare;    /* Entry [n], for sorting */
  size_t n;
} Buckets;

/* both false when there is no memory */
bool buckets_add(Buckets *b, uint32_t key, uint32_t id);
bool buckets_sort(Buckets *b);
void buckets_free(Buckets *b);

static inline const Entry *buckets_at(const Buckets *b) {
  return (const Entry *)b->entries.at;
}

#pragma GCC visibility pop

#endif
