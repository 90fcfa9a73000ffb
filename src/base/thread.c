/*
** Threads of our own. See thread.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "thread.h"

#include <pthread.h>
#include <signal.h>


/* a thread begins with the signals blocked that its maker has */
bool thread_start(void *(*f)(void *), void *argument) {
  pthread_t thread;
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  bool ok = pthread_create(&thread, NULL, f, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  if (ok) pthread_detach(thread);
  return ok;
}
