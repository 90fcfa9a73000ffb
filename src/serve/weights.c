/*
** Linear layers for inference. See weights.h.
*/
#include "weights.h"

#include <stddef.h>

#include "../base/clock.h"
#include "../base/mem.h"
#include "../base/pool.h"
#include "../kernel/gemm.h"

enum { ROWS_A_TASK = 32 };


/* {======== activations ======== */

static size_t lines(size_t bytes) {
  return (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
}


static size_t rounded_size(int64_t rows, int64_t width) {
  return lines((size_t)(rows * bf16_step(width)) * sizeof(Bf16));
}


static size_t bytes_size(int64_t rows, int64_t width) {
  return lines((size_t)(rows * int8_step(width)));
}


size_t activations_size(Form f, int64_t rows, int64_t width) {
  switch (f) {
    case FORM_BF16: return rounded_size(rows, width);
    case FORM_INT8: return bytes_size(rows, width) +
                           2 * lines((size_t)rows * sizeof(float));
    default:        return 0;
  }
}


Activations activations_at(Form f, void *at, float *values, int64_t rows,
                           int64_t width) {
  Activations a = { .form = f, .values = values, .width = width };
  char *p = at;
  if (f == FORM_BF16) a.rounded = at;
  if (f == FORM_INT8) {
    char *scale = p + bytes_size(rows, width);
    char *zero = scale + lines((size_t)rows * sizeof(float));
    a.int8 = (Int8Matrix){ at, (float *)(void *)scale,
                           (int32_t *)(void *)zero, rows, width };
  }
  return a;
}


void activations_take(const Activations *a, Piece p, const float *x,
                      int64_t stride) {
  int64_t step = bf16_step(a->width);
  if (a->form == FORM_BF16)
    panel_kernels()->round_rows(a->rounded + p.row * step + p.column, step, x,
                                stride, p.rows, p.columns);
  if (a->form == FORM_INT8) int8_quantise(&a->int8, p.row, p.rows, x, stride);
}


static void take_some(void *ctx, int64_t first, int64_t n) {
  const Activations *a = ctx;
  activations_take(a, (Piece){ first, n, 0, a->width },
                   a->values + first * a->width, a->width);
}


void activations_take_all(const Activations *a, int64_t rows) {
  Activations all = *a;
  if (a->form == FORM_FP32) return;
  ClockPart before = clock_enter(CLOCK_GEMM);
  pool_rows(rows, ROWS_A_TASK, take_some, &all);
  clock_leave(before);
}

/* }======== */


/* {======== products ======== */

bool weights_divide(const Weights *w) {
  return w->out / w->parts % PANEL_COLUMNS == 0;
}


/* another thread may publish them at any time */
static const uint32_t *panels_of(const Weights *w) {
  return __atomic_load_n(&w->panels, __ATOMIC_ACQUIRE);
}


/* float32 rows as they lie, part by part */
static void product_parts(const Weights *w, Outputs o, float *y,
                          const float *x, int64_t rows) {
  int64_t each = w->out / w->parts, end = o.first + o.count;
  for (int64_t at = o.first; at < end; at += each)
    gemm(false, true, rows, each, w->in, 1, x, w->in, w->part[at / each],
         w->in, 0, y + (at - o.first), o.count);
}


static Int8Weight some_int8(const Int8Weight *w, Outputs o) {
  Int8Weight some = *w;
  some.panels += o.first / PANEL_COLUMNS * int8_panels_size(1, w->depth);
  some.scale += o.first;
  some.sums += o.first;
  if (some.bias != NULL) some.bias += o.first;
  some.columns = o.count;
  return some;
}


static void product_int8(const Weights *w, Outputs o, float *y,
                         const Activations *x, int64_t rows,
                         const Finish *f) {
  Int8Weight some = some_int8(&w->int8, o);
  Int8Matrix left = x->int8;
  left.rows = rows;
  int8_product(y, &left, &some, f);
}


void weights_product(const Weights *w, Outputs o, float *y,
                     const Activations *x, int64_t rows, const Finish *f) {
  const uint32_t *panels = panels_of(w);
  if (w->form == FORM_INT8) {
    product_int8(w, o, y, x, rows, f);
    return;
  }
  if (panels == NULL) {
    product_parts(w, o, y, x->values, rows);
    product_finish(rows, o.count, f);
    return;
  }
  Element e = w->form == FORM_BF16 ? ELEMENT_BF16 : ELEMENT_FP32;
  panels += o.first / PANEL_COLUMNS * panel_size(e, w->in);
  product_rows(e, y, false,
               e == ELEMENT_BF16 ? (const void *)x->rounded : x->values,
               panels, rows, o.count, w->in, f);
}


const float *weights_bias(const Weights *w, Outputs o) {
  return w->form == FORM_INT8 ? NULL : w->bias + o.first;
}

/* }======== */
