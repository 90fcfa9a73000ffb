/*
** OpenBLAS behind our own names. See blas.h.
*/
#include "blas.h"

#include <assert.h>
#include <cblas.h>
#include <pthread.h>

/* OpenBLAS built without threads can't be called from several at once */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static bool serial;

/* of OpenBLAS built with POSIX threads; its header does not name it */
int blas_thread_shutdown_(void) __attribute__((weak));


/* OpenBLAS starts threads of its own as it is loaded, one for each processor:
   nobody needs them, so they end here. They must not be counted afterwards,
   which would start them again. */
static void init_once(void) {
  serial = openblas_get_parallel() == OPENBLAS_SEQUENTIAL;
  openblas_set_num_threads(1);
  if (openblas_get_parallel() == OPENBLAS_THREAD && blas_thread_shutdown_)
    blas_thread_shutdown_();
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
  if (serial) pthread_mutex_lock(&one_at_a_time);
  cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
              tb ? CblasTrans : CblasNoTrans, (blasint)m, (blasint)n,
              (blasint)k, alpha, a, (blasint)lda, b, (blasint)ldb, beta, c,
              (blasint)ldc);
  if (serial) pthread_mutex_unlock(&one_at_a_time);
}
