/*
** Tensors. See tensor.h for what is promised.
*/
#include "tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/pool.h"
#include "row_gradient.h"
#include "tape.h"

static const struct { const char *name; size_t size; } DTYPE[] = {
  [FLOAT32] = { "float32", 4 },
  [INT32]   = { "int32",   4 },
  [INT64]   = { "int64",   8 },
};


size_t dtype_size(DType d) {
  return DTYPE[d].size;
}


const char *dtype_name(DType d) {
  return DTYPE[d].name;
}


/* {======== shape ======== */

Shape shape_of(int ndim, ...) {
  Shape s = { .ndim = ndim };
  va_list sizes;
  va_start(sizes, ndim);
  for (int i = 0; i < ndim; i++) s.size[i] = va_arg(sizes, int64_t);
  va_end(sizes);
  return s;
}


int64_t shape_count(const Shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->ndim; i++) n *= s->size[i];
  return n;
}


bool shape_equal(const Shape *a, const Shape *b) {
  return a->ndim == b->ndim &&
         memcmp(a->size, b->size, sizeof *a->size * (size_t)a->ndim) == 0;
}


/* the size of dimension i counted from a shape of ndim dimensions, as if
   ones stood in front */
static int64_t padded_size(const Shape *s, int ndim, int i) {
  int at = i - (ndim - s->ndim);
  return at < 0 ? 1 : s->size[at];
}


bool shape_broadcast(const Shape *a, const Shape *b, Shape *out) {
  out->ndim = a->ndim > b->ndim ? a->ndim : b->ndim;
  for (int i = 0; i < out->ndim; i++) {
    int64_t m = padded_size(a, out->ndim, i);
    int64_t n = padded_size(b, out->ndim, i);
    if (m != n && m != 1 && n != 1) return false;
    out->size[i] = m == 1 ? n : m;
  }
  return true;
}


bool shape_valid(const Shape *s) {
  int64_t n = 8;  /* the widest element */
  for (int i = 0; i < s->ndim; i++) {
    int64_t size = s->size[i] > 0 ? s->size[i] : 1;
    if (n > INT64_MAX / 4 / size) return false;
    n *= size;
  }
  return true;
}


Around shape_around(const Shape *s, int dim) {
  Around a = { 1, 1, 1 };
  for (int i = 0; i < s->ndim; i++) {
    int64_t *part = dim == ALL_DIMS || i == dim ? &a.size
                  : i < dim ? &a.outer : &a.inner;
    *part *= s->size[i];
  }
  if (a.size == 0 || a.inner == 0) a.outer = 0;
  return a;
}


Shape shape_reduced(const Shape *s, int dim) {
  Shape r = *s;
  for (int i = 0; i < r.ndim; i++)
    if (dim == ALL_DIMS || i == dim) r.size[i] = 1;
  return r;
}


char *shape_text(const Shape *s, char text[SHAPE_TEXT]) {
  size_t at = 0;
  for (int i = 0; i < s->ndim && at < SHAPE_TEXT; i++)
    at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%" PRId64,
                           i ? ", " : "[", s->size[i]);
  if (at < SHAPE_TEXT)
    snprintf(text + at, SHAPE_TEXT - at, "%s", s->ndim ? "]" : "[]");
  return text;
}

/* }======== */


/* {======== storage ======== */

static void release_memory(Storage *s) {
  mem_free(s->data);
}


Storage *storage_wrap(void *data, size_t bytes,
                      void (*release)(Storage *), void *owner) {
  Storage *s = malloc(sizeof *s);
  if (s == NULL) return NULL;
  *s = (Storage){ .refs = 1, .bytes = bytes, .data = data,
                  .release = release, .owner = owner };
  return s;
}


/* takes the data; NULL is passed on */
static Storage *storage_new(void *data, size_t bytes) {
  if (data == NULL) return NULL;
  Storage *s = storage_wrap(data, bytes, release_memory, NULL);
  if (s == NULL) mem_free(data);
  return s;
}


Storage *storage_retain(Storage *s) {
  __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
  return s;
}


void storage_release(Storage *s) {
  if (s == NULL || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  assert(s->pending == NULL);
  s->release(s);
  free(s);
}

/* }======== */


/* {======== making ======== */

static void set_rows(Tensor *t) {
  int64_t step = 1;
  for (int i = t->shape.ndim - 1; i >= 0; i--) {
    t->stride[i] = step;
    step *= t->shape.size[i];
  }
}


/* takes the storage, also when it fails; NULL is passed on */
static Tensor *over_storage(Storage *storage, DType d, const Shape *s,
                            int64_t start) {
  Tensor *t = storage ? calloc(1, sizeof *t) : NULL;
  if (t == NULL) {
    storage_release(storage);
    return NULL;
  }
  t->refs = 1;
  t->dtype = d;
  t->shape = *s;
  t->start = start;
  t->storage = storage;
  set_rows(t);
  return t;
}


Tensor *tensor_over(Storage *storage, DType d, const Shape *s,
                    int64_t start) {
  return over_storage(storage_retain(storage), d, s, start);
}


Tensor *tensor_new(DType d, const Shape *s) {
  if (!shape_valid(s)) return NULL;
  size_t bytes = (size_t)shape_count(s) * dtype_size(d);
  return over_storage(storage_new(mem_alloc(bytes), bytes), d, s, 0);
}


Tensor *tensor_zeros(DType d, const Shape *s) {
  if (!shape_valid(s)) return NULL;
  size_t bytes = (size_t)shape_count(s) * dtype_size(d);
  return over_storage(storage_new(mem_zeros(bytes), bytes), d, s, 0);
}


Tensor *tensor_like(const Tensor *t) {
  return tensor_new(t->dtype, &t->shape);
}


Tensor *tensor_retain(Tensor *t) {
  t->refs++;
  return t;
}


void tensor_release(Tensor *t) {
  if (t == NULL || --t->refs > 0) return;
  tensor_release(t->grad);
  row_gradient_free(t->grad_rows);
  node_release(t->node);
  storage_release(t->storage);
  free(t);
}

/* }======== */


/* {======== views ======== */

Tensor *tensor_alias(const Tensor *t) {
  Tensor *v = tensor_over(t->storage, t->dtype, &t->shape, t->start);
  if (v != NULL) memcpy(v->stride, t->stride, sizeof v->stride);
  return v;
}


Tensor *tensor_reshaped(const Tensor *t, const Shape *s) {
  assert(tensor_is_contiguous(t) && shape_count(s) == tensor_count(t));
  return tensor_over(t->storage, t->dtype, s, t->start);
}


Tensor *tensor_transposed(const Tensor *t, int a, int b) {
  assert(0 <= a && a < t->shape.ndim && 0 <= b && b < t->shape.ndim);
  Tensor *v = tensor_alias(t);
  if (v == NULL) return NULL;
  v->shape.size[a] = t->shape.size[b]; v->stride[a] = t->stride[b];
  v->shape.size[b] = t->shape.size[a]; v->stride[b] = t->stride[a];
  return v;
}


Tensor *tensor_narrowed(const Tensor *t, int dim, int64_t first,
                        int64_t count) {
  assert(0 <= first && 0 <= count && first + count <= t->shape.size[dim]);
  Tensor *v = tensor_alias(t);
  if (v == NULL) return NULL;
  v->shape.size[dim] = count;
  v->start += first * t->stride[dim];
  return v;
}


Tensor *tensor_expanded(const Tensor *t, const Shape *s) {
  Tensor *v = tensor_over(t->storage, t->dtype, s, t->start);
  if (v == NULL) return NULL;
  for (int i = 0; i < s->ndim; i++) {
    int at = i - (s->ndim - t->shape.ndim);
    bool repeats = at < 0 || t->shape.size[at] != s->size[i];
    assert(at < 0 || !repeats || t->shape.size[at] == 1);
    v->stride[i] = repeats ? 0 : t->stride[at];
  }
  return v;
}

/* }======== */


/* {======== asking and copying ======== */

int64_t tensor_count(const Tensor *t) {
  return shape_count(&t->shape);
}


bool tensor_is_contiguous(const Tensor *t) {
  int64_t step = 1;
  if (tensor_count(t) == 0) return true;
  for (int i = t->shape.ndim - 1; i >= 0; i--) {
    if (t->shape.size[i] != 1 && t->stride[i] != step) return false;
    step *= t->shape.size[i];
  }
  return true;
}


Tensor *tensor_copied(const Tensor *t) {
  Tensor *c = tensor_like(t);
  if (c != NULL) tensor_copy(c, t);
  return c;
}


Tensor *tensor_contiguous(Tensor *t) {
  if (tensor_is_contiguous(t))
    return t->node == NULL ? tensor_retain(t) : tensor_alias(t);
  return tensor_copied(t);
}


static void copy_run(char *const *at, const int64_t *stride, int64_t length,
                     void *ctx) {
  size_t size = *(const size_t *)ctx;
  if (stride[0] == 1 && stride[1] == 1) {
    memcpy(at[0], at[1], (size_t)length * size);
    return;
  }
  for (int64_t i = 0; i < length; i++)
    memcpy(at[0] + i * stride[0] * (int64_t)size,
           at[1] + i * stride[1] * (int64_t)size, size);
}


void tensor_copy(Tensor *to, const Tensor *from) {
  assert(to->dtype == from->dtype && shape_equal(&to->shape, &from->shape));
  size_t size = dtype_size(to->dtype);
  tensor_walk(2, (const Tensor *[]){ to, from }, copy_run, &size);
}


static void add_run(char *const *at, const int64_t *stride, int64_t length,
                    void *ctx) {
  float *to = (float *)at[0];
  const float *from = (const float *)at[1];
  (void)ctx;
  for (int64_t i = 0; i < length; i++)
    to[i * stride[0]] += from[i * stride[1]];
}


void tensor_add_to(Tensor *to, const Tensor *from) {
  assert(to->dtype == FLOAT32 && from->dtype == FLOAT32);
  assert(shape_equal(&to->shape, &from->shape));
  tensor_walk(2, (const Tensor *[]){ to, from }, add_run, NULL);
}


/* {======== lerp ======== */

enum { LERP_A_TASK = 1 << 14 };

typedef struct LerpJob {
  Tensor *to;
  const Tensor *from;
  float weight;
} LerpJob;


/* from the nearer end, so that weight 1 gives just what is there */
static float between(float a, float b, float weight) {
  return weight < 0.5f ? a + weight * (b - a) : b - (1 - weight) * (b - a);
}


static void lerp_run(char *const *at, const int64_t *stride, int64_t length,
                     void *ctx) {
  float *to = (float *)(void *)at[0], weight = *(const float *)ctx;
  const float *from = (const float *)(const void *)at[1];
  for (int64_t i = 0; i < length; i++)
    to[i * stride[0]] = between(to[i * stride[0]], from[i * stride[1]],
                                weight);
}


static void lerp_some(void *ctx, int64_t first, int64_t n) {
  const LerpJob *j = ctx;
  float *to = tensor_f32(j->to) + first, weight = j->weight;
  const float *from = tensor_f32(j->from) + first;
  for (int64_t i = 0; i < n; i++) to[i] = between(to[i], from[i], weight);
}


static void lerp_strided(void *ctx, int64_t task) {
  LerpJob *j = ctx;
  (void)task;
  tensor_walk(2, (const Tensor *[]){ j->to, j->from }, lerp_run, &j->weight);
}


void tensor_lerp(Tensor *to, const Tensor *from, float weight) {
  LerpJob j = { to, from, weight };
  assert(to->dtype == FLOAT32 && from->dtype == FLOAT32);
  assert(shape_equal(&to->shape, &from->shape));
  if (tensor_is_contiguous(to) && tensor_is_contiguous(from))
    pool_rows(tensor_count(to), LERP_A_TASK, lerp_some, &j);
  else
    pool_run(1, lerp_strided, &j);
}

/* }======== */


enum { COLUMNS = 64 };  /* summed side by side */

/* out [width] of the rows x [size, inner] */
static void sum_columns(float *out, const float *x, Around a, int64_t width) {
  double sum[COLUMNS] = { 0 };
  for (int64_t i = 0; i < a.size; i++)
    for (int64_t j = 0; j < width; j++) sum[j] += x[i * a.inner + j];
  for (int64_t j = 0; j < width; j++) out[j] = (float)sum[j];
}


Tensor *tensor_summed(Tensor *t, int dim) {
  Shape s = shape_reduced(&t->shape, dim);
  Around a = shape_around(&t->shape, dim);
  Tensor *rows = tensor_contiguous(t);
  Tensor *out = rows ? tensor_zeros(FLOAT32, &s) : NULL;
  for (int64_t o = 0; out != NULL && o < a.outer; o++)
    for (int64_t j = 0; j < a.inner; j += COLUMNS) {
      int64_t width = a.inner - j < COLUMNS ? a.inner - j : COLUMNS;
      sum_columns(tensor_f32(out) + o * a.inner + j,
                  tensor_f32(rows) + o * a.size * a.inner + j, a, width);
    }
  tensor_release(rows);
  return out;
}


void tensor_touch(Tensor *t) {
  __atomic_add_fetch(&t->storage->version, 1, __ATOMIC_RELAXED);
}


static char *first_element(const Tensor *t) {
  return (char *)t->storage->data + t->start * (int64_t)dtype_size(t->dtype);
}


float *tensor_f32(const Tensor *t) {
  assert(t->dtype == FLOAT32);
  return (float *)(void *)first_element(t);
}


int32_t *tensor_i32(const Tensor *t) {
  assert(t->dtype == INT32);
  return (int32_t *)(void *)first_element(t);
}


int64_t *tensor_i64(const Tensor *t) {
  assert(t->dtype == INT64);
  return (int64_t *)(void *)first_element(t);
}


/* moves `index` over all dimensions but the last, and the addresses with it;
   false at the end */
static bool next_run(int n, const Tensor *const *t, int64_t *index,
                     char **at) {
  const Shape *s = &t[0]->shape;
  for (int d = s->ndim - 2; d >= 0; d--) {
    bool more = ++index[d] < s->size[d];
    int64_t steps = more ? 1 : -(s->size[d] - 1);
    for (int k = 0; k < n; k++)
      at[k] += steps * t[k]->stride[d] * (int64_t)dtype_size(t[k]->dtype);
    if (more) return true;
    index[d] = 0;
  }
  return false;
}


/* rows that follow each other in every tensor are one long run */
static bool all_contiguous(int n, const Tensor *const *t) {
  for (int k = 0; k < n; k++)
    if (!tensor_is_contiguous(t[k])) return false;
  return true;
}


void tensor_walk(int n, const Tensor *const *t, TensorRun run, void *ctx) {
  assert(0 < n && n <= TENSOR_WALK);
  int64_t index[TENSOR_DIMS] = { 0 }, stride[TENSOR_WALK];
  char *at[TENSOR_WALK];
  int last = t[0]->shape.ndim - 1;
  bool flat = last < 0 || all_contiguous(n, t);
  if (tensor_count(t[0]) == 0) return;
  for (int k = 0; k < n; k++) {
    at[k] = first_element(t[k]);
    stride[k] = flat ? 1 : t[k]->stride[last];
  }
  if (flat) {
    run(at, stride, tensor_count(t[0]), ctx);
    return;
  }
  do run(at, stride, t[0]->shape.size[last], ctx);
  while (next_run(n, t, index, at));
}

/* }======== */


/* {======== writes that are put off ======== */

void tensor_settle(const Tensor *t) {
  Pending *p = t->storage->pending;
  if (p != NULL) p->settle(p, NULL, 0);
}


static bool same_rows(const Tensor *a, const Tensor *b) {
  return a->start == b->start && shape_equal(&a->shape, &b->shape) &&
         tensor_is_contiguous(a) && tensor_is_contiguous(b);
}


void tensor_settle_rows(const Tensor *t, const int32_t *rows, int64_t n) {
  Pending *p = t->storage->pending;
  if (p == NULL) return;
  if (same_rows(t, p->of)) p->settle(p, rows, n);
  else tensor_settle(t);
}


bool tensor_has_unsettled_rows(const Tensor *t) {
  const Pending *p = t->storage->pending;
  return p != NULL && same_rows(t, p->of);
}


void tensor_read_rows(const Tensor *t, int64_t first, int64_t n, void *out) {
  assert(tensor_has_unsettled_rows(t));
  t->storage->pending->read(t->storage->pending, first, n, out);
}


void tensor_owe(const Tensor *t, Pending *p) {
  if (t->storage->pending == p) return;
  tensor_settle(t);
  t->storage->pending = p;
}

/* }======== */
