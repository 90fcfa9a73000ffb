/*
** Products of tiles that stay in registers, in float32 and bfloat16.
**
** Both read their operands in units of four bytes: a float, or a pair of
** bfloat16 that follow each other in the depth. The left operand is read by
** rows, a unit at a time. The right one is read by panels of 64 columns, a
** unit of each; it is packed that way, [columns / 64][units][64], or lies so
** already. Packed panels are filled up with zeros.
**
** bfloat16: a sum runs over the depth in ascending pairs, the odd element of
** a pair first, with fused multiply-adds and denormals taken as zero, as
** AVX512-BF16 does it: every instruction set gives the same bits. These
** functions run on the thread that calls, inside a pool's task (for the
** denormals).
*/
#ifndef lunula_panels_h
#define lunula_panels_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bf16.h"

#pragma GCC visibility push(hidden)

enum { PANEL_COLUMNS = 64 };

typedef enum Element {
  ELEMENT_FP32,
  ELEMENT_BF16
} Element;

/* units that a depth takes */
static inline int64_t panel_units(Element e, int64_t depth) {
  return e == ELEMENT_BF16 ? (depth + 1) / 2 : depth;
}

static inline int64_t panel_count(int64_t columns) {
  return (columns + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
}

/* units of one packed panel, and of all */
static inline int64_t panel_size(Element e, int64_t depth) {
  return panel_units(e, depth) * PANEL_COLUMNS;
}

static inline int64_t panels_size(Element e, int64_t columns,
                                  int64_t depth) {
  return panel_count(columns) * panel_size(e, depth);
}

/* An operand: unit u of row (or column) i lies at
   at[i * step + u * unit_step]; step is 1 in a panel. */
typedef struct Operand {
  const uint32_t *at;
  int64_t step, unit_step;
} Operand;

typedef struct PanelKernels {
  /* a panel of a matrix whose element (column, d) is x[column * stride + d]:
     rows of a weight. Columns beyond PANEL_COLUMNS are not read */
  void (*pack_rows[2])(uint32_t *panel, const float *x, int64_t stride,
                       int64_t columns, int64_t depth);
  /* all panels, `size` units apart, where it is x[d * stride + column] */
  void (*pack_columns[2])(uint32_t *panels, int64_t size, const float *x,
                          int64_t stride, int64_t columns, int64_t depth);
  /* rows of n floats to rows of bf16, `step` apart, filled up to an even n */
  void (*round_rows)(Bf16 *out, int64_t step, const float *x, int64_t stride,
                     int64_t rows, int64_t n);
  /* c (+)= a b over one panel of b: c [rows, columns <= 64], rows ldc apart */
  void (*product[2])(float *c, int64_t ldc, bool add, const Operand *a,
                     const Operand *b, int64_t rows, int64_t columns,
                     int64_t units);
} PanelKernels;

/* those of the processor's level (base/cpu.h) */
const PanelKernels *panel_kernels(void);

#pragma GCC visibility pop

#endif
