/*
** The arithmetic of AdamW's step, over elements that lie in a row. adamw.h has
** the formulas.
*/
#ifndef lunula_step_h
#define lunula_step_h

#include <stdint.h>

#pragma GCC visibility push(hidden)

/* What a step multiplies with, made in double, used in float. */
typedef struct StepNumbers {
  float rate, decay, eps;
  float scale;           /* of the gradient: clipping */
  float m_keep, m_new;   /* b1, 1 - b1 */
  float v_keep, v_new;   /* b2, 1 - b2 */
  float m_fix, v_fix;    /* 1 / (1 - b1^t), 1 / sqrt(1 - b2^t) */
} StepNumbers;

/* one step of p, m, v [n]; then the gradient g [n] is 0 */
void step_elements(float *p, float *g, float *m, float *v, int64_t n,
                   const StepNumbers *s);
/* s [steps], one after the other, with gradients of 0: the same bits as
   step_elements gives. Only rate, m_fix and v_fix differ between them. */
void step_without_gradient(float *p, float *m, float *v, int64_t n,
                           const StepNumbers *s, int64_t steps);

#pragma GCC visibility pop

#endif
