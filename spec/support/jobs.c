/*
** Jobs without a model, for spec/job_spec.lua, under the thread sanitizer.
** Their work waits until it is told to go on, so that it is known what is
** under way. `jobs CASE` prints "alive" at its end, and on stderr whatever is
** not as it should be.
*/
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/base/pool.h"
#include "../../src/serve/job.h"

enum { CAPACITY = 4, THREADS = 4, ROUNDS = 300, CHILDREN = 20,
       CHILD_SECONDS = 60 };

typedef struct Work {
  bool go;       /* may it end? */
  bool begun, stopped, freed, fails;
} Work;

#define CHECK(what)  check(what, #what, __LINE__)


static void check(bool ok, const char *what, int line) {
  if (!ok) fprintf(stderr, "line %d: not so: %s\n", line, what);
}


static bool get(bool *flag) {
  return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}


static void set(bool *flag) {
  __atomic_store_n(flag, true, __ATOMIC_RELEASE);
}


static void rest(void) {
  nanosleep(&(struct timespec){ 0, 100000 }, NULL);
}


static bool run(void *work, const Job *job, Error *e) {
  Work *w = work;
  set(&w->begun);
  while (!get(&w->go) && job_is_wanted(job)) rest();
  if (!get(&w->go)) set(&w->stopped);
  return w->fails ? error_set(e, "as it was told") : true;
}


static void drop(void *work) {
  set(&((Work *)work)->freed);
}


static const JobKind kept = { run, drop }, own = { run, free };


static Job *submit(Queue *q, const JobKind *kind, Work *w) {
  Error e;
  Job *j = job_submit(q, kind, w, &e);
  if (j != NULL) return j;
  fprintf(stderr, "%s\n", e.message);
  exit(EXIT_FAILURE);
}


static void until(bool *flag) {
  while (!get(flag)) rest();
}


static bool readable(int fd) {
  struct pollfd p = { .fd = fd, .events = POLLIN };
  return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}


static void run_ends(void) {
  Queue *q = queue_new(CAPACITY);
  Work good = { .go = false }, bad = { .fails = true };
  Error e;
  Job *a = submit(q, &kept, &good), *b = submit(q, &kept, &bad);
  int fd = job_fd(a, &e);
  until(&good.begun);
  CHECK(!job_is_done(a) && !readable(fd) && job_fd(a, &e) == fd);
  CHECK(!job_wait(a, 0) && !job_wait(a, -1) && !job_wait(a, NAN));
  CHECK(!job_wait(a, 0.01));
  set(&good.go);
  set(&bad.go);
  CHECK(job_wait(a, INFINITY) && readable(fd) && job_wait(b, 60));
  CHECK(job_error(a) == NULL && job_work(a) == &good);
  CHECK(strcmp(job_error(b), "as it was told") == 0);
  CHECK(readable(job_fd(b, &e)));
  CHECK(!job_cancel(a) && job_error(a) == NULL);
  queue_release(q);
  job_release(a);
  CHECK(!readable(fd));
  job_release(b);
  until(&good.freed);
  until(&bad.freed);
}


/* one thread: what is second waits */
static void run_cancelled(void) {
  pool_set_threads(1);
  Queue *q = queue_new(CAPACITY);
  Work first = { .go = false }, second = first, third = first;
  Error e;
  Job *a = submit(q, &kept, &first), *b = submit(q, &kept, &second);
  Job *c = submit(q, &kept, &third);
  int fd = job_fd(a, &e);
  until(&first.begun);
  CHECK(job_cancel(b) && job_is_done(b) && get(&second.freed) == false);
  job_release(b);
  CHECK(get(&second.freed) && !get(&second.begun));
  CHECK(job_cancel(a) && job_is_done(a) && readable(fd) && !job_cancel(a));
  CHECK(strcmp(job_error(a), "the job was cancelled") == 0);
  until(&third.begun);
  CHECK(get(&first.stopped));
  job_release(c);
  until(&third.freed);
  CHECK(get(&third.stopped));
  job_release(a);
  queue_release(q);
  until(&first.freed);
}


static void run_full(void) {
  pool_set_threads(1);
  Queue *q = queue_new(2), *other = queue_new(1);
  Work w[3] = { { .go = false } };
  Job *a = submit(q, &kept, &w[0]);
  CHECK(!queue_is_full(q));
  Job *b = submit(q, &kept, &w[1]);
  CHECK(queue_is_full(q) && !queue_is_full(other));
  Job *c = submit(other, &kept, &w[2]);
  CHECK(queue_is_full(other));
  job_release(b);
  CHECK(!queue_is_full(q));
  set(&w[0].go);
  set(&w[2].go);
  CHECK(job_wait(a, INFINITY) && job_wait(c, INFINITY));
  CHECK(!queue_is_full(q) && !queue_is_full(other));
  job_release(a);
  job_release(c);
  queue_release(q);
  queue_release(other);
  for (int i = 0; i < 3; i++) until(&w[i].freed);
}


/* {======== many threads ======== */

static Job *some_job(Queue *q, bool now) {
  Work *w = calloc(1, sizeof *w);
  w->go = now;
  while (queue_is_full(q)) rest();  /* of some that were cancelled */
  return submit(q, &own, w);
}


/* what may never end is let go before anything behind it is waited for */
static void one_round(Queue *q, int i) {
  Error e;
  Job *a = some_job(q, true), *b = some_job(q, i % 2 == 0);
  Job *c = some_job(q, true);
  if (i % 3 == 0) job_fd(a, &e);
  if (i % 5 == 0) job_cancel(c);
  CHECK(job_wait(a, INFINITY) && job_error(a) == NULL);
  if (i % 2 == 0) CHECK(job_wait(b, 60));
  job_release(b);
  CHECK(job_wait(c, 60));
  job_release(a);
  job_release(c);
}


static void *rounds(void *unused) {
  (void)unused;
  Queue *q = queue_new(CAPACITY);
  for (int i = 0; i < ROUNDS; i++) one_round(q, i);
  for (int i = 0; i < CAPACITY; i++) job_release(some_job(q, false));
  queue_release(q);
  return NULL;
}


static void start_rounds(pthread_t thread[THREADS]) {
  pool_set_threads(2);
  for (int i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, rounds, NULL);
}


static void join(pthread_t thread[THREADS]) {
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}


static void run_race(void) {
  pthread_t thread[THREADS];
  start_rounds(thread);
  join(thread);
}

/* }======== */


/* {======== children ======== */

static void child(Queue *q, Job *running, Job *waiting, int fd) {
  alarm(CHILD_SECONDS);
  CHECK(readable(fd) && job_is_done(running) && job_is_done(waiting));
  CHECK(strstr(job_error(running), "forked") != NULL);
  CHECK(strstr(job_error(waiting), "forked") != NULL);
  CHECK(!queue_is_full(q));
  job_release(waiting);
  job_release(running);
  Job *own_job = some_job(q, true);
  CHECK(job_wait(own_job, INFINITY) && job_error(own_job) == NULL);
  job_release(own_job);
  exit(EXIT_SUCCESS);
}


static void fork_once(Queue *q) {
  Work w = { .go = false }, later = w;
  Error e;
  int status;
  Job *a = submit(q, &kept, &w), *b = submit(q, &kept, &later);
  int fd = job_fd(a, &e);
  until(&w.begun);
  pid_t id = fork();
  if (id == 0) child(q, a, b, fd);
  CHECK(waitpid(id, &status, 0) == id && status == 0);
  CHECK(!job_is_done(a) && !readable(fd));
  set(&w.go);
  set(&later.go);
  CHECK(job_wait(a, 60) && readable(fd) && job_error(a) == NULL);
  CHECK(job_wait(b, 60) && job_error(b) == NULL);
  job_release(a);
  job_release(b);
  until(&w.freed);
  until(&later.freed);
}


static void run_forks(void) {
  pthread_t thread[THREADS];
  Queue *q = queue_new(2);
  start_rounds(thread);
  pool_set_threads(THREADS + 2);
  for (int i = 0; i < CHILDREN; i++) fork_once(q);
  join(thread);
  queue_release(q);
}

/* }======== */


/* {======== the end of the process ======== */

static Work exiting[2];
static Job *left[2];
static Queue *last;

/* who registers it before the first job comes after them */
static void after_jobs(void) {
  Error e;
  CHECK(get(&exiting[0].stopped) && !get(&exiting[1].begun));
  for (int i = 0; i < 2; i++) {
    CHECK(job_wait(left[i], 1) &&
          strcmp(job_error(left[i]), "the job was cancelled") == 0);
  }
  CHECK(job_submit(last, &kept, &exiting[1], &e) == NULL);
  CHECK(strcmp(e.message, "the process exits") == 0);
}


/* exits while a job runs, which is told to stop, and one waits */
static void run_exit(void) {
  atexit(after_jobs);
  pool_set_threads(1);
  last = queue_new(3);
  for (int i = 0; i < 2; i++) left[i] = submit(last, &kept, &exiting[i]);
  until(&exiting[0].begun);
}

/* }======== */



static void on_alarm(int number) {
  (void)number;
}


/* a signal of the process comes while only a worker could take it */
static void run_signals(void) {
  sigset_t one, found;
  Queue *q = queue_new(1);
  Work w = { .go = false };
  signal(SIGUSR1, on_alarm);
  Job *j = submit(q, &kept, &w);
  until(&w.begun);
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, NULL);
  kill(getpid(), SIGUSR1);
  rest();
  sigpending(&found);
  CHECK(sigismember(&found, SIGUSR1) == 1);
  set(&w.go);
  CHECK(job_wait(j, INFINITY));
  job_release(j);
  queue_release(q);
  until(&w.freed);
}


static const struct { const char *name; void (*run)(void); } cases[] = {
  { "ends", run_ends }, { "cancelled", run_cancelled }, { "full", run_full },
  { "race", run_race }, { "forks", run_forks }, { "exit", run_exit },
  { "signals", run_signals }
};


int main(int argc, char **argv) {
  for (size_t i = 0; argc == 2 && i < sizeof cases / sizeof *cases; i++)
    if (strcmp(argv[1], cases[i].name) == 0) {
      cases[i].run();
      puts("alive");
      return EXIT_SUCCESS;
    }
  return EXIT_FAILURE;
}
