/*
** Jobs: work that is handed over, done on threads of ours, and asked about
** later.
**
**   waiting -> running -> done | failed
**   waiting, running -> cancelled (at once, as its owner sees it)
**
** A Job has one owner, a thread at a time, and so has a Queue, which bounds
** how many jobs its owner has under way: none may be submitted to one that is
** full. Jobs begin in the order in which they came, whatever queue they came
** through, as many at once as the pool has threads (pool.h).
**
** What always holds: no thread is made before the first job, none spins, all
** take no signals. Whoever releases a job, a queue or what they work with
** waits for no one: a worker that has begun holds what it needs, and lets go
** of it when its work asks job_is_wanted next. A forked child has no workers
** until it needs them, and there all jobs under way have failed. When the
** process exits, what is under way is cancelled, and what runs has stopped
** before anything else does.
*/
#ifndef lunula_job_h
#define lunula_job_h

#include <stdbool.h>

#include "../base/status.h"

#pragma GCC visibility push(hidden)

typedef struct Queue Queue;
typedef struct Job Job;

/* Both are called from any thread, and run not on the owner's. */
typedef struct JobKind {
  /* false: it failed, and e says why */
  bool (*run)(void *work, const Job *job, Error *e);
  void (*free)(void *work);
} JobKind;

Queue *queue_new(int capacity);  /* at least 1. NULL: no memory */
void   queue_release(Queue *q);  /* NULL is allowed; its jobs go on */
bool   queue_is_full(const Queue *q);

/* Of a queue that is not full. The job owns the work from here on; NULL: no
   memory, no thread or the process exits; the work is its maker's still. */
Job *job_submit(Queue *q, const JobKind *kind, void *work, Error *e);

/* whether there is an end to it, good or bad */
bool job_is_done(const Job *j);
/* the same, when it is or after so many seconds: 0 and less, and NaN, don't
   wait; INFINITY does until it is */
bool job_wait(Job *j, double seconds);
/* of a job that is done: what went wrong; NULL: nothing did */
const char *job_error(const Job *j);
/* of a job that is done and went well: what it was given, with its results */
void *job_work(const Job *j);

/* It won't have a result. One that waits is never run; one that runs stops
   when it asks next. false: it was done before. */
bool job_cancel(Job *j);

/* A descriptor that is readable when the job is done, made when it is asked
   for first; closed by job_release. -1: none is left. */
int  job_fd(Job *j, Error *e);

void job_release(Job *j);  /* the owner's last word; cancels */

/* asked by the work, as often as it can */
bool job_is_wanted(const Job *j);
/* how many run now: one alone may use all threads */
int  jobs_running(void);

#pragma GCC visibility pop

#endif
