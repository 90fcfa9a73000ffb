/*
** Models that answer. See model.h.
**
** A batch is cut into parts of whole sequences, and a thread takes one part
** after the other through the whole network: threads meet at the end alone.
** What can't be cut so is run by all of them together, product by product.
*/
#include "model.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "../base/mem.h"
#include "../base/pool.h"
#include "../encoder/attention.h"
#include "build.h"
#include "space.h"

enum {
  PART_TOKENS = 96,     /* of a part, about: its buffers stay in L2 and L3 */
  ALONE_TOKENS = 64,    /* of a batch that is not worth to wake a thread */
  TOKENS_TO_PACK = 256  /* after which float32's panels have paid */
};


/* {======== asking ======== */

Model *model_retain(Model *m) {
  __atomic_add_fetch(&m->refs, 1, __ATOMIC_RELAXED);
  return m;
}


int64_t model_width(const Model *m) {
  return network_width(&m->network);
}


Tokenizer *model_tokenizer(const Model *m) {
  return m->tokenizer;
}


const char *model_precision_name(const Model *m) {
  static const char *const names[FORMS] = {
    [FORM_FP32] = "fp32", [FORM_BF16] = "bf16", [FORM_INT8] = "int8" };
  return names[m->network.form];
}


size_t model_bytes(const Model *m) {
  return m->bytes;
}


static bool tokens_fit(const EncoderConfig *c, const Batch *b, Error *e) {
  for (int64_t t = 0; t < b->tokens; t++) {
    if (b->ids[t] < 0 || b->ids[t] >= c->vocab_size)
      return error_set(e, "token %" PRId64 ": id %d, the model has 0 to %"
                       PRId64, t, (int)b->ids[t], c->vocab_size - 1);
    if (b->types[t] < 0 || b->types[t] >= c->type_vocab_size)
      return error_set(e, "token %" PRId64 ": token type %d, the model has 0 "
                       "to %" PRId64, t, (int)b->types[t],
                       c->type_vocab_size - 1);
  }
  return true;
}


bool model_accepts(const Model *m, const Batch *b, Error *e) {
  const EncoderConfig *c = &m->network.config;
  const int32_t *o = b->offsets;
  if (b->sequences < 1 || o[0] != 0 || o[b->sequences] != b->tokens)
    return error_set(e, "offsets: expected 0 first and %" PRId64 ", the "
                     "number of tokens, last", b->tokens);
  for (int64_t s = 0; s < b->sequences; s++) {
    int64_t length = (int64_t)o[s + 1] - o[s];
    if (length < 1 || length > c->max_position_embeddings ||
        o[s + 1] > b->tokens)
      return error_set(e, "sequence %" PRId64 " has %" PRId64 " tokens, "
                       "expected 1 to %" PRId64, s + 1, length,
                       c->max_position_embeddings);
  }
  return tokens_fit(c, b, e);
}

/* }======== */


/* {======== parts ======== */

/* a batch on its way through a model, divided into parts */
typedef struct Division {
  const Network *network;
  const Batch *batch;
  float *out;            /* [sequences, width] */
  int64_t part;          /* a sequence belongs to the part in which it begins:
                            tokens part * i .. part * (i + 1) - 1 */
  int64_t parts, next;
  const Lane *lane;      /* [lanes] */
} Division;


/* the first sequence that begins at this token or behind it */
static int64_t sequence_from(const Batch *b, int64_t token) {
  int64_t low = 0, high = b->sequences;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    if (b->offsets[middle] < token) low = middle + 1;
    else high = middle;
  }
  return low;
}


/* sequences first .. end - 1 as a batch, with offsets from 0 */
static Batch part_of(const Batch *b, int64_t first, int64_t end,
                     int32_t *offsets) {
  int32_t start = b->offsets[first];
  Batch part = { .tokens = b->offsets[end] - start, .sequences = end - first,
                 .ids = b->ids + start, .types = b->types + start,
                 .offsets = offsets };
  offsets[0] = 0;
  for (int64_t s = 0; s < part.sequences; s++) {
    offsets[s + 1] = b->offsets[first + s + 1] - start;
    if (offsets[s + 1] - offsets[s] > part.longest)
      part.longest = offsets[s + 1] - offsets[s];
  }
  return part;
}


static void run_part(const Division *j, int64_t i, const Lane *lane) {
  int64_t first = sequence_from(j->batch, i * j->part);
  int64_t end = sequence_from(j->batch, (i + 1) * j->part);
  if (first == end) return;
  Batch part = part_of(j->batch, first, end, lane->offsets);
  network_run(j->network, lane, &part,
              j->out + first * network_width(j->network));
}


/* the only part, by all threads, as the pool's tasks round */
static void run_together(void *ctx, int64_t part) {
  const Division *j = ctx;
  run_part(j, part, &j->lane[0]);
}


static void run_lane(void *ctx, int64_t lane) {
  Division *j = ctx;
  bool was = pool_alone(true);
  int64_t i;
  while ((i = __atomic_fetch_add(&j->next, 1, __ATOMIC_RELAXED)) < j->parts)
    run_part(j, i, &j->lane[lane]);
  pool_alone(was);
}


static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}


/* an even number of parts, where there are sequences enough: two threads end
   together */
static int64_t count_parts(const Batch *b) {
  int64_t n = (b->tokens + PART_TOKENS / 2) / PART_TOKENS;
  if (n < 2) n = b->tokens > ALONE_TOKENS ? 2 : 1;
  if (n > 1) n = (n + 1) / 2 * 2;
  return least(n, b->sequences);
}


static int64_t longest_of(const Batch *b) {
  int64_t longest = 0;
  for (int64_t s = 0; s < b->sequences; s++)
    if (b->offsets[s + 1] - b->offsets[s] > longest)
      longest = b->offsets[s + 1] - b->offsets[s];
  return longest;
}


/* Sets up lanes [threads], as many as there are parts for. Alone, a part is
   worked on by the lane's own thread. */
static bool prepare(Division *j, Space *s, Lane *lane, int64_t threads,
                    int64_t *lanes) {
  const Batch *b = j->batch;
  const EncoderConfig *c = &j->network->config;
  int64_t longest = longest_of(b);
  *lanes = least(threads, j->parts);
  bool together = *lanes < threads && *lanes == 1;
  for (int64_t i = 0; i < *lanes; i++)
    lane[i].lanes = together ? attention_lanes(b->sequences,
                                               c->num_attention_heads) : 1;
  return space_lanes(s, lane, *lanes, j->network,
                     least(b->tokens, j->part + longest - 1),
                     least(b->sequences, j->part), longest);
}


static int64_t threads_for(const Space *s, const Batch *b) {
  bool small = b->sequences == 1 || b->tokens <= ALONE_TOKENS;
  if (s->threads == 1 || (s->threads == 0 && small)) return 1;
  int64_t threads = pool_threads();
  return s->threads > 1 ? least(s->threads, threads) : threads;
}


static bool run_parts(const Network *n, Space *s, const Batch *b,
                      float *out) {
  Lane lane[POOL_MAX];
  int64_t threads = threads_for(s, b), lanes;
  Division j = { .network = n, .batch = b, .out = out, .lane = lane,
            .parts = count_parts(b) };
  j.part = (b->tokens + j.parts - 1) / j.parts;
  if (!prepare(&j, s, lane, threads, &lanes)) return false;
  if (lanes == 1 && threads > 1) pool_run(1, run_together, &j);
  else pool_run(lanes, run_lane, &j);
  return true;
}

/* }======== */


/* {======== running ======== */

/* float32's panels, once enough was asked of the model. Who comes while they
   are made makes some of its own. */
static void pack_when_due(Model *m, int64_t tokens) {
  if (!model_can_pack(m)) return;
  int64_t asked = __atomic_add_fetch(&m->asked, tokens, __ATOMIC_RELAXED);
  int expected = UNPACKED;
  if (asked < TOKENS_TO_PACK ||
      !__atomic_compare_exchange_n(&m->packing, &expected, PACKS, false,
                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return;
  __atomic_store_n(&m->packing, model_pack(m) ? PACKED : UNPACKED,
                   __ATOMIC_RELEASE);
}


bool model_run(Model *m, Space *s, const Batch *b, float *out) {
  pack_when_due(m, b->tokens);
  return run_parts(&m->network, s, b, out);
}


static void softmax_row(float *x, int64_t width) {
  float most = x[0], total = 0;
  for (int64_t c = 1; c < width; c++) most = x[c] > most ? x[c] : most;
  for (int64_t c = 0; c < width; c++) total += x[c] = expf(x[c] - most);
  for (int64_t c = 0; c < width; c++) x[c] /= total;
}


void model_activate(float *x, int64_t rows, int64_t width,
                    ModelActivation how) {
  switch (how) {
    case MODEL_SOFTMAX:
      for (int64_t r = 0; r < rows; r++) softmax_row(x + r * width, width);
      break;
    case MODEL_SIGMOID:
      for (int64_t i = 0; i < rows * width; i++) x[i] = 1 / (1 + expf(-x[i]));
      break;
    case MODEL_LINEAR:
      break;
  }
}

/* }======== */
