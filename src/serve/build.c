/*
** How a Model is made. See build.h.
**
** It is built twice by the same steps: first without memory, to count what
** its own packs take, then with it.
*/
#include "build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"

enum {
  OWN_STORAGES = 11,    /* 6 of embeddings, 4 of the pooler, 1 of the head */
  LAYER_STORAGES = 24   /* 4 of each of 4 weights, 4 of norms, 4 of adapters;
                           at most */
};

typedef struct Builder {
  Model *model;
  const ModelParts *parts;
  char *at;         /* NULL: only counts */
  size_t used;
  float *fused;     /* [3 hidden, hidden], where Q, K and V become one */
} Builder;


/* {======== memory ======== */

static void *take(Builder *b, size_t bytes) {
  void *taken = b->at == NULL ? NULL : b->at + b->used;
  b->used += (bytes + MEM_ALIGN - 1) / MEM_ALIGN * MEM_ALIGN;
  return taken;
}


/* at most */
static size_t storages_of(const ModelParts *p) {
  return OWN_STORAGES + (size_t)p->config.num_hidden_layers * LAYER_STORAGES;
}


/* the numbers of a part, which are there as long as the model is */
static const void *keep(Builder *b, const Numbers *p) {
  Model *m = b->model;
  if (b->at != NULL && p->storage != NULL) {
    assert(m->kept_count < storages_of(b->parts));
    m->kept[m->kept_count++] = storage_retain(p->storage);
  }
  return p->data;
}

/* }======== */


/* {======== linear layers ======== */

/* the rows of all parts, one above the other, for as long as they are read */
static const float *fused(Builder *b, const LinearParts *l, const Weights *w) {
  if (w->parts == 1) return l->weight.data;
  size_t each = (size_t)(w->out / w->parts * w->in);
  for (int i = 0; i < w->parts; i++)
    memcpy(b->fused + (size_t)i * each, l[i].weight.data,
           each * sizeof *b->fused);
  return b->fused;
}


static const float *fused_bias(Builder *b, const LinearParts *l,
                               const Weights *w) {
  if (w->parts == 1 || b->parts->packed) return keep(b, &l->bias);
  size_t each = (size_t)(w->out / w->parts);
  float *bias = take(b, (size_t)w->out * sizeof *bias);
  for (int i = 0; bias != NULL && i < w->parts; i++)
    memcpy(bias + (size_t)i * each, l[i].bias.data, each * sizeof *bias);
  return bias;
}


static void set_bf16(Builder *b, Weights *w, const LinearParts *l) {
  int64_t units = panels_size(ELEMENT_BF16, w->out, w->in);
  uint32_t *panels = take(b, (size_t)units * sizeof *panels);
  if (panels != NULL)
    product_pack_rows(ELEMENT_BF16, panels, fused(b, l, w), w->out, w->in);
  w->panels = panels;
}


/* float32 rows to 8 bits */
static void quantise(Builder *b, Weights *w, const LinearParts *l) {
  int8_t *panels = take(b, (size_t)int8_panels_size(w->out, w->in));
  float *scale = take(b, (size_t)w->out * sizeof *scale);
  int32_t *sums = take(b, (size_t)w->out * sizeof *sums);
  if (panels != NULL)
    int8_quantise_weight(panels, scale, sums, fused(b, l, w), w->out, w->in);
  w->int8 = (Int8Weight){ panels, scale, sums, NULL, w->out, w->in };
}


static void set_int8(Builder *b, Weights *w, const LinearParts *l) {
  if (b->parts->packed)
    w->int8 = (Int8Weight){ keep(b, &l->panels), keep(b, &l->scale),
                            keep(b, &l->sums), NULL, w->out, w->in };
  else
    quantise(b, w, l);
  w->int8.bias = w->bias;
}


static void set_linear(Builder *b, Weights *w, const LinearParts *l,
                       int parts, int64_t out, int64_t in) {
  *w = (Weights){ .form = b->parts->form, .out = out, .in = in,
                  .parts = parts };
  w->bias = fused_bias(b, l, w);
  if (w->form == FORM_BF16) set_bf16(b, w, l);
  if (w->form == FORM_INT8) set_int8(b, w, l);
  for (int i = 0; w->form == FORM_FP32 && i < parts; i++)
    w->part[i] = keep(b, &l[i].weight);
}


/* float32 always, and by our own kernels: the same bits in any batch */
static void set_small(Builder *b, Weights *w, const LinearParts *l,
                      int64_t out, int64_t in) {
  uint32_t *panels = take(b, (size_t)panels_size(ELEMENT_FP32, out, in) *
                             sizeof *panels);
  if (panels != NULL)
    product_pack_rows(ELEMENT_FP32, panels, l->weight.data, out, in);
  *w = (Weights){ .form = FORM_FP32, .out = out, .in = in, .parts = 1,
                  .bias = keep(b, &l->bias), .panels = panels };
}


static void set_adapter(Builder *b, NetworkAdapter *a,
                        const AdapterParts *p) {
  const EncoderConfig *c = &b->parts->config;
  if (c->adapter_size == 0) return;
  set_small(b, &a->down, &p->down, c->adapter_size, c->hidden_size);
  set_small(b, &a->up, &p->up, c->hidden_size, c->adapter_size);
}

/* }======== */


/* {======== the network ======== */

static Norm norm_of(Builder *b, const NormParts *n) {
  return (Norm){ keep(b, &n->weight), keep(b, &n->bias) };
}


static void set_layer(Builder *b, NetworkLayer *l, const LayerParts *p) {
  const EncoderConfig *c = &b->parts->config;
  int64_t hidden = c->hidden_size, inner = c->intermediate_size;
  set_linear(b, &l->qkv, p->qkv, MOST_PARTS, MOST_PARTS * hidden, hidden);
  set_linear(b, &l->attention_output, &p->attention_output, 1, hidden, hidden);
  set_linear(b, &l->intermediate, &p->intermediate, 1, inner, hidden);
  set_linear(b, &l->output, &p->output, 1, hidden, inner);
  l->attention_norm = norm_of(b, &p->attention_norm);
  l->output_norm = norm_of(b, &p->output_norm);
  set_adapter(b, &l->attention_adapter, &p->attention_adapter);
  set_adapter(b, &l->output_adapter, &p->output_adapter);
}


static void set_word(Builder *b, Table *t) {
  const ModelParts *p = b->parts;
  const void *rows = keep(b, &p->word);
  if (p->word_scale.data == NULL)
    *t = (Table){ .values = rows };
  else
    *t = (Table){ NULL, rows, keep(b, &p->word_scale) };
}


static void set_network(Builder *b) {
  const ModelParts *p = b->parts;
  Network *n = &b->model->network;
  set_word(b, &n->word);
  n->position = keep(b, &p->position);
  n->type = keep(b, &p->type);
  n->embedding_norm = norm_of(b, &p->embedding_norm);
  for (int64_t i = 0; i < p->config.num_hidden_layers; i++)
    set_layer(b, &n->layer[i], &p->layer[i]);
  if (p->pooling == MODEL_POOLER)
    set_linear(b, &n->pooler, &p->pooler, 1, p->config.hidden_size,
               p->config.hidden_size);
  if (p->labels > 0)
    set_small(b, &n->head, &p->head, p->labels, p->config.hidden_size);
}

/* }======== */


/* {======== each linear layer ======== */

enum { LAYER_LINEARS = 4 };

/* linear layer i, in the order that they are used in; NULL: there is none */
static Weights *linear_at(Model *m, int64_t i) {
  Network *n = &m->network;
  int64_t layers = n->config.num_hidden_layers;
  if (i >= layers * LAYER_LINEARS)
    return i == layers * LAYER_LINEARS && n->pooling == MODEL_POOLER
           ? &n->pooler : NULL;
  NetworkLayer *l = &n->layer[i / LAYER_LINEARS];
  Weights *const all[LAYER_LINEARS] = { &l->qkv, &l->attention_output,
                                        &l->intermediate, &l->output };
  return all[i % LAYER_LINEARS];
}


/* of the largest of float32's panels */
static int64_t most_units(Model *m) {
  const Weights *w;
  int64_t most = 0;
  for (int64_t i = 0; (w = linear_at(m, i)) != NULL; i++)
    if (weights_units(w) > most) most = weights_units(w);
  return most;
}

/* }======== */


/* {======== the model ======== */

static bool allocate(Model *m, const ModelParts *p) {
  size_t layers = (size_t)p->config.num_hidden_layers;
  m->network.layer = calloc(layers ? layers : 1, sizeof *m->network.layer);
  m->kept = calloc(storages_of(p), sizeof *m->kept);
  return m->network.layer != NULL && m->kept != NULL;
}


static bool fill(Model *m, const ModelParts *p) {
  Builder b = { .model = m, .parts = p };
  size_t hidden = (size_t)p->config.hidden_size;
  set_network(&b);
  m->memory = mem_alloc(b.used + 1);
  b.fused = mem_alloc(MOST_PARTS * hidden * hidden * sizeof *b.fused);
  m->bytes = b.used;
  b.at = m->memory;
  b.used = 0;
  bool ok = m->memory != NULL && b.fused != NULL;
  if (ok) set_network(&b);
  mem_free(b.fused);
  return ok;
}


Model *model_new(const ModelParts *p) {
  Model *m = calloc(1, sizeof *m);
  if (m == NULL) return NULL;
  m->refs = 1;
  m->network.config = p->config;
  m->network.form = p->form;
  m->network.pooling = p->pooling;
  if (p->tokenizer != NULL) m->tokenizer = tokenizer_retain(p->tokenizer);
  if (allocate(m, p) && fill(m, p)) {
    m->network.most_units = most_units(m);
    return m;
  }
  model_release(m);
  return NULL;
}


void model_release(Model *m) {
  if (m == NULL || __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  for (size_t i = 0; i < m->kept_count; i++) storage_release(m->kept[i]);
  tokenizer_release(m->tokenizer);
  mem_free(m->memory);
  mem_free(m->panels);
  free(m->kept);
  free(m->network.layer);
  free(m);
}

/* }======== */


/* {======== packing what is made ======== */

const Int8Weight *model_int8(Model *m, int64_t i) {
  const Weights *w = linear_at(m, i);
  return w != NULL && w->form == FORM_INT8 ? &w->int8 : NULL;
}


bool model_can_pack(const Model *m) {
  const EncoderConfig *c = &m->network.config;
  return m->network.form == FORM_FP32 &&
         __atomic_load_n(&m->packing, __ATOMIC_ACQUIRE) == UNPACKED &&
         product_has_fp32(c->hidden_size, c->intermediate_size);
}


bool model_pack(Model *m) {
  Weights *w;
  size_t total = 0;
  for (int64_t i = 0; (w = linear_at(m, i)) != NULL; i++)
    total += (size_t)weights_units(w);
  uint32_t *at = m->panels = mem_alloc(total * sizeof *at);
  if (at == NULL) return false;
  for (int64_t i = 0; (w = linear_at(m, i)) != NULL; i++) {
    weights_pack(w, (Outputs){ 0, w->out }, at);
    __atomic_store_n(&w->panels, at, __ATOMIC_RELEASE);
    at += weights_units(w);
  }
  return true;
}

/* }======== */
