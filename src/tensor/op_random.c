/*
** Random numbers: dropout and first weights. What element i gets depends on
** the stream and on i alone.
*/
#include "op.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "../kernel/rows.h"

/* {======== dropout ======== */

enum { GROUP = 128 };  /* numbers that the kernel makes together */

/* x [n] in place. What is before the first whole group is dropped in a group
   of its own. */
static void drop(float *x, int64_t n, float p, Rng rng) {
  Dropout d = { p, rng };
  int64_t into = (int64_t)(rng.at % GROUP);
  uint64_t block = row_blocks(GROUP) * (rng.at / GROUP);
  if (into > 0) {
    float group[GROUP] = { 0 };
    int64_t some = n < GROUP - into ? n : GROUP - into;
    memcpy(group + into, x, (size_t)some * sizeof *x);
    row_kernels()->dropout(group, &d, block, GROUP);
    memcpy(x, group + into, (size_t)some * sizeof *x);
    x += some;
    n -= some;
    block += row_blocks(GROUP);
  }
  row_kernels()->dropout(x, &d, block, n);
}


/* a new tensor like t, without what the stream drops */
static Tensor *dropped(Tensor *t, float p, Rng rng) {
  Tensor *out = tensor_copied(t);
  if (out != NULL) drop(tensor_f32(out), tensor_count(out), p, rng);
  return out;
}


enum { SEED, PURPOSE, AT };  /* the stream among the kept integers */

static bool dropout_back(Node *n, Tensor *dout) {
  const int64_t *k = n->kept.integer;
  Rng rng = { .seed = (uint64_t)k[SEED], .purpose = (uint32_t)k[PURPOSE],
              .at = (uint64_t)k[AT] };
  return node_give(n, 0, dropped(dout, n->kept.number[0], rng));
}


Tensor *op_dropout(Tape *tape, Tensor *x, float p, Rng rng) {
  static const Op op = { .name = "dropout", .backward = dropout_back };
  Kept kept = { .number = { p },
                .integer = { [SEED] = (int64_t)rng.seed,
                             [PURPOSE] = rng.purpose,
                             [AT] = (int64_t)rng.at } };
  assert(0 <= p && p < 1);
  return tape_record(tape, dropped(x, p, rng), &op, 1, &x, &kept);
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
