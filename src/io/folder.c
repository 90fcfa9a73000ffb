/*
** Folders. See folder.h.
*/
#define _DEFAULT_SOURCE  /* flock(2), which POSIX leaves out */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"

enum { NEW_FOLDER_MODE = 0777 };  /* less the umask */


static bool is_folder(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}


bool folder_make(const char *path, Error *e) {
  if (mkdir(path, NEW_FOLDER_MODE) == 0) return true;
  int reason = errno;
  return is_folder(path) || posix_error(e, path, reason);
}


static bool sync_and_close(int fd, const char *path, Error *e) {
  bool ok = posix_sync(fd) || posix_error(e, path, errno);
  close(fd);
  return ok;
}


bool folder_sync(const char *path, Error *e) {
  int fd = posix_open(path, O_RDONLY);
  return fd < 0 ? posix_error(e, path, errno) : sync_and_close(fd, path, e);
}


static bool sync_if_open(const char *path, Error *e) {
  int fd = posix_open(path, O_RDONLY);
  return fd < 0 || sync_and_close(fd, path, e);
}


bool folder_sync_parent(const char *path, Error *e) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) return sync_if_open(".", e);
  if (slash == path) return sync_if_open("/", e);
  char *parent = strdup(path);
  if (parent == NULL) return error_no_memory(e);
  parent[slash - path] = '\0';
  bool ok = sync_if_open(parent, e);
  free(parent);
  return ok;
}


bool folder_lock(const char *path, int *fd, Error *e) {
  int r;
  *fd = posix_open(path, O_RDONLY);
  if (*fd < 0) return posix_error(e, path, errno);
  do r = flock(*fd, LOCK_EX | LOCK_NB);
  while (r != 0 && errno == EINTR);
  if (r != 0 && errno == EWOULDBLOCK) {
    close(*fd);
    *fd = -1;
  }
  return true;
}
