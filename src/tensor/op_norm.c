/*
** Ops along a dimension: softmax, its logarithm, layer normalisation. A lane
** (tensor.h) is n elements, `step` apart.
*/
#include "op.h"

#include <math.h>

#include "map.h"

/* {======== softmax ======== */

typedef struct Along {
  Op op;  /* first: a node's op leads back here */
  void (*forward)(float *y, const float *x, int64_t n, int64_t step);
  void (*gradient)(float *dx, const float *dy, const float *y, int64_t n,
                   int64_t step);
} Along;


/* kept: the output, and along which dimension */
static bool along_back(Node *n, Tensor *dout) {
  const Along *f = (const Along *)(const void *)n->op;
  Tensor *dx = tensor_like(dout);
  Around a = shape_around(&dout->shape, (int)n->kept.integer[0]);
  const float *y = tensor_f32(n->kept.tensor[0]);
  for (int64_t i = 0; dx != NULL && i < a.outer * a.inner; i++) {
    int64_t at = around_lane(a, i);
    f->gradient(tensor_f32(dx) + at, tensor_f32(dout) + at, y + at, a.size,
                a.inner);
  }
  return node_give(n, 0, dx);
}


static Tensor *along(Tape *tape, Tensor *x, int dim, const Along *f) {
  Around a = shape_around(&x->shape, dim);
  Tensor *rows = tensor_contiguous(x);
  Tensor *out = rows ? tensor_like(x) : NULL;
  for (int64_t i = 0; out != NULL && i < a.outer * a.inner; i++) {
    int64_t at = around_lane(a, i);
    f->forward(tensor_f32(out) + at, tensor_f32(rows) + at, a.size, a.inner);
  }
  tensor_release(rows);
  Kept kept = { .tensor = { out }, .integer = { dim } };
  return tape_record(tape, out, &f->op, 1, &x, &kept);
}


static float largest(const float *x, int64_t n, int64_t step) {
  float m = -INFINITY;
  for (int64_t i = 0; i < n; i++) m = fmaxf(m, x[i * step]);
  return m;
}


/* the largest element is taken off first, so that nothing overflows */
static void softmax(float *y, const float *x, int64_t n, int64_t step) {
  float m = largest(x, n, step);
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += y[i * step] = expf(x[i * step] - m);
  for (int64_t i = 0; i < n; i++)
    y[i * step] = (float)(y[i * step] / sum);
}


/* dx = y (dy - sum of dy y) */
static void softmax_gradient(float *dx, const float *dy, const float *y,
                             int64_t n, int64_t step) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += (double)dy[i * step] * y[i * step];
  for (int64_t i = 0; i < n; i++)
    dx[i * step] = (float)(y[i * step] * (dy[i * step] - sum));
}


Tensor *op_softmax(Tape *tape, Tensor *x, int dim) {
  static const Along f = { { .name = "softmax", .backward = along_back },
                           softmax, softmax_gradient };
  return along(tape, x, dim, &f);
}


static void log_softmax(float *y, const float *x, int64_t n, int64_t step) {
  float m = largest(x, n, step);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += expf(x[i * step] - m);
  double shift = m + log(sum);
  for (int64_t i = 0; i < n; i++)
    y[i * step] = (float)(x[i * step] - shift);
}


/* dx = dy - e^y (sum of dy) */
static void log_softmax_gradient(float *dx, const float *dy, const float *y,
                                 int64_t n, int64_t step) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += dy[i * step];
  for (int64_t i = 0; i < n; i++)
    dx[i * step] = (float)(dy[i * step] - expf(y[i * step]) * sum);
}


Tensor *op_log_softmax(Tape *tape, Tensor *x, int dim) {
  static const Along f = { { .name = "log_softmax", .backward = along_back },
                           log_softmax, log_softmax_gradient };
  return along(tape, x, dim, &f);
}

/* }======== */


/* {======== layer_norm ======== */

typedef struct Moments {
  double mean;
  double scale;  /* 1 / sqrt(variance + eps) */
} Moments;


static Moments moments(const float *x, int64_t n, float eps) {
  Moments m = { 0, 0 };
  double variance = 0;
  for (int64_t i = 0; i < n; i++) m.mean += x[i];
  m.mean /= (double)n;
  for (int64_t i = 0; i < n; i++)
    variance += (x[i] - m.mean) * (x[i] - m.mean);
  m.scale = 1 / sqrt(variance / (double)n + eps);
  return m;
}


/* y [n] = (x - mean) * scale */
static void normalise(float *y, const float *x, int64_t n, Moments m) {
  for (int64_t i = 0; i < n; i++) y[i] = (float)((x[i] - m.mean) * m.scale);
}


/* dx [n] from the gradient g of the normalised x, h:
   dx = scale (g - mean of g - h * mean of g h) */
static void normalise_back(float *dx, const float *g, const float *h,
                           int64_t n, double scale) {
  double sum = 0, sum_h = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += g[i];
    sum_h += (double)g[i] * h[i];
  }
  for (int64_t i = 0; i < n; i++)
    dx[i] = (float)(scale * (g[i] - (sum + h[i] * sum_h) / (double)n));
}


/* h like x [rows, n], each row normalised; *scales [rows] unless NULL */
static Tensor *normalised(const Tensor *x, float eps, Tensor *scales) {
  Tensor *h = tensor_like(x);
  Around a = shape_around(&x->shape, x->shape.ndim - 1);
  for (int64_t r = 0; h != NULL && r < a.outer; r++) {
    const float *row = tensor_f32(x) + r * a.size;
    Moments m = moments(row, a.size, eps);
    normalise(tensor_f32(h) + r * a.size, row, a.size, m);
    if (scales != NULL) tensor_f32(scales)[r] = (float)m.scale;
  }
  return h;
}


RUN2(multiply, x * y)


/* dx from the normalised h [rows, n], with g = dout * weight */
static Tensor *layer_norm_dx(const Tensor *dout, const Tensor *weight,
                             const Tensor *h, const Tensor *scales) {
  Tensor *g = map2(multiply, NULL, dout, weight);
  Tensor *dx = g ? tensor_like(h) : NULL;
  Around a = shape_around(&h->shape, h->shape.ndim - 1);
  for (int64_t r = 0; dx != NULL && r < a.outer; r++) {
    int64_t at = r * a.size;
    normalise_back(tensor_f32(dx) + at, tensor_f32(g) + at,
                   tensor_f32(h) + at, a.size,
                   (double)tensor_f32(scales)[r]);
  }
  tensor_release(g);
  return dx;
}


/* kept: x in rows, weight */
static bool layer_norm_back(Node *n, Tensor *dout) {
  const Tensor *x = n->kept.tensor[0];
  Shape rows = shape_of(1, shape_around(&x->shape, x->shape.ndim - 1).outer);
  Tensor *scales = tensor_new(FLOAT32, &rows);
  Tensor *h = scales ? normalised(x, n->kept.number[0], scales) : NULL;
  bool ok = h != NULL &&
            (!node_wants(n, 0) ||
             node_give(n, 0, layer_norm_dx(dout, n->kept.tensor[1], h,
                                           scales))) &&
            (!node_wants(n, 1) ||
             node_give(n, 1, map2(multiply, NULL, dout, h))) &&
            node_give(n, 2, tensor_retain(dout));
  tensor_release(scales);
  tensor_release(h);
  return ok;
}


RUN3(scale_and_shift, x * y + z)


Tensor *op_layer_norm(Tape *tape, Tensor *x, Tensor *weight, Tensor *bias,
                      float eps) {
  static const Op op = { .name = "layer_norm", .backward = layer_norm_back };
  Tensor *rows = tensor_contiguous(x);
  Tensor *h = rows ? normalised(rows, eps, NULL) : NULL;
  Tensor *out = h ? map3(scale_and_shift, NULL, h, weight, bias) : NULL;
  Kept kept = { .tensor = { rows, weight }, .number = { eps } };
  out = tape_record(tape, out, &op, 3, (Tensor *[]){ x, weight, bias }, &kept);
  tensor_release(rows);
  tensor_release(h);
  return out;
}

/* }======== */
