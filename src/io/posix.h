/*
** What the files of this folder share of POSIX: calls that a signal cut
** short are made again, and a failure is told as `PATH: what went wrong`.
*/
#ifndef lunula_posix_h
#define lunula_posix_h

#include <stdbool.h>

#include "../base/status.h"

#pragma GCC visibility push(hidden)

/* fills e with the path and the meaning of `code`, an errno; false */
bool posix_error(Error *e, const char *path, int code);

/* open(2), closed on exec; -1 and errno when it fails */
int  posix_open(const char *path, int flags);

/* fsync(2); what can't be synced at all, a pipe or some network file system,
   counts as synced. False and errno when it fails. */
bool posix_sync(int fd);

#pragma GCC visibility pop

#endif
