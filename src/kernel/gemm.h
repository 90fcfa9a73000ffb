/*
** Matrix products of any size, cut into tiles for the pool.
**
** Tiles are cut by the size of c alone, and each has one owner: the same
** bits for any number of threads.
*/
#ifndef lunula_gemm_h
#define lunula_gemm_h

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* c = alpha op(a) op(b) + beta c, all row-major; op transposes when told.
   op(a) [m, k], op(b) [k, n], c [m, n]; ld* are the lengths of stored rows.
   With beta = 0, c need not be initialised; with k = 0, c is scaled by beta.
   Sizes of 0 are allowed. */
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha,
          const float *a, int64_t lda, const float *b, int64_t ldb,
          float beta, float *c, int64_t ldc);

#pragma GCC visibility pop

#endif
