/*
** Steps over elements of a parameter, included once per instruction set. What
** is left after the last whole vector is not done: the number of elements that
** are is returned. The includer defines
**
**   STEP, STEPS    names of the functions: one step with a gradient, several
**                  without
**   TARGET         their attribute
**   VEC, WIDTH     a vector of floats and how many it holds
**   LOAD, STORE, SET1, SQRT  on such vectors
**
** and these are undefined again at the end. See adamw.h for the formulas. With
** a gradient of 0 both functions round alike.
*/

TARGET
static int64_t STEP(float *restrict p, float *restrict g, float *restrict m,
                    float *restrict v, int64_t n, const StepNumbers *s) {
  const VEC scale = SET1(s->scale), rate = SET1(s->rate);
  const VEC decay = SET1(s->decay), eps = SET1(s->eps);
  const VEC m_keep = SET1(s->m_keep), m_new = SET1(s->m_new);
  const VEC v_keep = SET1(s->v_keep), v_new = SET1(s->v_new);
  const VEC m_fix = SET1(s->m_fix), v_fix = SET1(s->v_fix);
  const VEC zero = SET1(0.0f);
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    VEC gi = LOAD(g + i) * scale, pi = LOAD(p + i);
    VEC mi = m_keep * LOAD(m + i) + m_new * gi;
    VEC vi = v_keep * LOAD(v + i) + v_new * (gi * gi);
    VEC u = mi * m_fix / (SQRT(vi) * v_fix + eps);
    STORE(m + i, mi);
    STORE(v + i, vi);
    STORE(p + i, pi - rate * (u + decay * pi));
    STORE(g + i, zero);
  }
  return i;
}


TARGET
static int64_t STEPS(float *restrict p, float *restrict m,
                     float *restrict v, int64_t n, const StepNumbers *s,
                     int64_t steps) {
  const VEC decay = SET1(s->decay), eps = SET1(s->eps);
  const VEC m_keep = SET1(s->m_keep), v_keep = SET1(s->v_keep);
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    VEC pi = LOAD(p + i), mi = LOAD(m + i), vi = LOAD(v + i);
    for (int64_t k = 0; k < steps; k++) {
      mi = m_keep * mi;
      vi = v_keep * vi;
      VEC u = mi * SET1(s[k].m_fix) / (SQRT(vi) * SET1(s[k].v_fix) + eps);
      pi = pi - SET1(s[k].rate) * (u + decay * pi);
    }
    STORE(p + i, pi);
    STORE(m + i, mi);
    STORE(v + i, vi);
  }
  return i;
}

#undef STEP
#undef STEPS
#undef TARGET
#undef VEC
#undef WIDTH
#undef LOAD
#undef STORE
#undef SET1
#undef SQRT
