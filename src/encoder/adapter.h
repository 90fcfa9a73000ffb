/*
** Bottleneck adapters (Houlsby et al. 2019, "Parameter-Efficient Transfer
** Learning for NLP"): two small layers behind each half of a layer, which
** learn in its place.
**
**   forward   x = dropout(y + bias), of the linear layer in front
**             u = x D' + bd,  out = x + gelu(u) U' + bu
**   backward  from dout: dx = dout + ((dout U) gelu'(u)) D, dropout's dy, and
**             the gradients of U, bu, D, bd
**
** Kept between the two: x and u.
*/
#ifndef lunula_adapter_h
#define lunula_adapter_h

#include "linear.h"
#include "norm.h"

#pragma GCC visibility push(hidden)

typedef struct Adapter {
  Linear down;   /* D [size, hidden]; without a weight there is no adapter */
  Linear up;     /* U [hidden, size] */
} Adapter;

typedef struct AdapterKept {
  float *input;  /* x [tokens, hidden] */
  float *inner;  /* u [tokens, size] */
} AdapterKept;

static inline bool adapter_is_there(const Adapter *a) {
  return a->down.weight != NULL;
}

typedef struct AdapterCall {
  const Adapter *adapter;
  const AdapterKept *kept;
  const Arithmetic *arithmetic;
  const Dropout *dropout;
  Matrix input;          /* x, as `down` reads it */
  Matrix inner;          /* gelu(u), as `up` reads it */
  Matrix dinner;         /* backward: the gradient of u */
} AdapterCall;

/* Between a linear layer, which reads x, and Add & Norm, whose y, bias and
   dropout are set here. */
void adapter_forward(const AdapterCall *c, const Linear *linear,
                     const Matrix *x, NormForward *norm);

/* dy becomes the gradient of y, from dout; their values are one. false: no
   memory */
bool adapter_back(const AdapterCall *c, const Matrix *dout, const Matrix *dy);

#pragma GCC visibility pop

#endif
