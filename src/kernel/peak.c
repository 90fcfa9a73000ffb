/*
** The peak of matrix products. See peak.h.
*/
#include "peak.h"

#include <stdint.h>

#include "../base/clock.h"
#include "../base/mem.h"
#include "gemm.h"
#include "int8.h"
#include "product.h"

/* a batch of 768 tokens through the wide layer of MiniLM */
enum { M = 768, N = 1536, K = 384, FLOATS = M * K + N * K + M * N };

typedef struct Operands {
  float *a, *b, *c;     /* [M, K], [N, K], [M, N] */
  Bf16 *rows;           /* a in bfloat16; NULL in float32 */
  uint32_t *panels;     /* b in bfloat16 */
  float *block;         /* what those in 8 bits lie in; NULL in others */
  Int8Matrix bytes;     /* a in 8 bits */
  Int8Weight weight;    /* b in 8 bits */
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


static void make_int8(const Operands *o) {
  int8_product(o->c, &o->bytes, &o->weight, NULL);
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


/* one block: the scales and zeros of rows, the scales and sums of channels,
   then rows on cache lines, then panels */
static bool quantise_operands(Operands *o, Error *e) {
  size_t rows = (size_t)(M * int8_step(K));
  size_t numbers = sizeof(float) * 2 * (M + N);
  o->block = mem_alloc(numbers + rows + (size_t)int8_panels_size(N, K));
  if (o->block == NULL) return error_no_memory(e);
  float *scales = o->block;           /* [M], [N] */
  int32_t *whole = (int32_t *)(scales + M + N);
  uint8_t *bytes = (uint8_t *)(whole + M + N);
  int8_t *panels = (int8_t *)(bytes + rows);
  o->bytes = (Int8Matrix){ bytes, scales, whole, M, K };
  o->weight = (Int8Weight){ panels, scales + M, whole + M, NULL, N, K };
  int8_quantise(&o->bytes, 0, M, o->a, K);
  int8_quantise_weight(panels, scales + M, whole + M, o->b, N, K);
  return true;
}


static void free_operands(Operands *o) {
  mem_free(o->block);
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


bool peak_int8(double seconds, double *gflops, Error *e) {
  Operands o = { .rows = NULL };
  if (!get_operands(&o, e)) return false;
  bool ok = quantise_operands(&o, e);
  if (ok) *gflops = fastest(make_int8, &o, seconds);
  free_operands(&o);
  return ok;
}
