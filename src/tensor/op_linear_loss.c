/*
** The cross entropy of a linear layer's outputs, where these are many: a
** vocabulary. What two ops would keep three times, [n, V], is kept once: the
** logits become the probabilities, and these less 1 at each row's class are
** the gradient but for a factor, which goes into the products.
*/
#include "op.h"

#include <assert.h>
#include <math.h>

#include "../base/mem.h"
#include "../base/pool.h"
#include "../kernel/blas.h"
#include "../kernel/gemm.h"
#include "../kernel/rows.h"
#include "row_gradient.h"

enum {
  SLICE = 2048,         /* classes whose share of dx is one task */
  TASK_COLUMNS = 1024
};


/* {======== forward ======== */

typedef struct Losses {
  float *p;           /* [n, V] logits without bias, then the gradient */
  const float *bias;  /* [V] */
  const int64_t *y;   /* [n] */
  int64_t classes;    /* V */
  double *loss;       /* [n] */
} Losses;


static void loss_of_row(void *ctx, int64_t i) {
  const Losses *l = ctx;
  float *p = l->p + i * l->classes, most;
  float own = p[l->y[i]] + l->bias[l->y[i]];
  double sum = row_kernels()->exp_row(p, l->bias, l->classes, &most);
  float share = (float)(1 / sum);
  l->loss[i] = log(sum) + ((double)most - (double)own);
  for (int64_t c = 0; c < l->classes; c++) p[c] *= share;
  p[l->y[i]] -= 1;
}


/* the mean loss; p [n, V]: logits, then the gradient of their sum. NULL: no
   memory */
static Tensor *mean_loss(Tensor *p, const Tensor *bias, const Tensor *y) {
  int64_t n = p->shape.size[0];
  double sum = 0;
  Shape none = shape_of(0);
  Losses l = { tensor_f32(p), tensor_f32(bias), tensor_i64(y),
               p->shape.size[1],
               mem_alloc(((size_t)n + 1) * sizeof *l.loss) };
  Tensor *out = l.loss ? tensor_new(FLOAT32, &none) : NULL;
  if (out != NULL) {
    pool_run(n, loss_of_row, &l);
    for (int64_t i = 0; i < n; i++) sum += l.loss[i];
    *tensor_f32(out) = (float)(sum / (double)n);
  }
  mem_free(l.loss);
  return out;
}


/* x [n, H] by w' , w [V, H]; NULL: no memory */
static Tensor *logits_of(const Tensor *x, const Tensor *w) {
  int64_t n = x->shape.size[0], h = x->shape.size[1], v = w->shape.size[0];
  Shape s = shape_of(2, n, v);
  Tensor *p = tensor_new(FLOAT32, &s);
  if (p != NULL)
    gemm(false, true, n, v, h, 1, tensor_f32(x), h, tensor_f32(w), h, 0,
         tensor_f32(p), v);
  return p;
}

/* }======== */


/* {======== backward ======== */

/* dx [n, H] = scale p [n, V] by w [V, H]: few numbers, each a long sum, which
   is cut into slices */
typedef struct Slices {
  const float *p, *w;
  float *part;  /* [slices, n, H] */
  float *dx;
  int64_t n, hidden, classes, slices;
  float scale;
} Slices;


static void multiply_slice(void *ctx, int64_t i) {
  const Slices *s = ctx;
  int64_t first = i * SLICE, depth = s->classes - first;
  if (depth > SLICE) depth = SLICE;
  blas_sgemm(false, false, s->n, s->hidden, depth, s->scale, s->p + first,
             s->classes, s->w + first * s->hidden, s->hidden, 0,
             s->part + i * s->n * s->hidden, s->hidden);
}


static void add_slices(void *ctx, int64_t first, int64_t n) {
  const Slices *s = ctx;
  int64_t all = s->n * s->hidden;
  for (int64_t c = first; c < first + n; c++) s->dx[c] = 0;
  row_kernels()->column_sums(s->dx + first, s->part + first, s->slices, all,
                             n);
}


static Tensor *input_gradient(const Tensor *p, const Tensor *w, float scale) {
  Slices s = { tensor_f32(p), tensor_f32(w), NULL, NULL, p->shape.size[0],
               w->shape.size[1], w->shape.size[0], 0, scale };
  Shape shape = shape_of(2, s.n, s.hidden);
  s.slices = (s.classes + SLICE - 1) / SLICE;
  s.part = mem_alloc(((size_t)(s.slices * s.n * s.hidden) + 1) *
                     sizeof *s.part);
  Tensor *dx = s.part ? tensor_new(FLOAT32, &shape) : NULL;
  if (dx != NULL && s.n > 0 && s.hidden > 0) {
    s.dx = tensor_f32(dx);
    pool_run(s.slices, multiply_slice, &s);
    pool_rows(s.n * s.hidden, TASK_COLUMNS, add_slices, &s);
  }
  mem_free(s.part);
  return dx;
}


/* a leaf's gradient is added to where it is; NULL: no memory */
static Tensor *gradient_to_fill(const Node *n, int input, bool *add) {
  Tensor *leaf = n->input[input].leaf;
  *add = false;
  return leaf ? tensor_gradient_to_fill(leaf, add)
              : tensor_new(FLOAT32, &n->input[input].shape);
}


static bool filled(Node *n, int input, Tensor *d) {
  if (n->input[input].leaf == NULL) return node_give(n, input, d);
  tensor_touch(d);
  return true;
}


static bool weight_back(Node *n, float scale) {
  const Tensor *p = n->kept.tensor[0], *x = n->kept.tensor[1];
  int64_t h = x->shape.size[1], v = p->shape.size[1];
  bool add;
  Tensor *dw = gradient_to_fill(n, 1, &add);
  if (dw == NULL) return false;
  gemm(true, false, v, h, p->shape.size[0], scale, tensor_f32(p), v,
       tensor_f32(x), h, add ? 1 : 0, tensor_f32(dw), h);
  return filled(n, 1, dw);
}


typedef struct Sums {
  const Tensor *p;
  float *sum;  /* [V] */
  float scale;
} Sums;


static void sum_columns(void *ctx, int64_t first, int64_t n) {
  const Sums *s = ctx;
  row_kernels()->column_sums(s->sum + first, tensor_f32(s->p) + first,
                             s->p->shape.size[0], s->p->shape.size[1], n);
  for (int64_t c = first; c < first + n; c++) s->sum[c] *= s->scale;
}


static bool bias_back(Node *n, float scale) {
  const Tensor *p = n->kept.tensor[0];
  Tensor *db = tensor_zeros(FLOAT32, &n->input[2].shape);
  if (db == NULL) return false;
  Sums s = { p, tensor_f32(db), scale };
  pool_rows(p->shape.size[1], TASK_COLUMNS, sum_columns, &s);
  return node_give(n, 2, db);
}


/* kept: the gradient of the sum of losses to the logits, x, weight */
static bool linear_loss_back(Node *n, Tensor *dout) {
  const Tensor *p = n->kept.tensor[0], *w = n->kept.tensor[2];
  float scale = *tensor_f32(dout) / (float)p->shape.size[0];
  return (!node_wants(n, 0) ||
          node_give(n, 0, input_gradient(p, w, scale))) &&
         (!node_wants(n, 1) || weight_back(n, scale)) &&
         (!node_wants(n, 2) || bias_back(n, scale));
}

/* }======== */


Tensor *op_linear_cross_entropy(Tape *tape, Tensor *x, Tensor *weight,
                                Tensor *bias, Tensor *classes) {
  static const Op op = { .name = "linear_cross_entropy",
                         .backward = linear_loss_back };
  Tensor *in = tensor_contiguous(x), *w = tensor_contiguous(weight);
  Tensor *b = tensor_contiguous(bias), *y = op_to(tape, classes, INT64);
  Tensor *p = in && w && b && y ? logits_of(in, w) : NULL;
  Tensor *out = p ? mean_loss(p, b, y) : NULL;
  Kept kept = { .tensor = { p, in, w } };
  assert(x->shape.ndim == 2 && weight->shape.ndim == 2);
  out = tape_record(tape, out, &op, 3, (Tensor *[]){ x, weight, bias },
                    &kept);
  tensor_release(p);
  tensor_release(in);
  tensor_release(w);
  tensor_release(b);
  tensor_release(y);
  return out;
}
