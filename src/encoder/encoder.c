/*
** The encoder as one node of the tape. See encoder.h for what is promised.
**
** A forward is a Pass: what it was given, and where it keeps what the
** backward needs. The pass hangs on the node and goes with it.
*/
#include "encoder.h"

#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/mem.h"
#include "attention.h"
#include "parameters.h"

/* floats to a cache line: no two buffers share one */
enum { LINE = 16 };

/* a number of floats that no machine has; sums of sizes stop here */
#define TOO_MANY  (SIZE_MAX / 16)

/* a block that is used again; grows by an eighth more than was asked for */
typedef struct Block {
  float *memory;
  size_t room;  /* floats */
} Block;

struct Encoder {
  int refs;
  EncoderConfig config;
  Precision precision;
  bool checkpointing;
  bool taken;     /* the memory of what training changes */
  Parameters parameters;
  uint64_t replaced;  /* times that a parameter became another tensor */
  Block spare;    /* kept by no pass now */
  Block scratch;  /* used up within a call */
};

typedef struct Pass {
  Encoder *encoder;
  EncoderInput input;
  Batch batch;
  EncoderDropout dropout;
  Precision precision;
  uint64_t version;     /* of all parameters together, */
  uint64_t replaced;    /* and the encoder's count, when it began */
  Block block;          /* holds all that is kept */
  NormKept embeddings;
  float *inputs;        /* [layers, tokens, hidden], where checkpoints are
                           kept; else NULL */
  LayerKept layer[];    /* [num_hidden_layers] */
} Pass;

/* What a scratch is for: a forward that finds all weights packed, one that
   packs what it multiplies, or the way back. */
typedef enum Scope {
  PACKED,
  FORWARD,
  BACKWARD
} Scope;

typedef struct Scratch {
  LayerScratch layer;
  float *x;             /* [tokens, hidden] */
} Scratch;


/* {======== blocks ======== */

static bool reserve(Block *b, size_t floats) {
  if (b->room >= floats && b->memory != NULL) return true;
  if (floats >= TOO_MANY) return false;
  mem_free(b->memory);
  b->room = floats + floats / 8;
  b->memory = mem_alloc(b->room * sizeof(float));
  if (b->memory == NULL) b->room = 0;
  return b->memory != NULL;
}


static size_t whole_lines(int64_t rows, int64_t width) {
  return ((size_t)(rows * width) + LINE - 1) / LINE * LINE;
}


/* the next [rows, width] floats at *at; *at NULL: only counts into *floats */
static float *take(float **at, size_t *floats, int64_t rows, int64_t width) {
  size_t n = whole_lines(rows, width);
  float *p = *at;
  *floats = n < TOO_MANY - *floats ? *floats + n : TOO_MANY;
  if (p != NULL) *at = p + n;
  return p;
}


static NormKept take_norm(float **at, size_t *n, int64_t tokens,
                          int64_t hidden) {
  NormKept k;
  k.normal = take(at, n, tokens, hidden);
  k.inverse = take(at, n, tokens, 1);
  return k;
}


static LayerKept take_layer(float **at, size_t *n, const EncoderConfig *c,
                            int64_t tokens) {
  LayerKept k;
  k.qkv = take(at, n, tokens, 3 * c->hidden_size);
  k.lse = take(at, n, tokens, c->num_attention_heads);
  k.context = take(at, n, tokens, c->hidden_size);
  k.inner = take(at, n, tokens, c->intermediate_size);
  k.attention_norm = take_norm(at, n, tokens, c->hidden_size);
  k.output_norm = take_norm(at, n, tokens, c->hidden_size);
  return k;
}


/* What a pass keeps until its end. */
typedef enum Keeping {
  KEEP_ONE,     /* a layer's buffers, for each in turn: nothing goes back */
  KEEP_ALL,     /* every layer's */
  KEEP_INPUTS   /* one layer's, and the input of each */
} Keeping;


static size_t kept_floats(const EncoderConfig *c, int64_t tokens,
                          Keeping keeping) {
  size_t layers = (size_t)c->num_hidden_layers;
  size_t embeddings = 0, layer = 0, input = 0;
  float *nowhere = NULL;
  take_norm(&nowhere, &embeddings, tokens, c->hidden_size);
  take_layer(&nowhere, &layer, c, tokens);
  take(&nowhere, &input, tokens, c->hidden_size);
  bool fits = mem_times(keeping == KEEP_ALL ? layers : 1, layer, &layer) &&
              mem_times(keeping == KEEP_INPUTS ? layers : 0, input, &input) &&
              layer < TOO_MANY - embeddings &&
              input < TOO_MANY - embeddings - layer;
  return fits ? embeddings + layer + input : TOO_MANY;
}


static Keeping keeping_of(const Encoder *e, bool recorded) {
  if (!recorded) return KEEP_ONE;
  return e->checkpointing ? KEEP_INPUTS : KEEP_ALL;
}


size_t encoder_keeps(const Encoder *e, int64_t tokens) {
  return kept_floats(&e->config, tokens, keeping_of(e, true)) *
         sizeof(float);
}


size_t encoder_needs(const Encoder *e, int64_t tokens) {
  size_t bytes = encoder_keeps(e, tokens);
  return bytes <= e->spare.room * sizeof(float) ? 0 : bytes;
}


/* units of panels (four bytes, as floats have); NULL when there are none */
static uint32_t *take_units(float **at, size_t *n, int64_t units) {
  return units > 0 ? (void *)take(at, n, 1, units) : NULL;
}


/* rows of bf16 */
static Bf16 *take_rounded(float **at, size_t *n, int64_t rows,
                          int64_t width) {
  return (Bf16 *)take_units(at, n, rows * bf16_step(width) / 2);
}


static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}


/* what rounding and packing take; weight: of the largest matrix */
static void take_operands(LayerScratch *s, float **at, size_t *n,
                          const EncoderConfig *c, int64_t tokens,
                          Scope scope) {
  int64_t hidden = c->hidden_size, inner = c->intermediate_size;
  int64_t qkv = linear_units(s->arithmetic.precision, QKV * hidden, hidden);
  int64_t widest = linear_units(s->arithmetic.precision, inner, hidden);
  int64_t output = linear_units(s->arithmetic.precision, hidden, inner);
  bool bf16 = s->arithmetic.precision == PRECISION_BF16;
  if (scope != PACKED)
    s->arithmetic.weight = take_units(at, n, larger(qkv, larger(widest,
                                                                output)));
  s->rounded = take_rounded(at, n, bf16 ? tokens : 0, QKV * hidden);
  s->rounded_inner = take_rounded(at, n, bf16 ? tokens : 0, inner);
}


/* panels of activations and their gradients, in a backward by our kernels */
static void take_panels(LayerScratch *s, float **at, size_t *n,
                        const EncoderConfig *c, int64_t tokens) {
  Element e = linear_element(s->arithmetic.precision);
  int64_t hidden = panels_size(e, c->hidden_size, tokens);
  int64_t inner = panels_size(e, c->intermediate_size, tokens);
  s->dy = take_units(at, n, hidden);
  s->wide = take_units(at, n, larger(QKV * hidden, inner));
  s->x = take_units(at, n, larger(hidden, inner));
}


static size_t place_scratch(Scratch *s, float *at, const EncoderConfig *c,
                            const Batch *b, Precision precision,
                            Scope scope) {
  size_t n = 0;
  int64_t inner = c->intermediate_size, hidden = c->hidden_size;
  LayerScratch *l = &s->layer;
  bool back = scope == BACKWARD;
  *s = (Scratch){ .layer.lanes = l->lanes,
                  .layer.arithmetic.precision = precision };
  s->x = take(&at, &n, b->tokens, hidden);
  l->h = take(&at, &n, b->tokens, hidden);
  l->y = take(&at, &n, b->tokens, hidden);
  l->dg = l->dqkv = take(&at, &n, back ? b->tokens : 0,
                         larger(inner, QKV * hidden));  /* one, then other */
  l->attention = take(&at, &n, l->lanes,
                      attention_scratch(1, b->longest, hidden /
                                        c->num_attention_heads, back));
  take_operands(l, &at, &n, c, b->tokens, scope);
  if (back && linear_is_ours(precision, hidden, hidden))
    take_panels(l, &at, &n, c, b->tokens);
  if (precision == PRECISION_FP32)
    l->g = back && linear_is_ours(precision, inner, hidden)
         ? (float *)l->wide : take(&at, &n, b->tokens, inner);
  return n;
}


static bool get_scratch(Encoder *e, Scratch *s, const Batch *b, Precision p,
                        Scope scope) {
  s->layer.lanes = attention_lanes(b->sequences,
                                   e->config.num_attention_heads);
  size_t floats = place_scratch(s, NULL, &e->config, b, p, scope);
  if (!reserve(&e->scratch, floats)) return false;
  place_scratch(s, e->scratch.memory, &e->config, b, p, scope);
  return true;
}

/* }======== */


/* {======== the encoder ======== */

Encoder *encoder_new(const EncoderConfig *config) {
  Encoder *e = calloc(1, sizeof *e);
  if (e == NULL) return NULL;
  e->refs = 1;
  e->config = *config;
  if (parameters_init(&e->parameters, config)) return e;
  encoder_release(e);
  return NULL;
}


Encoder *encoder_retain(Encoder *e) {
  e->refs++;
  return e;
}


void encoder_release(Encoder *e) {
  if (e == NULL || --e->refs > 0) return;
  parameters_free(&e->parameters);
  mem_free(e->spare.memory);
  mem_free(e->scratch.memory);
  free(e);
}


const EncoderConfig *encoder_config(const Encoder *e) {
  return &e->config;
}


int encoder_parameters(const Encoder *e) {
  return e->parameters.count;
}


const char *encoder_name(const Encoder *e, int i) {
  return e->parameters.list[i].name;
}


Tensor *encoder_parameter(const Encoder *e, int i) {
  return *e->parameters.list[i].slot;
}


/* another tensor may have the version that was packed: no panels stay */
bool encoder_set(Encoder *e, int i, Tensor *t) {
  e->replaced++;
  e->taken = false;
  parameters_unpack(&e->parameters);
  return parameters_set(&e->parameters, i, t);
}


void encoder_set_precision(Encoder *e, Precision p) {
  e->precision = p;
}


void encoder_set_checkpointing(Encoder *e, bool on) {
  e->checkpointing = on;
}


static bool pack_weights(Encoder *e, bool recorded, Scope *scope) {
  bool all;
  if (recorded && !e->taken) parameters_take_pages(&e->parameters);
  e->taken = e->taken || recorded;
  if (!parameters_pack(&e->parameters, e->precision, recorded, &all))
    return false;
  *scope = all ? PACKED : FORWARD;
  return true;
}


static bool encoder_wants(const Encoder *e) {
  if (embeddings_want(&e->parameters.embeddings)) return true;
  for (int64_t i = 0; i < e->config.num_hidden_layers; i++)
    if (layer_wants(&e->parameters.layer[i])) return true;
  return false;
}

/* }======== */


/* moves when any parameter is written in place */
static uint64_t parameters_version(const Encoder *e) {
  uint64_t sum = 0;
  for (int i = 0; i < encoder_parameters(e); i++)
    sum += encoder_parameter(e, i)->storage->version;
  return sum;
}


/* {======== passes ======== */

static bool pass_intact(const void *state) {
  const Pass *p = state;
  return p->version == parameters_version(p->encoder) &&
         p->replaced == p->encoder->replaced;
}


/* the memory goes back to the encoder, unless it has a larger block */
static void pass_free(void *state) {
  Pass *p = state;
  Encoder *e = p->encoder;
  if (p->block.room > e->spare.room) {
    mem_free(e->spare.memory);
    e->spare = p->block;
  }
  else
    mem_free(p->block.memory);
  tensor_release(p->input.ids);
  tensor_release(p->input.types);
  tensor_release(p->input.offsets);
  encoder_release(e);
  free(p);
}


static Batch batch_of(const EncoderInput *in) {
  const int32_t *offsets = tensor_i32(in->offsets);
  Batch b = { tensor_count(in->ids), tensor_count(in->offsets) - 1, 0,
              tensor_i32(in->ids), tensor_i32(in->types), offsets };
  for (int64_t s = 0; s < b.sequences; s++)
    if (offsets[s + 1] - offsets[s] > b.longest)
      b.longest = offsets[s + 1] - offsets[s];
  return b;
}


/* every layer has its own place, or all have the same */
static void place_kept(Pass *p, Keeping keeping) {
  const EncoderConfig *c = &p->encoder->config;
  int64_t tokens = p->batch.tokens, layers = c->num_hidden_layers;
  float *at = p->block.memory;
  size_t n = 0;
  p->embeddings = take_norm(&at, &n, tokens, c->hidden_size);
  for (int64_t i = 0; i < layers; i++)
    p->layer[i] = keeping == KEEP_ALL || i == 0
                ? take_layer(&at, &n, c, tokens) : p->layer[0];
  p->inputs = keeping == KEEP_INPUTS
            ? take(&at, &n, layers * tokens, c->hidden_size) : NULL;
}


static float *input_of(const Pass *p, int64_t layer) {
  return p->inputs + layer * p->batch.tokens * p->encoder->config.hidden_size;
}


static size_t input_bytes(const Pass *p) {
  return sizeof(float) *
         (size_t)(p->batch.tokens * p->encoder->config.hidden_size);
}


static Pass *pass_new(Encoder *e, const EncoderInput *in,
                      const EncoderDropout *d, bool recorded) {
  size_t layers = (size_t)e->config.num_hidden_layers;
  Pass *p = calloc(1, sizeof *p + layers * sizeof *p->layer);
  if (p == NULL) return NULL;
  p->encoder = encoder_retain(e);
  p->input = (EncoderInput){ tensor_retain(in->ids),
                             tensor_retain(in->types),
                             tensor_retain(in->offsets) };
  p->batch = batch_of(in);
  p->dropout = *d;
  p->precision = e->precision;
  p->version = parameters_version(e);
  p->replaced = e->replaced;
  p->block = e->spare;
  e->spare = (Block){ NULL, 0 };
  Keeping keeping = keeping_of(e, recorded);
  if (!reserve(&p->block,
               kept_floats(&e->config, p->batch.tokens, keeping))) {
    pass_free(p);
    return NULL;
  }
  place_kept(p, keeping);
  return p;
}


/* a stream of random numbers for each place where something is dropped */
static Dropout drop_at(const Pass *p, float probability, int64_t site) {
  return (Dropout){ probability, rng_new(p->dropout.seed, (uint32_t)site) };
}


static Dropout embedding_dropout(const Pass *p) {
  return drop_at(p, p->dropout.hidden, 0);
}


static LayerCall call_of(const Pass *p, int64_t i, const Scratch *s) {
  int64_t site = 1 + 3 * i;
  return (LayerCall){
    .config = &p->encoder->config, .batch = &p->batch,
    .layer = &p->encoder->parameters.layer[i], .kept = &p->layer[i],
    .scratch = &s->layer,
    .dropout = {
      .attention = drop_at(p, p->dropout.attention, site),
      .attention_output = drop_at(p, p->dropout.hidden, site + 1),
      .output = drop_at(p, p->dropout.hidden, site + 2) } };
}

/* }======== */


/* {======== forward ======== */

/* x [tokens, hidden], as a layer reads it */
static Matrix layer_matrix(const Pass *p, const Scratch *s, float *x) {
  int64_t hidden = p->encoder->config.hidden_size;
  Matrix m = matrix_of(x, p->batch.tokens, hidden);
  m.rounded = s->layer.rounded;
  return m;
}


static void run_layers(const Pass *p, const Scratch *s, float *out) {
  const Parameters *params = &p->encoder->parameters;
  Dropout d = embedding_dropout(p);
  Matrix first = layer_matrix(p, s, params->layers ? s->x : out);
  embeddings_forward(&params->embeddings, &p->batch, &p->embeddings, &d,
                     &first);
  for (int64_t i = 0; i < params->layers; i++) {
    LayerCall c = call_of(p, i, s);
    if (p->inputs != NULL) memcpy(input_of(p, i), s->x, input_bytes(p));
    layer_forward(&c, s->x, i == params->layers - 1 ? out : s->x);
  }
}


/* brings up to date what is read: of the words, the rows of the batch */
static void settle(const Pass *p) {
  const Encoder *e = p->encoder;
  const Tensor *word = e->parameters.embeddings.word;
  ClockPart before = clock_enter(CLOCK_OPTIMIZER);
  for (int i = 0; i < encoder_parameters(e); i++)
    if (encoder_parameter(e, i) != word)
      tensor_settle(encoder_parameter(e, i));
  tensor_settle_rows(word, p->batch.ids, p->batch.tokens);
  clock_leave(before);
}


static bool encoder_back(Node *n, Tensor *dout);

static const Op ENCODER = { "encoder", encoder_back, pass_free,
                            pass_intact };


Tensor *encoder_forward(Encoder *e, Tape *tape, const EncoderInput *input,
                        const EncoderDropout *dropout) {
  bool recorded = tape->recording && encoder_wants(e);
  Pass *p = pass_new(e, input, dropout, recorded);
  Scratch s;
  Scope scope;
  if (p == NULL) return NULL;
  Shape shape = shape_of(2, p->batch.tokens, e->config.hidden_size);
  Tensor *out = tensor_new(FLOAT32, &shape);
  settle(p);
  if (out == NULL || !pack_weights(e, recorded, &scope) ||
      !get_scratch(e, &s, &p->batch, p->precision, scope)) {
    tensor_release(out);
    pass_free(p);
    return NULL;
  }
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  run_layers(p, &s, tensor_f32(out));
  clock_leave(before);
  Kept kept = { .tensor = { input->ids, input->types, input->offsets },
                .state = p };
  if (recorded) return tape_attach(tape, out, &ENCODER, 0, NULL, &kept);
  pass_free(p);
  return out;
}

/* }======== */


/* {======== backward ======== */

typedef struct LayerInput {
  const Pass *pass;
  int64_t layer;
} LayerInput;


/* the input of a layer: the output of what is under it */
static void input_again(void *ctx, const Matrix *x) {
  const LayerInput *in = ctx;
  const Pass *p = in->pass;
  const Parameters *params = &p->encoder->parameters;
  if (p->inputs != NULL) {
    memcpy(x->values, input_of(p, in->layer), input_bytes(p));
    matrix_round_all(x);
    return;
  }
  if (in->layer > 0) {
    norm_again(&params->layer[in->layer - 1].output_norm,
               &p->layer[in->layer - 1].output_norm, x);
    return;
  }
  Dropout d = embedding_dropout(p);
  embeddings_again(&params->embeddings, &p->batch, &p->embeddings, &d, x);
}


/* the lowest layer that must be gone back through; -1: the embeddings too */
static int64_t lowest_wanted(const Parameters *params) {
  if (embeddings_want(&params->embeddings)) return -1;
  int64_t i = 0;
  while (i < params->layers && !layer_wants(&params->layer[i])) i++;
  return i;
}


/* dx [tokens, hidden] is used up */
static bool back_through(const Pass *p, float *dx) {
  const Parameters *params = &p->encoder->parameters;
  int64_t lowest = lowest_wanted(params);
  Scratch s;
  if (!get_scratch(p->encoder, &s, &p->batch, p->precision, BACKWARD))
    return false;
  for (int64_t i = params->layers - 1; i >= 0 && i >= lowest; i--) {
    LayerCall c = call_of(p, i, &s);
    LayerInput in = { p, i };
    if (p->inputs != NULL) {
      Matrix x = layer_matrix(p, &s, input_of(p, i));
      matrix_round_all(&x);
      layer_forward(&c, x.values, s.x);
    }
    if (!layer_back(&c, dx, input_again, &in, i > lowest)) return false;
  }
  Dropout d = embedding_dropout(p);
  return lowest >= 0 ||
         embeddings_back(&params->embeddings, &p->batch, &p->embeddings, &d,
                         dx);
}


static bool encoder_back(Node *n, Tensor *dout) {
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  bool ok = back_through(n->kept.state, tensor_f32(dout));
  clock_leave(before);
  return ok;
}

/* }======== */
