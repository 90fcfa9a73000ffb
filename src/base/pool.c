/*
** The thread pool. See pool.h for what is promised.
**
** A job is announced in one word, the gate: its number, whether it is open,
** and how many workers are inside. A worker enters by adding itself to a gate
** that is open, so the caller can close it without waiting for workers that
** have not woken yet.
*/
#define _POSIX_C_SOURCE 200809L
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#include <fenv.h>
#endif

#include "clock.h"
#include "processors.h"
#include "thread.h"

#define GATE_INSIDE  UINT64_C(0xFFFF)   /* workers inside */
#define GATE_OPEN    UINT64_C(0x10000)
#define GATE_JOB     UINT64_C(0x20000)  /* one job number further */

enum { SPIN_NANOSECONDS = 100000, SPINS_BETWEEN_CLOCKS = 64 };

static struct {
  pthread_mutex_t lock;   /* around sleeping, and starting threads */
  pthread_cond_t wake;
  pthread_cond_t more;    /* more threads are wanted */
  int sleeping;           /* workers that wait for `wake` */
  int wanted;             /* threads, the caller included; 0: not set yet */
  int started;            /* workers that exist */
  bool busy;              /* a job runs */
  uint64_t gate;
  PoolTask task;          /* the job */
  void *ctx;
  int64_t count, next;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER };

static __thread bool alone;


/* {======== how floats are rounded ======== */

#if defined(__SSE__)
typedef unsigned FloatMode;
enum { TO_NEAREST = 0x1F80,  /* and no exception traps, as a process starts */
       FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040,
       TASK_MODE = TO_NEAREST | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO };

static FloatMode get_mode(void) {
  return _mm_getcsr();
}


static void set_mode(FloatMode mode) {
  _mm_setcsr(mode);
}
#elif defined(__aarch64__)
typedef uint64_t FloatMode;
enum { TASK_MODE = 1 << 24 };  /* FZ alone: to nearest, no traps */

static FloatMode get_mode(void) {
  FloatMode mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}


static void set_mode(FloatMode mode) {
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
typedef int FloatMode;
enum { TASK_MODE = FE_TONEAREST };

static FloatMode get_mode(void) {
  return fegetround();
}


static void set_mode(FloatMode mode) {
  fesetround(mode);
}
#endif

/* }======== */


/* {======== workers ======== */

static uint64_t gate_now(void) {
  return __atomic_load_n(&pool.gate, __ATOMIC_SEQ_CST);
}


static bool new_job(uint64_t gate, int me, uint64_t seen) {
  return (gate & GATE_OPEN) && gate / GATE_JOB != seen &&
         me < __atomic_load_n(&pool.wanted, __ATOMIC_RELAXED);
}


static void relax(void) {
#if defined(__SSE__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}


static bool spin_for_job(int me, uint64_t seen) {
  int64_t end = clock_now() + SPIN_NANOSECONDS;
  do {
    for (int i = 0; i < SPINS_BETWEEN_CLOCKS; i++) {
      if (new_job(gate_now(), me, seen)) return true;
      relax();
    }
  } while (clock_now() < end);
  return false;
}


static void sleep_for_job(int me, uint64_t seen) {
  pthread_mutex_lock(&pool.lock);
  __atomic_add_fetch(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
  while (me < pool.wanted && !new_job(gate_now(), me, seen))
    pthread_cond_wait(&pool.wake, &pool.lock);
  __atomic_sub_fetch(&pool.sleeping, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&pool.lock);
}


/* fewer threads are asked for now than there are */
static void wait_until_wanted(int me) {
  pthread_mutex_lock(&pool.lock);
  while (me >= pool.wanted) pthread_cond_wait(&pool.more, &pool.lock);
  pthread_mutex_unlock(&pool.lock);
}


static void run_tasks(void) {
  int64_t i;
  while ((i = __atomic_fetch_add(&pool.next, 1, __ATOMIC_RELAXED)) <
         pool.count)
    pool.task(pool.ctx, i);
}


static void *worker(void *number) {
  int me = (int)(intptr_t)number;
  uint64_t seen = 0;
  set_mode(TASK_MODE);
  for (;;) {
    if (me >= __atomic_load_n(&pool.wanted, __ATOMIC_RELAXED))
      wait_until_wanted(me);
    if (!spin_for_job(me, seen)) sleep_for_job(me, seen);
    uint64_t g = gate_now();
    if (!new_job(g, me, seen)) continue;
    if (!__atomic_compare_exchange_n(&pool.gate, &g, g + 1, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      continue;
    seen = g / GATE_JOB;
    run_tasks();
    __atomic_sub_fetch(&pool.gate, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

/* }======== */


/* {======== starting ======== */

static void before_fork(void) {
  pthread_mutex_lock(&pool.lock);
}


static void after_fork_parent(void) {
  pthread_mutex_unlock(&pool.lock);
}


/* the workers stayed behind: forget them */
static void after_fork_child(void) {
  pthread_mutex_init(&pool.lock, NULL);
  pthread_cond_init(&pool.wake, NULL);
  pthread_cond_init(&pool.more, NULL);
  pool.sleeping = 0;
  pool.started = 0;
  pool.busy = false;
  pool.gate = 0;
}


static void prepare_once(void) {
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}


static bool start_worker(int number) {
  return thread_start(worker, (void *)(intptr_t)number);
}


/* makes the workers that are missing; with fewer than wanted, all works on */
static void start_missing(int wanted) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_once);
  pthread_mutex_lock(&pool.lock);
  while (pool.started < wanted - 1 && start_worker(pool.started + 1))
    pool.started++;
  pthread_mutex_unlock(&pool.lock);
}


bool pool_alone(bool on) {
  bool was = alone;
  alone = on;
  return was;
}


int pool_threads(void) {
  int n = __atomic_load_n(&pool.wanted, __ATOMIC_RELAXED);
  if (alone) return 1;
  if (n > 0) return n;
  n = processors_usable();
  if (n > POOL_MAX) n = POOL_MAX;
  pool_set_threads(n);
  return n;
}


/* both kinds of sleepers look whether they are of the other kind now */
void pool_set_threads(int n) {
  pthread_mutex_lock(&pool.lock);
  __atomic_store_n(&pool.wanted, n, __ATOMIC_RELAXED);
  pthread_cond_broadcast(&pool.more);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

/* }======== */


/* {======== jobs ======== */

static void open_gate(void) {
  uint64_t job = gate_now() / GATE_JOB + 1;
  __atomic_store_n(&pool.gate, job * GATE_JOB | GATE_OPEN, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&pool.sleeping, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}


static void close_gate(void) {
  __atomic_and_fetch(&pool.gate, ~GATE_OPEN, __ATOMIC_SEQ_CST);
  for (int i = 1; (gate_now() & GATE_INSIDE) != 0; i++) {
    if (i % SPINS_BETWEEN_CLOCKS == 0) sched_yield();
    relax();
  }
}


static void run_alone(int64_t n, PoolTask task, void *ctx) {
  for (int64_t i = 0; i < n; i++) task(ctx, i);
}


static void run_together(int64_t n, PoolTask task, void *ctx) {
  pool.task = task;
  pool.ctx = ctx;
  pool.count = n;
  pool.next = 0;
  open_gate();
  run_tasks();
  close_gate();
}


void pool_run(int64_t n, PoolTask task, void *ctx) {
  int threads = n > 1 ? pool_threads() : 1;
  FloatMode mode = get_mode();
  set_mode(TASK_MODE);
  if (threads == 1 ||
      __atomic_exchange_n(&pool.busy, true, __ATOMIC_ACQUIRE)) {
    run_alone(n, task, ctx);
  }
  else {
    if (__atomic_load_n(&pool.started, __ATOMIC_RELAXED) < threads - 1)
      start_missing(threads);
    run_together(n, task, ctx);
    __atomic_store_n(&pool.busy, false, __ATOMIC_RELEASE);
  }
  set_mode(mode);
}


typedef struct RowsJob {
  PoolRows task;
  void *ctx;
  int64_t count, each;
} RowsJob;


static void some_rows(void *ctx, int64_t i) {
  const RowsJob *j = ctx;
  int64_t first = i * j->each, left = j->count - first;
  j->task(j->ctx, first, left < j->each ? left : j->each);
}


void pool_rows(int64_t count, int64_t each, PoolRows task, void *ctx) {
  RowsJob j = { task, ctx, count, each };
  pool_run((count + each - 1) / each, some_rows, &j);
}

/* }======== */
