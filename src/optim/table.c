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


/* the decay of steps `from` .. steps - 1 at once; 1 - factor keeps the digits
   that the factor, near 1, would lose */
static void decay_row(const Table *t, int64_t row, int64_t from) {
  float *p = row_of(t, row);
  if (!t->overshot) {
    lose(p, t->width, (float)-expm1(t->faded[t->steps] - t->faded[from]));
    return;
  }
  for (int64_t k = from; k < t->steps; k++)
    lose(p, t->width, t->past[k].rate * t->past[k].decay);
}


/* steps `from` .. steps - 1 of a row */
static void catch_up(const Table *t, int64_t row, int32_t from) {
  float *m = moments_of(t, row), *v = m ? m + t->width : NULL;
  int64_t owed = t->steps - from, replayed = 0;
  if (m != NULL) {
    replayed = owed < t->fading ? owed : t->fading;
    row_kernels()->step_without_gradient(row_of(t, row), m, v, t->width,
                                         &t->past[from], replayed);
  }
  if (replayed == owed) return;
  decay_row(t, row, from + replayed);
  if (m == NULL) return;
  scale(m, t->width, pow(t->beta1, (double)(owed - replayed)));
  scale(v, t->width, pow(t->beta2, (double)(owed - replayed)));
}


static void settle_task(void *ctx, int64_t i) {
  Table *t = ctx;
  int64_t first = i * TASK_ROWS, end = first + TASK_ROWS;
  for (int64_t row = first; row < end && row < t->rows; row++) {
    catch_up(t, row, t->done[row]);
    t->done[row] = 0;
  }
}


/* then nothing is owed, and the past can be forgotten */
static void settle_all(Table *t) {
  pool_run((t->rows + TASK_ROWS - 1) / TASK_ROWS, settle_task, t);
  t->steps = 0;
  t->overshot = false;
  if (t->tensor->storage->pending == &t->pending)
    t->tensor->storage->pending = NULL;
}


/* rows that are behind, and from which step on */
typedef struct Window {
  const Table *table;
  int64_t count;
  int32_t row[WINDOW], from[WINDOW];
} Window;


static void window_task(void *ctx, int64_t i) {
  const Window *w = ctx;
  catch_up(w->table, w->row[i], w->from[i]);
}


static void run_window(Window *w) {
  pool_run(w->count, window_task, w);
  w->count = 0;
}


/* a row that comes again is no longer behind */
static void settle_some(Table *t, const int32_t *rows, int64_t n) {
  Window w = { .table = t };
  for (int64_t i = 0; i < n; i++) {
    int32_t row = rows[i];
    if (t->done[row] == t->steps) continue;
    w.row[w.count] = row;
    w.from[w.count++] = t->done[row];
    t->done[row] = t->steps;
    if (w.count == WINDOW) run_window(&w);
  }
  run_window(&w);
}


static void settle(Pending *p, const int32_t *rows, int64_t n) {
  Table *t = (Table *)p;
  if (rows != NULL) settle_some(t, rows, n);
  else settle_all(t);
}

/* }======== */


/* {======== making ======== */

Table *table_new(Tensor *tensor, double beta1, double beta2) {
  assert(tensor->shape.ndim == 2 && tensor_is_contiguous(tensor));
  Table *t = calloc(1, sizeof *t);
  if (t == NULL) return NULL;
  t->pending = (Pending){ .of = tensor, .settle = settle };
  t->tensor = tensor_retain(tensor);
  t->rows = tensor->shape.size[0];
  t->width = tensor->shape.size[1];
  t->beta1 = beta1;
  t->beta2 = beta2;
  t->fading = steps_to_fade(beta1, beta2);
  t->slot = malloc(((size_t)t->rows + 1) * sizeof *t->slot);
  t->done = calloc((size_t)t->rows + 1, sizeof *t->done);
  if (t->slot == NULL || t->done == NULL) {
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
  float *gradient;      /* [n, width] */
  int64_t n;
  const StepNumbers *now;
} Step;


static void step_row(const Step *s, int64_t i) {
  Table *t = s->table;
  int64_t row = s->rows ? s->rows[i] : i;
  float *m = moments_of(t, row);
  catch_up(t, row, t->done[row]);
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


void table_step(Table *t, const int32_t *rows, float *gradient, int64_t n,
                const StepNumbers *now) {
  Step s = { t, rows, gradient, n, now };
  if (t->steps == PAST) settle_all(t);
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


static bool any(const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (x[i] != 0) return true;
  return false;
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
