/*
** Aligned memory. Every buffer of numbers comes from here, aligned for the
** widest vector and for a cache line.
**
** What always holds: a large block is pages of its own, so that freeing it
** gives them back whatever lies around it; malloc's heap has holes there.
** Some that were freed last are kept for who asks next, since a training step
** frees what the next one needs: at most MEM_KEPT bytes, until mem_trim.
** With the address sanitizer all blocks are malloc's, and none is kept.
*/
#ifndef lunula_mem_h
#define lunula_mem_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
  MEM_ALIGN = 64,
  MEM_LARGE = 1 << 15,  /* bytes from which on a block is large */
  MEM_KEPT = 1 << 23    /* bytes of freed blocks */
};

/* uninitialised; NULL when there is no memory. A size of 0 is allowed and
   gives a pointer that can be freed. */
void *mem_alloc(size_t bytes);
void *mem_zeros(size_t bytes);
void  mem_free(void *p);        /* NULL is allowed */

/* gives back what is kept */
void  mem_trim(void);

/* How often the system was asked for a large block, by all threads, since the
   process began; -1 where that is not known, with the address sanitizer. Small
   blocks are not counted: malloc has a heap for them, and keeps what was
   freed. */
int64_t mem_mappings(void);

/* Takes the pages of a range for writing, all at once where the system can.
   The pages of a file mapped privately are copied when they are written; one
   by one, and after they were read, each interrupts every other thread. */
void  mem_take_pages(void *p, size_t bytes);

/* Takes the page of an address alone, before anything reads it: a read of a
   file's page also maps its neighbours. */
void  mem_take_page(void *p);

/* a * b in *out; false when it does not fit */
bool  mem_times(size_t a, size_t b, size_t *out);

#pragma GCC visibility pop

#endif
