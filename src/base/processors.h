/*
** How many processors this process may keep busy.
*/
#ifndef lunula_processors_h
#define lunula_processors_h

#pragma GCC visibility push(hidden)

/* at least 1: those that it may run on, but on Linux no more than the quota of
   its container (control groups, version 2) pays for */
int processors_usable(void);

#pragma GCC visibility pop

#endif
