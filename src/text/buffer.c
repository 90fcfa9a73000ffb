/*
** Arrays that grow. See buffer.h.
*/
#include "buffer.h"

#include <stdlib.h>

#include "../base/mem.h"

enum { SMALLEST = 64 };


bool buffer_grow(Buffer *b, size_t needed, size_t size) {
  size_t capacity = b->capacity < SMALLEST ? SMALLEST : b->capacity, bytes;
  while (capacity < needed && capacity <= SIZE_MAX / 2) capacity *= 2;
  if (capacity < needed || !mem_times(capacity, size, &bytes)) return false;
  void *at = realloc(b->at, bytes);
  if (at == NULL) return false;
  *b = (Buffer){ at, capacity };
  return true;
}
