/*
** A number that says whether two tensors are the same: dtype, shape and bits.
** It guards against mistakes, not against malice.
*/
#ifndef lunula_checksum_h
#define lunula_checksum_h

#include <stdbool.h>
#include <stdint.h>

#include "tensor.h"

#pragma GCC visibility push(hidden)

/* the same on every machine of one byte order; false: no memory */
bool tensor_checksum(Tensor *t, uint64_t *sum);

#pragma GCC visibility pop

#endif
