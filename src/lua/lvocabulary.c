/*
** lunula.core.vocabulary: the binding of text/vocabulary.h.
**
**   list(tokens)     of an array of strings, token of id 0 first
**   lines(text)      of a vocab.txt
**   json(text, at)   of the object that begins at byte `at` of a
**                    tokenizer.json; nil where a JSON parser has to read it
**   vocabulary:id(token), vocabulary:count()
**
** Making a tokenizer takes what is in one; it is empty from then on.
*/
#include "lunula.h"

#include "ltokenizer.h"

#define VOCABULARY  "lunula.core.vocabulary"


static Vocabulary *new_vocabulary(lua_State *L) {
  Vocabulary *v = (Vocabulary *)lua_newuserdata(L, sizeof *v);
  *v = (Vocabulary){ .tokens = { 0 } };
  luaL_setmetatable(L, VOCABULARY);
  return v;
}


Vocabulary *ltokenizer_checkvocabulary(lua_State *L, int arg) {
  Vocabulary *v = (Vocabulary *)luaL_checkudata(L, arg, VOCABULARY);
  luaL_argcheck(L, v->ids.slots != NULL, arg, "a vocabulary that was taken");
  return v;
}


static Bytes check_bytes(lua_State *L, int arg) {
  Bytes s;
  s.at = (const uint8_t *)luaL_checklstring(L, arg, &s.n);
  return s;
}


static Vocabulary *new_list(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  Vocabulary *v = new_vocabulary(L);
  Error e;
  for (size_t i = 1, n = lua_rawlen(L, 1); i <= n; i++) {
    lua_rawgeti(L, 1, (int)i);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "token %d: expected a string, got %s", (int)i - 1,
                 luaL_typename(L, -1));
    if (!vocabulary_add(v, check_bytes(L, -1), &e))
      luaL_error(L, "%s", e.message);
    lua_pop(L, 1);
  }
  return v;
}


static int l_list(lua_State *L) {
  int32_t same, first;
  Vocabulary *v = new_list(L);
  if (vocabulary_index(v, &same, &first)) return 1;
  if (same < 0) return luaL_error(L, "not enough memory");
  Bytes token = strings_at(&v->tokens, (size_t)same);
  lua_pushlstring(L, (const char *)token.at, token.n);
  return luaL_error(L, "token '%s' has two ids, %d and %d",
                    lua_tostring(L, -1), (int)first, (int)same);
}


/* raises what is wrong with a line, from 1 */
static int l_lines(lua_State *L) {
  Bytes text = check_bytes(L, 1);
  int32_t same, first;
  Error e;
  Vocabulary *v = new_vocabulary(L);
  if (!vocabulary_lines(v, text, &e)) return luaL_error(L, "%s", e.message);
  if (vocabulary_index(v, &same, &first)) return 1;
  if (same < 0) return luaL_error(L, "not enough memory");
  Bytes token = strings_at(&v->tokens, (size_t)same);
  lua_pushlstring(L, (const char *)token.at, token.n);
  return luaL_error(L, "%d: token '%s' was on line %d", (int)same + 1,
                    lua_tostring(L, -1), (int)first + 1);
}


/* and the byte behind the object, from 1 */
static int l_json(lua_State *L) {
  Bytes text = check_bytes(L, 1);
  lua_Integer at = luaL_checkinteger(L, 2);
  luaL_argcheck(L, 1 <= at && (size_t)at <= text.n, 2, "outside the text");
  size_t start = (size_t)at - 1;
  int32_t same, first;
  Vocabulary *v = new_vocabulary(L);
  size_t used = vocabulary_json(v, (Bytes){ text.at + start, text.n - start });
  if (used == 0 || !vocabulary_index(v, &same, &first)) return 0;
  lua_pushinteger(L, (lua_Integer)(start + used + 1));
  return 2;
}


static int m_id(lua_State *L) {
  const Vocabulary *v = ltokenizer_checkvocabulary(L, 1);
  int32_t id = lexicon_find(&v->ids, check_bytes(L, 2));
  if (id == LEXICON_NONE) return 0;
  lua_pushinteger(L, id);
  return 1;
}


static int m_count(lua_State *L) {
  const Vocabulary *v = ltokenizer_checkvocabulary(L, 1);
  lua_pushinteger(L, (lua_Integer)v->tokens.count);
  return 1;
}


static int mm_gc(lua_State *L) {
  Vocabulary *v = (Vocabulary *)luaL_checkudata(L, 1, VOCABULARY);
  vocabulary_free(v);
  *v = (Vocabulary){ .tokens = { 0 } };
  return 0;
}


static const luaL_Reg meth[] = {
  {"id", m_id},
  {"count", m_count},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};

static const luaL_Reg func[] = {
  {"list", l_list},
  {"lines", l_lines},
  {"json", l_json},
  {NULL, NULL}
};


int vocabulary_open(lua_State *L) {
  compat_newtype(L, VOCABULARY, meth, metameth);
  lua_newtable(L);
  luaL_setfuncs(L, func, 0);
  return 1;
}
