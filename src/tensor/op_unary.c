/*
** Functions of one tensor, element by element. Each is a line of formulas:
** forward, and the gradient from dout (x in a run) and the one tensor that was
** kept (y): the input or, where that is enough, the output.
*/
#include "op.h"

#include <math.h>

#include "map.h"

#define SQRT_HALF       0.70710678118654752f  /* 1 / sqrt 2 */
#define SQRT_HALF_OVER_PI  0.39894228040143268f  /* 1 / sqrt(2 pi) */

typedef struct Unary {
  Op op;               /* first: a node's op leads back here */
  TensorRun forward;
  TensorRun gradient;
  bool keeps_output;
} Unary;


static bool unary_back(Node *n, Tensor *dout) {
  const Unary *u = (const Unary *)(const void *)n->op;
  return node_give(n, 0, map2(u->gradient, NULL, dout, n->kept.tensor[0]));
}


static Tensor *unary(Tape *tape, Tensor *x, const Unary *u) {
  Tensor *out = map1(u->forward, NULL, x);
  Kept kept = { .tensor = { u->keeps_output ? out : x } };
  return tape_record(tape, out, &u->op, 1, &x, &kept);
}


/* the op `f` with its op_ function */
#define UNARY(f, keeps) \
  Tensor *op_##f(Tape *tape, Tensor *x) { \
    static const Unary u = { { .name = #f, .backward = unary_back }, \
                             f##_forward, f##_gradient, keeps }; \
    return unary(tape, x, &u); \
  }

enum { KEEPS_INPUT = false, KEEPS_OUTPUT = true };


RUN1(exp_forward, expf(x))
RUN2(exp_gradient, x * y)
UNARY(exp, KEEPS_OUTPUT)


RUN1(log_forward, logf(x))
RUN2(log_gradient, x / y)
UNARY(log, KEEPS_INPUT)


RUN1(sqrt_forward, sqrtf(x))
RUN2(sqrt_gradient, 0.5f * x / y)
UNARY(sqrt, KEEPS_OUTPUT)


RUN1(tanh_forward, tanhf(x))
RUN2(tanh_gradient, x * (1 - y * y))
UNARY(tanh, KEEPS_OUTPUT)


/* in this order NaN stays NaN */
RUN1(relu_forward, x < 0 ? 0 : x)
RUN2(relu_gradient, y > 0 ? x : 0)
UNARY(relu, KEEPS_OUTPUT)


/* Hendrycks & Gimpel 2016, with the error function: x times the normal
   distribution at x. The slope is that distribution plus x times its
   density. */
static float normal_below(float x) {
  return 0.5f * (1 + erff(x * SQRT_HALF));
}


static float normal_density(float x) {
  return SQRT_HALF_OVER_PI * expf(-0.5f * x * x);
}


RUN1(gelu_forward, x * normal_below(x))
RUN2(gelu_gradient, x * (normal_below(y) + y * normal_density(y)))
UNARY(gelu, KEEPS_INPUT)


RUN1(sigmoid_forward, 1 / (1 + expf(-x)))
RUN2(sigmoid_gradient, x * y * (1 - y))
UNARY(sigmoid, KEEPS_OUTPUT)


static bool neg_back(Node *n, Tensor *dout) {
  return node_give(n, 0, map_scaled(dout, -1));
}


Tensor *op_neg(Tape *tape, Tensor *x) {
  static const Op neg = { .name = "neg", .backward = neg_back };
  return tape_record(tape, map_scaled(x, -1), &neg, 1, &x, NULL);
}
