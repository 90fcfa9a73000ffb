/*
** The SHA-256 of a file. See digest.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "posix.h"

enum { READ_BYTES = 1 << 15 };  /* at a time */


static bool add_all(Sha256 *h, int fd) {
  unsigned char some[READ_BYTES];
  for (;;) {
    ssize_t n = read(fd, some, sizeof some);
    if (n == 0) return true;
    if (n > 0) sha256_add(h, some, (size_t)n);
    else if (errno != EINTR) return false;
  }
}


bool digest_file(const char *path, char text[SHA256_TEXT], Error *e) {
  Sha256 h = sha256_new();
  int fd = posix_open(path, O_RDONLY);
  if (fd < 0) return posix_error(e, path, errno);
  bool ok = add_all(&h, fd) || posix_error(e, path, errno);
  close(fd);
  if (ok) sha256_text(&h, text);
  return ok;
}
