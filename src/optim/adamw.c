/*
** AdamW. See adamw.h for what is promised.
*/
#include "adamw.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/pool.h"
#include "../kernel/rows.h"
#include "../tensor/row_gradient.h"
#include "table.h"

enum { CHUNK = 1 << 16 };  /* elements of a task */

typedef struct Parameter {
  Tensor *tensor;
  double rate, decay;
  int64_t steps;
  Tensor *m, *v;         /* NULL until the first step, */
  Table *table;          /* or this, once the gradient was in rows */
  StepNumbers now;       /* of the step that runs */
} Parameter;

typedef struct Chunk {
  int parameter;
  int64_t first, count;
  bool waits;            /* for all before it: they share memory */
} Chunk;

struct Adamw {
  AdamwOptions options;
  double scale;          /* what clip found; 1 without */
  int count, room;
  Parameter *parameter;  /* [count] */
  int64_t chunks;
  Chunk *chunk;          /* [chunks], in the order of the parameters */
  double *partial;       /* [chunks] sums over a chunk */
};


/* {======== parameters ======== */

Adamw *adamw_new(const AdamwOptions *o) {
  assert(0 <= o->beta1 && o->beta1 < 1 && 0 <= o->beta2 && o->beta2 < 1);
  Adamw *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  a->options = *o;
  a->scale = 1;
  return a;
}


static void drop_moments(Parameter *p) {
  table_free(p->table);
  tensor_release(p->m);
  tensor_release(p->v);
  p->table = NULL;
  p->m = p->v = NULL;
}


void adamw_free(Adamw *a) {
  if (a == NULL) return;
  for (int i = 0; i < a->count; i++) {
    drop_moments(&a->parameter[i]);
    tensor_release(a->parameter[i].tensor);
  }
  free(a->parameter);
  free(a->chunk);
  free(a->partial);
  free(a);
}


static bool grow_parameters(Adamw *a) {
  if (a->count < a->room) return true;
  int room = a->room ? 2 * a->room : 64;
  Parameter *p = realloc(a->parameter, sizeof *p * (size_t)room);
  if (p == NULL) return false;
  a->parameter = p;
  a->room = room;
  return true;
}


static bool grow_chunks(Adamw *a, int64_t more) {
  size_t n = (size_t)(a->chunks + more);
  if (n == 0) return true;
  Chunk *chunk = realloc(a->chunk, n * sizeof *chunk);
  if (chunk == NULL) return false;
  a->chunk = chunk;
  double *partial = realloc(a->partial, n * sizeof *partial);
  if (partial == NULL) return false;
  a->partial = partial;
  return true;
}


static bool overlap(const Tensor *a, const Tensor *b) {
  return a->storage == b->storage && a->start < b->start + tensor_count(b) &&
         b->start < a->start + tensor_count(a);
}


static bool shares_memory(const Adamw *a, const Tensor *t) {
  for (int i = 0; i < a->count; i++)
    if (overlap(a->parameter[i].tensor, t)) return true;
  return false;
}


bool adamw_add(Adamw *a, Tensor *t, double rate, double decay, Error *e) {
  assert(t->dtype == FLOAT32 && t->node == NULL && tensor_is_contiguous(t));
  assert(!adamw_has(a, t));
  int64_t n = tensor_count(t);
  if (!grow_parameters(a) || !grow_chunks(a, (n + CHUNK - 1) / CHUNK))
    return error_no_memory(e);
  for (int64_t at = 0; at < n; at += CHUNK) {
    int64_t count = n - at < CHUNK ? n - at : CHUNK;
    bool waits = at == 0 && shares_memory(a, t);
    a->chunk[a->chunks++] = (Chunk){ a->count, at, count, waits };
  }
  a->parameter[a->count++] = (Parameter){
    .tensor = tensor_retain(t), .rate = rate, .decay = decay
  };
  return true;
}


int adamw_count(const Adamw *a) {
  return a->count;
}


Tensor *adamw_parameter(const Adamw *a, int i) {
  assert(0 <= i && i < a->count);
  return a->parameter[i].tensor;
}


bool adamw_has(const Adamw *a, const Tensor *t) {
  for (int i = 0; i < a->count; i++)
    if (a->parameter[i].tensor == t) return true;
  return false;
}

/* }======== */


/* What does not want a gradient any more stays as it is, whatever memory of
   one it still has: no moments move it. */
static bool learns(const Parameter *p) {
  return p->tensor->requires_grad && tensor_has_gradient(p->tensor);
}


/* {======== clipping ======== */

enum { LANES = 8 };  /* sums side by side, for the compiler to make a vector */

/* A float's square is exact in double, so fused or not, the bits are the
   same. */
static double sum_of_squares(const float *x, int64_t n) {
  double lane[LANES] = { 0 }, sum = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      lane[k] += (double)x[i + k] * (double)x[i + k];
  for (; i < n; i++) sum += (double)x[i] * (double)x[i];
  for (int k = 0; k < LANES; k++) sum += lane[k];
  return sum;
}


/* a parameter's gradient as it lies in memory: n numbers, all others are 0 */
static const float *gradient_of(const Parameter *p, int64_t *n) {
  const Tensor *t = p->tensor;
  const RowGradient *rows = t->grad_rows;
  if (!learns(p)) {
    *n = 0;
    return NULL;
  }
  *n = t->grad && !t->grad_stale ? tensor_count(t)
     : rows ? rows->count * t->shape.size[1] : 0;
  return t->grad ? tensor_f32(t->grad) : rows ? rows->value : NULL;
}


/* chunks cut a gradient in rows as they do a dense one, which is longer */
static void norm_task(void *ctx, int64_t i) {
  Adamw *a = (Adamw *)ctx;
  Chunk c = a->chunk[i];
  int64_t n;
  const float *g = gradient_of(&a->parameter[c.parameter], &n);
  n -= c.first;
  if (n > c.count) n = c.count;
  a->partial[i] = n > 0 ? sum_of_squares(g + c.first, n) : 0;
}


double adamw_clip(Adamw *a, double max_norm) {
  const double TINY = 1e-6;  /* as PyTorch: no division by 0 */
  double sum = 0;
  ClockPart before = clock_enter(CLOCK_OPTIMIZER);
  pool_run(a->chunks, norm_task, a);
  clock_leave(before);
  for (int64_t i = 0; i < a->chunks; i++) sum += a->partial[i];
  double norm = sqrt(sum);
  double scale = max_norm / (norm + TINY);
  a->scale = scale < 1 ? scale : 1;
  return norm;
}

/* }======== */


/* {======== moments ======== */

/* false: no memory, and *m and *v are NULL */
static bool make_pair(const Tensor *t, Tensor **m, Tensor **v, Error *e) {
  *m = tensor_zeros(FLOAT32, &t->shape);
  *v = tensor_zeros(FLOAT32, &t->shape);
  if (*m != NULL && *v != NULL) return true;
  tensor_release(*m);
  tensor_release(*v);
  *m = *v = NULL;
  return error_no_memory(e);
}


static bool make_dense(Parameter *p, Error *e) {
  return p->m != NULL || make_pair(p->tensor, &p->m, &p->v, e);
}


/* with the moments that the parameter has, if any; false: no memory, and they
   are as they were */
static bool make_table(const Adamw *a, Parameter *p, Error *e) {
  if (p->table != NULL) return true;
  Table *t = table_new(p->tensor, a->options.beta1, a->options.beta2);
  if (t == NULL || (p->m != NULL && !table_take(t, p->m, p->v))) {
    table_free(t);
    return error_no_memory(e);
  }
  drop_moments(p);
  p->table = t;
  return true;
}


/* room for what the next step brings */
static bool make_moments(const Adamw *a, Parameter *p, Error *e) {
  const Tensor *t = p->tensor;
  const RowGradient *rows = t->grad_rows;
  if (!learns(p)) return true;
  if (rows == NULL && p->table == NULL) return make_dense(p, e);
  if (!make_table(a, p, e)) return false;
  return (rows ? table_reserve(p->table, rows->row, rows->count)
               : table_reserve(p->table, NULL, t->shape.size[0]))
      || error_no_memory(e);
}

/* }======== */


/* {======== stepping ======== */

static StepNumbers step_numbers(const Adamw *a, const Parameter *p,
                                double learning_rate) {
  const AdamwOptions *o = &a->options;
  double t = (double)p->steps;
  return (StepNumbers){
    .rate = (float)(learning_rate * p->rate), .decay = (float)p->decay,
    .eps = (float)o->eps, .scale = (float)a->scale,
    .m_keep = (float)o->beta1, .m_new = (float)(1 - o->beta1),
    .v_keep = (float)o->beta2, .v_new = (float)(1 - o->beta2),
    .m_fix = (float)(1 / (1 - pow(o->beta1, t))),
    .v_fix = (float)(1 / sqrt(1 - pow(o->beta2, t)))
  };
}


/* the chunks from one that waits to the next */
typedef struct Wave {
  Adamw *optimizer;
  int64_t first;
} Wave;


static void step_task(void *ctx, int64_t i) {
  const Wave *w = (const Wave *)ctx;
  Adamw *a = w->optimizer;
  Chunk c = a->chunk[w->first + i];
  Parameter *p = &a->parameter[c.parameter];
  Tensor *t = p->tensor;
  if (!learns(p) || p->table != NULL) return;
  row_kernels()->step(
    tensor_f32(t) + c.first, tensor_f32(t->grad) + c.first,
    tensor_f32(p->m) + c.first, tensor_f32(p->v) + c.first, c.count, &p->now);
}


static void step_dense(Adamw *a) {
  Wave w = { a, 0 };
  for (int64_t i = 1; i <= a->chunks; i++) {
    if (i < a->chunks && !a->chunk[i].waits) continue;
    pool_run(i - w.first, step_task, &w);
    w.first = i;
  }
}


/* the gradient is in rows, or is one of all rows */
static void step_table(Parameter *p) {
  const RowGradient *g = p->tensor->grad_rows;
  if (g != NULL)
    table_step(p->table, g->row, g->value, g->count, &p->now);
  else
    table_step(p->table, NULL, tensor_f32(p->tensor->grad),
               p->tensor->shape.size[0], &p->now);
}


static void begin_step(const Adamw *a, Parameter *p, double learning_rate) {
  p->steps++;
  p->now = step_numbers(a, p, learning_rate);
  tensor_touch(p->tensor);
  if (p->tensor->grad != NULL) tensor_gradient(p->tensor);
  if (p->table == NULL) tensor_settle(p->tensor);
}


bool adamw_step(Adamw *a, double learning_rate, Error *e) {
  for (int i = 0; i < a->count; i++)
    if (!make_moments(a, &a->parameter[i], e)) return false;
  ClockPart before = clock_enter(CLOCK_OPTIMIZER);
  for (int i = 0; i < a->count; i++)
    if (learns(&a->parameter[i]))
      begin_step(a, &a->parameter[i], learning_rate);
  step_dense(a);
  for (int i = 0; i < a->count; i++) {
    Parameter *p = &a->parameter[i];
    if (p->table != NULL && learns(p)) step_table(p);
  }
  adamw_zero_grad(a);
  clock_leave(before);
  return true;
}


void adamw_zero_grad(Adamw *a) {
  for (int i = 0; i < a->count; i++)
    tensor_gradient_clear(a->parameter[i].tensor);
  a->scale = 1;
}

/* }======== */


/* {======== state ======== */

bool adamw_state(const Adamw *a, int parameter, AdamwState *s, Error *e) {
  assert(0 <= parameter && parameter < a->count);
  const Parameter *p = &a->parameter[parameter];
  *s = (AdamwState){ .steps = p->steps };
  if (p->table != NULL) {
    if (!make_pair(p->tensor, &s->m, &s->v, e)) return false;
    table_moments(p->table, s->m, s->v);
  }
  else if (p->m != NULL) {
    s->m = tensor_retain(p->m);
    s->v = tensor_retain(p->v);
  }
  return true;
}


/* what adamw_state gave may come back: then nothing is to be copied */
static void copy_moment(Tensor *to, const Tensor *from) {
  if (tensor_f32(to) != tensor_f32(from)) tensor_copy(to, from);
}


bool adamw_set_state(Adamw *a, int parameter, const AdamwState *s,
                     Error *e) {
  assert(0 <= parameter && parameter < a->count && s->steps > 0);
  Parameter *p = &a->parameter[parameter];
  if (!make_dense(p, e)) return false;
  table_free(p->table);
  p->table = NULL;
  copy_moment(p->m, s->m);
  copy_moment(p->v, s->v);
  p->steps = s->steps;
  return true;
}


static size_t parameter_bytes(const Parameter *p) {
  if (p->table != NULL) return table_bytes(p->table);
  return p->m ? 2 * p->m->storage->bytes : 0;
}


size_t adamw_bytes(const Adamw *a) {
  size_t bytes = 0;
  for (int i = 0; i < a->count; i++)
    bytes += parameter_bytes(&a->parameter[i]);
  return bytes;
}

/* }======== */
