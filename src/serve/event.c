/*
** A file descriptor that becomes readable. See event.h.
*/
#if defined(__linux__)
#define _GNU_SOURCE  /* pipe2 */
#endif
#define _POSIX_C_SOURCE 200809L
#include "event.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>


#if defined(__linux__)
static bool make_pipe(int end[2]) {
  return pipe2(end, O_CLOEXEC | O_NONBLOCK) == 0;
}
#else
static bool make_pipe(int end[2]) {
  if (pipe(end) != 0) return false;
  for (int i = 0; i < 2; i++) {
    fcntl(end[i], F_SETFD, FD_CLOEXEC);
    fcntl(end[i], F_SETFL, O_NONBLOCK);
  }
  return true;
}
#endif


bool event_open(Event *v, Error *e) {
  int end[2];
  if (!make_pipe(end))
    return error_set(e, "no file descriptor: %s", strerror(errno));
  *v = (Event){ end[0], end[1] };
  return true;
}


/* there is room for a byte: it is the first and only one */
void event_set(Event *v) {
  if (v->out < 0) return;
  ssize_t written = write(v->out, "", 1);
  (void)written;
  close(v->out);
  v->out = -1;
}


static void close_end(int *end) {
  if (*end >= 0) close(*end);
  *end = -1;
}


void event_close(Event *v) {
  close_end(&v->in);
  close_end(&v->out);
}


/* a byte in the old pipe would be the parent's to see */
void event_set_in_child(Event *v) {
  int end[2];
  if (v->out < 0) return;
  close_end(&v->out);
  if (!make_pipe(end)) return;
  dup2(end[0], v->in);
  fcntl(v->in, F_SETFD, FD_CLOEXEC);
  close(end[0]);
  v->out = end[1];
  event_set(v);
}
