/*
** One layer. See layer.h.
*/
#include "layer.h"

#include "../base/pool.h"
#include "attention.h"

enum {
  ROWS_A_TASK = 16,
  PIECE_ROWS = 2,       /* of a matrix that goes through act at once, */
  PIECE_COLUMNS = 512   /* and is rounded before it leaves L1 */
};


/* a matrix of the batch, to be rounded for a product with a weight */
static Matrix to_multiply(const LayerCall *c, float *values, int64_t width) {
  return (Matrix){ values, c->scratch->rounded, NULL, c->batch->tokens, width,
                   width };
}


/* the gradient of a linear layer's output */
static Matrix gradient_for(const LayerCall *c, const Linear *l, float *values,
                           int64_t width, uint32_t *panels) {
  Matrix m = to_multiply(c, values, width);
  m.panels = l->weight->requires_grad ? panels : NULL;
  return m;
}


/* the input of a linear layer, in the backward */
static Matrix input_for(const LayerCall *c, bool wanted, float *values,
                        int64_t width) {
  Matrix m = matrix_of(values, c->batch->tokens, width);
  m.panels = wanted ? c->scratch->x : NULL;
  return m;
}


/* {======== act ======== */

typedef struct ActivateJob {
  Activation act;
  float *u;             /* [rows, width] */
  const float *bias;    /* [width] */
  const Matrix *out;    /* act(u); without values it is only rounded */
  const Matrix *dout;   /* NULL in the forward */
} ActivateJob;


static void activate_row(const ActivateJob *j, float *out, Piece p,
                         int64_t row) {
  const RowKernels *k = row_kernels();
  int64_t at = row * j->out->width + p.column;
  if (j->dout == NULL)
    k->activate(j->act, out, j->u + at, j->bias + p.column, 1, p.columns);
  else
    k->activate_back(j->act, out, j->u + at, j->dout->values + at, 1,
                     p.columns);
}


static void activate_piece(const ActivateJob *j, Piece p) {
  float buffer[PIECE_ROWS * PIECE_COLUMNS];
  const Matrix *m = j->out;
  int64_t at = p.row * m->width + p.column;
  float *out = m->values ? m->values + at : buffer;
  int64_t stride = m->values ? m->width : PIECE_COLUMNS;
  for (int64_t r = 0; r < p.rows; r++)
    activate_row(j, out + r * stride, p, p.row + r);
  matrix_round(m, p, out, stride);
  if (j->dout != NULL)
    matrix_round(j->dout, p, j->dout->values + at, m->width);
}


static int64_t at_most(int64_t limit, int64_t n) {
  return n < limit ? n : limit;
}


static void activate_some(void *ctx, int64_t first, int64_t n) {
  const ActivateJob *j = ctx;
  int64_t width = j->out->width;
  for (int64_t r = 0; r < n; r += PIECE_ROWS)
    for (int64_t c = 0; c < width; c += PIECE_COLUMNS)
      activate_piece(j, (Piece){ first + r, at_most(PIECE_ROWS, n - r),
                                 c, at_most(PIECE_COLUMNS, width - c) });
}


/* out = act(u), and in the backward dout *= act'(u) */
static void activate(const LayerCall *c, const Matrix *out, float *u,
                     const Matrix *dout) {
  ActivateJob j = { c->config->hidden_act, u,
                    tensor_f32(c->layer->intermediate.bias), out, dout };
  pool_rows(c->batch->tokens, ROWS_A_TASK, activate_some, &j);
}

/* }======== */


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
static void attention_half(const LayerCall *c, float *x, const Matrix *h) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const Arithmetic *a = &c->scratch->arithmetic;
  int64_t hidden = c->config->hidden_size;
  Matrix input = to_multiply(c, x, hidden);
  Matrix context = to_multiply(c, k->context, hidden);
  float *y = k->attention_norm.normal;  /* [tokens, hidden] */
  linear_product(&l->qkv, a, k->qkv, &input);
  add_bias(k->qkv, l->qkv.bias, input.rows);
  Attention attention = attention_of(c);
  attention_forward(&attention, k->context);
  matrix_round_all(&context);
  linear_product(&l->attention_output, a, y, &context);
  norm_forward(&l->attention_norm, &k->attention_norm, h, y,
               tensor_f32(l->attention_output.bias), x,
               &c->dropout.attention_output);
}


void layer_forward(const LayerCall *c, float *x, float *out) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t hidden = c->config->hidden_size;
  Matrix h = to_multiply(c, s->h, hidden);
  Matrix g = to_multiply(c, s->g, c->config->intermediate_size);
  Matrix output = to_multiply(c, out, hidden);
  float *y = k->output_norm.normal;  /* [tokens, hidden] */
  attention_half(c, x, &h);
  linear_product(&l->intermediate, a, k->inner, &h);
  activate(c, &g, k->inner, NULL);
  linear_product(&l->output, a, y, &g);
  norm_forward(&l->output_norm, &k->output_norm, &output, y,
               tensor_f32(l->output.bias), s->h, &c->dropout.output);
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
  bool inner_wanted = l->intermediate.weight->requires_grad;
  Matrix g = input_for(c, l->output.weight->requires_grad, s->g, inner);
  Matrix dg = gradient_for(c, &l->intermediate, s->dg, inner, s->wide);
  Matrix h = input_for(c, inner_wanted, s->h, c->config->hidden_size);
  linear_back_input(&l->output, a, s->dg, false, dy);
  activate(c, &g, k->inner, &dg);
  if (!linear_back(&l->output, a, dy, &g)) return false;
  norm_again(&l->attention_norm, &k->attention_norm, &h);
  if (!linear_back(&l->intermediate, a, &dg, &h)) return false;
  linear_back_input(&l->intermediate, a, dx, true, &dg);
  return true;
}


/* dx from the gradient of out to that of h */
static bool feed_forward_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerScratch *s = c->scratch;
  Matrix dy = gradient_for(c, &l->output, s->y, c->config->hidden_size,
                           s->dy);
  return norm_back(&l->output_norm, &c->kept->output_norm, dx, &dy,
                   &c->dropout.output, c->batch->tokens) &&
         inner_back(c, dx, &dy);
}


/* the gradients of Q, K and V, from that of h; dx becomes the residual's */
static bool context_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t hidden = c->config->hidden_size;
  float *dcontext = s->h;  /* [tokens, hidden] */
  Matrix dy = gradient_for(c, &l->attention_output, s->y, hidden, s->dy);
  Matrix context = input_for(c, dy.panels != NULL, k->context, hidden);
  if (!norm_back(&l->attention_norm, &k->attention_norm, dx, &dy,
                 &c->dropout.attention_output, c->batch->tokens))
    return false;
  matrix_round_all(&context);
  if (!linear_back(&l->attention_output, a, &dy, &context)) return false;
  linear_back_input(&l->attention_output, a, dcontext, false, &dy);
  Attention attention = attention_of(c);
  attention_back(&attention, dcontext, s->dqkv);
  return true;
}


/* dQ, dK and dV: side by side in dqkv [tokens, 3 hidden] */
static Matrix part_gradient(const LayerCall *c, int i) {
  const LayerScratch *s = c->scratch;
  int64_t hidden = c->config->hidden_size;
  int64_t size = panels_size(ELEMENT_BF16, hidden, c->batch->tokens);
  Matrix m = gradient_for(c, &c->layer->part[i], s->dqkv + i * hidden, hidden,
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
  linear_back_input(&l->qkv, &s->arithmetic, dx, true, &all);
  return true;
}


bool layer_back(const LayerCall *c, float *dx, InputAgain again, void *ctx,
                bool below) {
  const Layer *l = c->layer;
  if (!feed_forward_back(c, dx) || !context_back(c, dx)) return false;
  bool wanted = false;
  for (int i = 0; i < QKV; i++)
    wanted = wanted || l->part[i].weight->requires_grad;
  Matrix x = input_for(c, wanted, c->scratch->y, c->config->hidden_size);
  again(ctx, &x);
  return qkv_back(c, dx, &x, below);
}

/* }======== */
