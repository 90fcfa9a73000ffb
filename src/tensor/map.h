/*
** Elementwise work over tensors that broadcast: what most ops, and their ways
** back, are made of.
**
** RUN1(f, formula) defines f as a run (tensor.h) that computes `formula` for
** each element x of one input; RUN2 has x and y, RUN3 x, y and z. A formula
** may read `ctx`.
*/
#ifndef lunula_map_h
#define lunula_map_h

#include "tensor.h"

#pragma GCC visibility push(hidden)

/* a new FLOAT32 tensor of the shape that the n inputs broadcast to, which they
   must: run(new, in[0], in[1], ...). NULL: no memory. */
Tensor *map(TensorRun run, void *ctx, int n, const Tensor *const *in);

Tensor *map1(TensorRun run, void *ctx, const Tensor *x);
Tensor *map2(TensorRun run, void *ctx, const Tensor *x, const Tensor *y);
Tensor *map3(TensorRun run, void *ctx, const Tensor *x, const Tensor *y,
             const Tensor *z);

/* t times a number, as a new tensor */
Tensor *map_scaled(const Tensor *t, float factor);

#define RUN1(f, formula)  RUN(f, RUN_INPUT(x, 1), formula)
#define RUN2(f, formula)  RUN(f, RUN_INPUT(x, 1) RUN_INPUT(y, 2), formula)
#define RUN3(f, formula) \
  RUN(f, RUN_INPUT(x, 1) RUN_INPUT(y, 2) RUN_INPUT(z, 3), formula)

#define RUN_INPUT(x, k) \
  const float x = ((const float *)(const void *)at[k])[i * stride[k]];

#define RUN(f, inputs, formula) \
  static void f(char *const *at, const int64_t *stride, int64_t length, \
                void *ctx) { \
    float *out = (float *)(void *)at[0]; \
    (void)ctx; \
    for (int64_t i = 0; i < length; i++) { \
      inputs \
      out[i * stride[0]] = (formula); \
    } \
  }

#pragma GCC visibility pop

#endif
