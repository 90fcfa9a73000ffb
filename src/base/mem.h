/*
** Aligned memory. Every buffer of numbers comes from here, aligned for the
** widest vector and for a cache line.
*/
#ifndef lunula_mem_h
#define lunula_mem_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum { MEM_ALIGN = 64 };

/* uninitialised; NULL when there is no memory. A size of 0 is allowed and
   gives a pointer that can be freed. */
void *mem_alloc(size_t bytes);
void *mem_zeros(size_t bytes);
void  mem_free(void *p);

/* a * b in *out; false when it does not fit */
bool  mem_times(size_t a, size_t b, size_t *out);

#pragma GCC visibility pop

#endif
