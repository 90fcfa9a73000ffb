/*
** Where the backward of every part of an encoder adds to the gradients of
** parameters.
*/
#ifndef lunula_gradient_h
#define lunula_gradient_h

#include <stdbool.h>
#include <stdint.h>

#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

/* a parameter's gradient, made zero when it is asked for first; NULL: no
   memory */
float *gradient_of(Tensor *parameter);
/* the same for who writes all of it, or adds where *add says that there is
   something */
float *gradient_to_fill(Tensor *parameter, bool *add);

/* sum += column sums of x [rows, columns], with rows `stride` apart, times y
   element by element where y is not NULL; cut over the pool */
void gradient_columns(float *sum, const float *x, const float *y,
                      int64_t rows, int64_t stride, int64_t columns);

#pragma GCC visibility pop

#endif
