#include <string.h>

#include "checksum.h"

/* FNV-1a (Fowler, Noll & Vo), a word of 8 bytes at a time, with the high bits
   folded back so that every bit reaches every other */
static const uint64_t BASIS = UINT64_C(14695981039346656037);
static const uint64_t PRIME = UINT64_C(1099511628211);


static uint64_t add(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * PRIME;
  return sum ^ sum >> 32;
}


static uint64_t add_bytes(uint64_t sum, const char *bytes, size_t n) {
  uint64_t word;
  for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    sum = add(sum, word);
  }
  word = 0;
  memcpy(&word, bytes, n);
  return add(sum, word);
}


bool tensor_checksum(Tensor *t, uint64_t *sum) {
  Tensor *whole = tensor_contiguous(t);
  if (whole == NULL) return false;
  size_t size = dtype_size(t->dtype);
  const char *bytes = (const char *)whole->storage->data
                    + (size_t)whole->start * size;
  tensor_settle(whole);
  *sum = add(BASIS, (uint64_t)t->dtype);
  for (int i = 0; i < t->shape.ndim; i++)
    *sum = add(*sum, (uint64_t)t->shape.size[i]);
  *sum = add_bytes(*sum, bytes, (size_t)tensor_count(t) * size);
  tensor_release(whole);
  return true;
}
