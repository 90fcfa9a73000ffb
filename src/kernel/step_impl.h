/*
** AdamW's step over elements that lie in a row: a part of rows_impl.h, with
** its names. optim/adamw.h has the formulas. With a gradient of 0 both
** functions round alike.
*/

KERNEL void FN(step)(float *p, const float *g, float *m, float *v, int64_t n,
                     const StepNumbers *s) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    int64_t left = n - i;
    V gi = FN(get)(g + i, left, 0) * s->scale, pi = FN(get)(p + i, left, 0);
    V mi = s->m_keep * FN(get)(m + i, left, 0) + s->m_new * gi;
    V vi = s->v_keep * FN(get)(v + i, left, 0) + s->v_new * (gi * gi);
    V u = mi * s->m_fix / ((V)SQRT(vi) * s->v_fix + s->eps);
    FN(put)(m + i, mi, left);
    FN(put)(v + i, vi, left);
    FN(put)(p + i, pi - s->rate * (u + s->decay * pi), left);
  }
}


KERNEL void FN(step_without_gradient)(float *p, float *m, float *v,
                                      int64_t n, const StepNumbers *s,
                                      int64_t steps) {
  if (steps == 0) return;
  float decay = s->decay, eps = s->eps;
  float m_keep = s->m_keep, v_keep = s->v_keep;
  for (int64_t i = 0; i < n; i += WIDTH) {
    int64_t left = n - i;
    V pi = FN(get)(p + i, left, 0), mi = FN(get)(m + i, left, 0);
    V vi = FN(get)(v + i, left, 0);
    for (int64_t k = 0; k < steps; k++) {
      mi = m_keep * mi;
      vi = v_keep * vi;
      V u = mi * s[k].m_fix / ((V)SQRT(vi) * s[k].v_fix + eps);
      pi = pi - s[k].rate * (u + decay * pi);
    }
    FN(put)(p + i, pi, left);
    FN(put)(m + i, mi, left);
    FN(put)(v + i, vi, left);
  }
}
