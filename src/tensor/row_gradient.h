/*
** The gradient of a table where it is but in some rows: what a batch gives to
** an embedding.
**
** What always holds: rows are distinct and rise; all others are 0. A tensor's
** gradient is dense or in rows, never both: whatever meets a dense gradient is
** added to it. Memory is kept from step to step.
*/
#ifndef lunula_row_gradient_h
#define lunula_row_gradient_h

#include <stdbool.h>
#include <stdint.h>

#include "tensor.h"

#pragma GCC visibility push(hidden)

typedef struct RowGradient {
  int64_t count, room;    /* rows */
  int32_t *row;           /* [count] */
  float *value;           /* [count, width of the table] */
  int32_t *place;         /* [places], as row_gradient_place left them */
  int64_t places;
} RowGradient;

void row_gradient_free(RowGradient *g);  /* NULL is allowed */

/* Makes places for rows ids [n] in the gradient of t, a table [rows, width]
   without a dense one: rows that are new are 0, what is there stays. Row
   `skip` is left out. Then value + place[i] * width is where the gradient of
   row ids[i] lies. NULL: no memory, and the gradient is as it was. */
RowGradient *row_gradient_place(Tensor *t, const int32_t *ids, int64_t n,
                                int64_t skip);

/* t's gradient as a dense tensor, which it is from then on; 0 where there was
   none. Not retained; NULL: no memory */
Tensor *tensor_gradient(Tensor *t);
/* The same for a caller that writes or adds to every element. *add: there is
   something to add to; else nothing of it need be read */
Tensor *tensor_gradient_to_fill(Tensor *t, bool *add);
/* The gradient is 0 from then on. What is there of it keeps its memory, which
   is not written unless somebody else sees it. */
void    tensor_gradient_clear(Tensor *t);
/* has t a gradient, of either kind? */
bool    tensor_has_gradient(const Tensor *t);

#pragma GCC visibility pop

#endif
