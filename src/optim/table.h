/*
** AdamW for a table of which each step sees but a few rows.
**
** Dense AdamW moves every row in every step: one whose gradient is 0 still
** decays, and its moments, while they fade, still push it. Here a row's steps
** are put off until somebody reads it (tensor.h: Pending) or it has a gradient
** again, and are then made up for, exactly:
**
**   - while the moments matter, step by step, to the bits of a dense step;
**   - after that (what they would still move the row is under half of the last
**     bit of what they have) by the decay alone, p (1 - r1 d) (1 - r2 d) ...
**     at once, which is more exact than step by step.
**
** A row has moments from its first gradient on; before, it only decays, and is
** not written for that until somebody reads it.
**
** What always holds: as long as any row is behind, the tensor's storage has
** this table as `pending`. Rows are independent, so the same bits come out for
** any number of threads. How exactly: at 2,000 steps and a rate of 1e-3 within
** 1e-6 of dense AdamW.
*/
#ifndef lunula_table_h
#define lunula_table_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../kernel/step.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

typedef struct Table Table;

/* of t [rows, width], retained; beta1 and beta2 are those of all steps. NULL:
   no memory */
Table *table_new(Tensor *t, double beta1, double beta2);
void   table_free(Table *t);  /* settles what it owes; NULL is allowed */

/* Moments for rows [n] (NULL: the first n), 0 where there are none yet. False:
   no memory. */
bool   table_reserve(Table *t, const int32_t *rows, int64_t n);

/* A step of these rows, which are distinct and were reserved, with gradients
   [n, width]; the step of all others is put off. */
void   table_step(Table *t, const int32_t *rows, const float *gradient,
                  int64_t n, const StepNumbers *now);

/* all moments, after settling: m, v [rows, width] are filled */
void   table_moments(Table *t, Tensor *m, Tensor *v);
/* begins with these moments; false: no memory */
bool   table_take(Table *t, const Tensor *m, const Tensor *v);

size_t table_bytes(const Table *t);  /* of the moments */

#pragma GCC visibility pop

#endif
