/*
** Linear layers. See linear.h.
*/
#include "linear.h"

#include <assert.h>
#include <stddef.h>

#include "../base/mem.h"
#include "../kernel/gemm.h"
#include "gradient.h"

static int64_t outputs(const Linear *l) {
  return l->weight->shape.size[0];
}


static int64_t inputs(const Linear *l) {
  return l->weight->shape.size[1];
}


bool linear_is_ours(Precision p, int64_t out, int64_t in) {
  return p == PRECISION_BF16 || product_has_fp32(out, in);
}


static bool is_ours(const Linear *l, Precision p) {
  return linear_is_ours(p, outputs(l), inputs(l));
}


Element linear_element(Precision p) {
  return p == PRECISION_BF16 ? ELEMENT_BF16 : ELEMENT_FP32;
}


/* {======== packing ======== */

/* float32 needs no panels to go back: the weight lies as it is read */
int64_t linear_units(Precision p, int64_t out, int64_t in) {
  int64_t forward = panels_size(linear_element(p), out, in);
  int64_t back = panels_size(linear_element(p), in, out);
  return p == PRECISION_BF16 && back > forward ? back : forward;
}


static bool is_kept(const Linear *l, Precision p) {
  return l->panels[p].forward != NULL &&
         l->panels[p].version == l->weight->storage->version;
}


static void pack_forward(const Linear *l, Precision p, uint32_t *panels) {
  product_pack_rows(linear_element(p), panels, tensor_f32(l->weight),
                    outputs(l), inputs(l));
}


bool linear_pack(Linear *l, Precision precision) {
  LinearPanels *p = &l->panels[precision];
  if (!is_ours(l, precision) || is_kept(l, precision)) return true;
  size_t units = (size_t)panels_size(linear_element(precision), outputs(l),
                                     inputs(l));
  if (p->forward == NULL)
    p->forward = mem_alloc(sizeof *p->forward * units);
  if (p->forward == NULL) return false;
  pack_forward(l, precision, p->forward);
  p->version = l->weight->storage->version;
  return true;
}


void linear_unpack(Linear *l) {
  for (int p = PRECISION_FP32; p <= PRECISION_BF16; p++) {
    mem_free(l->panels[p].forward);
    l->panels[p] = (LinearPanels){ .forward = NULL };
  }
}


/* the panels that are kept, or new ones */
static const uint32_t *forward_panels(const Linear *l, const Arithmetic *a) {
  if (is_kept(l, a->precision)) return l->panels[a->precision].forward;
  assert(a->weight != NULL);
  pack_forward(l, a->precision, a->weight);
  return a->weight;
}

/* }======== */


void linear_product(const Linear *l, const Arithmetic *a, float *y, bool add,
                    const Matrix *x, const Finish *f) {
  int64_t out = outputs(l), in = inputs(l);
  if (is_ours(l, a->precision)) {
    const void *left = x->rounded ? (const void *)x->rounded : x->values;
    product_rows(linear_element(a->precision), y, add, left,
                 forward_panels(l, a), x->rows, out, in, f);
    return;
  }
  gemm(false, true, x->rows, out, in, 1, x->values, in,
       tensor_f32(l->weight), in, add, y, out);
  product_finish(x->rows, out, f);
}


/* {======== backward ======== */

/* dw [out, in] (+)= dy' x; false: no memory */
static bool weight_back(const Linear *l, const Arithmetic *a,
                        const Matrix *dy, const Matrix *x) {
  int64_t out = outputs(l), in = inputs(l);
  bool add;
  float *dw = gradient_to_fill(l->weight, &add);
  if (dw == NULL) return false;
  if (is_ours(l, a->precision))
    product_columns(dy->element, dw, add, dy->panels, x->panels, out, in,
                    x->rows);
  else
    gemm(true, false, out, in, x->rows, 1, dy->values, dy->stride,
         x->values, in, add, dw, in);
  return true;
}


bool linear_back(const Linear *l, const Arithmetic *a, const Matrix *dy,
                 const Matrix *x) {
  if (l->weight->requires_grad && !weight_back(l, a, dy, x)) return false;
  if (l->bias->requires_grad) {
    float *db = gradient_of(l->bias);    /* [out] */
    if (db == NULL) return false;
    gradient_columns(db, dy->values, NULL, dy->rows, dy->stride, dy->width);
  }
  return true;
}


void linear_back_input(const Linear *l, const Arithmetic *a, float *dx,
                       bool add, const Matrix *dy, const Finish *f) {
  int64_t out = outputs(l), in = inputs(l);
  const float *w = tensor_f32(l->weight);
  if (a->precision == PRECISION_BF16) {
    product_pack_columns(a->weight, w, in, out);
    product_rows(ELEMENT_BF16, dx, add, dy->rounded, a->weight, dy->rows, in,
                 out, f);
  }
  else if (is_ours(l, a->precision))
    product_plain(dx, add, dy->values, w, dy->rows, in, out, f);
  else {
    gemm(false, false, dy->rows, in, out, 1, dy->values, out, w, in, add, dx,
         in);
    product_finish(dy->rows, in, f);
  }
}

/* }======== */
