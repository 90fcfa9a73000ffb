/*
** Losses: one number from logits and what they should have been.
*/
#include "op.h"

#include <assert.h>
#include <math.h>

#include "map.h"

static Tensor *one_number(double x) {
  Shape s = shape_of(0);
  Tensor *t = tensor_new(FLOAT32, &s);
  if (t != NULL) *tensor_f32(t) = (float)x;
  return t;
}


/* {======== cross_entropy ======== */

/* What a row's loss and gradient are made of. With f the weight of a row's
   class, s the smoothing, w the weights and S their sum, a row's share is
     (1 - s) f (-log p[y]) + s / C sum over c of w[c] (-log p[c]) */
typedef struct Loss {
  int64_t classes;      /* C */
  const float *weight;  /* [C] or NULL: ones */
  double smoothing;     /* s */
  double weight_sum;    /* S */
  int64_t ignore;
} Loss;


static double class_weight(const Loss *l, int64_t c) {
  return l->weight ? (double)l->weight[c] : 1;
}


static Loss loss_of(const Tensor *logits, const Tensor *weight,
                    float smoothing, int64_t ignore) {
  bool no_rows = logits->shape.size[0] == 0;
  Loss l = { .classes = no_rows ? 0 : logits->shape.size[1],
             .ignore = ignore,
             .weight = weight ? tensor_f32(weight) : NULL,
             .smoothing = (double)smoothing };
  for (int64_t c = 0; c < l.classes; c++) l.weight_sum += class_weight(&l, c);
  return l;
}


/* ln of the sum of e^x over a row */
static double log_sum_exp(const float *x, int64_t n) {
  double m = -INFINITY, sum = 0;
  for (int64_t i = 0; i < n; i++) m = fmax(m, (double)x[i]);
  for (int64_t i = 0; i < n; i++) sum += exp(x[i] - m);
  return m + log(sum);
}


static double row_loss(const Loss *l, const float *x, int64_t y) {
  double norm = log_sum_exp(x, l->classes), spread = 0;
  double loss = (1 - l->smoothing) * class_weight(l, y) * (norm - x[y]);
  if (l->smoothing == 0) return loss;
  for (int64_t c = 0; c < l->classes; c++)
    spread += class_weight(l, c) * (norm - x[c]);
  return loss + l->smoothing / (double)l->classes * spread;
}


/* dx [C] = scale times the row's gradient: with g the sum of what multiplies
   the -log p, it is g p - what multiplies each */
static void row_gradient(const Loss *l, float *dx, const float *x, int64_t y,
                         double scale) {
  double norm = log_sum_exp(x, l->classes);
  double sharp = (1 - l->smoothing) * class_weight(l, y);
  double share = l->smoothing / (double)l->classes;
  double all = sharp + share * l->weight_sum;
  for (int64_t c = 0; c < l->classes; c++) {
    double own = share * class_weight(l, c) + (c == y ? sharp : 0);
    dx[c] = (float)(scale * (all * exp(x[c] - norm) - own));
  }
}


/* what the losses are divided by */
static double total_weight(const Loss *l, const int64_t *y, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; i++)
    if (y[i] != l->ignore) total += class_weight(l, y[i]);
  return total;
}


/* kept: logits in rows, classes, weight; the smoothing; the ignored class */
static bool cross_entropy_back(Node *n, Tensor *dout) {
  const Tensor *x = n->kept.tensor[0];
  const int64_t *y = tensor_i64(n->kept.tensor[1]), rows = x->shape.size[0];
  Loss l = loss_of(x, n->kept.tensor[2], n->kept.number[0],
                   n->kept.integer[0]);
  double scale = (double)*tensor_f32(dout) / total_weight(&l, y, rows);
  Tensor *dx = tensor_zeros(FLOAT32, &x->shape);
  for (int64_t i = 0; dx != NULL && i < rows; i++)
    if (y[i] != l.ignore)
      row_gradient(&l, tensor_f32(dx) + i * l.classes,
                   tensor_f32(x) + i * l.classes, y[i], scale);
  return node_give(n, 0, dx);
}


static Tensor *cross_entropy(const Tensor *x, const Tensor *classes,
                             const Loss *l) {
  const int64_t *y = tensor_i64(classes), rows = x->shape.size[0];
  double sum = 0;
  for (int64_t i = 0; i < rows; i++)
    if (y[i] != l->ignore)
      sum += row_loss(l, tensor_f32(x) + i * l->classes, y[i]);
  return one_number(sum / total_weight(l, y, rows));
}


Tensor *op_cross_entropy(Tape *tape, Tensor *logits, Tensor *classes,
                         const CrossEntropy *how) {
  static const Op op = { .name = "cross_entropy",
                         .backward = cross_entropy_back };
  Tensor *x = tensor_contiguous(logits), *y = op_to(tape, classes, INT64);
  Tensor *w = how->weight ? tensor_contiguous(how->weight) : NULL;
  Tensor *out = NULL;
  if (x && y && (w || !how->weight)) {
    Loss l = loss_of(x, w, how->label_smoothing, how->ignore_index);
    out = cross_entropy(x, y, &l);
  }
  Kept kept = { .tensor = { x, y, w }, .number = { how->label_smoothing },
                .integer = { how->ignore_index } };
  out = tape_record(tape, out, &op, 1, &logits, &kept);
  tensor_release(x);
  tensor_release(y);
  tensor_release(w);
  return out;
}

/* }======== */


/* the mean of each element's loss. Takes them; NULL is passed on. */
static Tensor *mean_of(Tensor *losses) {
  Tensor *sum = losses ? tensor_summed(losses, ALL_DIMS) : NULL;
  Tensor *out = sum ? one_number((double)*tensor_f32(sum) /
                                 (double)tensor_count(losses)) : NULL;
  tensor_release(losses);
  tensor_release(sum);
  return out;
}


/* dout over the number of elements: what one element's slope is scaled by */
static float slope(const Tensor *dout, const Tensor *x) {
  return *tensor_f32(dout) / (float)tensor_count(x);
}


/* {======== mse ======== */

RUN2(squared_difference, (x - y) * (x - y))
RUN2(twice_difference, 2 * (x - y) * *(const float *)ctx)


static bool mse_back(Node *n, Tensor *dout) {
  Tensor *const *in = n->kept.tensor;
  float scale = slope(dout, in[0]);
  return (!node_wants(n, 0) ||
          node_give(n, 0, map2(twice_difference, &scale, in[0], in[1]))) &&
         (!node_wants(n, 1) ||
          node_give(n, 1, map2(twice_difference, &scale, in[1], in[0])));
}


Tensor *op_mse(Tape *tape, Tensor *a, Tensor *b) {
  static const Op op = { .name = "mse", .backward = mse_back };
  Kept kept = { .tensor = { a, b } };
  assert(shape_equal(&a->shape, &b->shape));
  return tape_record(tape, mean_of(map2(squared_difference, NULL, a, b)), &op,
                     2, (Tensor *[]){ a, b }, &kept);
}

/* }======== */


/* {======== binary_cross_entropy ======== */

/* ln(1 + e^-x), which does not overflow: -log of sigmoid(x) */
static float softplus_of_minus(float x) {
  return log1pf(expf(-fabsf(x))) + (x < 0 ? -x : 0);
}


/* -log(1 - sigmoid(x)) is x - log sigmoid(x); so the loss is
   (1 - y) x + (1 - y + w y) (-log sigmoid(x)) */
RUN3(logistic_loss,
     (1 - y) * x + (1 - y + z * y) * softplus_of_minus(x))

/* its slope, times ctx */
RUN3(logistic_slope, *(const float *)ctx *
     ((1 - y) - (1 - y + z * y) / (1 + expf(x))))


static bool binary_cross_entropy_back(Node *n, Tensor *dout) {
  Tensor *const *in = n->kept.tensor;
  float scale = slope(dout, in[0]);
  return node_give(n, 0, map3(logistic_slope, &scale, in[0], in[1], in[2]));
}


Tensor *op_binary_cross_entropy(Tape *tape, Tensor *x, Tensor *y, Tensor *w) {
  static const Op op = { .name = "binary_cross_entropy_with_logits",
                         .backward = binary_cross_entropy_back };
  Tensor *weight = w ? tensor_retain(w) : one_number(1);
  Tensor *out = weight ? mean_of(map3(logistic_loss, NULL, x, y, weight))
                       : NULL;
  Kept kept = { .tensor = { x, y, weight } };
  out = tape_record(tape, out, &op, 1, &x, &kept);
  tensor_release(weight);
  return out;
}

/* }======== */
