/*
** Memory of a pass. See workspace.h.
*/
#include "workspace.h"

#include "../base/mem.h"
#include "attention.h"

/* floats to a cache line: no two buffers share one */
enum { LINE = 16 };

/* a number of floats that no machine has; sums of sizes stop here */
#define TOO_MANY  (SIZE_MAX / 16)


bool block_reserve(Block *b, size_t floats) {
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


static AdapterKept take_adapter(float **at, size_t *n,
                                const EncoderConfig *c, int64_t tokens) {
  AdapterKept k;
  k.input = take(at, n, c->adapter_size ? tokens : 0, c->hidden_size);
  k.inner = take(at, n, tokens, c->adapter_size);
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
  k.attention_adapter = take_adapter(at, n, c, tokens);
  k.output_adapter = take_adapter(at, n, c, tokens);
  return k;
}


size_t kept_floats(const EncoderConfig *c, int64_t tokens, Keeping keeping) {
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


/* every layer has its own place, or all have the same */
void kept_place(PassKept *k, float *at, const EncoderConfig *c,
                int64_t tokens, Keeping keeping) {
  int64_t layers = c->num_hidden_layers;
  size_t n = 0;
  k->embeddings = take_norm(&at, &n, tokens, c->hidden_size);
  for (int64_t i = 0; i < layers; i++)
    k->layer[i] = keeping == KEEP_ALL || i == 0
                ? take_layer(&at, &n, c, tokens) : k->layer[0];
  k->inputs = keeping == KEEP_INPUTS
            ? take(&at, &n, layers * tokens, c->hidden_size) : NULL;
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


/* units of the panels of a layer's largest weight */
static int64_t largest_weight(const EncoderConfig *c, Precision p) {
  int64_t hidden = c->hidden_size, inner = c->intermediate_size;
  int64_t size = c->adapter_size;
  int64_t own = larger(linear_units(p, QKV * hidden, hidden),
                       larger(linear_units(p, inner, hidden),
                              linear_units(p, hidden, inner)));
  return size == 0 ? own : larger(own, larger(linear_units(p, size, hidden),
                                              linear_units(p, hidden, size)));
}


/* what rounding and packing take; weight: of the largest matrix */
static void take_operands(LayerScratch *s, float **at, size_t *n,
                          const EncoderConfig *c, int64_t tokens,
                          Scope scope) {
  int64_t hidden = c->hidden_size;
  int64_t inner = larger(c->intermediate_size, c->adapter_size);
  Precision p = s->arithmetic.precision;
  bool bf16 = p == PRECISION_BF16;
  if (scope != PACKED)
    s->arithmetic.weight = take_units(at, n, largest_weight(c, p));
  s->rounded = take_rounded(at, n, bf16 ? tokens : 0, QKV * hidden);
  s->rounded_inner = take_rounded(at, n, bf16 ? tokens : 0, inner);
}


/* panels of activations and their gradients, in a backward by our kernels */
static void take_panels(LayerScratch *s, float **at, size_t *n,
                        const EncoderConfig *c, int64_t tokens) {
  Element e = linear_element(s->arithmetic.precision);
  int64_t hidden = panels_size(e, c->hidden_size, tokens);
  int64_t inner = panels_size(e, larger(c->intermediate_size,
                                        c->adapter_size), tokens);
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
  l->dadapter = take(&at, &n, back ? b->tokens : 0, c->adapter_size);
  l->attention = take(&at, &n, l->lanes,
                      attention_scratch(1, b->longest, hidden /
                                        c->num_attention_heads, back));
  take_operands(l, &at, &n, c, b->tokens, scope);
  if (back && linear_is_ours(precision, hidden, hidden))
    take_panels(l, &at, &n, c, b->tokens);
  if (precision == PRECISION_FP32) {
    l->adapter = take(&at, &n, b->tokens, c->adapter_size);
    l->g = back && linear_is_ours(precision, inner, hidden)
         ? (float *)l->wide : take(&at, &n, b->tokens, inner);
  }
  return n;
}


bool scratch_get(Block *block, Scratch *s, const EncoderConfig *c,
                 const Batch *b, Precision p, Scope scope) {
  s->layer.lanes = attention_lanes(b->sequences, c->num_attention_heads);
  size_t floats = place_scratch(s, NULL, c, b, p, scope);
  if (!block_reserve(block, floats)) return false;
  place_scratch(s, block->memory, c, b, p, scope);
  return true;
}
