/*
** One layer. See layer.h.
*/
#include "layer.h"

#include "../base/pool.h"
#include "attention.h"

enum { ROWS_A_TASK = 16 };

typedef struct ActivateJob {
  Activation act;
  float *out;         /* [rows, width] act(u) */
  float *u;           /* [rows, width] */
  float *dout;        /* [rows, width]; NULL in the forward */
  const float *bias;  /* [width] */
  int64_t width;
} ActivateJob;


static void activate_some(void *ctx, int64_t first, int64_t n) {
  const ActivateJob *j = ctx;
  int64_t at = first * j->width;
  if (j->dout == NULL)
    row_kernels()->activate(j->act, j->out + at, j->u + at, j->bias, n,
                            j->width);
  else
    row_kernels()->activate_back(j->act, j->out + at, j->u + at,
                                 j->dout + at, n, j->width);
}


/* out = act(u), and in the backward dout *= act'(u) */
static void activate(const LayerCall *c, float *out, float *u, float *dout) {
  ActivateJob j = { c->config->hidden_act, out, u, dout,
                    tensor_f32(c->layer->intermediate.bias),
                    c->config->intermediate_size };
  pool_rows(c->batch->tokens, ROWS_A_TASK, activate_some, &j);
}


static Attention attention_of(const LayerCall *c) {
  const Batch *b = c->batch;
  return (Attention){ b->tokens, b->sequences, b->longest, b->offsets,
                      c->config->hidden_size,
                      c->config->num_attention_heads, c->kept->qkv,
                      c->kept->lse, c->dropout.attention,
                      c->scratch->lanes, c->scratch->attention };
}


/* {======== forward ======== */

typedef struct BiasJob {
  float *y;           /* [rows, width] */
  const float *bias;  /* [width] */
  int64_t width;
} BiasJob;


static void bias_some(void *ctx, int64_t first, int64_t n) {
  const BiasJob *j = ctx;
  row_kernels()->add_bias(j->y + first * j->width, j->bias, n, j->width);
}


static void add_bias(float *y, const Tensor *bias, int64_t rows) {
  BiasJob j = { y, tensor_f32(bias), bias->shape.size[0] };
  pool_rows(rows, ROWS_A_TASK, bias_some, &j);
}


/* h = LayerNorm(x + dropout(attention(x) Wo' + bo)) */
static void attention_half(const LayerCall *c, const float *x, float *h) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const Arithmetic *a = &c->scratch->arithmetic;
  int64_t tokens = c->batch->tokens;
  float *y = k->attention_norm.normal;
  linear_product(&l->qkv, a, k->qkv, x, tokens);
  add_bias(k->qkv, l->qkv.bias, tokens);
  Attention attention = attention_of(c);
  attention_forward(&attention, k->context);
  linear_product(&l->attention_output, a, y, k->context, tokens);
  norm_forward(&l->attention_norm, &k->attention_norm, h, y,
               tensor_f32(l->attention_output.bias), x,
               &c->dropout.attention_output, tokens);
}


void layer_forward(const LayerCall *c, const float *x, float *out) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t tokens = c->batch->tokens;
  float *y = k->output_norm.normal;
  attention_half(c, x, s->h);
  linear_product(&l->intermediate, a, k->inner, s->h, tokens);
  activate(c, s->g, k->inner, NULL);
  linear_product(&l->output, a, y, s->g, tokens);
  norm_forward(&l->output_norm, &k->output_norm, out, y,
               tensor_f32(l->output.bias), s->h, &c->dropout.output, tokens);
}

/* }======== */


/* {======== backward ======== */

/* dx from the gradient of out to that of h */
static bool feed_forward_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t tokens = c->batch->tokens;
  float *dy = s->y;
  if (!norm_back(&l->output_norm, &k->output_norm, dx, dy,
                 &c->dropout.output, tokens))
    return false;
  linear_back_input(&l->output, a, s->dg, false, dy, tokens);
  activate(c, s->g, k->inner, s->dg);
  norm_again(&l->attention_norm, &k->attention_norm, s->h, tokens);
  if (!linear_back(&l->output, 1, a, dy, s->g, tokens) ||
      !linear_back(&l->intermediate, 1, a, s->dg, s->h, tokens))
    return false;
  linear_back_input(&l->intermediate, a, dx, true, s->dg, tokens);
  return true;
}


/* the gradients of Q, K and V, from that of h; dx becomes the residual's */
static bool context_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t tokens = c->batch->tokens;
  float *dy = s->y, *dcontext = s->h;
  if (!norm_back(&l->attention_norm, &k->attention_norm, dx, dy,
                 &c->dropout.attention_output, tokens) ||
      !linear_back(&l->attention_output, 1, a, dy, k->context, tokens))
    return false;
  linear_back_input(&l->attention_output, a, dcontext, false, dy, tokens);
  Attention attention = attention_of(c);
  attention_back(&attention, dcontext, s->dqkv);
  return true;
}


bool layer_back(const LayerCall *c, float *dx, InputAgain again, void *ctx,
                bool below) {
  const Layer *l = c->layer;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t tokens = c->batch->tokens;
  float *x = s->y;
  if (!feed_forward_back(c, dx) || !context_back(c, dx)) return false;
  again(ctx, x);
  if (!linear_back(l->part, QKV, a, s->dqkv, x, tokens)) return false;
  if (below) linear_back_input(&l->qkv, a, dx, true, s->dqkv, tokens);
  return true;
}

/* }======== */
