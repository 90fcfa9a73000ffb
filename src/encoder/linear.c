/*
** Linear layers. See linear.h.
*/
#include "linear.h"

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


/* our kernels, in this precision, rather than OpenBLAS? */
static bool is_ours(const Linear *l, Precision p) {
  return p == PRECISION_BF16 || product_has_fp32(outputs(l), inputs(l));
}


static Element element_of(Precision p) {
  return p == PRECISION_BF16 ? ELEMENT_BF16 : ELEMENT_FP32;
}


/* {======== packing ======== */

static bool have_panels(uint32_t **panels, Element e, int64_t columns,
                        int64_t depth) {
  size_t units = (size_t)panels_size(e, columns, depth);
  if (*panels == NULL) *panels = mem_alloc(sizeof **panels * units);
  return *panels != NULL;
}


/* float32 needs no panels to go back: the weight lies as it is read */
bool linear_pack(Linear *l, Precision precision, bool back) {
  LinearPanels *p = &l->panels[precision];
  Element e = element_of(precision);
  int64_t out = outputs(l), in = inputs(l);
  const float *w = tensor_f32(l->weight);
  bool stale = l->weight->storage->version != p->version;
  if (!is_ours(l, precision)) return true;
  back = precision == PRECISION_BF16 && (back || p->back != NULL);
  bool pack_forward = p->forward == NULL || stale;
  bool pack_back = back && (p->back == NULL || stale);
  if (!have_panels(&p->forward, e, out, in) ||
      (back && !have_panels(&p->back, e, in, out)))
    return false;
  if (pack_forward) product_pack_rows(e, p->forward, w, out, in);
  if (pack_back) product_pack_columns(p->back, w, in, in, out);
  p->version = l->weight->storage->version;
  return true;
}


void linear_unpack(Linear *l) {
  for (int p = PRECISION_FP32; p <= PRECISION_BF16; p++) {
    mem_free(l->panels[p].forward);
    mem_free(l->panels[p].back);
    l->panels[p] = (LinearPanels){ .forward = NULL };
  }
}

/* }======== */


void linear_product(const Linear *l, const Arithmetic *a, float *y,
                    const float *x, int64_t rows) {
  int64_t out = outputs(l), in = inputs(l);
  const uint32_t *panels = l->panels[a->precision].forward;
  const void *operand = x;
  if (!is_ours(l, a->precision)) {
    gemm(false, true, rows, out, in, 1, x, in, tensor_f32(l->weight), in, 0,
         y, out);
    return;
  }
  if (a->precision == PRECISION_BF16) {
    product_round(a->rows, x, rows, in);
    operand = a->rows;
  }
  product_rows(element_of(a->precision), y, false, operand, panels, rows,
               out, in);
}


/* {======== backward ======== */

/* dw [out, in] += dy' x, with x in a->right when it is rounded */
static void weight_back(const Linear *l, const Arithmetic *a, float *dw,
                        const float *dy, int64_t stride, const float *x,
                        int64_t rows) {
  int64_t out = outputs(l), in = inputs(l);
  if (a->precision == PRECISION_BF16) {
    product_pack_columns(a->left, dy, stride, out, rows);
    product_columns(dw, a->left, a->right, out, in, rows);
  }
  else if (is_ours(l, a->precision))
    product_columns_plain(dw, dy, stride, x, out, in, rows);
  else
    gemm(true, false, out, in, rows, 1, dy, stride, x, in, 1, dw, in);
}


static bool any_weight_wanted(const Linear *l, int count) {
  for (int i = 0; i < count; i++)
    if (l[i].weight->requires_grad) return true;
  return false;
}


bool linear_back(const Linear *l, int count, const Arithmetic *a,
                 const float *dy, const float *x, int64_t rows) {
  int64_t out = outputs(l), stride = count * out;
  if (a->precision == PRECISION_BF16 && any_weight_wanted(l, count))
    product_pack_columns(a->right, x, inputs(l), inputs(l), rows);
  for (int i = 0; i < count; i++, dy += out) {
    if (l[i].weight->requires_grad) {
      float *dw = gradient_of(l[i].weight);  /* [out, in] */
      if (dw == NULL) return false;
      weight_back(&l[i], a, dw, dy, stride, x, rows);
    }
    if (l[i].bias->requires_grad) {
      float *db = gradient_of(l[i].bias);    /* [out] */
      if (db == NULL) return false;
      gradient_columns(db, dy, NULL, rows, stride, out);
    }
  }
  return true;
}


void linear_back_input(const Linear *l, const Arithmetic *a, float *dx,
                       bool add, const float *dy, int64_t rows) {
  int64_t out = outputs(l), in = inputs(l);
  const float *w = tensor_f32(l->weight);
  if (a->precision == PRECISION_BF16) {
    product_round(a->rows, dy, rows, out);
    product_rows(ELEMENT_BF16, dx, add, a->rows,
                 l->panels[PRECISION_BF16].back, rows, in, out);
  }
  else if (is_ours(l, a->precision))
    product_plain(dx, add, dy, w, rows, in, out);
  else
    gemm(false, false, rows, in, out, 1, dy, out, w, in, add, dx, in);
}

/* }======== */
