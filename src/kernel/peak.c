/*
** The peak of matrix products. See peak.h.
*/
#include "peak.h"

#include <stdint.h>

#include "../base/clock.h"
#include "../base/mem.h"
#include "gemm.h"
#include "product.h"

/* a batch of 768 tokens through the wide layer of MiniLM */
enum { M = 768, N = 1536, K = 384, FLOATS = M * K + N * K + M * N };

typedef struct Operands {
  float *a, *b, *c;     /* [M, K], [N, K], [M, N] */
  Bf16 *rows;           /* a in bfloat16; NULL in float32 */
  uint32_t *panels;     /* b in bfloat16 */
} Operands;

typedef void (*MakeProduct)(const Operands *o);  /* c = a b' */


static void make_fp32(const Operands *o) {
  gemm(false, true, M, N, K, 1, o->a, K, o->b, K, 0, o->c, N);
}


static void make_plain(const Operands *o) {  /* b is taken as [K, N] */
  product_plain(o->c, false, o->a, o->b, M, N, K, NULL);
}


static void make_bf16(const Operands *o) {
  product_rows(ELEMENT_BF16, o->c, false, o->rows, o->panels, M, N, K, NULL);
}


static bool get_operands(Operands *o, Error *e) {
  o->a = mem_alloc(FLOATS * sizeof(float));
  if (o->a == NULL) return error_no_memory(e);
  o->b = o->a + M * K;
  o->c = o->b + N * K;
  for (float *x = o->a; x < o->c; x++) *x = 0.5f;
  return true;
}


static bool round_operands(Operands *o, Error *e) {
  int64_t panels = panels_size(ELEMENT_BF16, N, K);
  o->rows = mem_alloc(sizeof *o->rows * (size_t)(M * bf16_step(K)));
  o->panels = mem_alloc(sizeof *o->panels * (size_t)panels);
  if (o->rows == NULL || o->panels == NULL) return error_no_memory(e);
  panel_kernels()->round_rows(o->rows, bf16_step(K), o->a, K, M, K);
  product_pack_rows(ELEMENT_BF16, o->panels, o->b, N, K);
  return true;
}


static void free_operands(Operands *o) {
  mem_free(o->panels);
  mem_free(o->rows);
  mem_free(o->a);
}


static double time_product(MakeProduct make, const Operands *o) {
  int64_t start = clock_now();
  make(o);
  return (double)(clock_now() - start) * 1e-9;
}


/* GFLOP/s of the fastest call */
static double fastest(MakeProduct make, const Operands *o, double seconds) {
  int64_t end = clock_now() + (int64_t)(seconds * 1e9);
  double best = time_product(make, o);
  while (clock_now() < end) {
    double took = time_product(make, o);
    if (took < best) best = took;
  }
  return 2e-9 * M * N * K / best;
}


/* OpenBLAS or our own kernel, where there is one: each its part of the time */
bool peak_fp32(double seconds, double *gflops, Error *e) {
  Operands o = { .rows = NULL };
  bool both = product_has_fp32(N, K);
  if (!get_operands(&o, e)) return false;
  if (both) seconds /= 2;
  *gflops = fastest(make_fp32, &o, seconds);
  if (both) {
    double ours = fastest(make_plain, &o, seconds);
    if (ours > *gflops) *gflops = ours;
  }
  free_operands(&o);
  return true;
}


bool peak_bf16(double seconds, double *gflops, Error *e) {
  Operands o = { .rows = NULL };
  if (!get_operands(&o, e)) return false;
  bool ok = round_operands(&o, e);
  if (ok) *gflops = fastest(make_bf16, &o, seconds);
  free_operands(&o);
  return ok;
}
