/*
** The parameters of an encoder. See parameters.h.
*/
#include "parameters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../base/mem.h"
#include "../tensor/row_gradient.h"

enum {
  EMBEDDING_PARAMETERS = 5,
  LAYER_PARAMETERS = 16,
  ADAPTER_PARAMETERS = 4   /* of which a layer has two, or none */
};


/* {======== making ======== */

static void name_it(Parameter *to, int64_t layer, const char *name) {
  if (layer < 0)
    snprintf(to->name, sizeof to->name, "embeddings.%s", name);
  else
    snprintf(to->name, sizeof to->name, "encoder.layer.%" PRId64 ".%s",
             layer, name);
}


/* adds a parameter; layer -1: the embeddings. Takes t; false when NULL */
static bool add(Parameters *p, int64_t layer, const char *name,
                Tensor **slot, Tensor *t, Tensor *fused) {
  Parameter *to = &p->list[p->count];
  if (t == NULL) return false;
  t->requires_grad = true;
  *slot = t;
  name_it(to, layer, name);
  to->slot = slot;
  to->fused = fused;
  p->count++;
  return true;
}


static bool add_new(Parameters *p, int64_t layer, const char *name,
                    Tensor **slot, Shape s) {
  return add(p, layer, name, slot, tensor_new(FLOAT32, &s), NULL);
}


static bool add_norm(Parameters *p, int64_t layer, const char *weight,
                     const char *bias, LayerNorm *n,
                     const EncoderConfig *c) {
  n->eps = c->layer_norm_eps;
  return add_new(p, layer, weight, &n->weight, shape_of(1, c->hidden_size))
      && add_new(p, layer, bias, &n->bias, shape_of(1, c->hidden_size));
}


static bool add_linear(Parameters *p, int64_t layer, const char *weight,
                       const char *bias, Linear *l, int64_t out,
                       int64_t in) {
  return add_new(p, layer, weight, &l->weight, shape_of(2, out, in))
      && add_new(p, layer, bias, &l->bias, shape_of(1, out));
}


/* query, key or value: block `which` of the fused buffers */
static bool add_view(Parameters *p, int64_t layer, const char *weight,
                     const char *bias, Layer *of, int64_t which) {
  Linear *l = &of->part[which];
  const Linear *all = &of->qkv;
  int64_t hidden = all->weight->shape.size[1];
  Tensor *w = tensor_narrowed(all->weight, 0, which * hidden, hidden);
  if (!add(p, layer, weight, &l->weight, w, all->weight)) return false;
  Tensor *b = tensor_narrowed(all->bias, 0, which * hidden, hidden);
  return add(p, layer, bias, &l->bias, b, all->bias);
}


static bool add_embeddings(Parameters *p, const EncoderConfig *c) {
  Embeddings *e = &p->embeddings;
  e->untrained = c->pad_token_id;
  return add_new(p, -1, "word_embeddings.weight", &e->word,
                 shape_of(2, c->vocab_size, c->hidden_size))
      && add_new(p, -1, "position_embeddings.weight", &e->position,
                 shape_of(2, c->max_position_embeddings, c->hidden_size))
      && add_new(p, -1, "token_type_embeddings.weight", &e->type,
                 shape_of(2, c->type_vocab_size, c->hidden_size))
      && add_norm(p, -1, "LayerNorm.weight", "LayerNorm.bias", &e->norm, c);
}


static bool make_fused(Layer *l, int64_t hidden) {
  Shape w = shape_of(2, 3 * hidden, hidden), b = shape_of(1, 3 * hidden);
  l->qkv.weight = tensor_new(FLOAT32, &w);
  l->qkv.bias = tensor_new(FLOAT32, &b);
  return l->qkv.weight != NULL && l->qkv.bias != NULL;
}


/* where the config asks for one */
static bool add_adapter(Parameters *p, int64_t layer, const char *const *name,
                        Adapter *a, const EncoderConfig *c) {
  int64_t hidden = c->hidden_size, size = c->adapter_size;
  return size == 0 ||
         (add_linear(p, layer, name[0], name[1], &a->down, size, hidden) &&
          add_linear(p, layer, name[2], name[3], &a->up, hidden, size));
}


static bool add_attention_adapter(Parameters *p, int64_t layer, Adapter *a,
                                  const EncoderConfig *c) {
  static const char *const name[ADAPTER_PARAMETERS] = {
    "attention.output.adapter.down.weight",
    "attention.output.adapter.down.bias",
    "attention.output.adapter.up.weight",
    "attention.output.adapter.up.bias" };
  return add_adapter(p, layer, name, a, c);
}


static bool add_output_adapter(Parameters *p, int64_t layer, Adapter *a,
                               const EncoderConfig *c) {
  static const char *const name[ADAPTER_PARAMETERS] = {
    "output.adapter.down.weight", "output.adapter.down.bias",
    "output.adapter.up.weight", "output.adapter.up.bias" };
  return add_adapter(p, layer, name, a, c);
}


static bool add_layer(Parameters *p, int64_t i, const EncoderConfig *c) {
  Layer *l = &p->layer[i];
  int64_t hidden = c->hidden_size, inner = c->intermediate_size;
  return make_fused(l, hidden)
      && add_view(p, i, "attention.self.query.weight",
                  "attention.self.query.bias", l, 0)
      && add_view(p, i, "attention.self.key.weight",
                  "attention.self.key.bias", l, 1)
      && add_view(p, i, "attention.self.value.weight",
                  "attention.self.value.bias", l, 2)
      && add_linear(p, i, "attention.output.dense.weight",
                    "attention.output.dense.bias", &l->attention_output,
                    hidden, hidden)
      && add_attention_adapter(p, i, &l->attention_adapter, c)
      && add_norm(p, i, "attention.output.LayerNorm.weight",
                  "attention.output.LayerNorm.bias", &l->attention_norm, c)
      && add_linear(p, i, "intermediate.dense.weight",
                    "intermediate.dense.bias", &l->intermediate, inner,
                    hidden)
      && add_linear(p, i, "output.dense.weight", "output.dense.bias",
                    &l->output, hidden, inner)
      && add_output_adapter(p, i, &l->output_adapter, c)
      && add_norm(p, i, "output.LayerNorm.weight", "output.LayerNorm.bias",
                  &l->output_norm, c);
}


bool parameters_init(Parameters *p, const EncoderConfig *c) {
  size_t layers = (size_t)c->num_hidden_layers;
  *p = (Parameters){ .layers = c->num_hidden_layers };
  p->layer = calloc(layers ? layers : 1, sizeof *p->layer);
  size_t each = LAYER_PARAMETERS +
                (c->adapter_size > 0 ? 2 * ADAPTER_PARAMETERS : 0);
  p->list = calloc(EMBEDDING_PARAMETERS + layers * each, sizeof *p->list);
  if (p->layer == NULL || p->list == NULL || !add_embeddings(p, c))
    return false;
  for (int64_t i = 0; i < p->layers; i++)
    if (!add_layer(p, i, c)) return false;
  return true;
}


static bool pack_adapter(Adapter *a, Precision p) {
  return !adapter_is_there(a) ||
         (linear_pack(&a->down, p) && linear_pack(&a->up, p));
}


static bool pack(Layer *l, Precision p) {
  return linear_pack(&l->qkv, p) &&
         linear_pack(&l->attention_output, p) &&
         linear_pack(&l->intermediate, p) && linear_pack(&l->output, p) &&
         pack_adapter(&l->attention_adapter, p) &&
         pack_adapter(&l->output_adapter, p);
}


static void unpack_adapter(Adapter *a) {
  linear_unpack(&a->down);
  linear_unpack(&a->up);
}


static void unpack(Layer *l) {
  linear_unpack(&l->qkv);
  linear_unpack(&l->attention_output);
  linear_unpack(&l->intermediate);
  linear_unpack(&l->output);
  unpack_adapter(&l->attention_adapter);
  unpack_adapter(&l->output_adapter);
}


void parameters_free(Parameters *p) {
  for (int i = 0; i < p->count; i++) tensor_release(*p->list[i].slot);
  for (int64_t i = 0; p->layer != NULL && i < p->layers; i++) {
    tensor_release(p->layer[i].qkv.weight);
    tensor_release(p->layer[i].qkv.bias);
    unpack(&p->layer[i]);
  }
  free(p->layer);
  free(p->list);
}

/* }======== */


static bool overwrite(Tensor *parameter, const Tensor *t) {
  tensor_settle(parameter);
  tensor_copy(parameter, t);
  tensor_touch(parameter);
  return true;
}


/* A tensor of a file becomes the parameter; a view of a fused buffer takes a
   copy of the numbers. */
bool parameters_set(Parameters *p, int i, Tensor *t) {
  Parameter *to = &p->list[i];
  if (to->fused != NULL || !tensor_is_contiguous(t))
    return overwrite(*to->slot, t);
  Tensor *mine = tensor_alias(t);
  if (mine == NULL) return false;
  mine->requires_grad = (*to->slot)->requires_grad;
  tensor_release(*to->slot);
  *to->slot = mine;
  return true;
}


void parameters_take_pages(const Parameters *p) {
  for (int i = EMBEDDING_PARAMETERS; i < p->count; i++) {
    const Tensor *t = *p->list[i].slot;
    if (t->requires_grad)
      mem_take_pages(tensor_f32(t), sizeof(float) * (size_t)tensor_count(t));
  }
}


typedef bool (*Question)(const Tensor *t);

static bool wants(const Tensor *t) {
  return t->requires_grad;
}


static bool learns(const Tensor *t) {
  return t->requires_grad && tensor_has_gradient(t);
}


static bool any(Tensor *const *t, int n, Question is_so) {
  for (int i = 0; i < n; i++)
    if (is_so(t[i])) return true;
  return false;
}


static bool any_of_adapter(const Adapter *a, Question is_so) {
  Tensor *const all[ADAPTER_PARAMETERS] = {
    a->down.weight, a->down.bias, a->up.weight, a->up.bias };
  return adapter_is_there(a) && any(all, ADAPTER_PARAMETERS, is_so);
}


static bool any_of_layer(const Layer *l, Question is_so) {
  Tensor *const all[LAYER_PARAMETERS] = {
    l->part[0].weight, l->part[0].bias, l->part[1].weight, l->part[1].bias,
    l->part[2].weight, l->part[2].bias, l->attention_output.weight,
    l->attention_output.bias, l->attention_norm.weight,
    l->attention_norm.bias, l->intermediate.weight, l->intermediate.bias,
    l->output.weight, l->output.bias, l->output_norm.weight,
    l->output_norm.bias };
  return any(all, LAYER_PARAMETERS, is_so) ||
         any_of_adapter(&l->attention_adapter, is_so) ||
         any_of_adapter(&l->output_adapter, is_so);
}


bool layer_wants(const Layer *l) {
  return any_of_layer(l, wants);
}


bool embeddings_want(const Embeddings *e, bool words) {
  Tensor *const others[EMBEDDING_PARAMETERS - 1] = {
    e->position, e->type, e->norm.weight, e->norm.bias };
  return (words && wants(e->word)) ||
         any(others, EMBEDDING_PARAMETERS - 1, wants);
}


bool parameters_pack(Parameters *p, Precision precision, bool recorded,
                     bool *all) {
  *all = true;
  for (int64_t i = 0; i < p->layers; i++) {
    Layer *l = &p->layer[i];
    bool changes = any_of_layer(l, learns) || (recorded && layer_wants(l));
    if (changes) unpack(l);
    else if (!pack(l, precision)) return false;
    *all = *all && !changes;
  }
  return true;
}


void parameters_unpack(Parameters *p) {
  for (int64_t i = 0; i < p->layers; i++) unpack(&p->layer[i]);
}
