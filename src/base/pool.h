/*
** The thread pool: one for the process, made when it is first needed.
**
** A job is n tasks; each runs once, on whichever thread is free, the caller's
** included. Work is cut by the problem's size and each output has one owner,
** so results never depend on the number of threads.
**
** What always holds: pool_run returns when all its tasks have ended. A call
** from inside a task, or while another thread's job runs, is done by the
** caller alone. Workers never end: the library must stay (library.h). Between
** jobs they spin for a moment, then sleep. They take no signals. A forked
** child has no workers until it needs them. Tasks run
** rounding to nearest, with denormal numbers flushed to zero, whatever mode
** the host has set; the caller's is restored. What a caller computes outside
** pool_run keeps the host's.
*/
#ifndef lunula_pool_h
#define lunula_pool_h

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum { POOL_MAX = 64 };

typedef void (*PoolTask)(void *ctx, int64_t i);

void pool_run(int64_t n, PoolTask task, void *ctx);

/* `count` rows cut into tasks of `each`: task(ctx, first, n) for rows first
   .. first + n - 1 */
typedef void (*PoolRows)(void *ctx, int64_t first, int64_t n);

void pool_rows(int64_t count, int64_t each, PoolRows task, void *ctx);

/* threads that work on a job of this caller, itself included; at first
   processors_usable() */
int  pool_threads(void);
/* on: jobs that this thread calls for are done by it alone, and wake nobody,
   as small ones should be. Returns what it was, to be set again. */
bool pool_alone(bool on);
void pool_set_threads(int n);  /* 1 .. POOL_MAX; waits for no one */

#pragma GCC visibility pop

#endif
