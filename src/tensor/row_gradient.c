/*
** Gradients in rows. See row_gradient.h.
*/
#include "row_gradient.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"


static int64_t width_of(const Tensor *t) {
  return t->shape.size[1];
}


void row_gradient_free(RowGradient *g) {
  if (g == NULL) return;
  free(g->row);
  mem_free(g->value);
  free(g->place);
  free(g);
}


/* {======== memory ======== */

static RowGradient *gradient_of(Tensor *t) {
  if (t->grad_rows == NULL) t->grad_rows = calloc(1, sizeof *t->grad_rows);
  return t->grad_rows;
}


static bool reserve_places(RowGradient *g, int64_t n) {
  if (n <= g->places) return true;
  int32_t *place = realloc(g->place, (size_t)n * sizeof *place);
  if (place == NULL) return false;
  g->place = place;
  g->places = n;
  return true;
}


/* an eighth more than is needed: batches differ a little */
static bool reserve_rows(RowGradient *g, int64_t n, int64_t width) {
  if (n <= g->room) return true;
  size_t room = (size_t)(n + n / 8), bytes = (size_t)width * sizeof(float);
  int32_t *row = realloc(g->row, room * sizeof *row);
  if (row == NULL) return false;
  g->row = row;
  float *value = mem_alloc(room * bytes);
  if (value == NULL) return false;
  if (g->count > 0) memcpy(value, g->value, (size_t)g->count * bytes);
  mem_free(g->value);
  g->value = value;
  g->room = (int64_t)room;
  return true;
}

/* }======== */


/* {======== places ======== */

static int rising(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return x < y ? -1 : x > y;
}


/* where row stands in g, or -1 */
static int32_t find(const RowGradient *g, int32_t row) {
  int64_t low = 0, high = g->count;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (g->row[middle] < row) low = middle + 1;
    else high = middle;
  }
  return low < g->count && g->row[low] == row ? (int32_t)low : -1;
}


/* fills place with the distinct rows of ids that g lacks, rising; how many */
static int64_t find_new(RowGradient *g, const int32_t *ids, int64_t n,
                        int64_t skip) {
  int64_t found = 0, kept = 0;
  for (int64_t i = 0; i < n; i++)
    if (ids[i] != skip && find(g, ids[i]) < 0) g->place[found++] = ids[i];
  if (found > 0) qsort(g->place, (size_t)found, sizeof *g->place, rising);
  for (int64_t i = 0; i < found; i++)
    if (kept == 0 || g->place[i] != g->place[kept - 1])
      g->place[kept++] = g->place[i];
  return kept;
}


/* puts n new rows, which rise, among those of g: from the last on, so that
   none is overwritten before it has moved */
static void merge(RowGradient *g, const int32_t *fresh, int64_t n,
                  int64_t width) {
  size_t bytes = (size_t)width * sizeof(float);
  int64_t old = g->count - 1, at = g->count + n - 1;
  g->count += n;
  for (int64_t i = n - 1; i >= 0; at--) {
    float *to = g->value + at * width;
    if (old >= 0 && g->row[old] > fresh[i]) {
      g->row[at] = g->row[old];
      memcpy(to, g->value + old-- * width, bytes);
    }
    else {
      g->row[at] = fresh[i--];
      memset(to, 0, bytes);
    }
  }
}


RowGradient *row_gradient_place(Tensor *t, const int32_t *ids, int64_t n,
                                int64_t skip) {
  assert(t->shape.ndim == 2 && t->grad == NULL);
  RowGradient *g = gradient_of(t);
  if (g == NULL || !reserve_places(g, n)) return NULL;
  int64_t fresh = find_new(g, ids, n, skip);
  if (!reserve_rows(g, g->count + fresh, width_of(t))) return NULL;
  merge(g, g->place, fresh, width_of(t));
  for (int64_t i = 0; i < n; i++) g->place[i] = find(g, ids[i]);
  return g;
}

/* }======== */


/* {======== dense ======== */

static void spread(float *dense, const RowGradient *g, int64_t width) {
  for (int64_t i = 0; i < g->count; i++)
    for (int64_t j = 0; j < width; j++)
      dense[g->row[i] * width + j] += g->value[i * width + j];
}


/* makes the memory hold the 0 that the gradient is */
static void settle(Tensor *t) {
  if (t->grad_stale)
    memset(tensor_f32(t->grad), 0,
           sizeof(float) * (size_t)tensor_count(t->grad));
  t->grad_stale = false;
}


Tensor *tensor_gradient(Tensor *t) {
  settle(t);
  if (t->grad == NULL) t->grad = tensor_zeros(FLOAT32, &t->shape);
  if (t->grad == NULL || t->grad_rows == NULL) return t->grad;
  spread(tensor_f32(t->grad), t->grad_rows, width_of(t));
  row_gradient_free(t->grad_rows);
  t->grad_rows = NULL;
  return t->grad;
}


Tensor *tensor_gradient_to_fill(Tensor *t, bool *add) {
  bool begins = t->grad == NULL && t->grad_rows == NULL;
  *add = !begins && !t->grad_stale;
  t->grad_stale = false;
  if (begins) t->grad = tensor_new(FLOAT32, &t->shape);
  return begins ? t->grad : tensor_gradient(t);
}


void tensor_gradient_clear(Tensor *t) {
  if (t->grad_rows != NULL) t->grad_rows->count = 0;
  if (t->grad == NULL) return;
  tensor_touch(t->grad);
  t->grad_stale = true;
  if (t->grad->storage->refs > 1) settle(t);
}


bool tensor_has_gradient(const Tensor *t) {
  return t->grad != NULL || t->grad_rows != NULL;
}

/* }======== */
