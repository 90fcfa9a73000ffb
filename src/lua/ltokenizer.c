/*
** lunula.core.tokenizer: the binding of text/tokenizer.h. The files of a
** model are read in Lua (lunula.tokenizer), which hands over one plain table:
**
**   vocabulary     lunula.core.vocabulary of WordPiece's tokens; taken
**   beyond         array of strings: the tokens of the ids behind it, which
**                  are only added
**   unk_id, continuing_subword_prefix, max_input_chars_per_word
**   clean_text, handle_chinese_chars, strip_accents, lowercase
**   added          array of {id=, single_word=, lstrip=, rstrip=, normalized=}
**   single, pair   arrays of {text=1 or 2, type=} or {id=, type=}
*/
#include "lunula.h"

#include <string.h>

#include "ltensor.h"
#include "ltokenizer.h"

#define TOKENIZER  "lunula.core.tokenizer"
#define ENCODING   "lunula.core.encoding"


/* {======== fields of a table on the stack ======== */

static lua_Integer integer_field(lua_State *L, int at, const char *name,
                                 lua_Integer low, lua_Integer high) {
  lua_getfield(L, at, name);
  lua_Number given = lua_tonumber(L, -1);
  bool number = lua_type(L, -1) == LUA_TNUMBER;
  if (!number || !(low <= given && given <= high) ||
      given != (lua_Number)(lua_Integer)given)
    luaL_error(L, "%s: expected an integer of %d to %d", name, (int)low,
               (int)high);
  lua_pop(L, 1);
  return (lua_Integer)given;
}


static bool boolean_field(lua_State *L, int at, const char *name) {
  lua_getfield(L, at, name);
  if (!lua_isboolean(L, -1)) luaL_error(L, "%s: expected a boolean", name);
  bool given = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return given;
}


/* pushes the array and returns its length */
static size_t array_field(lua_State *L, int at, const char *name) {
  lua_getfield(L, at, name);
  if (!lua_istable(L, -1)) luaL_error(L, "%s: expected an array", name);
  return lua_rawlen(L, -1);
}


/* The string on top, popped: whoever calls keeps it in a table. `what` and i
   (from 1) name it in the error. */
static Bytes pop_string(lua_State *L, const char *what, size_t i) {
  Bytes s;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s[%d]: expected a string, got %s", what, (int)i,
               luaL_typename(L, -1));
  s.at = (const uint8_t *)lua_tolstring(L, -1, &s.n);
  lua_pop(L, 1);
  return s;
}


static Bytes string_at(lua_State *L, int table, const char *what, size_t i) {
  lua_rawgeti(L, table, (int)i);
  return pop_string(L, what, i);
}


/* memory for n elements that the collector owns; pushed */
static void *scratch(lua_State *L, size_t n, size_t size) {
  if (n > INT32_MAX / size) luaL_error(L, "not enough memory");
  return lua_newuserdata(L, n ? n * size : 1);
}

/* }======== */


/* {======== making ======== */

/* returns how many tokens there are, the vocabulary's and those beyond */
static size_t check_tokens(lua_State *L, TokenizerConfig *c) {
  lua_getfield(L, 1, "vocabulary");
  c->vocabulary = ltokenizer_checkvocabulary(L, lua_gettop(L));
  size_t n = array_field(L, 1, "beyond");
  int table = lua_gettop(L);
  Bytes *beyond = scratch(L, n, sizeof *beyond);
  for (size_t i = 0; i < n; i++)
    beyond[i] = string_at(L, table, "beyond", i + 1);
  c->beyond = beyond;
  c->beyond_count = n;
  return c->vocabulary->tokens.count + n;
}


static void check_added(lua_State *L, TokenizerConfig *c, size_t count) {
  size_t n = array_field(L, 1, "added");
  int table = lua_gettop(L);
  AddedToken *added = scratch(L, n, sizeof *added);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, table, (int)i + 1);
    int t = lua_gettop(L);
    if (!lua_istable(L, t)) luaL_error(L, "added: expected tables");
    added[i] = (AddedToken){
      .id = (int32_t)integer_field(L, t, "id", 0, (lua_Integer)count - 1),
      .single_word = boolean_field(L, t, "single_word"),
      .lstrip = boolean_field(L, t, "lstrip"),
      .rstrip = boolean_field(L, t, "rstrip"),
      .normalized = boolean_field(L, t, "normalized")
    };
    lua_pop(L, 1);
  }
  c->added = added;
  c->added_count = n;
}


static TemplatePart check_part(lua_State *L, int t, size_t token_count) {
  TemplatePart p = { .text = 0 };
  if (!lua_istable(L, t)) luaL_error(L, "template: expected tables");
  p.type = (int32_t)integer_field(L, t, "type", 0, INT32_MAX);
  lua_getfield(L, t, "text");
  if (lua_isnil(L, -1))
    p.id = (int32_t)integer_field(L, t, "id", 0,
                                  (lua_Integer)token_count - 1);
  else
    p.text = (int)integer_field(L, t, "text", 1, 2);
  lua_pop(L, 1);
  return p;
}


/* each of the texts 1 .. texts must be there once */
static Template check_template(lua_State *L, const char *name, int texts,
                               size_t token_count) {
  Template around = { .n = array_field(L, 1, name) };
  int table = lua_gettop(L), seen[3] = { 0, 0, 0 };
  if (around.n > TEMPLATE_PARTS)
    luaL_error(L, "%s: at most %d parts", name, TEMPLATE_PARTS);
  for (size_t i = 0; i < around.n; i++) {
    lua_rawgeti(L, table, (int)i + 1);
    around.parts[i] = check_part(L, lua_gettop(L), token_count);
    seen[around.parts[i].text]++;
    lua_pop(L, 1);
  }
  if (seen[1] != 1 || seen[2] != texts - 1)
    luaL_error(L, "%s: expected each text once", name);
  lua_pop(L, 1);
  return around;
}


/* leaves on the stack what the config points into */
static void check_config(lua_State *L, TokenizerConfig *c) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = check_tokens(L, c);
  check_added(L, c, count);
  c->normal = (NormalOptions){
    .clean_text = boolean_field(L, 1, "clean_text"),
    .handle_chinese_chars = boolean_field(L, 1, "handle_chinese_chars"),
    .strip_accents = boolean_field(L, 1, "strip_accents"),
    .lowercase = boolean_field(L, 1, "lowercase")
  };
  c->unknown = (int32_t)integer_field(
      L, 1, "unk_id", 0, (lua_Integer)c->vocabulary->tokens.count - 1);
  c->max_chars = (size_t)integer_field(L, 1, "max_input_chars_per_word", 0,
                                       INT32_MAX);
  c->single = check_template(L, "single", 1, count);
  c->pair = check_template(L, "pair", 2, count);
  lua_getfield(L, 1, "continuing_subword_prefix");
  c->prefix.at = (const uint8_t *)luaL_checklstring(L, -1, &c->prefix.n);
}


static Tokenizer **new_slot(lua_State *L) {
  Tokenizer **t = (Tokenizer **)lua_newuserdata(L, sizeof *t);
  *t = NULL;
  luaL_setmetatable(L, TOKENIZER);
  return t;
}


static int l_new(lua_State *L) {
  TokenizerConfig c = { .vocabulary = NULL };
  Error e;
  lua_settop(L, 1);
  Tokenizer **t = new_slot(L);
  check_config(L, &c);
  /* a metamethod of the settings may have given it to another one */
  luaL_argcheck(L, c.vocabulary->tokens.count > 0, 1, "no vocabulary");
  *t = tokenizer_new(&c, &e);
  if (*t == NULL) return luaL_error(L, "%s", e.message);
  lua_settop(L, 2);
  return 1;
}

/* }======== */


Tokenizer *ltokenizer_check(lua_State *L, int arg) {
  Tokenizer **t = (Tokenizer **)luaL_checkudata(L, arg, TOKENIZER);
  luaL_argcheck(L, *t != NULL, arg, "tokenizer was never made");
  return *t;
}


/* {======== encoding ======== */

static Encoding *new_encoding(lua_State *L) {
  Encoding *to = (Encoding *)lua_newuserdata(L, sizeof *to);
  *to = (Encoding){ .texts = 0 };
  luaL_setmetatable(L, ENCODING);
  return to;
}


static void drop_encoding(Encoding *to) {
  encoding_free(to);
  *to = (Encoding){ .texts = 0 };
}


static int encoding_gc(lua_State *L) {
  drop_encoding((Encoding *)luaL_checkudata(L, 1, ENCODING));
  return 0;
}


/* a new int32 tensor as a field of the table on top; returns its elements */
static int32_t *tensor_field(lua_State *L, const char *name, Shape shape) {
  Tensor **out = ltensor_slot(L);
  *out = tensor_new(INT32, &shape);
  ltensor_done(L, out);
  int32_t *elements = tensor_i32(*out);
  lua_setfield(L, -2, name);
  return elements;
}


static void copy_field(lua_State *L, const char *name, Shape shape,
                       const void *from) {
  int32_t *to = tensor_field(L, name, shape);
  size_t n = (size_t)shape_count(&shape);
  if (n > 0) memcpy(to, from, n * sizeof *to);
}


static void push_encoding(lua_State *L, const Encoding *to, bool spans,
                          bool counted) {
  int64_t n = (int64_t)to->tokens.n, sequences = (int64_t)to->sequences;
  lua_createtable(L, 0, 7);
  copy_field(L, "ids", shape_of(1, n), to->tokens.ids.at);
  copy_field(L, "types", shape_of(1, n), to->types.at);
  if (spans)  /* a Span is two int32 */
    copy_field(L, "spans", shape_of(2, n, (int64_t)2), to->tokens.spans.at);
  copy_field(L, "text_of", shape_of(1, sequences), to->text_of.at);
  copy_field(L, "cut", shape_of(1, (int64_t)to->texts), to->cut.at);
  int32_t *offsets = tensor_field(L, "offsets", shape_of(1, sequences + 1));
  if (sequences > 0)
    memcpy(offsets, to->offsets.at, (to->sequences + 1) * sizeof *offsets);
  else
    offsets[0] = 0;
  if (!counted) return;
  lua_pushinteger(L, (lua_Integer)to->truncated);
  lua_setfield(L, -2, "truncated");
}


/* a field that is one of the names, by its number */
static int choice_field(lua_State *L, int at, const char *name,
                        const char *const names[]) {
  lua_getfield(L, at, name);
  int choice = luaL_checkoption(L, lua_gettop(L), NULL, names);
  lua_pop(L, 1);
  return choice;
}


EncodeOptions ltokenizer_checkoptions(lua_State *L, int at) {
  static const char *const modes[] = {
    [TRUNCATE_HEAD] = "head", [TRUNCATE_TAIL] = "tail",
    [TRUNCATE_HEAD_TAIL] = "head_tail", [TRUNCATE_WINDOWS] = "windows", NULL
  };
  luaL_checktype(L, at, LUA_TTABLE);
  return (EncodeOptions){
    .max_length = (size_t)integer_field(L, at, "max_length", 0, INT32_MAX),
    .add_special_tokens = boolean_field(L, at, "add_special_tokens"),
    .truncation = (Truncation)choice_field(L, at, "truncation", modes),
    .stride = integer_field(L, at, "stride", STRIDE_HALF, INT32_MAX),
    .count = boolean_field(L, at, "count")
  };
}


/* The strings of an array of n, which keeps them: nothing may run the
   collector until they are used. `to` [n]. */
static void check_strings(lua_State *L, int table, const char *what, size_t n,
                          Bytes *to) {
  for (size_t i = 0; i < n; i++) to[i] = string_at(L, table, what, i + 1);
}


/* the length of the array at 2; the one at 3, if any, must have it too */
static size_t check_texts(lua_State *L, bool *paired) {
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t n = lua_rawlen(L, 2);
  *paired = !lua_isnoneornil(L, 3);
  if (*paired) luaL_checktype(L, 3, LUA_TTABLE);
  if (*paired && lua_rawlen(L, 3) != n)
    luaL_error(L, "%d texts, but %d text_pairs", (int)n,
               (int)lua_rawlen(L, 3));
  return n;
}


/* encode(texts, pairs or nil, options): the options as above, and spans */
static int m_encode(lua_State *L) {
  const Tokenizer *t = ltokenizer_check(L, 1);
  bool paired;
  size_t n = check_texts(L, &paired);
  lua_settop(L, 4);
  EncodeOptions o = ltokenizer_checkoptions(L, 4);
  bool spans = boolean_field(L, 4, "spans");
  Bytes *texts = scratch(L, n, sizeof *texts);
  Bytes *pairs = paired ? scratch(L, n, sizeof *pairs) : NULL;
  Encoding *to = new_encoding(L);
  Error e;
  check_strings(L, 2, "texts", n, texts);
  if (paired) check_strings(L, 3, "text_pairs", n, pairs);
  if (!tokenizer_encode_all(t, texts, pairs, n, &o, to, &e)) {
    drop_encoding(to);
    return luaL_error(L, "%s", e.message);
  }
  push_encoding(L, to, spans, o.count);
  drop_encoding(to);  /* the collector would not hurry: it sees no buffers */
  return 1;
}

/* }======== */


/* {======== asking ======== */

static int push_token(lua_State *L,
                      Bytes (*ask)(const Tokenizer *t, int32_t id)) {
  const Tokenizer *t = ltokenizer_check(L, 1);
  lua_Number id = luaL_checknumber(L, 2);
  if (!(0 <= id && id < (lua_Number)tokenizer_count(t)) ||
      id != (lua_Number)(int32_t)id)
    return 0;
  Bytes s = ask(t, (int32_t)id);
  lua_pushlstring(L, (const char *)s.at, s.n);
  return 1;
}


/* token(id): its string, or nil */
static int m_token(lua_State *L) {
  return push_token(L, tokenizer_token);
}


/* decoded(id): what decoding writes for it, or nil */
static int m_decoded(lua_State *L) {
  return push_token(L, tokenizer_decoded);
}


/* id(token): its number, or nil */
static int m_id(lua_State *L) {
  const Tokenizer *t = ltokenizer_check(L, 1);
  Bytes s;
  s.at = (const uint8_t *)luaL_checklstring(L, 2, &s.n);
  int32_t id = tokenizer_id(t, s);
  if (id < 0) return 0;
  lua_pushinteger(L, id);
  return 1;
}


static int m_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)tokenizer_count(ltokenizer_check(L, 1)));
  return 1;
}

/* }======== */


static int mm_gc(lua_State *L) {
  Tokenizer **t = (Tokenizer **)luaL_checkudata(L, 1, TOKENIZER);
  tokenizer_release(*t);
  *t = NULL;
  return 0;
}


static const luaL_Reg meth[] = {
  {"encode", m_encode},
  {"token", m_token},
  {"decoded", m_decoded},
  {"id", m_id},
  {"count", m_count},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};

static const luaL_Reg encoding_meth[] = {
  {NULL, NULL}
};

static const luaL_Reg encoding_metameth[] = {
  {"__gc", encoding_gc},
  {NULL, NULL}
};


int tokenizer_open(lua_State *L) {
  compat_newtype(L, TOKENIZER, meth, metameth);
  compat_newtype(L, ENCODING, encoding_meth, encoding_metameth);
  lua_pushcfunction(L, l_new);
  return 1;
}
