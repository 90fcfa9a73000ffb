/*
** Mapped files. See mapped.h.
*/
#define _DEFAULT_SOURCE  /* madvise(2), which POSIX leaves out */
#define _FILE_OFFSET_BITS 64
#include "mapped.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"


static Mapped *mapped_new(const char *path, Error *e) {
  size_t room = strlen(path) + 1;
  Mapped *m = malloc(sizeof *m + room);
  if (m == NULL) {
    error_no_memory(e);
    return NULL;
  }
  *m = (Mapped){ .refs = 1 };
  memcpy(m->path, path, room);
  return m;
}


/* the size of an open file that can be mapped */
static bool file_size(int fd, const char *path, size_t *bytes, Error *e) {
  struct stat s;
  if (fstat(fd, &s) != 0) return posix_error(e, path, errno);
  if (S_ISDIR(s.st_mode)) return posix_error(e, path, EISDIR);
  if (!S_ISREG(s.st_mode))
    return error_set(e, "%s: is a device or a pipe, no file", path);
  if ((uintmax_t)s.st_size > SIZE_MAX) return posix_error(e, path, EFBIG);
  *bytes = (size_t)s.st_size;
  return true;
}


static bool map_file(Mapped *m, int fd, Error *e) {
  if (!file_size(fd, m->path, &m->bytes, e)) return false;
  if (m->bytes == 0) return true;  /* nothing that mmap(2) would take */
  void *p = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED) return posix_error(e, m->path, errno);
  m->data = p;
  return true;
}


/* without O_NONBLOCK a pipe would wait for its writer */
Mapped *mapped_open(const char *path, Error *e) {
  int fd = posix_open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) {
    posix_error(e, path, errno);
    return NULL;
  }
  Mapped *m = mapped_new(path, e);
  bool ok = m != NULL && map_file(m, fd, e);
  close(fd);
  if (ok) return m;
  mapped_release(m);
  return NULL;
}


static void mapped_retain(Mapped *m) {
  __atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
}


void mapped_release(Mapped *m) {
  if (m == NULL || __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (m->data != NULL) munmap(m->data, m->bytes);
  free(m);
}


/* gives back the pages that lie in a part as a whole, as if they had never
   been touched */
static void forget(char *data, size_t bytes) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t first = ((uintptr_t)data + page - 1) / page * page;
  uintptr_t end = ((uintptr_t)data + bytes) / page * page;
  if (first < end) madvise((void *)first, end - first, MADV_DONTNEED);
}


static void release_part(Storage *s) {
  Mapped *m = s->owner;
  if (!__atomic_load_n(&m->overlap, __ATOMIC_RELAXED))
    forget(s->data, s->bytes);
  mapped_release(m);
}


Storage *mapped_storage(Mapped *m, size_t first, size_t bytes) {
  assert(first <= m->bytes && bytes <= m->bytes - first);
  Storage *s = storage_wrap(m->data + first, bytes, release_part, m);
  if (s == NULL) return NULL;
  if (first < m->end)  /* parts are released on any thread */
    __atomic_store_n(&m->overlap, true, __ATOMIC_RELAXED);
  m->end = first + bytes;
  mapped_retain(m);
  return s;
}
