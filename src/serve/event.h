/*
** A file descriptor that becomes readable, once: how an event loop (poll,
** epoll, libuv, cqueues) learns that something happened.
**
** It is the end of a pipe, non-blocking, closed when a program is executed.
** Nobody reads from it, so that it stays readable.
*/
#ifndef lunula_event_h
#define lunula_event_h

#include <stdbool.h>

#include "../base/status.h"

#pragma GCC visibility push(hidden)

typedef struct Event {
  int in;   /* what is waited for; -1: it was never opened */
  int out;  /* -1 when it was set */
} Event;

#define EVENT_NONE  ((Event){ -1, -1 })

bool event_open(Event *v, Error *e);  /* false: no descriptors are left */
void event_set(Event *v);             /* these three also where never opened */
void event_close(Event *v);

/* In a forked child: sets it there under the same number, while the parent's
   stays as it is. */
void event_set_in_child(Event *v);

#pragma GCC visibility pop

#endif
