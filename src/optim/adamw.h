/*
** AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019).
**
** For a parameter p with gradient g, in its step t, with learning rate r and
** decay d:
**
**   m = b1 m + (1 - b1) g
**   v = b2 v + (1 - b2) g^2
**   u = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
**   p = p - r (u + d p)
**
** The decay is not written as p (1 - r d), since that factor rounds to 1 for
** small r.
**
** What always holds: work is cut into chunks of parameters by their sizes
** alone, and sums over chunks are added in order, so the same bits come out
** for any number of threads. A parameter without a gradient is left alone,
** and its t does not move. Moments are made in a parameter's first step; those
** of a table whose gradient is in rows (row_gradient.h), row by row, and its
** rows are stepped when they are next read (table.h).
*/
#ifndef lunula_adamw_h
#define lunula_adamw_h

#include <stdbool.h>
#include <stdint.h>

#include "../base/status.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

typedef struct AdamwOptions {
  double beta1, beta2;  /* in [0, 1) */
  double eps;           /* >= 0 */
} AdamwOptions;

typedef struct Adamw Adamw;

Adamw *adamw_new(const AdamwOptions *o);  /* NULL: no memory */
/* what is put off is done first; NULL is allowed */
void   adamw_free(Adamw *a);

/* Adds a parameter, which is retained: a FLOAT32 leaf, contiguous, not there
   already. It learns at `rate` times the learning rate. */
bool   adamw_add(Adamw *a, Tensor *parameter, double rate, double decay,
                 Error *e);
int    adamw_count(const Adamw *a);
Tensor *adamw_parameter(const Adamw *a, int i);  /* not retained */
bool   adamw_has(const Adamw *a, const Tensor *parameter);

/* The norm of all gradients together. The next step scales them so that it is
   at most max_norm; they themselves stay as they are. NaN or infinite when a
   gradient is. */
double adamw_clip(Adamw *a, double max_norm);

/* One step; then every gradient is 0. False: no memory, nothing was done. */
bool   adamw_step(Adamw *a, double learning_rate, Error *e);

/* Sets every gradient to 0 and forgets what adamw_clip found. */
void   adamw_zero_grad(Adamw *a);

/* What a parameter has gathered. */
typedef struct AdamwState {
  int64_t steps;  /* t of its last step; 0: no moments yet */
  Tensor *m, *v;  /* NULL without moments */
} AdamwState;

/* m and v, retained for the caller, are the optimizer's own, or of a table
   copies. False: no memory. */
bool       adamw_state(const Adamw *a, int parameter, AdamwState *s, Error *e);
/* copies m and v, contiguous FLOAT32 of the parameter's shape */
bool       adamw_set_state(Adamw *a, int parameter, const AdamwState *s,
                           Error *e);

/* bytes of all moments */
size_t adamw_bytes(const Adamw *a);

#pragma GCC visibility pop

#endif
