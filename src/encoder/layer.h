/*
** One layer of a BERT encoder (Devlin et al. 2019; Vaswani et al. 2017).
**
**   h   = LayerNorm(x + dropout(attention(x) Wo' + bo))
**   out = LayerNorm(h + dropout(act(h Wi' + bi) W2' + b2))
**
** With adapters (adapter.h) each dropout's result goes through one.
**
** Kept for the backward: Q, K, V, the context, the log-sum-exp of each row
** of scores, both normalised sums, and what goes into act. The rest is made
** again.
*/
#ifndef lunula_layer_h
#define lunula_layer_h

#include "adapter.h"
#include "batch.h"
#include "config.h"
#include "linear.h"
#include "norm.h"

#pragma GCC visibility push(hidden)

enum { QKV = 3 };

typedef struct Layer {
  Linear qkv;             /* all three at once: [3 hidden, hidden] */
  Linear part[QKV];       /* query, key, value: views of qkv */
  Linear attention_output;
  LayerNorm attention_norm;
  Linear intermediate, output;
  LayerNorm output_norm;
  Adapter attention_adapter, output_adapter;
} Layer;

typedef struct LayerKept {
  float *qkv;      /* [tokens, 3 hidden] */
  float *lse;      /* [tokens, heads] */
  float *context;  /* [tokens, hidden] */
  float *inner;    /* [tokens, intermediate], what goes into act */
  NormKept attention_norm, output_norm;
  AdapterKept attention_adapter, output_adapter;
} LayerKept;

typedef struct LayerDropout {
  Dropout attention, attention_output, output;
} LayerDropout;

/* Buffers that a layer uses up; shared by all layers. */
typedef struct LayerScratch {
  float *h;          /* [tokens, hidden] */
  float *y;          /* [tokens, hidden] */
  float *g;          /* [tokens, intermediate]; NULL in bf16. In a backward
                        where our kernels read it, it lies where `wide`
                        does */
  float *dg;         /* [tokens, intermediate], backward only */
  float *dqkv;       /* [tokens, 3 hidden], backward only */
  float *adapter;    /* [tokens, adapter_size]; NULL in bf16 */
  float *dadapter;   /* [tokens, adapter_size], backward only */
  int64_t lanes;     /* attention_lanes */
  float *attention;  /* [attention_scratch] */
  /* what the next product with a weight reads; NULL in fp32: */
  Bf16 *rounded;        /* [tokens, 3 hidden] */
  Bf16 *rounded_inner;  /* [tokens, intermediate or adapter_size] */
  /* panels for the gradients of weights, in a backward by our kernels: */
  uint32_t *dy;      /* of [tokens, hidden] */
  uint32_t *wide;    /* of dg, of dQ, dK and dV, or of dadapter */
  uint32_t *x;       /* of [tokens, hidden, intermediate or adapter_size] */
  Arithmetic arithmetic;
} LayerScratch;

typedef struct LayerCall {
  const EncoderConfig *config;
  const Batch *batch;
  const Layer *layer;
  const LayerKept *kept;
  LayerDropout dropout;
  const LayerScratch *scratch;
} LayerCall;

/* values [tokens, width], of which a product with a weight reads `rounded` in
   bf16 */
static inline Matrix layer_operand(const Batch *b, float *values,
                                   int64_t width, Bf16 *rounded) {
  Matrix m = matrix_of(values, b->tokens, width);
  m.rounded = rounded;
  return m;
}

/* x, out [tokens, hidden]; out may be x. In bf16 x is in scratch->rounded
   too, and then out is */
void layer_forward(const LayerCall *c, float *x, float *out);

/* Turns dx from the gradient of out into that of x, and adds to those of the
   parameters. `x` is made by `again`, late, so that it can share memory;
   with below = false nothing under this layer wants a gradient and dx is left
   undefined. false: no memory */
typedef void (*InputAgain)(void *ctx, const Matrix *x);
bool layer_back(const LayerCall *c, float *dx, InputAgain again, void *ctx,
                bool below);

#pragma GCC visibility pop

#endif
