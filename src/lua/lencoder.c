/*
** lunula.core.encoder: the binding of src/encoder. Everything that a config
** or a batch can get wrong is caught here.
*/
#include "lunula.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "../encoder/encoder.h"
#include "../encoder/pooling.h"
#include "lconfig.h"
#include "lops.h"

#define ENCODER  "lunula.encoder"

static Encoder *check_encoder(lua_State *L) {
  Encoder **e = (Encoder **)luaL_checkudata(L, 1, ENCODER);
  luaL_argcheck(L, *e != NULL, 1, "encoder was never made");
  return *e;
}


/* raises a message as it stands: the place in the Lua of this library that
   luaL_error puts before it would tell a user nothing */
static int fail(lua_State *L, const char *format, ...) {
  va_list values;
  va_start(values, format);
  lua_pushvfstring(L, format, values);
  va_end(values);
  return lua_error(L);
}


/* encoder(config): parameters uninitialised */
static int l_new(lua_State *L) {
  EncoderConfig c = lconfig_check(L, 1);
  Encoder **e = (Encoder **)lua_newuserdata(L, sizeof *e);
  *e = NULL;
  luaL_setmetatable(L, ENCODER);
  if ((*e = encoder_new(&c)) == NULL)
    return fail(L, "not enough memory");
  return 1;
}


/* {======== parameters ======== */

static int m_names(lua_State *L) {
  Encoder *e = check_encoder(L);
  lua_createtable(L, encoder_parameters(e), 0);
  for (int i = 0; i < encoder_parameters(e); i++) {
    lua_pushstring(L, encoder_name(e, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}


static int check_number(lua_State *L, const Encoder *e) {
  lua_Integer i = luaL_checkinteger(L, 2);
  luaL_argcheck(L, 1 <= i && i <= encoder_parameters(e), 2,
                "no such parameter");
  return (int)i - 1;
}


/* parameter(i): the tensor itself, not a copy */
static int m_parameter(lua_State *L) {
  Encoder *e = check_encoder(L);
  int i = check_number(L, e);
  Tensor **out = ltensor_slot(L);
  *out = tensor_retain(encoder_parameter(e, i));
  return 1;
}


/* set(i, tensor): the tensor becomes the parameter */
static int m_set(lua_State *L) {
  Encoder *e = check_encoder(L);
  int i = check_number(L, e);
  Tensor *t = ltensor_checktype(L, 3, FLOAT32);
  const Shape *s = &encoder_parameter(e, i)->shape;
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!shape_equal(&t->shape, s))
    return fail(L, "%s is %s, the config asks for %s", encoder_name(e, i),
                shape_text(&t->shape, a), shape_text(s, b));
  if (!encoder_set(e, i, t)) return fail(L, "not enough memory");
  return 0;
}

/* }======== */


/* {======== batches ======== */

static Tensor *check_row(lua_State *L, int arg, int64_t size) {
  Tensor *t = ltensor_checktype(L, arg, INT32);
  luaL_argcheck(L, t->shape.ndim == 1 && tensor_is_contiguous(t), arg,
                "expected a contiguous tensor of one dimension");
  luaL_argcheck(L, size < 0 || tensor_count(t) == size, arg,
                "expected as many numbers as there are tokens");
  return t;
}


static void check_range(lua_State *L, const Tensor *t, int64_t limit,
                        const char *what) {
  const int32_t *x = tensor_i32(t);
  for (int64_t i = 0; i < tensor_count(t); i++)
    if (x[i] < 0 || x[i] >= limit)
      fail(L, "token %d: %s %d, the model has 0 to %d", (int)i, what,
           (int)x[i], (int)limit - 1);
}


/* offsets from 0 to tokens, no sequence empty or longer than `longest` */
static void check_offsets(lua_State *L, const Tensor *t, int64_t tokens,
                          int64_t longest) {
  const int32_t *o = tensor_i32(t);
  int64_t n = tensor_count(t) - 1;
  if (n < 1 || o[0] != 0 || o[n] != tokens)
    fail(L, "offsets: expected 0 first and %d, the number of tokens, last",
         (int)tokens);
  for (int64_t s = 0; s < n; s++) {
    int64_t length = (int64_t)o[s + 1] - o[s];
    if (length < 1 || length > longest || o[s + 1] > tokens)
      fail(L, "sequence %d has %d tokens, expected 1 to %d", (int)s + 1,
           (int)length, (int)longest);
  }
}


/* FLOAT32 [tokens, hidden] */
static Tensor *check_words(lua_State *L, int arg, int64_t tokens,
                           int64_t hidden) {
  Tensor *t = ltensor_check(L, arg);
  Shape s = shape_of(2, tokens, hidden);
  char want[SHAPE_TEXT], got[SHAPE_TEXT];
  if (t->dtype != FLOAT32 || !shape_equal(&t->shape, &s))
    fail(L, "inputs_embeds: expected float32 %s, got %s %s",
         shape_text(&s, want), dtype_name(t->dtype),
         shape_text(&t->shape, got));
  return t;
}


/* ids, or inputs_embeds at `words` */
static EncoderInput check_input(lua_State *L, const EncoderConfig *c,
                                int words) {
  EncoderInput in = { .ids = NULL };
  if (lua_isnoneornil(L, words)) in.ids = check_row(L, 2, -1);
  in.types = check_row(L, 3, in.ids ? tensor_count(in.ids) : -1);
  in.offsets = check_row(L, 4, -1);
  int64_t tokens = tensor_count(in.types);
  if (in.ids != NULL) check_range(L, in.ids, c->vocab_size, "id");
  else in.inputs_embeds = check_words(L, words, tokens, c->hidden_size);
  check_range(L, in.types, c->type_vocab_size, "token type");
  check_offsets(L, in.offsets, tokens, c->max_position_embeddings);
  return in;
}


static float opt_probability(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? 0 : lops_checkprobability(L, arg);
}


/* a Pooling; -1: none was asked for */
static int opt_pooling(lua_State *L, int arg) {
  static const char *const names[] = {
    [POOL_FIRST] = "first", [POOL_MEAN] = "mean", NULL
  };
  if (lua_isnoneornil(L, arg)) return -1;
  return luaL_checkoption(L, arg, NULL, names);
}


/* x [tokens, hidden], which is taken; NULL is passed on */
static Tensor *pooled(Tape *tape, Tensor *x, Tensor *offsets, int how) {
  if (x == NULL || how < 0) return x;
  Tensor *out = op_pool(tape, x, offsets, (Pooling)how);
  tensor_release(x);
  return out;
}


/* forward(ids, types, offsets [, hidden dropout, attention dropout, seed,
   pooling, inputs_embeds]): [tokens, hidden], or [sequences, hidden] and the
   tokens' memory does not wait for the collector. inputs_embeds stand in for
   ids, which are not looked at then */
static int m_forward(lua_State *L) {
  Encoder *e = check_encoder(L);
  Tape *tape = lstate_tape(L);
  lua_settop(L, 9);
  if (tape->recording)
    lstate_pressure(L, encoder_needs(e, tensor_count(ltensor_check(L, 3))));
  Tensor **out = ltensor_slot(L);
  EncoderInput in = check_input(L, encoder_config(e), 9);
  EncoderDropout d = { opt_probability(L, 5), opt_probability(L, 6),
                       (uint64_t)luaL_optinteger(L, 7, 0) };
  int how = opt_pooling(L, 8);
  *out = pooled(tape, encoder_forward(e, tape, &in, &d), in.offsets, how);
  return ltensor_done(L, out);
}


/* version(): two numbers, of which one changes with any parameter */
static int m_version(lua_State *L) {
  EncoderVersion v = encoder_version(check_encoder(L));
  lua_pushnumber(L, (lua_Number)v.written);
  lua_pushnumber(L, (lua_Number)v.replaced);
  return 2;
}


/* embed(ids): the vectors of words, [tokens, hidden] */
static int m_embed(lua_State *L) {
  Encoder *e = check_encoder(L);
  lua_settop(L, 2);
  Tensor **out = ltensor_slot(L);
  Tensor *ids = check_row(L, 2, -1);
  luaL_argcheck(L, tensor_count(ids) <= INT32_MAX, 2, "too many");
  check_range(L, ids, encoder_config(e)->vocab_size, "id");
  *out = encoder_embed(e, lstate_tape(L), ids);
  return ltensor_done(L, out);
}


/* keeps(tokens): bytes that a forward of so many keeps for its backward */
static int m_keeps(lua_State *L) {
  const Encoder *e = check_encoder(L);
  lua_Integer tokens = luaL_checkinteger(L, 2);
  luaL_argcheck(L, 0 <= tokens && tokens <= INT32_MAX, 2, "out of range");
  lua_pushnumber(L, (lua_Number)encoder_keeps(e, tokens));
  return 1;
}


/* pool(x, offsets, "first" | "mean"): [sequences, width] */
static int l_pool(lua_State *L) {
  lua_settop(L, 3);
  Tensor **out = ltensor_slot(L);
  Tensor *x = ltensor_checktype(L, 1, FLOAT32);
  Tensor *offsets = check_row(L, 2, -1);
  int how = opt_pooling(L, 3);
  luaL_argcheck(L, how >= 0, 3, "expected first or mean");
  luaL_argcheck(L, x->shape.ndim == 2, 1, "expected [tokens, width]");
  check_offsets(L, offsets, x->shape.size[0], x->shape.size[0]);
  *out = op_pool(lstate_tape(L), x, offsets, (Pooling)how);
  return ltensor_done(L, out);
}

/* }======== */


/* precision("fp32" | "bf16") */
static int m_precision(lua_State *L) {
  static const char *const names[] = { "fp32", "bf16", NULL };
  encoder_set_precision(check_encoder(L),
                        (Precision)luaL_checkoption(L, 2, NULL, names));
  return 0;
}


/* checkpointing(on) */
static int m_checkpointing(lua_State *L) {
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  encoder_set_checkpointing(check_encoder(L), lua_toboolean(L, 2));
  return 0;
}


/* trim() */
static int m_trim(lua_State *L) {
  encoder_trim(check_encoder(L));
  return 0;
}


static int mm_gc(lua_State *L) {
  Encoder **e = (Encoder **)luaL_checkudata(L, 1, ENCODER);
  encoder_release(*e);
  *e = NULL;
  return 0;
}


static const luaL_Reg meth[] = {
  {"names", m_names},
  {"parameter", m_parameter},
  {"set", m_set},
  {"forward", m_forward},
  {"embed", m_embed},
  {"precision", m_precision},
  {"checkpointing", m_checkpointing},
  {"keeps", m_keeps},
  {"version", m_version},
  {"trim", m_trim},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};


int encoder_open(lua_State *L) {
  compat_newtype(L, ENCODER, meth, metameth);
  lua_pushcfunction(L, l_new);
  return 1;
}


int pooling_open(lua_State *L) {
  lua_pushcfunction(L, l_pool);
  return 1;
}
