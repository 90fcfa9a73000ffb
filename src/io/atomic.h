/*
** Writing a file so that its name always leads to the old content or to the
** new one, whole: the bytes go to a temporary name in the same folder, are
** synced, and only then take the name. A failure leaves the old file.
**
**   Atomic a = ATOMIC_CLOSED;
**   if (!(atomic_open(&a, path, &e) && atomic_write(&a, data, n, &e) &&
**         atomic_commit(&a, &e)))
**     atomic_abort(&a);
**
** A symbolic link is replaced, not followed. What is no file, a pipe or a
** device, is written as it is, since it can't be replaced.
*/
#ifndef lunula_atomic_h
#define lunula_atomic_h

#include <stdbool.h>
#include <stddef.h>

#include "../base/status.h"

#pragma GCC visibility push(hidden)

typedef struct Atomic {
  int fd;           /* -1 when closed */
  char *path;
  char *temporary;  /* NULL when written as it is */
} Atomic;

#define ATOMIC_CLOSED  ((Atomic){ .fd = -1 })

bool atomic_open(Atomic *a, const char *path, Error *e);
bool atomic_write(Atomic *a, const void *data, size_t bytes, Error *e);
bool atomic_commit(Atomic *a, Error *e);  /* closes a when it succeeds */
void atomic_abort(Atomic *a);             /* nothing when a is closed */

#pragma GCC visibility pop

#endif
