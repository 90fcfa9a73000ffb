/*
** The most that matrix products reach here, to measure a
** training or answers by.
*/
#ifndef lunula_peak_h
#define lunula_peak_h

#include "../base/status.h"

#pragma GCC visibility push(hidden)

/* GFLOP/s of the fastest of the products made in so many seconds, at least
   one: of a size as in a training step, on the pool's threads. A multiply and
   an add of 8-bit numbers count as two as well. false: no memory */
bool peak_fp32(double seconds, double *gflops, Error *e);
bool peak_bf16(double seconds, double *gflops, Error *e);
bool peak_int8(double seconds, double *gflops, Error *e);

#pragma GCC visibility pop

#endif
