/*
** lunula.core.model: the binding of src/serve. What a table of tensors can
** get wrong is caught here: a model that was made can answer.
**
**   model(config, {
**     precision = "fp32" | "bf16" | "int8",
**     pooling = "pooler" | "first" | "mean",
**     labels = how many; 0: no head,
**     packed = whether linear layers are given in 8 bits,
**     tensors = table by name: transformers' names of BertModel, and
**       classifier.weight, classifier.bias,
**     tokenizer = lunula.core.tokenizer [optional] })
**
** Packed, a linear layer NAME has NAME.weight, bytes of panels (int8.h),
** NAME.weight_scale float32 [out] and NAME.weight_sum int32 [out]; query, key
** and value are one, "query_key_value"; and the words may be bytes too, with
** a weight_scale. Adapters are float32 in any case.
*/
#include "lunula.h"
#include "lmodel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../serve/build.h"
#include "lbytes.h"
#include "lconfig.h"
#include "lstate.h"
#include "ltensor.h"
#include "ltokenizer.h"

#define MODEL  "lunula.core.model"

enum { NAME_SIZE = 128, LARGEST_DEPTH = INT8_DEPTH / 2 };

/* a model and what this Lua state runs it in */
typedef struct Handle {
  Model *model;
  Space *space;
} Handle;

/* where parts are taken from: the tables on the stack, and what names begin
   with */
typedef struct Taker {
  lua_State *L;
  int tensors;            /* index of the table */
  char prefix[NAME_SIZE / 2];
  ModelParts *parts;
} Taker;


/* {======== parts ======== */

/* pushes the value of a name, which the table itself holds: what a metamethod
   made might be gone before the model is */
static void push_named(const Taker *t, const char *name,
                       char full[NAME_SIZE]) {
  snprintf(full, NAME_SIZE, "%s%s", t->prefix, name);
  lua_pushstring(t->L, full);
  lua_rawget(t->L, t->tensors);
}


static Numbers numbers_of(const Tensor *x) {
  size_t first = (size_t)x->start * dtype_size(x->dtype);
  return (Numbers){ (const char *)x->storage->data + first, x->storage };
}


static void check_tensor(const Taker *t, const char *full, const Tensor *x,
                         DType d, const Shape *s) {
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (x == NULL)
    ltensor_error(t->L, lua_isnil(t->L, -1)
                  ? "no tensor '%s', which the config asks for"
                  : "'%s' is no tensor of numbers", full);
  if (x->dtype != d || !tensor_is_contiguous(x))
    ltensor_error(t->L, "tensor '%s' is %s, expected %s", full,
                  dtype_name(x->dtype), dtype_name(d));
  if (!shape_equal(&x->shape, s))
    ltensor_error(t->L, "tensor '%s' is %s, the config asks for %s", full,
                  shape_text(&x->shape, a), shape_text(s, b));
}


/* the table keeps what is popped */
static Numbers take(const Taker *t, const char *name, DType d, Shape s) {
  char full[NAME_SIZE];
  push_named(t, name, full);
  const Tensor *x = ltensor_test(t->L, lua_gettop(t->L));
  check_tensor(t, full, x, d, &s);
  lua_pop(t->L, 1);
  return numbers_of(x);
}


static Numbers take_vector(const Taker *t, const char *name, int64_t n) {
  return take(t, name, FLOAT32, shape_of(1, n));
}


static Numbers take_bytes(const Taker *t, const char *name, int64_t bytes) {
  char full[NAME_SIZE];
  push_named(t, name, full);
  Storage *s = lbytes_test(t->L, lua_gettop(t->L));
  if (s == NULL)
    ltensor_error(t->L, lua_isnil(t->L, -1)
                  ? "no tensor '%s', which the config asks for"
                  : "tensor '%s' is not I8", full);
  if (s->bytes != (size_t)bytes)
    ltensor_error(t->L, "tensor '%s' has %zu numbers, the config asks for %"
                  PRId64, full, s->bytes, bytes);
  lua_pop(t->L, 1);
  return (Numbers){ s->data, s };
}


/* scales of 8 bits: finite, not negative */
static Numbers take_scale(const Taker *t, const char *name, int64_t n) {
  Numbers p = take_vector(t, name, n);
  const float *scale = p.data;
  for (int64_t i = 0; i < n; i++)
    if (!(scale[i] >= 0 && isfinite(scale[i])))
      ltensor_error(t->L, "tensor '%s%s' holds %g, expected finite scales",
                    t->prefix, name, (double)scale[i]);
  return p;
}


/* sums of rows of 8 bits: no more than these can give */
static Numbers take_sums(const Taker *t, const char *name, int64_t n,
                         int64_t depth) {
  Numbers p = take(t, name, INT32, shape_of(1, n));
  const int32_t *sum = p.data;
  for (int64_t i = 0; i < n; i++)
    if (sum[i] < -128 * depth || sum[i] > 128 * depth)
      ltensor_error(t->L, "tensor '%s%s' holds %d, no sum of %" PRId64
                    " numbers of 8 bits", t->prefix, name, (int)sum[i], depth);
  return p;
}


static LinearParts take_packed(const Taker *t, const char *name, int64_t out,
                               int64_t in) {
  char weight[NAME_SIZE], scale[NAME_SIZE], sum[NAME_SIZE], bias[NAME_SIZE];
  snprintf(weight, sizeof weight, "%s.weight", name);
  snprintf(scale, sizeof scale, "%s.weight_scale", name);
  snprintf(sum, sizeof sum, "%s.weight_sum", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  return (LinearParts){ .panels = take_bytes(t, weight,
                                             int8_panels_size(out, in)),
                        .scale = take_scale(t, scale, out),
                        .sums = take_sums(t, sum, out, in),
                        .bias = take_vector(t, bias, out) };
}


static LinearParts take_plain(const Taker *t, const char *name, int64_t out,
                              int64_t in) {
  char weight[NAME_SIZE], bias[NAME_SIZE];
  snprintf(weight, sizeof weight, "%s.weight", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  return (LinearParts){ .weight = take(t, weight, FLOAT32,
                                       shape_of(2, out, in)),
                        .bias = take_vector(t, bias, out) };
}


static LinearParts take_linear(const Taker *t, const char *name, int64_t out,
                               int64_t in) {
  return t->parts->packed ? take_packed(t, name, out, in)
                          : take_plain(t, name, out, in);
}


static NormParts take_norm(const Taker *t, const char *name) {
  char weight[NAME_SIZE], bias[NAME_SIZE];
  int64_t hidden = t->parts->config.hidden_size;
  snprintf(weight, sizeof weight, "%s.weight", name);
  snprintf(bias, sizeof bias, "%s.bias", name);
  return (NormParts){ take_vector(t, weight, hidden),
                      take_vector(t, bias, hidden) };
}


static AdapterParts take_adapter(const Taker *t, const char *half) {
  char down[NAME_SIZE], up[NAME_SIZE];
  const EncoderConfig *c = &t->parts->config;
  snprintf(down, sizeof down, "%s.adapter.down", half);
  snprintf(up, sizeof up, "%s.adapter.up", half);
  return (AdapterParts){
    take_plain(t, down, c->adapter_size, c->hidden_size),
    take_plain(t, up, c->hidden_size, c->adapter_size) };
}


static void take_layer(Taker *t, int64_t i) {
  static const char *const qkv[MOST_PARTS] = {
    "attention.self.query", "attention.self.key", "attention.self.value" };
  LayerParts *l = &t->parts->layer[i];
  int64_t hidden = t->parts->config.hidden_size;
  int64_t inner = t->parts->config.intermediate_size;
  snprintf(t->prefix, sizeof t->prefix, "encoder.layer.%" PRId64 ".", i);
  if (t->parts->packed)
    l->qkv[0] = take_packed(t, "attention.self.query_key_value",
                            MOST_PARTS * hidden, hidden);
  for (int p = 0; !t->parts->packed && p < MOST_PARTS; p++)
    l->qkv[p] = take_plain(t, qkv[p], hidden, hidden);
  l->attention_output = take_linear(t, "attention.output.dense", hidden,
                                    hidden);
  l->attention_norm = take_norm(t, "attention.output.LayerNorm");
  l->intermediate = take_linear(t, "intermediate.dense", inner, hidden);
  l->output = take_linear(t, "output.dense", hidden, inner);
  l->output_norm = take_norm(t, "output.LayerNorm");
  if (t->parts->config.adapter_size == 0) return;
  l->attention_adapter = take_adapter(t, "attention.output");
  l->output_adapter = take_adapter(t, "output");
}


static void take_words(Taker *t) {
  static const char weight[] = "embeddings.word_embeddings.weight";
  char full[NAME_SIZE];
  ModelParts *p = t->parts;
  int64_t words = p->config.vocab_size, hidden = p->config.hidden_size;
  push_named(t, weight, full);
  bool quantised = lbytes_test(t->L, lua_gettop(t->L)) != NULL;
  lua_pop(t->L, 1);
  if (!quantised) {
    p->word = take(t, weight, FLOAT32, shape_of(2, words, hidden));
    return;
  }
  p->word = take_bytes(t, weight, words * hidden);
  p->word_scale = take_scale(t, "embeddings.word_embeddings.weight_scale",
                             words);
}


static void take_all(Taker *t) {
  ModelParts *p = t->parts;
  const EncoderConfig *c = &p->config;
  int64_t hidden = c->hidden_size;
  take_words(t);
  p->position = take(t, "embeddings.position_embeddings.weight", FLOAT32,
                     shape_of(2, c->max_position_embeddings, hidden));
  p->type = take(t, "embeddings.token_type_embeddings.weight", FLOAT32,
                 shape_of(2, c->type_vocab_size, hidden));
  p->embedding_norm = take_norm(t, "embeddings.LayerNorm");
  for (int64_t i = 0; i < c->num_hidden_layers; i++) take_layer(t, i);
  t->prefix[0] = '\0';
  if (p->pooling == MODEL_POOLER)
    p->pooler = take_linear(t, "pooler.dense", hidden, hidden);
  if (p->labels > 0)
    p->head = take_plain(t, "classifier", p->labels, hidden);
}

/* }======== */


/* {======== making ======== */

static int choice_field(lua_State *L, const char *name,
                        const char *const list[]) {
  lua_getfield(L, 2, name);
  int i = luaL_checkoption(L, -1, NULL, list);
  lua_pop(L, 1);
  return i;
}


static int64_t labels_field(lua_State *L) {
  lua_getfield(L, 2, "labels");
  lua_Number n = lua_tonumber(L, -1);
  if (!(n >= 0 && n < INT32_MAX) || n != floor(n))
    ltensor_error(L, "labels: expected how many there are");
  lua_pop(L, 1);
  return (int64_t)n;
}


/* what is left on the stack keeps what the parts point to */
static void check_spec(lua_State *L, ModelParts *p) {
  static const char *const forms[] = {
    [FORM_FP32] = "fp32", [FORM_BF16] = "bf16", [FORM_INT8] = "int8", NULL };
  static const char *const poolings[] = {
    [MODEL_POOLER] = "pooler", [MODEL_FIRST] = "first", [MODEL_MEAN] = "mean",
    NULL };
  p->form = (Form)choice_field(L, "precision", forms);
  p->pooling = (ModelPooling)choice_field(L, "pooling", poolings);
  p->labels = labels_field(L);
  lua_getfield(L, 2, "packed");
  p->packed = lua_toboolean(L, -1);
  lua_getfield(L, 2, "tokenizer");
  if (!lua_isnil(L, -1))
    p->tokenizer = ltokenizer_check(L, lua_gettop(L));
  if (p->packed && p->form != FORM_INT8)
    ltensor_error(L, "weights in 8 bits can't be used as %s", forms[p->form]);
}


static void check_sizes(lua_State *L, const ModelParts *p) {
  const EncoderConfig *c = &p->config;
  if (p->form == FORM_INT8 && (c->hidden_size > LARGEST_DEPTH ||
                               c->intermediate_size > LARGEST_DEPTH))
    ltensor_error(L, "int8: layers of at most %d are supported",
                  (int)LARGEST_DEPTH);
  if (p->tokenizer != NULL &&
      tokenizer_count(p->tokenizer) > (size_t)c->vocab_size)
    ltensor_error(L, "the tokenizer has %zu tokens, the config %" PRId64,
                  tokenizer_count(p->tokenizer), c->vocab_size);
}


static Handle *push_handle(lua_State *L) {
  Handle *h = (Handle *)lua_newuserdata(L, sizeof *h);
  *h = (Handle){ NULL, NULL };
  luaL_setmetatable(L, MODEL);
  return h;
}


static int l_new(lua_State *L) {
  ModelParts p = { .config = lconfig_check(L, 1) };
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  size_t layers = (size_t)p.config.num_hidden_layers;
  p.layer = lua_newuserdata(L, (layers ? layers : 1) * sizeof *p.layer);
  memset(p.layer, 0, (layers ? layers : 1) * sizeof *p.layer);
  check_spec(L, &p);
  check_sizes(L, &p);
  Handle *h = push_handle(L);
  lua_getfield(L, 2, "tensors");
  luaL_checktype(L, -1, LUA_TTABLE);
  Taker t = { L, lua_gettop(L), "", &p };
  take_all(&t);
  h->model = model_new(&p);
  if (h->model == NULL) return luaL_error(L, "not enough memory");
  lua_pop(L, 1);
  lstate_pressure(L, model_bytes(h->model));
  return 1;
}


static Handle *check_handle(lua_State *L) {
  Handle *h = (Handle *)luaL_checkudata(L, 1, MODEL);
  luaL_argcheck(L, h->model != NULL, 1, "model was never made");
  return h;
}


Model *lmodel_check(lua_State *L, int arg) {
  Handle *h = (Handle *)luaL_checkudata(L, arg, MODEL);
  luaL_argcheck(L, h->model != NULL, arg, "model was never made");
  return h->model;
}


Model **lmodel_slot(lua_State *L) {
  return &push_handle(L)->model;
}

/* }======== */


/* {======== running ======== */

static const int32_t *check_row(lua_State *L, int arg, int64_t *n) {
  Tensor *t = ltensor_checktype(L, arg, INT32);
  luaL_argcheck(L, t->shape.ndim == 1 && tensor_is_contiguous(t), arg,
                "expected a contiguous tensor of one dimension");
  *n = tensor_count(t);
  return tensor_i32(t);
}


static Batch check_batch(lua_State *L, const Model *m) {
  int64_t tokens, types, offsets;
  Error e;
  Batch b = { .ids = check_row(L, 2, &tokens) };
  b.tokens = tokens;
  b.types = check_row(L, 3, &types);
  b.offsets = check_row(L, 4, &offsets);
  b.sequences = offsets - 1;
  luaL_argcheck(L, types == tokens, 3,
                "expected as many numbers as there are tokens");
  if (!model_accepts(m, &b, &e)) ltensor_error(L, "%s", e.message);
  return b;
}


/* run(ids, types, offsets [, threads]): [sequences, width] */
static int m_run(lua_State *L) {
  Handle *h = check_handle(L);
  lua_settop(L, 5);
  Tensor **out = ltensor_slot(L);
  Batch b = check_batch(L, h->model);
  Shape s = shape_of(2, b.sequences, model_width(h->model));
  if (h->space == NULL && (h->space = space_new()) == NULL)
    return luaL_error(L, "not enough memory");
  space_set_threads(h->space, (int)luaL_optinteger(L, 5, 0));
  *out = tensor_new(FLOAT32, &s);
  if (*out == NULL || !model_run(h->model, h->space, &b, tensor_f32(*out)))
    return luaL_error(L, "not enough memory");
  return ltensor_done(L, out);
}

/* }======== */


static int m_width(lua_State *L) {
  lua_pushnumber(L, (lua_Number)model_width(check_handle(L)->model));
  return 1;
}


static int m_precision(lua_State *L) {
  lua_pushstring(L, model_precision_name(check_handle(L)->model));
  return 1;
}


/* space(): bytes that running it here holds */
static int m_space(lua_State *L) {
  const Handle *h = check_handle(L);
  lua_pushnumber(L, h->space ? (lua_Number)space_bytes(h->space) : 0);
  return 1;
}


static void push_row(lua_State *L, DType d, const void *from, int64_t n) {
  Tensor **slot = ltensor_slot(L);
  Shape s = shape_of(1, n);
  *slot = tensor_new(d, &s);
  if (*slot != NULL)
    memcpy((*slot)->storage->data, from, (size_t)n * dtype_size(d));
  ltensor_done(L, slot);
}


/* linear(i): of linear layer i, from 1, in 8 bits: panels (a string), scale
   [out], sums [out], out, in; nothing when there is none. See model_int8. */
static int m_linear(lua_State *L) {
  Handle *h = check_handle(L);
  lua_Integer i = luaL_checkinteger(L, 2);
  const Int8Weight *w = i > 0 ? model_int8(h->model, i - 1) : NULL;
  if (w == NULL) return 0;
  lua_pushlstring(L, (const char *)w->panels,
                  (size_t)int8_panels_size(w->columns, w->depth));
  push_row(L, FLOAT32, w->scale, w->columns);
  push_row(L, INT32, w->sums, w->columns);
  lua_pushinteger(L, (lua_Integer)w->columns);
  lua_pushinteger(L, (lua_Integer)w->depth);
  return 5;
}


static int mm_gc(lua_State *L) {
  Handle *h = (Handle *)luaL_checkudata(L, 1, MODEL);
  space_free(h->space);
  model_release(h->model);
  *h = (Handle){ NULL, NULL };
  return 0;
}


static const luaL_Reg meth[] = {
  {"run", m_run},
  {"width", m_width},
  {"precision", m_precision},
  {"space", m_space},
  {"linear", m_linear},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};


int model_open(lua_State *L) {
  compat_newtype(L, MODEL, meth, metameth);
  lua_pushcfunction(L, l_new);
  return 1;
}
