/*
** The kernels of int8.h: rows quantised, and tiles of sums that stay in
** registers. One body (dots_impl.h) compiled for each instruction set; all of
** them give the same whole numbers. They run on the thread that calls, inside
** a pool's task (for the rounding).
*/
#ifndef lunula_dots_h
#define lunula_dots_h

#include <stdint.h>

#include "rows.h"

#pragma GCC visibility push(hidden)

/* c [rows, 64] from rows of activations and one panel */
typedef struct DotTile {
  float *c;
  int64_t c_step;         /* floats from one row to the next */
  const uint8_t *a;       /* [rows, units of 4 bytes] */
  int64_t a_step;         /* bytes */
  const float *a_scale;   /* [rows] */
  const int32_t *a_zero;  /* [rows] */
  const int8_t *panel;    /* [units][64][4] */
  const float *scale;     /* [64] */
  const int32_t *sums;    /* [64] */
  const float *bias;      /* [64] */
  int64_t rows, units;
} DotTile;

typedef struct DotKernels {
  /* x [n] to q from 0 to 255, filled up with 0 to whole units */
  void (*quantise)(uint8_t *q, float *scale, int32_t *zero, const float *x,
                   int64_t n);
  /* x [n] to q from -127 to 127, likewise; returns their sum */
  int32_t (*quantise_signed)(int8_t *q, float *scale, const float *x,
                             int64_t n);
  /* x = act(x); GELU, of both kinds, within 2^-12 */
  void (*activate)(Activation act, float *x, int64_t n);
  void (*product)(const DotTile *t);
} DotKernels;

/* those of the processor's level (base/cpu.h) */
const DotKernels *dot_kernels(void);

#pragma GCC visibility pop

#endif
