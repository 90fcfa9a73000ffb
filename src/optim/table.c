/*
** AdamW for tables. See table.h.
*/
#include "table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/pool.h"
#include "../kernel/rows.h"

enum {
  PAST = 1024,       /* steps that can be owed */
  BLOCK_ROWS = 256,  /* whose moments are allocated together */
  TASK_ROWS = 8,
  WINDOW = 512       /* rows that are brought up to date by one job */
};

struct Table {
  Pending pending;   /* first: what settle gets is the table */
  Tensor *tensor;    /* [rows, width] */
  int64_t rows, width;
  double beta1, beta2;
  int64_t fading;    /* steps after which moments no longer move a row */
  int32_t *slot;     /* [rows] which moments are the row's; -1: none */
  int32_t *done;     /* [rows] steps of `past` that it has had */
  double *carried;   /* [rows] what it is owed of steps forgotten: decay */
  float **block;     /* [blocks] of [BLOCK_ROWS, 2, width]: m and v */
  int32_t slots, blocks;
  int32_t steps;     /* in `past` */
  StepNumbers past[PAST];
  double faded[PAST + 1];  /* sum of log(1 - rate decay) before each */
  bool overshot;     /* rate decay >= 1 in one of them: no logarithm */
};


static float *row_of(const Table *t, int64_t row) {
  return tensor_f32(t->tensor) + row * t->width;
}


/* m of a row, with v behind it; NULL: none yet */
static float *moments_of(const Table *t, int64_t row) {
  int32_t slot = t->slot[row];
  if (slot < 0) return NULL;
  return t->block[slot / BLOCK_ROWS] + slot % BLOCK_ROWS * 2 * t->width;
}


static bool any(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != 0) return true;
  return false;
}


/* The moments of a row that still push it, or NULL. Moments that are all 0
   are as good as none, so that it makes no difference to any bit whether a
   table was filled by steps or by table_take. */
static float *momentum_of(const Table *t, int64_t row) {
  float *m = moments_of(t, row);
  return m != NULL && any(m, 2 * t->width) ? m : NULL;
}


/* {======== making up for steps ======== */

/* Without gradients m fades by b1 a step and sqrt(v) by sqrt(b2), so what is
   left to move shrinks by their ratio: until it is half of a float's last bit.
   Never when v fades faster. */
static int64_t steps_to_fade(double beta1, double beta2) {
  const double HALF_A_BIT = 0x1p-24;
  double ratio = beta1 / sqrt(beta2);
  if (!(ratio < 1)) return INT64_MAX;
  return ratio > 0 ? (int64_t)ceil(log(HALF_A_BIT) / log(ratio)) : 0;
}


static void scale(float *x, int64_t n, double factor) {
  float f = (float)factor;
  for (int64_t i = 0; i < n; i++) x[i] *= f;
}


static void lose(float *p, int64_t n, float share) {
  if (share == 0) return;
  for (int64_t i = 0; i < n; i++) p[i] -= share * p[i];
}


/* what a row is owed */
typedef struct Owed {
  int64_t row;
  int32_t from;    /* steps of `past` from this one on, */
  double decay;    /* after this one, the logarithm of a factor */
} Owed;


static Owed owed_to(const Table *t, int64_t row) {
  return (Owed){ row, t->done[row], t->carried[row] };
}


/* the decay of p [width] in steps `from` .. steps - 1 at once; 1 - factor
   keeps the digits that the factor, near 1, would lose */
static void decay(const Table *t, float *p, Owed o) {
  if (!t->overshot) o.decay += t->faded[t->steps] - t->faded[o.from];
  if (o.decay != 0) lose(p, t->width, (float)-expm1(o.decay));
  for (int64_t k = o.from; t->overshot && k < t->steps; k++)
    lose(p, t->width, t->past[k].rate * t->past[k].decay);
}


static void pay(const Table *t, Owed o) {
  float *m = momentum_of(t, o.row), *v = m ? m + t->width : NULL;
  int64_t owed = t->steps - o.from, replayed = 0;
  if (m != NULL) {
    replayed = owed < t->fading ? owed : t->fading;
    row_kernels()->step_without_gradient(row_of(t, o.row), m, v, t->width,
                                         &t->past[o.from], replayed);
  }
  o.from += (int32_t)replayed;
  decay(t, row_of(t, o.row), o);
  if (m == NULL || replayed == owed) return;
  scale(m, t->width, pow(t->beta1, (double)(owed - replayed)));
  scale(v, t->width, pow(t->beta2, (double)(owed - replayed)));
}


/* what is owed, as if it were paid */
static Owed take_owed(Table *t, int64_t row) {
  Owed o = owed_to(t, row);
  t->done[row] = t->steps;
  t->carried[row] = 0;
  return o;
}


static void catch_up(Table *t, int64_t row) {
  pay(t, take_owed(t, row));
}


static void catch_up_some(void *ctx, int64_t first, int64_t n) {
  for (int64_t row = first; row < first + n; row++) catch_up(ctx, row);
}


/* A row without moments is only owed decay, which is kept as one number: it
   is not written, so that memory of a file stays the file's. */
static void carry_some(void *ctx, int64_t first, int64_t n) {
  Table *t = ctx;
  for (int64_t row = first; row < first + n; row++) {
    if (momentum_of(t, row) != NULL || t->overshot) catch_up(t, row);
    else t->carried[row] += t->faded[t->steps] - t->faded[t->done[row]];
  }
}


/* no step of the past is needed any more: each row has had it, or carries
   it */
static void forget_past(Table *t) {
  memset(t->done, 0, (size_t)t->rows * sizeof *t->done);
  t->steps = 0;
  t->overshot = false;
}


/* then nothing is owed */
static void settle_all(Table *t) {
  pool_rows(t->rows, TASK_ROWS, catch_up_some, t);
  forget_past(t);
  if (t->tensor->storage->pending == &t->pending)
    t->tensor->storage->pending = NULL;
}


typedef struct Window {
  const Table *table;
  int64_t count;
  Owed owed[WINDOW];
} Window;


static void window_task(void *ctx, int64_t i) {
  const Window *w = ctx;
  pay(w->table, w->owed[i]);
}


static void run_window(Window *w) {
  pool_run(w->count, window_task, w);
  w->count = 0;
}


/* a row that comes again is no longer behind */
static void settle_some(Table *t, const int32_t *rows, int64_t n) {
  Window w = { .table = t, .count = 0 };
  for (int64_t i = 0; i < n; i++) {
    Owed o = take_owed(t, rows[i]);
    if (o.from == t->steps && o.decay == 0) continue;
    w.owed[w.count++] = o;
    if (w.count == WINDOW) run_window(&w);
  }
  run_window(&w);
}


static void settle(Pending *p, const int32_t *rows, int64_t n) {
  Table *t = (Table *)p;
  if (rows != NULL) settle_some(t, rows, n);
  else settle_all(t);
}


typedef struct Reading {
  Table *table;
  int64_t first;
  float *out;  /* [rows asked for, width] */
} Reading;


/* a row with moments was written anyway; the others, most of a vocabulary,
   stay as they are */
static void read_some(void *ctx, int64_t first, int64_t n) {
  const Reading *r = ctx;
  Table *t = r->table;
  float *to = r->out + first * t->width;
  for (int64_t i = 0; i < n; i++, to += t->width) {
    int64_t row = r->first + first + i;
    bool written = momentum_of(t, row) != NULL;
    if (written) catch_up(t, row);
    memcpy(to, row_of(t, row), (size_t)t->width * sizeof *to);
    if (!written) decay(t, to, owed_to(t, row));
  }
}


static void read_rows(Pending *p, int64_t first, int64_t n, void *out) {
  Reading r = { (Table *)p, first, out };
  pool_rows(n, TASK_ROWS, read_some, &r);
}

/* }======== */


/* {======== making ======== */

Table *table_new(Tensor *tensor, double beta1, double beta2) {
  assert(tensor->shape.ndim == 2 && tensor_is_contiguous(tensor));
  Table *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->pending = (Pending){ .of = tensor, .settle = settle,
                            .read = read_rows };
  t->tensor = tensor_retain(tensor);
  t->rows = tensor->shape.size[0];
  t->width = tensor->shape.size[1];
  t->beta1 = beta1;
  t->beta2 = beta2;
  t->fading = steps_to_fade(beta1, beta2);
  t->slot = malloc(((size_t)t->rows + 1) * sizeof *t->slot);
  t->done = calloc((size_t)t->rows + 1, sizeof *t->done);
  t->carried = calloc((size_t)t->rows + 1, sizeof *t->carried);
  if (t->slot == NULL || t->done == NULL || t->carried == NULL) {
    table_free(t);
    return NULL;
  }
  for (int64_t i = 0; i < t->rows; i++) t->slot[i] = -1;
  return t;
}


void table_free(Table *t) {
  if (t == NULL) return;
  if (t->tensor->storage->pending == &t->pending) settle_all(t);
  for (int32_t i = 0; i < t->blocks; i++) mem_free(t->block[i]);
  free(t->block);
  free(t->slot);
  free(t->done);
  free(t->carried);
  tensor_release(t->tensor);
  free(t);
}


static size_t block_bytes(const Table *t) {
  return (size_t)BLOCK_ROWS * 2 * (size_t)t->width * sizeof(float);
}


static bool add_block(Table *t) {
  size_t n = (size_t)t->blocks + 1;
  float **block = realloc(t->block, n * sizeof *block);
  if (block == NULL) return false;
  t->block = block;
  if ((t->block[t->blocks] = mem_zeros(block_bytes(t))) == NULL) return false;
  t->blocks++;
  return true;
}


static bool reserve(Table *t, int64_t row) {
  if (t->slot[row] >= 0) return true;
  if (t->slots == t->blocks * BLOCK_ROWS && !add_block(t)) return false;
  t->slot[row] = t->slots++;
  return true;
}


bool table_reserve(Table *t, const int32_t *rows, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!reserve(t, rows ? rows[i] : i)) return false;
  return true;
}


size_t table_bytes(const Table *t) {
  return (size_t)t->blocks * block_bytes(t);
}

/* }======== */


/* {======== stepping ======== */

typedef struct Step {
  Table *table;
  const int32_t *rows;  /* [n] or NULL */
  const float *gradient;  /* [n, width] */
  int64_t n;
  const StepNumbers *now;
} Step;


static void step_row(const Step *s, int64_t i) {
  Table *t = s->table;
  int64_t row = s->rows ? s->rows[i] : i;
  float *m = moments_of(t, row);
  catch_up(t, row);
  row_kernels()->step(row_of(t, row), s->gradient + i * t->width, m,
                      m + t->width, t->width, s->now);
  t->done[row] = t->steps + 1;
}


static void step_task(void *ctx, int64_t i) {
  const Step *s = ctx;
  int64_t end = (i + 1) * TASK_ROWS;
  for (i *= TASK_ROWS; i < end && i < s->n; i++) step_row(s, i);
}


static void remember(Table *t, const StepNumbers *now) {
  double decay = (double)now->rate * (double)now->decay;
  if (decay >= 1) t->overshot = true;
  t->faded[t->steps + 1] = t->faded[t->steps] + log1p(-decay);
  t->past[t->steps++] = *now;
}


void table_step(Table *t, const int32_t *rows, const float *gradient,
                int64_t n, const StepNumbers *now) {
  Step s = { t, rows, gradient, n, now };
  if (t->steps == PAST) {
    pool_rows(t->rows, TASK_ROWS, carry_some, t);
    forget_past(t);
  }
  tensor_owe(t->tensor, &t->pending);
  pool_run((n + TASK_ROWS - 1) / TASK_ROWS, step_task, &s);
  remember(t, now);
}

/* }======== */


/* {======== moments ======== */

void table_moments(Table *t, Tensor *m, Tensor *v) {
  size_t bytes = (size_t)t->width * sizeof(float);
  settle_all(t);
  for (int64_t row = 0; row < t->rows; row++) {
    const float *from = moments_of(t, row);
    float *to_m = tensor_f32(m) + row * t->width;
    float *to_v = tensor_f32(v) + row * t->width;
    if (from == NULL) {
      memset(to_m, 0, bytes);
      memset(to_v, 0, bytes);
      continue;
    }
    memcpy(to_m, from, bytes);
    memcpy(to_v, from + t->width, bytes);
  }
}


bool table_take(Table *t, const Tensor *m, const Tensor *v) {
  size_t bytes = (size_t)t->width * sizeof(float);
  assert(t->slots == 0);
  for (int64_t row = 0; row < t->rows; row++) {
    const float *from_m = tensor_f32(m) + row * t->width;
    const float *from_v = tensor_f32(v) + row * t->width;
    if (!any(from_m, t->width) && !any(from_v, t->width)) continue;
    if (!reserve(t, row)) return false;
    memcpy(moments_of(t, row), from_m, bytes);
    memcpy(moments_of(t, row) + t->width, from_v, bytes);
  }
  return true;
}

/* }======== */
