/*
** One layer. See layer.h.
*/
#include "layer.h"

#include "activate.h"
#include "attention.h"

/* The end of each half of a layer: a linear layer, its dropout, an adapter
   where there is one, and Add & Norm. */
typedef struct Ending {
  const Linear *linear;
  const Dropout *dropout;
  const Adapter *adapter;
  const AdapterKept *adapted;
  const LayerNorm *norm;
  const NormKept *kept;
} Ending;


/* a matrix of the batch, to be rounded for a product with a weight */
static Matrix to_multiply(const LayerCall *c, float *values, int64_t width) {
  return layer_operand(c->batch, values, width, c->scratch->rounded);
}


/* one between the feed-forward layers: [tokens, intermediate] */
static Matrix inner_to_multiply(const LayerCall *c, float *values) {
  return layer_operand(c->batch, values, c->config->intermediate_size,
                       c->scratch->rounded_inner);
}


/* the same, packed too where the gradient of l's weight is made from panels */
static Matrix with_panels(const LayerCall *c, const Linear *l, Matrix m,
                          uint32_t *panels) {
  Precision p = c->scratch->arithmetic.precision;
  const int64_t *size = l->weight->shape.size;
  m.element = linear_element(p);
  m.panels = l->weight->requires_grad && linear_is_ours(p, size[0], size[1])
           ? panels : NULL;
  return m;
}


/* the input of a linear layer, in the backward */
static Matrix input_for(const LayerCall *c, const Linear *l, float *values,
                        int64_t width) {
  return with_panels(c, l, matrix_of(values, c->batch->tokens, width),
                     c->scratch->x);
}


/* out = act(u), and in the backward dout *= act'(u) */
static Activate activate_of(const LayerCall *c, const Matrix *out,
                            const Matrix *dout) {
  return (Activate){ c->config->hidden_act, c->kept->inner,
                     tensor_f32(c->layer->intermediate.bias), out, dout };
}


static Ending attention_ending(const LayerCall *c) {
  return (Ending){ &c->layer->attention_output,
                   &c->dropout.attention_output,
                   &c->layer->attention_adapter, &c->kept->attention_adapter,
                   &c->layer->attention_norm, &c->kept->attention_norm };
}


static Ending output_ending(const LayerCall *c) {
  return (Ending){ &c->layer->output, &c->dropout.output,
                   &c->layer->output_adapter, &c->kept->output_adapter,
                   &c->layer->output_norm, &c->kept->output_norm };
}


static Attention attention_of(const LayerCall *c) {
  const Batch *b = c->batch;
  return (Attention){
    .tokens = b->tokens, .sequences = b->sequences, .longest = b->longest,
    .offsets = b->offsets, .hidden = c->config->hidden_size,
    .heads = c->config->num_attention_heads, .causal = c->config->causal,
    .qkv = c->kept->qkv, .lse = c->kept->lse,
    .dropout = c->dropout.attention, .lanes = c->scratch->lanes,
    .scratch = c->scratch->attention };
}


/* {======== forward ======== */

static AdapterCall adapter_call(const LayerCall *c, const Ending *e) {
  const LayerScratch *s = c->scratch;
  AdapterCall call = { e->adapter, e->adapted, &s->arithmetic, e->dropout,
                       .input = to_multiply(c, e->adapted->input,
                                            c->config->hidden_size),
                       .inner = layer_operand(c->batch, s->adapter,
                                              c->config->adapter_size,
                                              s->rounded_inner) };
  return call;
}


/* out = LayerNorm(residual + dropout(x W' + b)), with an adapter between */
static void end_forward(const LayerCall *c, const Ending *e, const Matrix *x,
                        const float *residual, const Matrix *out) {
  NormForward norm = {
    .norm = e->norm, .kept = *e->kept, .out = out, .y = e->kept->normal,
    .bias = tensor_f32(e->linear->bias), .residual = residual,
    .d = e->dropout };
  if (adapter_is_there(e->adapter)) {
    AdapterCall call = adapter_call(c, e);
    adapter_forward(&call, e->linear, x, &norm);
    return;
  }
  Finish normal = norm_finish(&norm);
  linear_product(e->linear, &c->scratch->arithmetic, norm.y, false, x,
                 &normal);
}


/* h = LayerNorm(x + dropout(attention(x) Wo' + bo)) */
static void attention_half(const LayerCall *c, float *x, const Matrix *h) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  int64_t hidden = c->config->hidden_size;
  Matrix input = to_multiply(c, x, hidden);
  Matrix context = to_multiply(c, k->context, hidden);
  Bias bias = { k->qkv, tensor_f32(l->qkv.bias), QKV * hidden };
  Finish biased = product_bias(&bias);
  Ending end = attention_ending(c);
  linear_product(&l->qkv, &c->scratch->arithmetic, k->qkv, false, &input,
                 &biased);
  Attention attention = attention_of(c);
  attention_forward(&attention, k->context);
  matrix_round_all(&context);
  end_forward(c, &end, &context, x, h);
}


void layer_forward(const LayerCall *c, float *x, float *out) {
  const LayerScratch *s = c->scratch;
  int64_t hidden = c->config->hidden_size;
  Matrix h = to_multiply(c, s->h, hidden);
  Matrix g = inner_to_multiply(c, s->g);
  Matrix output = to_multiply(c, out, hidden);
  Activate act = activate_of(c, &g, NULL);
  Finish active = activate_finish(&act);
  Ending end = output_ending(c);
  attention_half(c, x, &h);
  linear_product(&c->layer->intermediate, &s->arithmetic, c->kept->inner,
                 false, &h, &active);
  end_forward(c, &end, &g, s->h, &output);
}

/* }======== */


/* {======== backward ======== */

/* dg and dx, from dy: the gradients of both layers between h and y */
static bool inner_back(const LayerCall *c, float *dx, const Matrix *dy) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t inner = c->config->intermediate_size;
  Matrix g = input_for(c, &l->output, s->g, inner);
  Matrix dg = with_panels(c, &l->intermediate, inner_to_multiply(c, s->dg),
                          s->wide);
  Matrix h = input_for(c, &l->intermediate, s->h, c->config->hidden_size);
  /* in dg's panels lies no g: its own hold it, or its weight is frozen */
  if ((uint32_t *)g.values == s->wide) g.values = NULL;
  Activate act = activate_of(c, &g, &dg);
  Finish active = activate_finish(&act);
  linear_back_input(&l->output, a, s->dg, false, dy, &active);
  if (!linear_back(&l->output, a, dy, &g)) return false;
  norm_again(&l->attention_norm, &k->attention_norm, &h);
  if (!linear_back(&l->intermediate, a, &dg, &h)) return false;
  linear_back_input(&l->intermediate, a, dx, true, &dg, NULL);
  return true;
}


/* an adapter, with what the gradients of its weights are made from */
static AdapterCall adapter_back_call(const LayerCall *c, const Ending *e) {
  const LayerScratch *s = c->scratch;
  AdapterCall call = adapter_call(c, e);
  Matrix dinner = layer_operand(c->batch, s->dadapter,
                                c->config->adapter_size, s->rounded_inner);
  call.input = input_for(c, &e->adapter->down, e->adapted->input,
                         c->config->hidden_size);
  call.inner = input_for(c, &e->adapter->up, s->adapter,
                         c->config->adapter_size);
  call.dinner = with_panels(c, &e->adapter->down, dinner, s->wide);
  return call;
}


/* dx from the gradient of a half's output to that of its residual; dy is that
   of the linear layer's output */
static bool end_back(const LayerCall *c, const Ending *e, float *dx,
                     const Matrix *dy) {
  static const Dropout nothing = { .p = 0 };
  int64_t tokens = c->batch->tokens;
  if (!adapter_is_there(e->adapter))
    return norm_back(e->norm, e->kept, dx, dy, e->dropout, tokens);
  AdapterCall call = adapter_back_call(c, e);
  Matrix dout = with_panels(c, &e->adapter->up,
                            to_multiply(c, dy->values, dy->width),
                            c->scratch->dy);
  return norm_back(e->norm, e->kept, dx, &dout, &nothing, tokens) &&
         adapter_back(&call, &dout, dy);
}


/* dx from the gradient of out to that of h */
static bool feed_forward_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerScratch *s = c->scratch;
  Ending end = output_ending(c);
  Matrix dy = with_panels(c, &l->output,
                          to_multiply(c, s->y, c->config->hidden_size),
                          s->dy);
  return end_back(c, &end, dx, &dy) && inner_back(c, dx, &dy);
}


/* the gradients of Q, K and V, where `on` says that anything wants them, from
   that of h; dx becomes the residual's */
static bool context_back(const LayerCall *c, float *dx, bool on) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t hidden = c->config->hidden_size;
  float *dcontext = s->h;  /* [tokens, hidden] */
  Matrix dy = with_panels(c, &l->attention_output,
                          to_multiply(c, s->y, hidden), s->dy);
  Matrix context = input_for(c, &l->attention_output, k->context, hidden);
  Ending end = attention_ending(c);
  if (!end_back(c, &end, dx, &dy)) return false;
  matrix_round_all(&context);
  if (!linear_back(&l->attention_output, a, &dy, &context)) return false;
  if (!on) return true;
  linear_back_input(&l->attention_output, a, dcontext, false, &dy, NULL);
  Attention attention = attention_of(c);
  attention_back(&attention, dcontext, s->dqkv);
  return true;
}


/* dQ, dK and dV: side by side in dqkv [tokens, 3 hidden] */
static Matrix part_gradient(const LayerCall *c, int i) {
  const LayerScratch *s = c->scratch;
  int64_t hidden = c->config->hidden_size;
  int64_t size = panels_size(linear_element(s->arithmetic.precision), hidden,
                             c->batch->tokens);
  Matrix m = with_panels(c, &c->layer->part[i],
                         to_multiply(c, s->dqkv + i * hidden, hidden),
                         s->wide ? s->wide + i * size : NULL);
  m.rounded = NULL;
  m.stride = QKV * hidden;
  return m;
}


/* dx += dqkv W, and the gradients of W */
static bool qkv_back(const LayerCall *c, float *dx, const Matrix *x,
                     bool below) {
  const Layer *l = c->layer;
  const LayerScratch *s = c->scratch;
  Matrix all = to_multiply(c, s->dqkv, QKV * c->config->hidden_size);
  for (int i = 0; i < QKV; i++) {
    Matrix part = part_gradient(c, i);
    matrix_round_all(&part);
    if (!linear_back(&l->part[i], &s->arithmetic, &part, x)) return false;
  }
  if (!below) return true;
  matrix_round_all(&all);
  linear_back_input(&l->qkv, &s->arithmetic, dx, true, &all, NULL);
  return true;
}


/* does Q, K or V learn? */
static bool qkv_wants(const Layer *l) {
  for (int i = 0; i < QKV; i++)
    if (l->part[i].weight->requires_grad || l->part[i].bias->requires_grad)
      return true;
  return false;
}


bool layer_back(const LayerCall *c, float *dx, InputAgain again, void *ctx,
                bool below) {
  const Layer *l = c->layer;
  bool on = below || qkv_wants(l);
  if (!feed_forward_back(c, dx) || !context_back(c, dx, on)) return false;
  if (!on) return true;
  int i = 0;  /* the first that learns */
  while (i < QKV && !l->part[i].weight->requires_grad) i++;
  Matrix x = input_for(c, &l->part[i < QKV ? i : 0], c->scratch->y,
                       c->config->hidden_size);
  if (i < QKV) again(ctx, &x);
  return qkv_back(c, dx, &x, below);
}

/* }======== */
