/*
** Random numbers: dropout, mixout and first weights. What element i gets
** depends on the stream and on i alone.
*/
#include "op.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "../base/pool.h"
#include "../kernel/rows.h"

/* {======== dropout and mixout ======== */

enum {
  GROUP = 128,            /* numbers that the kernel makes together */
  TASK = 1 << 15          /* elements; whole groups */
};

/* x [n] in place; over the pool */
typedef struct Drop {
  float *x;
  const float *base;      /* [n] to be taken before and given back after; or
                             NULL */
  int64_t n, first;       /* elements, and those in front of a whole group */
  Dropout dropout;
} Drop;


/* The elements in front of the first whole group, which are dropped in a group
   of their own. */
static void drop_first(const Drop *d) {
  float group[GROUP] = { 0 };
  int64_t into = (int64_t)(d->dropout.rng.at % GROUP);
  uint64_t block = row_blocks(GROUP) * (d->dropout.rng.at / GROUP);
  memcpy(group + into, d->x, (size_t)d->first * sizeof *d->x);
  row_kernels()->dropout(group, &d->dropout, block, GROUP);
  memcpy(d->x, group + into, (size_t)d->first * sizeof *d->x);
}


/* n elements from `at` on, at whole groups; or the first ones */
static void drop_some(const Drop *d, int64_t at, int64_t n) {
  uint64_t group = (d->dropout.rng.at + (uint64_t)at) / GROUP;
  for (int64_t i = at; d->base != NULL && i < at + n; i++)
    d->x[i] -= d->base[i];
  if (at < d->first)
    drop_first(d);
  else
    row_kernels()->dropout(d->x + at, &d->dropout, row_blocks(GROUP) * group,
                           n);
  for (int64_t i = at; d->base != NULL && i < at + n; i++)
    d->x[i] += d->base[i];
}


/* task 0 has the first ones */
static void drop_task(void *ctx, int64_t task) {
  const Drop *d = ctx;
  int64_t at = d->first + (task - 1) * TASK, left = d->n - at;
  if (task == 0) drop_some(d, 0, d->first);
  else drop_some(d, at, left < TASK ? left : TASK);
}


static void drop(float *x, const float *base, int64_t n, float p, Rng rng) {
  int64_t into = (int64_t)(rng.at % GROUP);
  int64_t first = into > 0 ? GROUP - into : 0;
  Drop d = { x, base, n, first < n ? first : n, { p, rng } };
  pool_run(1 + (n - d.first + TASK - 1) / TASK, drop_task, &d);
}


/* a new tensor like t, without what the stream drops */
static Tensor *dropped(Tensor *t, float p, Rng rng) {
  Tensor *out = tensor_copied(t);
  if (out != NULL) drop(tensor_f32(out), NULL, tensor_count(out), p, rng);
  return out;
}


enum { SEED, PURPOSE, AT };  /* the stream among the kept integers */

static bool dropout_back(Node *n, Tensor *dout) {
  const int64_t *k = n->kept.integer;
  Rng rng = { .seed = (uint64_t)k[SEED], .purpose = (uint32_t)k[PURPOSE],
              .at = (uint64_t)k[AT] };
  return node_give(n, 0, dropped(dout, n->kept.number[0], rng));
}


static Kept kept_stream(float p, Rng rng) {
  return (Kept){ .number = { p },
                 .integer = { [SEED] = (int64_t)rng.seed,
                              [PURPOSE] = rng.purpose,
                              [AT] = (int64_t)rng.at } };
}


Tensor *op_dropout(Tape *tape, Tensor *x, float p, Rng rng) {
  static const Op op = { .name = "dropout", .backward = dropout_back };
  Kept kept = kept_stream(p, rng);
  assert(0 <= p && p < 1);
  return tape_record(tape, dropped(x, p, rng), &op, 1, &x, &kept);
}


/* base + dropout(x - base): where m is 1 what is left is the base, elsewhere
   base + (x - base) / (1 - p) = (x - p base) / (1 - p) */
Tensor *op_mixout(Tape *tape, Tensor *x, Tensor *base, float p, Rng rng) {
  static const Op op = { .name = "mixout", .backward = dropout_back };
  Kept kept = kept_stream(p, rng);
  Tensor *rows = tensor_contiguous(base), *out = NULL;
  assert(0 <= p && p < 1 && shape_equal(&x->shape, &base->shape));
  if (rows != NULL && (out = tensor_copied(x)) != NULL)
    drop(tensor_f32(out), tensor_f32(rows), tensor_count(out), p, rng);
  tensor_release(rows);
  return tape_record(tape, out, &op, 1, &x, &kept);
}

/* }======== */


/* {======== first weights ======== */

/* two standard normal numbers of two uniform ones (Box & Muller 1958); the
   first lies in (0, 1], so that its logarithm is finite */
static void normal_pair(Rng *rng, double out[2]) {
  static const double two_pi = 6.283185307179586;
  double length = sqrt(-2 * log(1 - (double)rng_float(rng)));
  double angle = two_pi * (double)rng_float(rng);
  out[0] = length * cos(angle);
  out[1] = length * sin(angle);
}


Tensor *op_normal(const Shape *s, double mean, double std, Rng rng) {
  Tensor *t = tensor_new(FLOAT32, s);
  double z[2];
  for (int64_t i = 0; t != NULL && i < tensor_count(t); i++) {
    if (i % 2 == 0) normal_pair(&rng, z);
    tensor_f32(t)[i] = (float)(mean + std * z[i % 2]);
  }
  return t;
}


Tensor *op_uniform(const Shape *s, double low, double high, Rng rng) {
  Tensor *t = tensor_new(FLOAT32, s);
  for (int64_t i = 0; t != NULL && i < tensor_count(t); i++)
    tensor_f32(t)[i] = (float)(low + (high - low) * (double)rng_float(&rng));
  return t;
}

/* }======== */
