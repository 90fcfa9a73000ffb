/*
** Files written whole or not at all. See atomic.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "posix.h"

enum {
  NAME_TRIES = 1000,
  NAME_ROOM = 48,            /* ".tmp-", two numbers, the final zero */
  WRITE_BYTES = 1 << 30      /* one write(2): Linux and macOS stop at 2 GiB */
};


/* /dev/stdout is a link that may lead to a file, but must stay a link */
static bool is_written_as_is(const char *path) {
  struct stat s;
  if (lstat(path, &s) != 0) return false;
  if (S_ISLNK(s.st_mode)) {
    if (strncmp(path, "/dev/", 5) == 0) return true;
    if (stat(path, &s) != 0) return false;
  }
  return !S_ISREG(s.st_mode);
}


/* opens a name beside the path that nobody else has */
static int open_temporary(Atomic *a) {
  size_t room = strlen(a->path) + NAME_ROOM;
  int fd = -1;
  if ((a->temporary = malloc(room)) == NULL) return -1;
  for (int i = 0; i < NAME_TRIES; i++) {
    snprintf(a->temporary, room, "%s.tmp-%ld-%d", a->path, (long)getpid(), i);
    fd = posix_open(a->temporary, O_WRONLY | O_CREAT | O_EXCL);
    if (fd >= 0 || errno != EEXIST) break;
  }
  return fd;
}


static void forget(Atomic *a) {
  free(a->path);
  free(a->temporary);
  *a = ATOMIC_CLOSED;
}


bool atomic_open(Atomic *a, const char *path, Error *e) {
  *a = ATOMIC_CLOSED;
  if ((a->path = strdup(path)) == NULL) return error_no_memory(e);
  a->fd = is_written_as_is(path) ? posix_open(path, O_WRONLY)
                                 : open_temporary(a);
  if (a->fd >= 0) return true;
  posix_error(e, path, errno);
  forget(a);
  return false;
}


bool atomic_write(Atomic *a, const void *data, size_t bytes, Error *e) {
  const char *at = data;
  while (bytes > 0) {
    ssize_t n = write(a->fd, at, bytes < WRITE_BYTES ? bytes : WRITE_BYTES);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return posix_error(e, a->path, errno);
    at += n;
    bytes -= (size_t)n;
  }
  return true;
}


/* the name is moved when the content is safe: some file systems say only in
   close(2) that a disk or a quota is full */
static bool finish(Atomic *a) {
  int fd = a->fd;
  bool synced = posix_sync(fd);
  int reason = errno;
  a->fd = -1;
  if (close(fd) != 0 && errno != EINTR) return false;
  errno = reason;
  return synced &&
         (a->temporary == NULL || rename(a->temporary, a->path) == 0);
}


bool atomic_commit(Atomic *a, Error *e) {
  bool renames = a->temporary != NULL;
  if (!finish(a)) return posix_error(e, a->path, errno);
  free(a->temporary);
  a->temporary = NULL;  /* it has the name now: not to be removed */
  if (renames && !folder_sync_parent(a->path, e)) return false;
  forget(a);
  return true;
}


void atomic_abort(Atomic *a) {
  if (a->fd >= 0) close(a->fd);
  if (a->temporary != NULL) unlink(a->temporary);
  forget(a);
}
