/*
** Self-attention. See attention.h.
**
** A pair of a sequence and a head is one piece of work with its own outputs.
** The pool runs as many lanes as it has threads; each has its scratch and
** takes the next pair until there are none.
*/
#include "attention.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/pool.h"
#include "../kernel/heads.h"

typedef struct AttentionJob {
  const Attention *a;
  const float *dcontext;  /* [tokens, hidden]; NULL in the forward */
  float *out;             /* context, or dqkv */
  int64_t next, pairs;
} AttentionJob;

/* of a lane; keys are those of the longest sequence, and [.., width] of what
   is packed is rounded up to HEAD_LANES */
typedef struct HeadScratch {
  float *queries;   /* [width, HEAD_BLOCK] */
  float *scores;    /* [keys, HEAD_BLOCK] */
  float *packed;    /* [keys, width]: V, or K in the backward */
  /* backward only */
  float *dcontext;  /* [width, HEAD_BLOCK] */
  float *dscores, *dropped;              /* [keys, HEAD_BLOCK] */
  float *query_rows, *dcontext_rows;     /* [HEAD_BLOCK, width] */
} HeadScratch;

enum { DIRECT_ROWS = 32 };  /* read where they are, not packed */

/* one head of one sequence */
typedef struct Pair {
  const Attention *a;
  const HeadKernels *kernels;
  HeadScratch scratch;
  int64_t first, length;     /* tokens, */
  int64_t queries;           /* and those of them that ask */
  int64_t row;               /* of the context, of the first that asks */
  int64_t head, width;       /* width: columns of a head */
  int64_t stride;            /* between rows of q, k and v */
  const float *q, *k, *v;    /* [length, width] */
  float scale;
} Pair;

/* rows that a product reads by vectors */
typedef struct Operand {
  const float *at;
  int64_t step;
} Operand;


/* {======== scratch ======== */

static float *take(float *at, int64_t *n, int64_t rows, int64_t columns) {
  float *taken = at == NULL ? NULL : at + *n;
  *n += rows * columns;
  return taken;
}


static int64_t place_scratch(HeadScratch *s, float *at, int64_t longest,
                             int64_t width, bool back) {
  int64_t n = 0, padded = head_lanes(width);
  s->queries = take(at, &n, width, HEAD_BLOCK);
  s->scores = take(at, &n, longest, HEAD_BLOCK);
  s->packed = take(at, &n, longest, padded);
  if (!back) return n;
  s->dcontext = take(at, &n, width, HEAD_BLOCK);
  s->dscores = take(at, &n, longest, HEAD_BLOCK);
  s->dropped = take(at, &n, longest, HEAD_BLOCK);
  s->query_rows = take(at, &n, HEAD_BLOCK, padded);
  s->dcontext_rows = take(at, &n, HEAD_BLOCK, padded);
  return n;
}


int64_t attention_lanes(int64_t sequences, int64_t heads) {
  int64_t threads = pool_threads();
  return sequences * heads < threads ? sequences * heads : threads;
}


int64_t attention_scratch(int64_t lanes, int64_t longest, int64_t width,
                          bool back) {
  HeadScratch s;
  return lanes * place_scratch(&s, NULL, longest, width, back);
}

/* }======== */


static Pair pair_of(const Attention *a, int64_t i) {
  int64_t s = i / a->heads, head = i % a->heads;
  int64_t width = a->hidden / a->heads, first = a->offsets[s];
  int64_t length = a->offsets[s + 1] - first;
  bool all = a->first == NULL;
  int64_t stride = (all ? 3 : 2) * a->hidden;
  const float *row = a->qkv + first * stride + head * width;
  const float *k = all ? row + a->hidden : row;
  return (Pair){ .a = a, .kernels = head_kernels(), .first = first,
                 .length = length, .queries = all ? length : 1,
                 .row = all ? first : s, .head = head, .width = width,
                 .stride = stride, .k = k, .v = k + a->hidden,
                 .q = all ? row : a->first + s * a->hidden + head * width,
                 .scale = 1 / sqrtf((float)width) };
}


static float *lse_of(const Pair *p, int64_t row) {
  return p->a->lse + (p->first + row) * p->a->heads + p->head;
}


static int64_t block_rows(const Pair *p, int64_t first) {
  int64_t left = p->queries - first;
  return left < HEAD_BLOCK ? left : HEAD_BLOCK;
}


/* A block of queries: n rows from `first` on, the keys that any of them sees,
   and the lanes that the rows take. */
typedef struct Queries {
  int64_t first, n, keys, lanes;
} Queries;


static Queries queries_from(const Pair *p, int64_t first) {
  int64_t n = block_rows(p, first);
  return (Queries){ first, n, p->a->causal ? first + n : p->length,
                    head_lanes(n) };
}


/* Sets what lies behind each query, where it must not look; s [keys, lanes] */
static void set_behind(const Pair *p, float *s, Queries q, float x) {
  if (!p->a->causal) return;
  for (int64_t k = q.first + 1; k < q.keys; k++)
    for (int64_t r = 0; r < k - q.first; r++) s[k * q.lanes + r] = x;
}


/* Dropout of probabilities, s [keys, lanes]. A pair has a part of the stream
   of its own, a block a part of that. */
static void drop_block(const Pair *p, float *s, Queries q) {
  uint64_t number = (uint64_t)(p->first * p->a->heads + p->head);
  uint64_t block = number << 32 | row_blocks(HEAD_BLOCK * p->length) *
                                  (uint64_t)(q.first / HEAD_BLOCK);
  row_kernels()->dropout(s, &p->a->dropout, block, q.keys * q.lanes);
}


/* Packed are widths that end within a vector, and rows enough to be worth it:
   far apart, few of them fit the cache. */
static Operand packed(const Pair *p, float *into, const float *x,
                      int64_t stride, int64_t rows) {
  if (p->width % HEAD_LANES == 0 && rows <= DIRECT_ROWS)
    return (Operand){ x, stride };
  p->kernels->pack(into, x, stride, rows, p->width);
  return (Operand){ into, head_lanes(p->width) };
}


/* out [keys, lanes] = rows B', B transposed, [width, lanes] */
static void block_scores(const Pair *p, float *out, const float *rows,
                         const float *transposed, Queries q) {
  p->kernels->product(out, q.lanes, false, (Rows){ rows, p->stride, 1 },
                      transposed, q.lanes, q.keys, q.lanes, p->width);
}


/* s = K Q', scaled, for the queries of a block; s [keys, lanes] */
static void raw_scores(const Pair *p, Queries q) {
  const HeadScratch *s = &p->scratch;
  p->kernels->transpose(s->queries, p->q + q.first * p->stride, p->stride,
                        p->scale, q.n, p->width);
  block_scores(p, s->scores, p->k, s->queries, q);
}


/* {======== forward ======== */

/* softmax gives -infinity a little, too little to be seen in a sum: it becomes
   0, so that no token has any part of a later one */
static void forward_block(const Pair *p, Operand v, float *context,
                          int64_t first) {
  Queries q = queries_from(p, first);
  int64_t hidden = p->a->hidden;
  float lse[HEAD_BLOCK], *s = p->scratch.scores;
  raw_scores(p, q);
  set_behind(p, s, q, -INFINITY);
  p->kernels->softmax(s, lse, q.keys, q.lanes);
  set_behind(p, s, q, 0);
  for (int64_t r = 0; r < q.n && p->a->lse != NULL; r++)
    *lse_of(p, first + r) = lse[r];
  if (p->a->dropout.p > 0) drop_block(p, s, q);
  p->kernels->product(context + first * hidden, hidden, false,
                      (Rows){ s, 1, q.lanes }, v.at, v.step, q.n, p->width,
                      q.keys);
}


static void forward_pair(const Pair *p, float *context) {
  Operand v = packed(p, p->scratch.packed, p->v, p->stride, p->length);
  context += p->row * p->a->hidden + p->head * p->width;
  for (int64_t first = 0; first < p->queries; first += HEAD_BLOCK)
    forward_block(p, v, context, first);
}

/* }======== */


/* {======== backward ======== */

/* in: raw scores, dscores = V dcontext'. out: dscores, the gradient of the
   raw scores. Returns the dropped probabilities, [keys, lanes]. */
static const float *scores_back(const Pair *p, Queries q) {
  const HeadScratch *s = &p->scratch;
  float lse[HEAD_BLOCK] = { 0 }, *dropped = s->scores;
  for (int64_t r = 0; r < q.n; r++) lse[r] = *lse_of(p, q.first + r);
  p->kernels->softmax_again(s->scores, lse, q.keys, q.lanes);
  set_behind(p, s->scores, q, 0);
  if (p->a->dropout.p > 0) {
    dropped = s->dropped;
    memcpy(dropped, s->scores,
           (size_t)(q.keys * q.lanes) * sizeof *dropped);
    drop_block(p, dropped, q);
  }
  p->kernels->softmax_back(s->dscores, s->scores, dropped, p->scale, q.keys,
                           q.lanes);
  return dropped;
}


/* d (+)= s b, the sum over the block; s [keys, lanes], b [n, width] */
static void add_block(const Pair *p, float *d, bool add, const float *s,
                      Operand b, Queries q) {
  p->kernels->product(d, p->stride, add, (Rows){ s, q.lanes, 1 }, b.at,
                      b.step, q.keys, p->width, q.n);
}


/* dq is written; dk and dv gather over the blocks, of which the one without
   `add` is first and has all keys; dc, dq [length, width] of this head */
static void back_block(const Pair *p, Operand k, const float *dc, float *dq,
                       int64_t first, bool add) {
  const HeadScratch *s = &p->scratch;
  Queries q = queries_from(p, first);
  int64_t hidden = p->a->hidden;
  raw_scores(p, q);
  dc += first * hidden;
  p->kernels->transpose(s->dcontext, dc, hidden, 1, q.n, p->width);
  block_scores(p, s->dscores, p->v, s->dcontext, q);
  const float *dropped = scores_back(p, q);
  p->kernels->product(dq + first * p->stride, p->stride, false,
                      (Rows){ s->dscores, 1, q.lanes }, k.at, k.step, q.n,
                      p->width, q.keys);
  Operand rows = packed(p, s->query_rows, p->q + first * p->stride, p->stride,
                        q.n);
  add_block(p, dq + hidden, add, s->dscores, rows, q);
  rows = packed(p, s->dcontext_rows, dc, hidden, q.n);
  add_block(p, dq + 2 * hidden, add, dropped, rows, q);
}


/* causal, the last block alone has all keys */
static void back_pair(const Pair *p, const float *dcontext, float *dqkv) {
  Operand k = packed(p, p->scratch.packed, p->k, p->stride, p->length);
  int64_t last = (p->length - 1) / HEAD_BLOCK;
  dcontext += p->first * p->a->hidden + p->head * p->width;
  dqkv += p->first * p->stride + p->head * p->width;
  for (int64_t i = 0; i <= last; i++)
    back_block(p, k, dcontext, dqkv,
               (p->a->causal ? last - i : i) * HEAD_BLOCK, i > 0);
}

/* }======== */


static void run_pair(const AttentionJob *j, int64_t i, HeadScratch s) {
  Pair p = pair_of(j->a, i);
  p.scratch = s;
  if (j->dcontext == NULL) forward_pair(&p, j->out);
  else back_pair(&p, j->dcontext, j->out);
}


static void run_lane(void *ctx, int64_t lane) {
  AttentionJob *j = ctx;
  const Attention *a = j->a;
  int64_t width = a->hidden / a->heads;
  bool back = j->dcontext != NULL;
  float *at = a->scratch + attention_scratch(lane, a->longest, width, back);
  HeadScratch s = { 0 };
  place_scratch(&s, at, a->longest, width, back);
  int64_t i;
  while ((i = __atomic_fetch_add(&j->next, 1, __ATOMIC_RELAXED)) < j->pairs)
    run_pair(j, i, s);
}


static void run_job(AttentionJob *j) {
  j->pairs = j->a->sequences * j->a->heads;
  ClockPart before = clock_enter(CLOCK_ATTENTION);
  pool_run(j->a->lanes, run_lane, j);
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
