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
#include "parameters.h"
#include "workspace.h"

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
  PassKept kept;
  LayerKept layer[];    /* [num_hidden_layers] */
} Pass;


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


static void block_free(Block *b) {
  mem_free(b->memory);
  *b = (Block){ NULL, 0 };
}


void encoder_trim(Encoder *e) {
  block_free(&e->spare);
  block_free(&e->scratch);
}


static bool pack_weights(Encoder *e, bool learns, Scope *scope) {
  bool all;
  if (learns && !e->taken) parameters_take_pages(&e->parameters);
  e->taken = e->taken || learns;
  if (!parameters_pack(&e->parameters, e->precision, learns, &all))
    return false;
  *scope = all ? PACKED : FORWARD;
  return true;
}


/* does any parameter that has a part in the forward want a gradient? */
static bool encoder_wants(const Encoder *e, const EncoderInput *in) {
  if (embeddings_want(&e->parameters.embeddings, in->ids != NULL))
    return true;
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


EncoderVersion encoder_version(const Encoder *e) {
  return (EncoderVersion){ parameters_version(e), e->replaced };
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
  tensor_release(p->input.inputs_embeds);
  encoder_release(e);
  free(p);
}


static Batch batch_of(const EncoderInput *in) {
  const int32_t *offsets = tensor_i32(in->offsets);
  Batch b = { .tokens = tensor_count(in->types),
              .sequences = tensor_count(in->offsets) - 1,
              .ids = in->ids ? tensor_i32(in->ids) : NULL,
              .words = in->inputs_embeds ? tensor_f32(in->inputs_embeds)
                                         : NULL,
              .types = tensor_i32(in->types), .offsets = offsets };
  for (int64_t s = 0; s < b.sequences; s++)
    if (offsets[s + 1] - offsets[s] > b.longest)
      b.longest = offsets[s + 1] - offsets[s];
  return b;
}


static float *input_of(const Pass *p, int64_t layer) {
  return p->kept.inputs +
         layer * p->batch.tokens * p->encoder->config.hidden_size;
}


static size_t input_bytes(const Pass *p) {
  return sizeof(float) *
         (size_t)(p->batch.tokens * p->encoder->config.hidden_size);
}


/* holds what was given; false: no memory */
static bool take_input(EncoderInput *to, const EncoderInput *in) {
  if (in->ids != NULL) to->ids = tensor_retain(in->ids);
  to->types = tensor_retain(in->types);
  to->offsets = tensor_retain(in->offsets);
  if (in->inputs_embeds == NULL) return true;
  to->inputs_embeds = tensor_contiguous(in->inputs_embeds);
  return to->inputs_embeds != NULL;
}


/* no way back needs the vectors themselves */
static void forget_words(Pass *p) {
  tensor_release(p->input.inputs_embeds);
  p->input.inputs_embeds = NULL;
  p->batch.words = NULL;
}


static Pass *pass_new(Encoder *e, const EncoderInput *in,
                      const EncoderDropout *d, bool recorded) {
  size_t layers = (size_t)e->config.num_hidden_layers;
  Pass *p = calloc(1, sizeof *p + layers * sizeof *p->layer);
  if (p == NULL) return NULL;
  p->encoder = encoder_retain(e);
  if (!take_input(&p->input, in)) {
    pass_free(p);
    return NULL;
  }
  p->batch = batch_of(&p->input);
  p->dropout = *d;
  p->precision = e->precision;
  p->version = parameters_version(e);
  p->replaced = e->replaced;
  p->block = e->spare;
  e->spare = (Block){ NULL, 0 };
  Keeping keeping = keeping_of(e, recorded);
  if (!block_reserve(&p->block, kept_floats(&e->config, p->batch.tokens,
                                            keeping))) {
    pass_free(p);
    return NULL;
  }
  p->kept.layer = p->layer;
  kept_place(&p->kept, p->block.memory, &e->config, p->batch.tokens, keeping);
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
  return layer_operand(&p->batch, x, p->encoder->config.hidden_size,
                       s->layer.rounded);
}


static void run_layers(const Pass *p, const Scratch *s, float *out) {
  const Parameters *params = &p->encoder->parameters;
  Dropout d = embedding_dropout(p);
  Matrix first = layer_matrix(p, s, params->layers ? s->x : out);
  embeddings_forward(&params->embeddings, &p->batch, &p->kept.embeddings, &d,
                     &first);
  for (int64_t i = 0; i < params->layers; i++) {
    LayerCall c = call_of(p, i, s);
    if (p->kept.inputs != NULL) memcpy(input_of(p, i), s->x, input_bytes(p));
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
  if (p->batch.ids != NULL)
    tensor_settle_rows(word, p->batch.ids, p->batch.tokens);
  clock_leave(before);
}


/* Words that will get a gradient, and so be written. Longer rows have pages
   between these two, which come when they come. */
static void take_words(const Pass *p) {
  const Tensor *word = p->encoder->parameters.embeddings.word;
  int64_t hidden = p->encoder->config.hidden_size;
  if (p->batch.ids == NULL || !word->requires_grad) return;
  for (int64_t t = 0; t < p->batch.tokens; t++) {
    float *row = tensor_f32(word) + p->batch.ids[t] * hidden;
    mem_take_page(row);
    mem_take_page(row + hidden - 1);
  }
}


static bool encoder_back(Node *n, Tensor *dout);

static const Op ENCODER = { "encoder", encoder_back, pass_free,
                            pass_intact };


Tensor *encoder_forward(Encoder *e, Tape *tape, const EncoderInput *input,
                        const EncoderDropout *dropout) {
  Tensor *given = input->inputs_embeds;
  bool learns = tape->recording && encoder_wants(e, input);
  bool recorded = learns || (given != NULL && tape_wants(tape, given));
  Pass *p = pass_new(e, input, dropout, recorded);
  Scratch s;
  Scope scope;
  if (p == NULL) return NULL;
  Shape shape = shape_of(2, p->batch.tokens, e->config.hidden_size);
  Tensor *out = tensor_new(FLOAT32, &shape);
  if (learns) take_words(p);
  settle(p);
  if (out == NULL || !pack_weights(e, learns, &scope) ||
      !scratch_get(&e->scratch, &s, &e->config, &p->batch, p->precision,
                   scope)) {
    tensor_release(out);
    pass_free(p);
    return NULL;
  }
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  run_layers(p, &s, tensor_f32(out));
  clock_leave(before);
  forget_words(p);
  Kept kept = { .tensor = { input->ids, input->types, input->offsets },
                .state = p };
  if (recorded)
    return tape_attach(tape, out, &ENCODER, given != NULL, &given, &kept);
  pass_free(p);
  return out;
}


Tensor *encoder_embed(Encoder *e, Tape *tape, Tensor *ids) {
  const Embeddings *embeddings = &e->parameters.embeddings;
  tensor_settle_rows(embeddings->word, tensor_i32(ids), tensor_count(ids));
  return embeddings_words(embeddings, tape, ids);
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
  if (p->kept.inputs != NULL) {
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
  embeddings_again(&params->embeddings, &p->batch, &p->kept.embeddings, &d, x);
}


/* the lowest layer that must be gone back through; -1: the embeddings too */
static int64_t lowest_wanted(const Pass *p, bool to_input) {
  const Parameters *params = &p->encoder->parameters;
  if (to_input || embeddings_want(&params->embeddings, p->batch.ids != NULL))
    return -1;
  int64_t i = 0;
  while (i < params->layers && !layer_wants(&params->layer[i])) i++;
  return i;
}


/* dx [tokens, hidden] is used up; to_input: becomes the gradient of the word
   vectors that were given */
static bool back_through(const Pass *p, float *dx, bool to_input) {
  const Parameters *params = &p->encoder->parameters;
  int64_t lowest = lowest_wanted(p, to_input);
  Scratch s;
  Encoder *e = p->encoder;
  if (!scratch_get(&e->scratch, &s, &e->config, &p->batch, p->precision,
                   BACKWARD))
    return false;
  for (int64_t i = params->layers - 1; i >= 0 && i >= lowest; i--) {
    LayerCall c = call_of(p, i, &s);
    LayerInput in = { p, i };
    if (p->kept.inputs != NULL) {
      Matrix x = layer_matrix(p, &s, input_of(p, i));
      matrix_round_all(&x);
      layer_forward(&c, x.values, s.x);
    }
    if (!layer_back(&c, dx, input_again, &in, i > lowest)) return false;
  }
  Dropout d = embedding_dropout(p);
  return lowest >= 0 ||
         embeddings_back(&params->embeddings, &p->batch,
                         &p->kept.embeddings, &d, dx);
}


static bool encoder_back(Node *n, Tensor *dout) {
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  bool to_input = n->inputs > 0 && node_wants(n, 0);
  bool ok = back_through(n->kept.state, tensor_f32(dout), to_input);
  clock_leave(before);
  return ok && (!to_input || node_give(n, 0, tensor_retain(dout)));
}

/* }======== */
