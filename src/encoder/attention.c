/*
** Self-attention. See attention.h.
**
** A pair of a sequence and a head is one piece of work with its own outputs.
** The pool runs a fixed number of lanes; each has its scratch and takes the
** next pair until there are none.
*/
#include "attention.h"

#include <math.h>
#include <stddef.h>

#include "../base/clock.h"
#include "../base/pool.h"
#include "../kernel/blas.h"

enum { LANES = 64, QUERY_ROWS = 64 };

typedef struct AttentionJob {
  const Attention *a;
  const float *dcontext;  /* [tokens, hidden]; NULL in the forward */
  float *out;             /* context, or dqkv */
  int64_t next, pairs;
} AttentionJob;

/* one head of one sequence */
typedef struct Pair {
  const Attention *a;
  int64_t first, length;     /* tokens */
  int64_t head, width;       /* width: columns of a head */
  int64_t stride;            /* between rows of q, k and v */
  const float *q, *k, *v;    /* [length, width] */
  float scale;
} Pair;


/* two blocks of scores for each lane */
static int64_t lane_scratch(int64_t longest) {
  return 2 * QUERY_ROWS * longest;
}


int64_t attention_scratch(int64_t longest) {
  return LANES * lane_scratch(longest);
}


static Pair pair_of(const Attention *a, int64_t i) {
  int64_t s = i / a->heads, head = i % a->heads;
  int64_t width = a->hidden / a->heads, first = a->offsets[s];
  const float *q = a->qkv + first * 3 * a->hidden + head * width;
  return (Pair){ a, first, a->offsets[s + 1] - first, head, width,
                 3 * a->hidden, q, q + a->hidden, q + 2 * a->hidden,
                 1 / sqrtf((float)width) };
}


static float *lse_of(const Pair *p, int64_t row) {
  return p->a->lse + (p->first + row) * p->a->heads + p->head;
}


/* Dropout of a block of probabilities, s [n, length] from row `first` on. A
   pair has a part of the stream of its own; a block begins a group of its
   numbers. */
static void drop_block(const Pair *p, float *s, int64_t first, int64_t n) {
  uint64_t number = (uint64_t)(p->first * p->a->heads + p->head);
  uint64_t block = number << 32 |
    row_blocks(QUERY_ROWS * p->length) * (uint64_t)(first / QUERY_ROWS);
  if (p->a->dropout.p > 0)
    row_kernels()->dropout(s, &p->a->dropout, block, n * p->length);
}


/* s = rows first .. first + n - 1 of Q K'; s [n, length] */
static void raw_scores(const Pair *p, float *s, int64_t first, int64_t n) {
  blas_sgemm(false, true, n, p->length, p->width, 1,
             p->q + first * p->stride, p->stride, p->k, p->stride, 0, s,
             p->length);
}


static int64_t block_rows(const Pair *p, int64_t first) {
  int64_t left = p->length - first;
  return left < QUERY_ROWS ? left : QUERY_ROWS;
}


/* {======== forward ======== */

static void forward_block(const Pair *p, float *context, int64_t first,
                          float *s) {
  int64_t n = block_rows(p, first), hidden = p->a->hidden;
  raw_scores(p, s, first, n);
  for (int64_t r = 0; r < n; r++)
    *lse_of(p, first + r) = row_kernels()->softmax(s + r * p->length,
                                                   p->scale, p->length);
  drop_block(p, s, first, n);
  blas_sgemm(false, false, n, p->width, p->length, 1, s, p->length, p->v,
             p->stride, 0,
             context + (p->first + first) * hidden + p->head * p->width,
             hidden);
}

/* }======== */


/* {======== backward ======== */

/* in: s raw scores, dp = dcontext V'. out: s the dropped probabilities, dp
   the gradient of the raw scores; s, dp [n, length] */
static void scores_back(const Pair *p, float *s, float *dp, int64_t first,
                        int64_t n) {
  const RowKernels *k = row_kernels();
  drop_block(p, dp, first, n);
  for (int64_t r = 0; r < n; r++) {
    float *row = s + r * p->length;
    k->softmax_again(row, p->scale, *lse_of(p, first + r), p->length);
    k->softmax_back(dp + r * p->length, row, p->scale, p->length);
  }
  drop_block(p, s, first, n);
}


/* dq is written; dk and dv gather over the blocks */
static void back_block(const Pair *p, const float *dcontext, float *dqkv,
                       int64_t first, float *scratch) {
  int64_t n = block_rows(p, first), hidden = p->a->hidden;
  int64_t length = p->length, width = p->width, stride = p->stride;
  float *s = scratch, *dp = s + QUERY_ROWS * p->a->longest;
  float *dk = dqkv + p->first * stride + hidden + p->head * width;
  float *dv = dk + hidden;
  float *dq = dk - hidden + first * stride;
  const float *dc = dcontext + (p->first + first) * hidden + p->head * width;
  float beta = first > 0;
  raw_scores(p, s, first, n);
  blas_sgemm(false, true, n, length, width, 1, dc, hidden, p->v, stride, 0,
             dp, length);
  scores_back(p, s, dp, first, n);
  blas_sgemm(true, false, length, width, n, 1, s, length, dc, hidden, beta,
             dv, stride);
  blas_sgemm(false, false, n, width, length, 1, dp, length, p->k, stride, 0,
             dq, stride);
  blas_sgemm(true, false, length, width, n, 1, dp, length,
             p->q + first * stride, stride, beta, dk, stride);
}

/* }======== */


static void run_pair(const AttentionJob *j, int64_t i, float *scratch) {
  Pair p = pair_of(j->a, i);
  for (int64_t first = 0; first < p.length; first += QUERY_ROWS) {
    if (j->dcontext == NULL) forward_block(&p, j->out, first, scratch);
    else back_block(&p, j->dcontext, j->out, first, scratch);
  }
}


static void run_lane(void *ctx, int64_t lane) {
  AttentionJob *j = ctx;
  float *scratch = j->a->scratch + lane * lane_scratch(j->a->longest);
  int64_t i;
  while ((i = __atomic_fetch_add(&j->next, 1, __ATOMIC_RELAXED)) < j->pairs)
    run_pair(j, i, scratch);
}


static void run_job(AttentionJob *j) {
  j->pairs = j->a->sequences * j->a->heads;
  ClockPart before = clock_enter(CLOCK_ATTENTION);
  pool_run(j->pairs < LANES ? j->pairs : LANES, run_lane, j);
  clock_leave(before);
}


void attention_forward(const Attention *a, float *context) {
  AttentionJob j = { .a = a, .out = context };
  run_job(&j);
}


void attention_back(const Attention *a, const float *dcontext, float *dqkv) {
  AttentionJob j = { .a = a, .dcontext = dcontext, .out = dqkv };
  run_job(&j);
}
