/*
** Jobs. See job.h for what is promised.
**
** One lock guards all of them: it is held for a few instructions, and for what
** makes or sets a descriptor; never while a job runs or anything is freed.
*/
#define _POSIX_C_SOURCE 200809L
#include "job.h"

#include <assert.h>
#include <errno.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../base/pool.h"
#include "../base/thread.h"
#include "event.h"

#if defined(__APPLE__)  /* where conditions know no other clock */
#define WAIT_CLOCK  CLOCK_REALTIME
#else
#define WAIT_CLOCK  CLOCK_MONOTONIC
#endif

#define LONGEST_WAIT  1e9  /* seconds; who waits longer waits for ever */

typedef enum JobState {
  JOB_WAITING,
  JOB_RUNNING,
  JOB_DONE,       /* from here on there is an end to it */
  JOB_FAILED,
  JOB_CANCELLED,
  JOB_FORKED      /* its worker stayed in the parent */
} JobState;

struct Queue {
  int refs;      /* its owner, and each job */
  int capacity;
  int inside;    /* jobs that wait or are in a worker's hands */
};

struct Job {
  int refs;                 /* its owner, and who is to run it */
  JobState state;
  Queue *queue;
  const JobKind *kind;
  void *work;
  Error error;              /* of one that failed */
  Event event;
  pthread_cond_t *waiter;   /* its owner, when it waits; or NULL */
  Job *previous, *next;     /* in one of the lists */
};

typedef struct List {
  Job *first, *last;
} List;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t wake;      /* something is there to run */
  pthread_cond_t rested;    /* nothing runs any more */
  List waiting, running;
  int waiting_count, running_count;
  int started;              /* workers that exist */
  bool stopping;            /* the process exits */
} all = { .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .rested = PTHREAD_COND_INITIALIZER };


/* {======== lists ======== */

static void append(List *l, Job *j) {
  j->previous = l->last;
  j->next = NULL;
  if (l->last != NULL) l->last->next = j;
  else l->first = j;
  l->last = j;
}


static void take_out(List *l, Job *j) {
  if (j->previous != NULL) j->previous->next = j->next;
  else l->first = j->next;
  if (j->next != NULL) j->next->previous = j->previous;
  else l->last = j->previous;
}

/* }======== */


/* {======== counting ======== */

Queue *queue_new(int capacity) {
  Queue *q = malloc(sizeof *q);
  if (q != NULL) *q = (Queue){ .refs = 1, .capacity = capacity };
  return q;
}


void queue_release(Queue *q) {
  if (q != NULL && __atomic_sub_fetch(&q->refs, 1, __ATOMIC_ACQ_REL) == 0)
    free(q);
}


bool queue_is_full(const Queue *q) {
  return __atomic_load_n(&q->inside, __ATOMIC_RELAXED) >= q->capacity;
}


static void count_inside(Queue *q, int more) {
  __atomic_add_fetch(&q->inside, more, __ATOMIC_RELAXED);
}


/* not under the lock: freeing work may take a while */
static void release(Job *j) {
  if (__atomic_sub_fetch(&j->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  j->kind->free(j->work);
  queue_release(j->queue);
  free(j);
}

/* }======== */


/* {======== the end of a job ======== */

static JobState state_of(const Job *j) {
  return __atomic_load_n(&j->state, __ATOMIC_ACQUIRE);
}


static void set_state(Job *j, JobState s) {
  __atomic_store_n(&j->state, s, __ATOMIC_RELEASE);
}


static bool is_over(const Job *j) {
  return state_of(j) >= JOB_DONE;
}


/* under the lock, so that its descriptor, which is set under it too, tells the
   same */
bool job_is_done(const Job *j) {
  pthread_mutex_lock(&all.lock);
  bool over = is_over(j);
  pthread_mutex_unlock(&all.lock);
  return over;
}


bool job_is_wanted(const Job *j) {
  return state_of(j) == JOB_RUNNING;
}


int jobs_running(void) {
  return __atomic_load_n(&all.running_count, __ATOMIC_RELAXED);
}


static void count_running(int more) {
  __atomic_add_fetch(&all.running_count, more, __ATOMIC_RELAXED);
}


/* tells the owner; under the lock */
static void end(Job *j, JobState how) {
  set_state(j, how);
  event_set(&j->event);
  if (j->waiter != NULL) pthread_cond_signal(j->waiter);
}


const char *job_error(const Job *j) {
  switch (state_of(j)) {
    case JOB_FAILED: return j->error.message;
    case JOB_CANCELLED: return "the job was cancelled";
    case JOB_FORKED: return "the process forked while the job was under way: "
                            "only the parent has its result";
    default: return NULL;
  }
}


void *job_work(const Job *j) {
  assert(state_of(j) == JOB_DONE);
  return j->work;
}

/* }======== */


/* {======== workers ======== */

static bool may_begin(void) {
  return all.waiting.first != NULL && !all.stopping &&
         all.running_count < pool_threads();
}


/* under the lock, which is let go meanwhile */
static Job *next_job(void) {
  while (!may_begin()) pthread_cond_wait(&all.wake, &all.lock);
  Job *j = all.waiting.first;
  take_out(&all.waiting, j);
  all.waiting_count--;
  append(&all.running, j);
  count_running(1);
  set_state(j, JOB_RUNNING);
  return j;
}


/* under the lock; one that was cancelled meanwhile has had its end */
static void let_go(Job *j, bool ok) {
  take_out(&all.running, j);
  count_running(-1);
  count_inside(j->queue, -1);
  if (state_of(j) == JOB_RUNNING) end(j, ok ? JOB_DONE : JOB_FAILED);
  if (all.running_count == 0) pthread_cond_broadcast(&all.rested);
}


/* rounds as a process does when it starts, whatever the host's threads do */
static void *worker(void *unused) {
  (void)unused;
  fesetenv(FE_DFL_ENV);
  pthread_mutex_lock(&all.lock);
  for (;;) {
    Job *j = next_job();
    pthread_mutex_unlock(&all.lock);
    bool ok = j->kind->run(j->work, j, &j->error);
    pthread_mutex_lock(&all.lock);
    let_go(j, ok);
    pthread_mutex_unlock(&all.lock);
    release(j);
    pthread_mutex_lock(&all.lock);
  }
  return NULL;
}


/* Under the lock: sees to one that is free for a job more, if there may be one.
   false: there is no worker at all. */
static bool have_workers(void) {
  int free_ones = all.started - all.running_count;
  if (all.waiting_count >= free_ones && all.started < pool_threads() &&
      thread_start(worker, NULL))
    all.started++;
  return all.started > 0;
}

/* }======== */


/* {======== processes that fork or exit ======== */

static void before_fork(void) {
  pthread_mutex_lock(&all.lock);
}


static void after_fork_parent(void) {
  pthread_mutex_unlock(&all.lock);
}


/* in the child nobody waits: those who did are other threads */
static void end_forked(Job *j) {
  j->waiter = NULL;
  count_inside(j->queue, -1);
  event_set_in_child(&j->event);
  if (!is_over(j)) set_state(j, JOB_FORKED);
}


/* What a worker had in its hands stays in its hands, in the state in which it
   was: it is never freed in the child. */
static void after_fork_child(void) {
  pthread_mutex_init(&all.lock, NULL);
  pthread_cond_init(&all.wake, NULL);
  pthread_cond_init(&all.rested, NULL);
  for (Job *j = all.running.first; j != NULL; j = j->next) end_forked(j);
  for (Job *j = all.waiting.first; j != NULL; j = j->next) {
    end_forked(j);
    __atomic_sub_fetch(&j->refs, 1, __ATOMIC_RELAXED);  /* its owner's stays */
  }
  all.waiting = all.running = (List){ NULL, NULL };
  all.waiting_count = all.running_count = 0;
  all.started = 0;
}


/* under the lock */
static void cancel_all(const List *l) {
  for (Job *j = l->first; j != NULL; j = j->next)
    if (!is_over(j)) end(j, JOB_CANCELLED);
}


/* Libraries take down what they need when a process exits: nothing may be in
   the middle of a product then. What waits will never run: a state that is
   closed after this must not wait for it. */
static void at_exit(void) {
  pthread_mutex_lock(&all.lock);
  all.stopping = true;
  cancel_all(&all.running);
  cancel_all(&all.waiting);
  while (all.running_count > 0)
    pthread_cond_wait(&all.rested, &all.lock);
  pthread_mutex_unlock(&all.lock);
}


/* the pool's size is settled here: asked later, under our lock, it takes none
   of its own */
static void prepare_once(void) {
  pool_threads();
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
  atexit(at_exit);
}

/* }======== */


/* {======== jobs ======== */

static Job *new_job(Queue *q, const JobKind *kind, void *work) {
  Job *j = malloc(sizeof *j);
  if (j == NULL) return NULL;
  __atomic_add_fetch(&q->refs, 1, __ATOMIC_RELAXED);
  *j = (Job){ .refs = 2, .queue = q, .kind = kind, .work = work,
              .event = EVENT_NONE };
  return j;
}


/* under the lock: why no job can be taken; NULL: one can */
static const char *refusal(void) {
  if (all.stopping) return "the process exits";
  return have_workers() ? NULL : "the system gives no thread to run jobs";
}


static bool hand_over(Job *j, Error *e) {
  pthread_mutex_lock(&all.lock);
  const char *why = refusal();
  if (why == NULL) {
    append(&all.waiting, j);
    all.waiting_count++;
    count_inside(j->queue, 1);
    pthread_cond_signal(&all.wake);
  }
  pthread_mutex_unlock(&all.lock);
  return why == NULL || error_set(e, "%s", why);
}


Job *job_submit(Queue *q, const JobKind *kind, void *work, Error *e) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  assert(!queue_is_full(q));
  pthread_once(&once, prepare_once);
  Job *j = new_job(q, kind, work);
  if (j == NULL) {
    error_no_memory(e);
    return NULL;
  }
  if (hand_over(j, e)) return j;
  queue_release(q);
  free(j);
  return NULL;
}


/* under the lock; *was_waiting: the reference of who was to run it is the
   caller's now */
static bool cancel(Job *j, bool *was_waiting) {
  *was_waiting = state_of(j) == JOB_WAITING;
  if (is_over(j)) return false;
  if (*was_waiting) {
    take_out(&all.waiting, j);
    all.waiting_count--;
    count_inside(j->queue, -1);
  }
  end(j, JOB_CANCELLED);
  return true;
}


bool job_cancel(Job *j) {
  bool was_waiting;
  pthread_mutex_lock(&all.lock);
  bool ok = cancel(j, &was_waiting);
  pthread_mutex_unlock(&all.lock);
  if (was_waiting) release(j);
  return ok;
}


void job_release(Job *j) {
  bool was_waiting;
  pthread_mutex_lock(&all.lock);
  cancel(j, &was_waiting);
  event_close(&j->event);
  pthread_mutex_unlock(&all.lock);
  if (was_waiting) release(j);
  release(j);
}


int job_fd(Job *j, Error *e) {
  pthread_mutex_lock(&all.lock);
  bool ok = j->event.in >= 0 || event_open(&j->event, e);
  if (ok && is_over(j)) event_set(&j->event);
  pthread_mutex_unlock(&all.lock);
  return ok ? j->event.in : -1;
}

/* }======== */


/* {======== waiting ======== */

static struct timespec moment_in(double seconds) {
  struct timespec t;
  clock_gettime(WAIT_CLOCK, &t);
  double whole = floor(seconds);
  t.tv_sec += (time_t)whole;
  t.tv_nsec += (long)((seconds - whole) * 1e9);
  if (t.tv_nsec >= 1000000000) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000;
  }
  return t;
}


static void condition_init(pthread_cond_t *c) {
  pthread_condattr_t how;
  pthread_condattr_init(&how);
#if !defined(__APPLE__)
  pthread_condattr_setclock(&how, WAIT_CLOCK);
#endif
  pthread_cond_init(c, &how);
  pthread_condattr_destroy(&how);
}


/* under the lock, which is let go meanwhile */
static void wait_for(Job *j, double seconds) {
  pthread_cond_t ended;
  condition_init(&ended);
  bool forever = seconds > LONGEST_WAIT;
  struct timespec until = moment_in(forever ? 0 : seconds);
  j->waiter = &ended;
  int code = 0;
  while (!is_over(j) && code != ETIMEDOUT)
    code = forever ? pthread_cond_wait(&ended, &all.lock)
                   : pthread_cond_timedwait(&ended, &all.lock, &until);
  j->waiter = NULL;
  pthread_cond_destroy(&ended);
}


bool job_wait(Job *j, double seconds) {
  pthread_mutex_lock(&all.lock);
  if (!is_over(j) && seconds > 0) wait_for(j, seconds);
  bool over = is_over(j);
  pthread_mutex_unlock(&all.lock);
  return over;
}

/* }======== */
