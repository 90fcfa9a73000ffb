/*
** Arrays that grow, and stay for the next text. Zeros before the first use;
** freed with free(b.at).
*/
#ifndef lunula_buffer_h
#define lunula_buffer_h

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

typedef struct Buffer {
  void *at;         /* what it holds is the owner's to know */
  size_t capacity;  /* in elements */
} Buffer;

/* makes room for `needed` elements of `size` bytes, keeping what is there;
   grows by doubling, so that many small steps cost little. False, and b as it
   was, when there is no memory. */
bool buffer_grow(Buffer *b, size_t needed, size_t size);

static inline bool buffer_room(Buffer *b, size_t needed, size_t size) {
  return needed <= b->capacity || buffer_grow(b, needed, size);
}

#pragma GCC visibility pop

#endif
