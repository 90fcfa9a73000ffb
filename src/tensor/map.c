/*
** Elementwise work. See map.h.
*/
#include "map.h"

#include <assert.h>


static Shape common_shape(int n, const Tensor *const *in) {
  Shape all = in[0]->shape;
  for (int k = 1; k < n; k++) {
    Shape wider = { .ndim = 0 };
    bool fits = shape_broadcast(&all, &in[k]->shape, &wider);
    assert(fits);
    (void)fits;
    all = wider;
  }
  return all;
}


Tensor *map(TensorRun run, void *ctx, int n, const Tensor *const *in) {
  Shape s = common_shape(n, in);
  Tensor *t[TENSOR_WALK] = { tensor_new(FLOAT32, &s) };
  bool ok = t[0] != NULL;
  assert(n < TENSOR_WALK);
  for (int k = 1; ok && k <= n; k++)
    ok = (t[k] = tensor_expanded(in[k - 1], &s)) != NULL;
  if (ok)
    tensor_walk(n + 1, (const Tensor *[]){ t[0], t[1], t[2], t[3] }, run,
                ctx);
  for (int k = 1; k <= n; k++) tensor_release(t[k]);
  if (ok) return t[0];
  tensor_release(t[0]);
  return NULL;
}


Tensor *map1(TensorRun run, void *ctx, const Tensor *x) {
  return map(run, ctx, 1, &x);
}


Tensor *map2(TensorRun run, void *ctx, const Tensor *x, const Tensor *y) {
  return map(run, ctx, 2, (const Tensor *[]){ x, y });
}


Tensor *map3(TensorRun run, void *ctx, const Tensor *x, const Tensor *y,
             const Tensor *z) {
  return map(run, ctx, 3, (const Tensor *[]){ x, y, z });
}


RUN1(scale, x * *(const float *)ctx)


Tensor *map_scaled(const Tensor *t, float factor) {
  return map1(scale, &factor, t);
}
