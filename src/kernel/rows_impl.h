/*
** The body of the row kernels, included once for each instruction set with
**   LEVEL   its name, the suffix of every function here
**   WIDTH   floats in a vector
**   TARGET  the attribute that lets the compiler use it
**   MULTIPLY_EVEN(a, b)  the 64-bit products of b and the even lanes of a
**   SQRT(v)              the square roots
** and, where the processor has such instructions,
**   LOAD_PART(p, n, fill), STORE_PART(p, n, v)  the first n < WIDTH elements;
**                        those not loaded are from `fill`
** It undefines them all.
**
** Written with the vector types of GCC and Clang: one text serves every
** width. A row's last vector is filled up with a neutral value and stored in
** part.
*/

#define FN(name)  JOIN(name, LEVEL)
#define V         FN(Vector)
#define VI        FN(Integers)
#define VU        FN(Unsigned)
#define VL        FN(Long)
#define INLINE    static inline __attribute__((always_inline)) TARGET
#define KERNEL    static TARGET

#if !defined(LOAD_PART)
#define LOAD_PART(p, n, fill)  FN(copy_part)(p, n, fill)
#define STORE_PART(p, n, v)    memcpy(p, &(v), (size_t)(n) * sizeof *(p))
#endif

#include "exp_impl.h"

typedef uint32_t VU __attribute__((vector_size(4 * WIDTH)));
typedef uint64_t VL __attribute__((vector_size(4 * WIDTH)));


/* {======== vectors ======== */

INLINE V FN(copy_part)(const float *p, int64_t n, V v) {
  memcpy(&v, p, (size_t)n * sizeof *p);
  return v;
}


/* up to `left` elements; the others are `fill` */
INLINE V FN(get)(const float *p, int64_t left, float fill) {
  if (left >= WIDTH) return FN(load)(p);
  return (V)LOAD_PART(p, left, FN(splat)(fill));
}


INLINE void FN(put)(float *p, V v, int64_t left) {
  if (left >= WIDTH) FN(store)(p, v);
  else STORE_PART(p, left, v);
}


INLINE float FN(sum)(V v) {
  float s = 0;
  for (int i = 0; i < WIDTH; i++) s += v[i];
  return s;
}

/* }======== */


/* {======== functions ======== */

/* Phi(x), the normal distribution function: erfc(z) exp(z^2) = t q(t) with
   t = 1 / (1 + z / 2) and q of spec/fixtures/erfcx.py, a relative error of
   2e-7; gaussian is set to exp(-x^2 / 2) */
INLINE V FN(normal_cdf)(V x, V *gaussian) {
  V a = (V)((VI)x & INT32_MAX), z = a * 0.70710678f;
  V t = 1.0f / (1.0f + 0.5f * z);
  V q = t * 0.0431954333f - 0.234733593f;
  q = q * t + 0.493694932f;
  q = q * t - 0.454973988f;
  q = q * t + 0.132177044f;
  q = q * t - 0.0592113578f;
  q = q * t + 0.0934624344f;
  q = q * t + 0.175315976f;
  q = q * t + 0.246884575f;
  q = q * t + 0.282093754f;
  q = q * t + 0.282094795f;
  a = FN(choose)(a > 13.2f, FN(splat)(13.2f), a);  /* -a^2 / 2 >= -87.3 */
  V high = (V)((VI)a & ~0xFFF);  /* its square is exact */
  *gaussian = FN(exp_sum)(-0.5f * high * high,
                          -0.5f * (a - high) * (a + high));
  V tail = 0.5f * t * q * *gaussian;
  return FN(choose)(x < 0.0f, tail, 1.0f - tail);
}


/* 1 / (1 + exp(-x)), which is (1 + tanh(x / 2)) / 2 without its
   cancellation; 0 where exp(-x) would overflow; *inverse = exp(-x) */
INLINE V FN(sigmoid)(V x, V *inverse) {
  *inverse = FN(exp)(-x);
  V s = 1.0f / (1.0f + *inverse);
  return (V)((VI)s & (x > -88.0f));
}


#define SQRT_2_OVER_PI  0.79788456f
#define GELU_CUBIC      0.044715f

/* act(x); its derivative in *slope */
INLINE V FN(act)(Activation act, V x, V *slope) {
  if (act == ACT_GELU) {
    V gaussian, cdf = FN(normal_cdf)(x, &gaussian);
    *slope = cdf + x * gaussian * 0.39894228f;  /* 1 / sqrt(2 pi) */
    return x * cdf;
  }
  if (act == ACT_GELU_TANH) {
    V e, s = FN(sigmoid)(2 * SQRT_2_OVER_PI * x *
                         (1.0f + GELU_CUBIC * x * x), &e);
    V inner = SQRT_2_OVER_PI * (1.0f + 3 * GELU_CUBIC * x * x);
    *slope = s + 2.0f * x * s * (e * s) * inner;
    return x * s;
  }
  V zero = { 0 };
  *slope = FN(choose)(x > 0.0f, FN(splat)(1), zero);
  return FN(choose)(x > 0.0f, x, zero);
}

/* }======== */


KERNEL void FN(add_bias)(float *y, const float *bias, int64_t rows,
                         int64_t width) {
  for (int64_t r = 0; r < rows; r++, y += width)
    for (int64_t c = 0; c < width; c += WIDTH) {
      int64_t left = width - c;
      FN(put)(y + c, FN(get)(y + c, left, 0) + FN(get)(bias + c, left, 0),
              left);
    }
}


INLINE void FN(activate_as)(Activation act, float *out, float *u,
                            const float *bias, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, u += width, out += width)
    for (int64_t c = 0; c < width; c += WIDTH) {
      int64_t left = width - c;
      V slope, x = FN(get)(u + c, left, 0) + FN(get)(bias + c, left, 0);
      FN(put)(u + c, x, left);
      FN(put)(out + c, FN(act)(act, x, &slope), left);
    }
}


KERNEL void FN(activate)(Activation act, float *out, float *u,
                         const float *bias, int64_t rows, int64_t width) {
  switch (act) {  /* a constant in each call, so that no loop asks again */
    case ACT_GELU:
      FN(activate_as)(ACT_GELU, out, u, bias, rows, width);
      break;
    case ACT_GELU_TANH:
      FN(activate_as)(ACT_GELU_TANH, out, u, bias, rows, width);
      break;
    default:
      FN(activate_as)(ACT_RELU, out, u, bias, rows, width);
  }
}


INLINE void FN(activate_back_as)(Activation act, float *out, const float *u,
                                 float *dout, int64_t n) {
  for (int64_t i = 0; i < n; i += WIDTH) {
    V slope, y = FN(act)(act, FN(get)(u + i, n - i, 0), &slope);
    FN(put)(out + i, y, n - i);
    FN(put)(dout + i, FN(get)(dout + i, n - i, 0) * slope, n - i);
  }
}


KERNEL void FN(activate_back)(Activation act, float *out, const float *u,
                              float *dout, int64_t rows, int64_t width) {
  switch (act) {
    case ACT_GELU:
      FN(activate_back_as)(ACT_GELU, out, u, dout, rows * width);
      break;
    case ACT_GELU_TANH:
      FN(activate_back_as)(ACT_GELU_TANH, out, u, dout, rows * width);
      break;
    default:
      FN(activate_back_as)(ACT_RELU, out, u, dout, rows * width);
  }
}


/* {======== dropout ======== */

INLINE void FN(wide_multiply)(VU a, uint32_t b, VU *high, VU *low) {
  VL even = (VL)MULTIPLY_EVEN(a, b);
  VL odd = (VL)MULTIPLY_EVEN((VU)((VL)a >> 32), b);
  *low = (VU)((even & 0xFFFFFFFFu) | odd << 32);
  *high = (VU)(even >> 32 | (odd & 0xFFFFFFFF00000000u));
}


/* Philox4x32-10 as in base/rng.c, block `first` and those after it in the
   lanes; they differ in the lower word alone */
INLINE void FN(philox)(const Rng *rng, uint64_t first, VU out[4]) {
  uint32_t k0 = (uint32_t)rng->seed, k1 = (uint32_t)(rng->seed >> 32);
  out[0] = (uint32_t)first - (VU){ 0 };
  for (int i = 0; i < WIDTH; i++) out[0][i] += (uint32_t)i;
  out[1] = (uint32_t)(first >> 32) - (VU){ 0 };
  out[2] = rng->purpose - (VU){ 0 };
  out[3] = (VU){ 0 };
  for (int i = 0; i < 10; i++) {
    VU high0, low0, high1, low1;
    FN(wide_multiply)(out[0], 0xD2511F53u, &high0, &low0);
    FN(wide_multiply)(out[2], 0xCD9E8D57u, &high1, &low1);
    out[0] = high1 ^ out[1] ^ k0; out[1] = low1;
    out[2] = high0 ^ out[3] ^ k1; out[3] = low0;
    k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
  }
}


/* x = x scale where the number is at least `least`, 0 elsewhere */
INLINE void FN(drop)(float *x, VU number, int32_t least, float scale,
                     int64_t left) {
  V v = FN(get)(x, left, 0) * scale;
  FN(put)(x, (V)((VI)v & ((VI)number >= least)), left);
}


/* the 128 numbers of 16 blocks, or those of them that are left */
INLINE void FN(drop_group)(float *x, const Dropout *d, uint64_t block,
                           int64_t left) {
  VU word[4];
  float scale = 1 / (1 - d->p);
  int32_t least = (int32_t)(d->p * 65536 + 0.5f);
  for (int first = 0; first < 16 && first < left; first += WIDTH) {
    FN(philox)(&d->rng, block + (uint64_t)first, word);
    for (int w = 0; w < 4; w++) {
      int64_t at = 32 * w + first;
      if (at < left)
        FN(drop)(x + at, word[w] & 0xFFFF, least, scale, left - at);
      if (at + 16 < left)
        FN(drop)(x + at + 16, word[w] >> 16, least, scale, left - at - 16);
    }
  }
}


KERNEL void FN(dropout)(float *x, const Dropout *d, uint64_t first_block,
                        int64_t n) {
  for (int64_t i = 0; i < n; i += 128)
    FN(drop_group)(x + i, d, first_block + (uint64_t)i / 8, n - i);
}

/* }======== */


KERNEL void FN(add_scaled)(float *to, const float *from, float scale,
                           int64_t n) {
  for (int64_t i = 0; i < n; i += WIDTH)
    FN(put)(to + i, FN(get)(to + i, n - i, 0) +
            scale * FN(get)(from + i, n - i, 0), n - i);
}


/* {======== exp of a row ======== */

INLINE float FN(add_and_find_most)(float *x, const float *bias, int64_t n) {
  V most = FN(splat)(-INFINITY);
  for (int64_t i = 0; i < n; i += WIDTH) {
    int64_t left = n - i;
    V v = FN(get)(x + i, left, -INFINITY) + FN(get)(bias + i, left, 0);
    FN(put)(x + i, v, left);
    most = FN(choose)(v > most, v, most);
  }
  float largest = most[0];
  for (int i = 1; i < WIDTH; i++)
    if (most[i] > largest) largest = most[i];
  return largest;
}


/* a part's sum is that of vectors, the parts' is double: many are as exact as
   few */
KERNEL double FN(exp_row)(float *x, const float *bias, int64_t n,
                          float *most) {
  enum { PART = 512 };
  double sum = 0;
  *most = FN(add_and_find_most)(x, bias, n);
  for (int64_t first = 0; first < n; first += PART) {
    int64_t end = first + PART < n ? first + PART : n;
    V s = { 0 };
    for (int64_t i = first; i < end; i += WIDTH) {
      V e = FN(exp)(FN(get)(x + i, end - i, -INFINITY) - *most);
      s += e;
      FN(put)(x + i, e, end - i);
    }
    sum += (double)FN(sum)(s);
  }
  return sum;
}

/* }======== */


/* {======== LayerNorm ======== */

/* Two passes: the mean, then the variance around it. The mean is rounded, so
   what is left of it, the mean of the differences, is taken off too (Chan et
   al. 1983, the corrected two-pass algorithm). */
INLINE void FN(moments)(const float *z, int64_t width, float *mean,
                        float *shift, float *variance) {
  V s = { 0 };
  for (int64_t c = 0; c < width; c += WIDTH)
    s += FN(get)(z + c, width - c, 0);
  *mean = FN(sum)(s) / (float)width;
  V rest = { 0 };
  s = (V){ 0 };
  for (int64_t c = 0; c < width; c += WIDTH) {
    V d = FN(get)(z + c, width - c, *mean) - *mean;
    s += d * d;
    rest += d;
  }
  *shift = FN(sum)(rest) / (float)width;
  *variance = FN(sum)(s) / (float)width - *shift * *shift;
  if (*variance < 0) *variance = 0;
}


KERNEL void FN(layer_norm_again)(float *out, const LayerNormRows *n,
                                 int64_t rows, int64_t width) {
  const float *x = n->normal;
  for (int64_t r = 0; r < rows; r++, out += width, x += width)
    for (int64_t c = 0; c < width; c += WIDTH) {
      int64_t left = width - c;
      FN(put)(out + c, FN(get)(x + c, left, 0) *
              FN(get)(n->weight + c, left, 0) +
              FN(get)(n->bias + c, left, 0), left);
    }
}


KERNEL void FN(layer_norm)(float *out, const float *z,
                           const LayerNormRows *n, int64_t rows,
                           int64_t width) {
  float *x = n->normal;
  for (int64_t r = 0; r < rows; r++, z += width, x += width) {
    float mean, shift, variance;
    FN(moments)(z, width, &mean, &shift, &variance);
    float inverse = 1 / sqrtf(variance + n->eps);
    n->inverse[r] = inverse;
    for (int64_t c = 0; c < width; c += WIDTH)
      FN(put)(x + c, (FN(get)(z + c, width - c, 0) - mean - shift) * inverse,
              width - c);
  }
  FN(layer_norm_again)(out, n, rows, width);
}


/* dx = dout * weight; dz = (dx - mean(dx) - x * mean(dx * x)) / sigma */
KERNEL void FN(layer_norm_back)(float *dz, const float *dout,
                                const LayerNormRows *n, int64_t rows,
                                int64_t width) {
  const float *x = n->normal;
  for (int64_t r = 0; r < rows; r++, dz += width, dout += width, x += width) {
    V s = { 0 }, sx = { 0 };
    for (int64_t c = 0; c < width; c += WIDTH) {
      int64_t left = width - c;
      V dx = FN(get)(dout + c, left, 0) * FN(get)(n->weight + c, left, 0);
      s += dx;
      sx += dx * FN(get)(x + c, left, 0);
    }
    float mean = FN(sum)(s) / (float)width;
    float mean_x = FN(sum)(sx) / (float)width;
    for (int64_t c = 0; c < width; c += WIDTH) {
      int64_t left = width - c;
      V dx = FN(get)(dout + c, left, 0) * FN(get)(n->weight + c, left, 0);
      V v = (dx - mean - FN(get)(x + c, left, 0) * mean_x) * n->inverse[r];
      FN(put)(dz + c, v, left);
    }
  }
}

/* }======== */


/* {======== sums down the columns ======== */

KERNEL void FN(column_sums)(float *sum, const float *x, int64_t rows,
                            int64_t stride, int64_t columns) {
  for (int64_t c = 0; c < columns; c += WIDTH) {
    int64_t left = columns - c;
    V s = { 0 };
    for (int64_t r = 0; r < rows; r++)
      s += FN(get)(x + r * stride + c, left, 0);
    FN(put)(sum + c, FN(get)(sum + c, left, 0) + s, left);
  }
}


KERNEL void FN(column_products)(float *sum, const float *x, const float *y,
                                int64_t rows, int64_t stride,
                                int64_t columns) {
  for (int64_t c = 0; c < columns; c += WIDTH) {
    int64_t left = columns - c;
    V s = { 0 };
    for (int64_t r = 0; r < rows; r++)
      s += FN(get)(x + r * stride + c, left, 0) *
           FN(get)(y + r * stride + c, left, 0);
    FN(put)(sum + c, FN(get)(sum + c, left, 0) + s, left);
  }
}

/* }======== */


#include "step_impl.h"


static const RowKernels FN(kernels) = {
  .add_bias         = FN(add_bias),
  .activate         = FN(activate),
  .activate_back    = FN(activate_back),
  .dropout          = FN(dropout),
  .add_scaled       = FN(add_scaled),
  .exp_row          = FN(exp_row),
  .layer_norm       = FN(layer_norm),
  .layer_norm_again = FN(layer_norm_again),
  .layer_norm_back  = FN(layer_norm_back),
  .column_sums      = FN(column_sums),
  .column_products  = FN(column_products),
  .step             = FN(step),
  .step_without_gradient = FN(step_without_gradient),
};

#undef FN
#undef V
#undef VI
#undef VU
#undef VL
#undef INLINE
#undef KERNEL
#undef LEVEL
#undef WIDTH
#undef TARGET
#undef MULTIPLY_EVEN
#undef SQRT
#undef LOAD_PART
#undef STORE_PART
