/*
** What stands between two linear layers: an activation, with the bias that
** goes before it.
**
**   forward   u += bias,  out = act(u)
**   backward  from u and dout: out = act(u) again,  dout *= act'(u)
**
** It is done to each piece of the product that makes u, or dout.
*/
#ifndef lunula_activate_h
#define lunula_activate_h

#include "../kernel/product.h"
#include "../kernel/rows.h"
#include "matrix.h"

#pragma GCC visibility push(hidden)

typedef struct Activate {
  Activation act;
  float *u;             /* [rows, width] */
  const float *bias;    /* [width]; not asked for in the backward */
  const Matrix *out;    /* act(u); without values it is only rounded */
  const Matrix *dout;   /* NULL in the forward */
} Activate;

Finish activate_finish(Activate *a);

#pragma GCC visibility pop

#endif
