/*
** Matrix products as OpenBLAS does them, on the thread that calls. A process
** that forks waits for those that run, so that its child can multiply.
** The one place that includes cblas.h.
*/
#ifndef lunula_blas_h
#define lunula_blas_h

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* OpenBLAS counts in 32 bits */
#define BLAS_LARGEST  INT32_MAX

/* keeps OpenBLAS to one thread a call, and ends those that it started; ours cut
   the work */
void blas_init(void);

/* c = alpha op(a) op(b) + beta c, all row-major; op transposes when told.
   op(a) [m, k], op(b) [k, n], c [m, n]; ld* are the lengths of stored rows.
   All sizes are at most BLAS_LARGEST. With beta = 0, c need not be
   initialised. */
void blas_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                float alpha, const float *a, int64_t lda, const float *b,
                int64_t ldb, float beta, float *c, int64_t ldc);

#pragma GCC visibility pop

#endif
