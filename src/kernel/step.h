/*
** What the kernels of AdamW's step are given (rows.h); optim/adamw.h has the
** formulas.
*/
#ifndef lunula_step_h
#define lunula_step_h

/* What a step multiplies with, made in double, used in float. */
typedef struct StepNumbers {
  float rate, decay, eps;
  float scale;           /* of the gradient: clipping */
  float m_keep, m_new;   /* b1, 1 - b1 */
  float v_keep, v_new;   /* b2, 1 - b2 */
  float m_fix, v_fix;    /* 1 / (1 - b1^t), 1 / sqrt(1 - b2^t) */
} StepNumbers;

#endif
