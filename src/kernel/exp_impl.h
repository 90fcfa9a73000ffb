/*
** Vectors and the functions of vectors that templates share, included by a
** template's body with LEVEL, WIDTH, TARGET and its names FN, V, VI and
** INLINE.
*/

typedef float   V  __attribute__((vector_size(4 * WIDTH)));
typedef int32_t VI __attribute__((vector_size(4 * WIDTH)));


/* memcpy of a whole vector compiles to one unaligned load */
INLINE V FN(load)(const float *p) {
  V v;
  memcpy(&v, p, sizeof v);
  return v;
}


INLINE void FN(store)(float *p, V v) {
  memcpy(p, &v, sizeof v);
}


INLINE V FN(splat)(float x) {
  return x - (V){ 0 };
}


INLINE V FN(choose)(VI mask, V yes, V no) {
  return (V)((mask & (VI)yes) | (~mask & (VI)no));
}


/* exp(x + low), low small and x in -87.3 .. 88.3, by the range reduction and
   polynomial of Cephes' expf (Moshier) */
INLINE V FN(exp_sum)(V x, V low) {
  const float magic = 0x1.8p23f;  /* adding it rounds to an integer */
  V n = (x * 1.44269504f + magic) - magic;
  V r = x - n * 0.693359375f + n * 2.12194440e-4f + low;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  VI power = (__builtin_convertvector(n, VI) + 127) << 23;
  return p * (V)power;
}


/* below -87.3 the result stays at the smallest normal number */
INLINE V FN(exp)(V x) {
  x = FN(choose)(x < -87.33654f, FN(splat)(-87.33654f), x);
  x = FN(choose)(x > 88.37626f, FN(splat)(88.37626f), x);
  return FN(exp_sum)(x, -(V){ 0 });  /* x + -0 is x: left out */
}


/* the natural logarithm of a normal number, by Cephes' logf: x = m 2^e with
   m from sqrt(1/2) to sqrt(2) */
INLINE V FN(log)(V x) {
  VI e = ((VI)x - 0x3F3504F3) >> 23;
  V z = (V)((VI)x - (e << 23)) - 1.0f, n = __builtin_convertvector(e, V);
  V p = z * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * z + 1.1676998740e-1f;
  p = p * z - 1.2420140846e-1f;
  p = p * z + 1.4249322787e-1f;
  p = p * z - 1.6668057665e-1f;
  p = p * z + 2.0000714765e-1f;
  p = p * z - 2.4999993993e-1f;
  p = p * z + 3.3333331174e-1f;
  p = p * (z * z * z) - n * 2.12194440e-4f - 0.5f * (z * z);
  return z + p + n * 0.693359375f;
}
