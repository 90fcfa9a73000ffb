/*
** OpenBLAS behind our own names. See blas.h.
**
** A product holds locks inside OpenBLAS for moments, and a child that is
** forked in one would wait for that lock for ever. So a fork waits until no
** thread is in a product, and who wants to begin one waits for the fork.
*/
#include "blas.h"

#include <assert.h>
#include <cblas.h>
#include <pthread.h>
#include <sched.h>

/* OpenBLAS built without threads can't be called from several at once */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static bool serial;

static struct {
  pthread_mutex_t lock;   /* held by a fork */
  bool forking;
  int inside;             /* threads in a product */
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* of OpenBLAS built with POSIX threads; its header does not name it */
int blas_thread_shutdown_(void) __attribute__((weak));


/* {======== products and forks ======== */

static void before_fork(void) {
  pthread_mutex_lock(&gate.lock);
  __atomic_store_n(&gate.forking, true, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&gate.inside, __ATOMIC_SEQ_CST) > 0) sched_yield();
}


static void after_fork_parent(void) {
  __atomic_store_n(&gate.forking, false, __ATOMIC_SEQ_CST);
  pthread_mutex_unlock(&gate.lock);
}


/* who was about to begin a product is not here */
static void after_fork_child(void) {
  pthread_mutex_init(&gate.lock, NULL);
  gate.forking = false;
  gate.inside = 0;
}


static void leave(void) {
  __atomic_sub_fetch(&gate.inside, 1, __ATOMIC_SEQ_CST);
}


static void enter(void) {
  __atomic_add_fetch(&gate.inside, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&gate.forking, __ATOMIC_SEQ_CST)) {
    leave();
    pthread_mutex_lock(&gate.lock);
    pthread_mutex_unlock(&gate.lock);
    __atomic_add_fetch(&gate.inside, 1, __ATOMIC_SEQ_CST);
  }
}

/* }======== */


/* OpenBLAS starts threads of its own as it is loaded, one for each processor:
   nobody needs them, so they end here. They must not be counted afterwards,
   which would start them again. */
static void init_once(void) {
  serial = openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
  openblas_set_num_threads(1);
  if (openblas_get_parallel() == OPENBLAS_THREAD && blas_thread_shutdown_)
    blas_thread_shutdown_();
  pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}


/* once: another state's threads may be in a product when this one loads */
void blas_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, init_once);
}


void blas_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                float alpha, const float *a, int64_t lda, const float *b,
                int64_t ldb, float beta, float *c, int64_t ldc) {
  assert(m <= BLAS_LARGEST && n <= BLAS_LARGEST && k <= BLAS_LARGEST);
  assert(lda <= BLAS_LARGEST && ldb <= BLAS_LARGEST && ldc <= BLAS_LARGEST);
  enter();
  if (serial) pthread_mutex_lock(&one_at_a_time);
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
              tb ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n,
              (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
              (blasint)ldc);
  if (serial) pthread_mutex_unlock(&one_at_a_time);
  leave();
}
