/*
** Threads of our own, beside those of the program that we are part of.
*/
#ifndef lunula_thread_h
#define lunula_thread_h

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Starts a thread that nobody joins and that takes no signals: those are for
   the host's threads. false: the system gives no more. */
bool thread_start(void *(*f)(void *), void *argument);

#pragma GCC visibility pop

#endif
