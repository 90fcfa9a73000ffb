/*
** Models that several Lua states use. See share.h.
**
** References are counted under the lock, so that none is found that is about
** to go.
*/
#define _POSIX_C_SOURCE 200809L
#include "share.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct Share {
  int refs;
  Model *model;
  Share *next;
  char handle[SHARE_HANDLE];
  size_t length;
  uint8_t about[];   /* [length] */
};

static struct {
  pthread_mutex_t lock;
  Share *first;
  uint64_t made;   /* so far, by this process and those it was forked from */
} shares = { .lock = PTHREAD_MUTEX_INITIALIZER };


/* {======== processes that fork ======== */

static void before_fork(void) {
  pthread_mutex_lock(&shares.lock);
}


static void after_fork_parent(void) {
  pthread_mutex_unlock(&shares.lock);
}


static void after_fork_child(void) {
  pthread_mutex_init(&shares.lock, NULL);
}


static void prepare_once(void) {
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}


static void prepare(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_once);
}

/* }======== */


/* No two processes that live at once have one number; of two that had, one
   after the other, the times differ. Under the lock. */
static void name(Share *s) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(s->handle, sizeof s->handle,
           "lunula-model-%ld-%" PRIu64 "-%" PRId64 ".%09ld", (long)getpid(),
           ++shares.made, (int64_t)now.tv_sec, now.tv_nsec);
}


Share *share_new(Model *m, Bytes about) {
  Share *s = malloc(sizeof *s + about.n);
  if (s == NULL) return NULL;
  prepare();
  *s = (Share){ .refs = 1, .model = model_retain(m), .length = about.n };
  if (about.n > 0) memcpy(s->about, about.at, about.n);
  pthread_mutex_lock(&shares.lock);
  name(s);
  s->next = shares.first;
  shares.first = s;
  pthread_mutex_unlock(&shares.lock);
  return s;
}


static bool has_handle(const Share *s, Bytes handle) {
  return strlen(s->handle) == handle.n &&
         memcmp(s->handle, handle.at, handle.n) == 0;
}


Share *share_find(Bytes handle) {
  prepare();
  pthread_mutex_lock(&shares.lock);
  Share *s = shares.first;
  while (s != NULL && !has_handle(s, handle)) s = s->next;
  if (s != NULL) s->refs++;
  pthread_mutex_unlock(&shares.lock);
  return s;
}


static void take_out(const Share *s) {
  Share **at = &shares.first;
  while (*at != s) at = &(*at)->next;
  *at = s->next;
}


void share_release(Share *s) {
  if (s == NULL) return;
  pthread_mutex_lock(&shares.lock);
  bool last = --s->refs == 0;
  if (last) take_out(s);
  pthread_mutex_unlock(&shares.lock);
  if (!last) return;
  model_release(s->model);
  free(s);
}


const char *share_handle(const Share *s) {
  return s->handle;
}


Model *share_model(const Share *s) {
  return s->model;
}


Bytes share_about(const Share *s) {
  return (Bytes){ s->about, s->length };
}
