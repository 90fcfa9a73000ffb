/*
** A network forward. See network.h.
*/
#include "network.h"

#include <math.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/pool.h"
#include "../encoder/attention.h"
#include "../kernel/rows.h"

enum { ROWS_AT_ONCE = 4 };  /* of a norm: they stay in L1 */

/* one batch in one lane */
typedef struct Run {
  const Network *network;
  const Lane *lane;
  const Batch *batch;
} Run;


int64_t network_width(const Network *n) {
  return n->head.out > 0 ? n->head.out : n->config.hidden_size;
}


static Outputs all_outputs(const Weights *w) {
  return (Outputs){ 0, w->out };
}


/* values [rows, hidden] with the narrow form beside them */
static Activations narrow(const Run *r, float *values) {
  return activations_at(r->network->form, r->lane->narrow, values,
                        r->batch->tokens, r->network->config.hidden_size);
}


/* {======== what is done to sums ======== */

/* y = x W' + b */
static void linear(const Run *r, const Weights *w, Outputs o, float *y,
                   const Activations *x, int64_t rows) {
  Bias bias = { y, weights_bias(w, o), o.count };
  Finish f = product_bias(&bias);
  weights_product(w, o, y, x, rows, r->lane->panels, bias.bias ? &f : NULL);
}


typedef struct ActivateJob {
  Activation act;
  float *u;             /* [rows, out->width] */
  const float *bias;    /* [out->width] */
  const Activations *out;
} ActivateJob;


static void activate(void *ctx, Piece p) {
  const ActivateJob *j = ctx;
  float *u = j->u + p.row * j->out->width + p.column;
  if (j->out->form == FORM_INT8) {
    int8_activate(j->act, &j->out->int8, p.row, p.rows, u, j->out->width);
    return;
  }
  for (int64_t i = 0; i < p.rows; i++, u += j->out->width) {
    row_kernels()->activate(j->act, u, u, j->bias + p.column, 1, p.columns);
    activations_take(j->out, (Piece){ p.row + i, 1, p.column, p.columns }, u,
                     j->out->width);
  }
}


typedef struct NormJob {
  const Norm *norm;
  float eps;
  float *y;               /* [rows, width], used up */
  const float *bias;      /* [width], or NULL */
  const float *residual;  /* [rows, width], or NULL */
  const Activations *out;
  const float *adapted;   /* [rows, width] that is added, too; or NULL */
} NormJob;


/* out = LayerNorm(residual + y + bias + adapted), of a few rows */
static void norm_few(const NormJob *j, int64_t first, int64_t n) {
  const RowKernels *k = row_kernels();
  int64_t width = j->out->width;
  float *y = j->y + first * width, *out = j->out->values + first * width;
  float inverse[ROWS_AT_ONCE];
  LayerNormRows rows = { j->norm->weight, j->norm->bias, j->eps, y, inverse };
  if (j->bias != NULL) k->add_bias(y, j->bias, n, width);
  if (j->residual != NULL)
    k->add_scaled(y, j->residual + first * width, 1, n * width);
  if (j->adapted != NULL)
    k->add_scaled(y, j->adapted + first * width, 1, n * width);
  k->layer_norm(out, y, &rows, n, width);
  activations_take(j->out, (Piece){ first, n, 0, width }, out, width);
}


static void norm(void *ctx, Piece p) {
  for (int64_t i = 0; i < p.rows; i += ROWS_AT_ONCE)
    norm_few(ctx, p.row + i, p.rows - i < ROWS_AT_ONCE ? p.rows - i
                                                       : ROWS_AT_ONCE);
}

/* }======== */


/* {======== embeddings ======== */

typedef struct EmbeddingJob {
  const Network *network;
  const Batch *batch;
  NormJob norm;
} EmbeddingJob;


static void add_word(const Table *t, int32_t id, float *out, int64_t width) {
  if (t->quantised == NULL) {
    const float *row = t->values + id * width;
    for (int64_t c = 0; c < width; c++) out[c] += row[c];
    return;
  }
  const int8_t *row = t->quantised + id * width;
  float scale = t->scale[id];
  for (int64_t c = 0; c < width; c++) out[c] += scale * row[c];
}


static void embed_token(const EmbeddingJob *j, int64_t t, int64_t place) {
  const Network *n = j->network;
  int64_t width = n->config.hidden_size;
  const float *position = n->position + place * width;
  const float *type = n->type + j->batch->types[t] * width;
  float *out = j->norm.y + t * width;
  for (int64_t c = 0; c < width; c++) out[c] = position[c] + type[c];
  add_word(&n->word, j->batch->ids[t], out, width);
}


static void embed_sequence(void *ctx, int64_t s) {
  EmbeddingJob *j = ctx;
  int64_t first = j->batch->offsets[s], end = j->batch->offsets[s + 1];
  for (int64_t t = first; t < end; t++) embed_token(j, t, t - first);
  norm(&j->norm, (Piece){ first, end - first, 0, 0 });
}


static void embed(const Run *r, const Activations *out) {
  const Network *n = r->network;
  EmbeddingJob j = { n, r->batch,
                     { &n->embedding_norm, n->config.layer_norm_eps,
                       r->lane->y, NULL, NULL, out, NULL } };
  pool_run(r->batch->sequences, embed_sequence, &j);
}

/* }======== */


/* {======== layers ======== */

/* context of all tokens; of the first ones where they alone ask */
static void attend(const Run *r, const float *first) {
  const EncoderConfig *c = &r->network->config;
  const Batch *b = r->batch;
  Attention a = {
    .tokens = b->tokens, .sequences = b->sequences, .longest = b->longest,
    .offsets = b->offsets, .hidden = c->hidden_size,
    .heads = c->num_attention_heads, .causal = c->causal,
    .qkv = r->lane->qkv, .lanes = r->lane->lanes,
    .scratch = r->lane->attention, .first = first };
  attention_forward(&a, r->lane->context);
}


/* out = LayerNorm(residual + x W' + b) */
static void add_and_norm(const Run *r, const Weights *w, const Norm *n,
                         const Activations *x, const float *residual,
                         const Activations *out, int64_t rows) {
  NormJob job = { n, r->network->config.layer_norm_eps, r->lane->y,
                  weights_bias(w, all_outputs(w)), residual, out, NULL };
  Finish f = { norm, &job, true };
  weights_product(w, all_outputs(w), job.y, x, rows, r->lane->panels, &f);
}


/* out = LayerNorm(residual + h + gelu(h D' + bd) U' + bu), h = lane->y */
static void adapt_and_norm(const Run *r, const NetworkAdapter *a,
                           const Norm *n, const float *residual,
                           const Activations *out, int64_t rows) {
  const Lane *at = r->lane;
  Activations h = activations_at(FORM_FP32, NULL, at->y, rows, a->down.in);
  Activations inner = activations_at(FORM_FP32, NULL, at->inner, rows,
                                     a->down.out);
  ActivateJob act = { ACT_GELU, at->inner, a->down.bias, &inner };
  NormJob sum = { n, r->network->config.layer_norm_eps, at->qkv, a->up.bias,
                  residual, out, at->y };
  Finish active = { activate, &act, false }, normal = { norm, &sum, true };
  weights_product(&a->down, all_outputs(&a->down), act.u, &h, rows,
                  at->panels, &active);
  weights_product(&a->up, all_outputs(&a->up), sum.y, &inner, rows,
                  at->panels, &normal);
}


/* the end of each half of a layer, with an adapter where there is one */
static void end_half(const Run *r, const Weights *w, const NetworkAdapter *a,
                     const Norm *n, const Activations *x,
                     const float *residual, const Activations *out,
                     int64_t rows) {
  if (a->down.out == 0) {
    add_and_norm(r, w, n, x, residual, out, rows);
    return;
  }
  linear(r, w, all_outputs(w), r->lane->y, x, rows);
  adapt_and_norm(r, a, n, residual, out, rows);
}


/* A layer from its context on, for `rows` rows. residual: what came in; out
   may be the same, and h is used up. All [rows, hidden]. */
static void finish_layer(const Run *r, const NetworkLayer *l,
                         const float *residual, float *h, float *out,
                         int64_t rows) {
  const Network *n = r->network;
  Activations context = narrow(r, r->lane->context);
  Activations middle = narrow(r, h), last = narrow(r, out);
  Activations inner = activations_at(n->form, r->lane->wide, r->lane->inner,
                                     r->batch->tokens,
                                     n->config.intermediate_size);
  const Weights *w = &l->intermediate;
  ActivateJob job = { n->config.hidden_act, r->lane->inner,
                      weights_bias(w, all_outputs(w)), &inner };
  Finish active = { activate, &job, n->form == FORM_INT8 };
  activations_take_all(&context, rows);
  end_half(r, &l->attention_output, &l->attention_adapter,
           &l->attention_norm, &context, residual, &middle, rows);
  weights_product(w, all_outputs(w), job.u, &middle, rows, r->lane->panels,
                  &active);
  end_half(r, &l->output, &l->output_adapter, &l->output_norm, &inner, h,
           &last, rows);
}


static void run_layer(const Run *r, const NetworkLayer *l) {
  const Lane *at = r->lane;
  Activations x = narrow(r, at->x);
  linear(r, &l->qkv, all_outputs(&l->qkv), at->qkv, &x, r->batch->tokens);
  attend(r, NULL);
  finish_layer(r, l, at->x, at->h, at->x, r->batch->tokens);
}


/* out [sequences, hidden] = each sequence's row of the first token */
static void gather_first(const Run *r, const float *x, float *out) {
  int64_t width = r->network->config.hidden_size;
  for (int64_t s = 0; s < r->batch->sequences; s++)
    memcpy(out + s * width, x + r->batch->offsets[s] * width,
           sizeof *out * (size_t)width);
}


/* the last layer, of first tokens: they are left in lane->h */
static void run_last_layer(const Run *r, const NetworkLayer *l) {
  const Lane *at = r->lane;
  int64_t width = r->network->config.hidden_size;
  Activations x = narrow(r, at->x), first = narrow(r, at->h);
  linear(r, &l->qkv, (Outputs){ width, 2 * width }, at->qkv, &x,
         r->batch->tokens);
  gather_first(r, at->x, at->h);
  activations_take_all(&first, r->batch->sequences);
  linear(r, &l->qkv, (Outputs){ 0, width }, at->y, &first,
         r->batch->sequences);
  attend(r, at->y);
  finish_layer(r, l, at->h, at->x, at->h, r->batch->sequences);
}

/* }======== */


/* {======== answers ======== */

static void mean_rows(const Run *r, const float *x, float *out) {
  int64_t width = r->network->config.hidden_size;
  const int32_t *offsets = r->batch->offsets;
  for (int64_t s = 0; s < r->batch->sequences; s++, out += width) {
    float share = 1 / (float)(offsets[s + 1] - offsets[s]);
    memset(out, 0, sizeof *out * (size_t)width);
    for (int64_t t = offsets[s]; t < offsets[s + 1]; t++)
      for (int64_t c = 0; c < width; c++) out[c] += share * x[t * width + c];
  }
}


static void to_tanh(float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) x[i] = tanhf(x[i]);
}


/* from a vector for each sequence [sequences, hidden] */
static void answer(const Run *r, float *pooled, float *out) {
  const Network *n = r->network;
  int64_t rows = r->batch->sequences, width = n->config.hidden_size;
  Activations x = narrow(r, pooled);
  if (n->pooling == MODEL_POOLER) {
    activations_take_all(&x, rows);
    linear(r, &n->pooler, all_outputs(&n->pooler), r->lane->pooler, &x, rows);
    to_tanh(r->lane->pooler, rows * width);
    x.values = r->lane->pooler;
  }
  if (n->head.out > 0)
    linear(r, &n->head, all_outputs(&n->head), out, &x, rows);
  else
    memcpy(out, x.values, sizeof *out * (size_t)(rows * width));
}

/* }======== */


/* does the last layer make first tokens alone? */
static bool ends_with_first(const Network *n) {
  int64_t layers = n->config.num_hidden_layers;
  return n->pooling != MODEL_MEAN && layers > 0 &&
         weights_divide(&n->layer[layers - 1].qkv);
}


void network_run(const Network *n, const Lane *l, const Batch *b,
                 float *out) {
  Run r = { n, l, b };
  int64_t layers = n->config.num_hidden_layers;
  bool first = ends_with_first(n);
  Activations x = narrow(&r, l->x);
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  embed(&r, &x);
  for (int64_t i = 0; i < layers - first; i++) run_layer(&r, &n->layer[i]);
  if (first) run_last_layer(&r, &n->layer[layers - 1]);
  else if (n->pooling == MODEL_MEAN) mean_rows(&r, l->x, l->pooled);
  else gather_first(&r, l->x, l->pooled);
  answer(&r, first ? l->h : l->pooled, out);
  clock_leave(before);
}


/* {======== the lane ======== */

static void *take(char *at, size_t *n, size_t bytes) {
  void *taken = at == NULL ? NULL : at + *n;
  *n += (bytes + 63) / 64 * 64;
  return taken;
}


static float *take_floats(char *at, size_t *n, int64_t rows, int64_t width) {
  return take(at, n, sizeof(float) * (size_t)(rows * width));
}


size_t lane_place(Lane *l, char *at, const Network *n, int64_t tokens,
                  int64_t sequences, int64_t longest) {
  const EncoderConfig *c = &n->config;
  int64_t hidden = c->hidden_size, inner = c->intermediate_size;
  int64_t size = inner > c->adapter_size ? inner : c->adapter_size;
  size_t used = 0;
  l->offsets = take(at, &used, sizeof *l->offsets * (size_t)(sequences + 1));
  l->x = take_floats(at, &used, tokens, hidden);
  l->h = take_floats(at, &used, tokens, hidden);
  l->y = take_floats(at, &used, tokens, hidden);
  l->qkv = take_floats(at, &used, tokens, 3 * hidden);
  l->context = take_floats(at, &used, tokens, hidden);
  l->inner = take_floats(at, &used, tokens, size);
  l->pooled = take_floats(at, &used, sequences, hidden);
  l->pooler = take_floats(at, &used, sequences, hidden);
  l->attention = take_floats(at, &used, l->lanes, attention_scratch(
    1, longest, hidden / c->num_attention_heads, false));
  l->narrow = take(at, &used, activations_size(n->form, tokens, hidden));
  l->wide = take(at, &used, activations_size(n->form, tokens, inner));
  l->panels = take(at, &used, sizeof *l->panels * (size_t)n->most_units);
  return used;
}

/* }======== */
