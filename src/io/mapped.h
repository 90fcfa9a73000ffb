/*
** A file mapped into memory.
**
** The mapping is private: memory can be written (weights are trained where
** they lie) and the file never sees it. Pages are read when first touched.
** It lives until its last user gives it back: each tensor over it is one.
** The pages of a part that nobody uses any more are given back, since weights
** that were copied elsewhere would otherwise be in memory twice.
**
** The size is taken once, when the file is opened. Who then shortens the file
** in place takes the pages away under every program that maps it, and the
** next look at them is a SIGBUS: no mapping is safe from that. lunula never
** does so: it writes another file and moves the name (atomic.h), which leaves
** the mapped one whole until its last user is gone.
*/
#ifndef lunula_mapped_h
#define lunula_mapped_h

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

typedef struct Mapped {
  int refs;
  size_t bytes;
  char *data;   /* NULL when the file is empty */
  size_t end;   /* of the part that was taken last */
  bool overlap; /* maybe: parts were taken in another order than they lie, and
                   pages of one may hold what was written to another */
  char path[];  /* as it was opened, for messages */
} Mapped;

/* NULL when the path is no file that can be read */
Mapped  *mapped_open(const char *path, Error *e);
void     mapped_release(Mapped *m);  /* NULL is allowed */

/* a part of the file as storage, which keeps the mapping; NULL: no memory */
Storage *mapped_storage(Mapped *m, size_t first, size_t bytes);

#pragma GCC visibility pop

#endif
