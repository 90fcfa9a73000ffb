/*
** POSIX calls. See posix.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "posix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  NEW_FILE_MODE = 0666,      /* less the umask */
  PATH_SHOWN = 300,          /* leaves room for the reason behind it */
  REASON_SIZE = 128
};


bool posix_error(Error *e, const char *path, int code) {
  char reason[REASON_SIZE];
  size_t n = strlen(path);
  if (strerror_r(code, reason, sizeof reason) != 0)
    snprintf(reason, sizeof reason, "error %d", code);
  if (n <= PATH_SHOWN) return error_set(e, "%s: %s", path, reason);
  return error_set(e, "...%s: %s", path + n - PATH_SHOWN, reason);
}


int posix_open(const char *path, int flags) {
  int fd;
  do fd = open(path, flags | O_CLOEXEC, NEW_FILE_MODE);
  while (fd < 0 && errno == EINTR);
  return fd;
}


bool posix_sync(int fd) {
  int r;
  do r = fsync(fd);
  while (r != 0 && errno == EINTR);
  return r == 0 || errno == EINVAL || errno == ENOTSUP;
}
