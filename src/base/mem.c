/*
** Aligned memory. See mem.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "mem.h"

#include <stdlib.h>
#include <string.h>


void *mem_alloc(size_t bytes) {
  void *p = NULL;
  if (bytes > SIZE_MAX - MEM_ALIGN) return NULL;
  return posix_memalign(&p, MEM_ALIGN, bytes ? bytes : 1) == 0 ? p : NULL;
}


void *mem_zeros(size_t bytes) {
  void *p = mem_alloc(bytes);
  if (p != NULL) memset(p, 0, bytes);
  return p;
}


void mem_free(void *p) {
  free(p);
}


bool mem_times(size_t a, size_t b, size_t *out) {
  if (b != 0 && a > SIZE_MAX / b) return false;
  *out = a * b;
  return true;
}
