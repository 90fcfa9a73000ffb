/*
** One layer. See layer.h.
*/
#include "layer.h"

#include "attention.h"

enum {
  PIECE_ROWS = 2,       /* of a matrix that goes through act at once, */
  PIECE_COLUMNS = 512   /* and is rounded before it leaves L1 */
};


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


static void activate_pieces(void *ctx, Piece p) {
  for (int64_t r = 0; r < p.rows; r += PIECE_ROWS)
    for (int64_t c = 0; c < p.columns; c += PIECE_COLUMNS)
      activate_piece(ctx, (Piece){ p.row + r, at_most(PIECE_ROWS, p.rows - r),
                                   p.column + c,
                                   at_most(PIECE_COLUMNS, p.columns - c) });
}


/* out = act(u), and in the backward dout *= act'(u) */
static ActivateJob activate_job(const LayerCall *c, const Matrix *out,
                                const Matrix *dout) {
  return (ActivateJob){ c->config->hidden_act, c->kept->inner,
                        tensor_f32(c->layer->intermediate.bias), out, dout };
}

/* }======== */


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

/* h = LayerNorm(x + dropout(attention(x) Wo' + bo)) */
static void attention_half(const LayerCall *c, float *x, const Matrix *h) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const Arithmetic *a = &c->scratch->arithmetic;
  int64_t hidden = c->config->hidden_size;
  Matrix input = to_multiply(c, x, hidden);
  Matrix context = to_multiply(c, k->context, hidden);
  Bias bias = { k->qkv, tensor_f32(l->qkv.bias), QKV * hidden };
  NormForward norm = {
    .norm = &l->attention_norm, .kept = k->attention_norm, .out = h,
    .y = k->attention_norm.normal, .residual = x,
    .bias = tensor_f32(l->attention_output.bias),
    .d = &c->dropout.attention_output };
  Finish biased = product_bias(&bias), normal = norm_finish(&norm);
  linear_product(&l->qkv, a, k->qkv, &input, &biased);
  Attention attention = attention_of(c);
  attention_forward(&attention, k->context);
  matrix_round_all(&context);
  linear_product(&l->attention_output, a, norm.y, &context, &normal);
}


void layer_forward(const LayerCall *c, float *x, float *out) {
  const Layer *l = c->layer;
  const LayerKept *k = c->kept;
  const LayerScratch *s = c->scratch;
  const Arithmetic *a = &s->arithmetic;
  int64_t hidden = c->config->hidden_size;
  Matrix h = to_multiply(c, s->h, hidden);
  Matrix g = inner_to_multiply(c, s->g);
  Matrix output = to_multiply(c, out, hidden);
  ActivateJob act = activate_job(c, &g, NULL);
  NormForward norm = {
    .norm = &l->output_norm, .kept = k->output_norm, .out = &output,
    .y = k->output_norm.normal, .residual = s->h,
    .bias = tensor_f32(l->output.bias), .d = &c->dropout.output };
  Finish active = { activate_pieces, &act, false };
  Finish normal = norm_finish(&norm);
  attention_half(c, x, &h);
  linear_product(&l->intermediate, a, k->inner, &h, &active);
  linear_product(&l->output, a, norm.y, &g, &normal);
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
  ActivateJob act = activate_job(c, &g, &dg);
  Finish active = { activate_pieces, &act, false };
  linear_back_input(&l->output, a, s->dg, false, dy, &active);
  if (!linear_back(&l->output, a, dy, &g)) return false;
  norm_again(&l->attention_norm, &k->attention_norm, &h);
  if (!linear_back(&l->intermediate, a, &dg, &h)) return false;
  linear_back_input(&l->intermediate, a, dx, true, &dg, NULL);
  return true;
}


/* dx from the gradient of out to that of h */
static bool feed_forward_back(const LayerCall *c, float *dx) {
  const Layer *l = c->layer;
  const LayerScratch *s = c->scratch;
  Matrix dy = with_panels(c, &l->output,
                          to_multiply(c, s->y, c->config->hidden_size),
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
  Matrix dy = with_panels(c, &l->attention_output,
                          to_multiply(c, s->y, hidden), s->dy);
  Matrix context = input_for(c, &l->attention_output, k->context, hidden);
  if (!norm_back(&l->attention_norm, &k->attention_norm, dx, &dy,
                 &c->dropout.attention_output, c->batch->tokens))
    return false;
  matrix_round_all(&context);
  if (!linear_back(&l->attention_output, a, &dy, &context)) return false;
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


bool layer_back(const LayerCall *c, float *dx, InputAgain again, void *ctx,
                bool below) {
  const Layer *l = c->layer;
  if (!feed_forward_back(c, dx) || !context_back(c, dx)) return false;
  int i = 0;  /* the first that learns */
  while (i < QKV && !l->part[i].weight->requires_grad) i++;
  Matrix x = input_for(c, &l->part[i < QKV ? i : 0], c->scratch->y,
                       c->config->hidden_size);
  if (i < QKV) again(ctx, &x);
  return qkv_back(c, dx, &x, below);
}

/* }======== */
