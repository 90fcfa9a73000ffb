/*
** lunula.core.near: the binding of text/near.h. Rows and texts are numbered
** from 1; lua/lunula/audit/duplicates.lua is what calls it.
**
**   near.new([most])             for at most `most` rows, 2^31 - 1 by default
**   near:add(text[, part[, text_pair]])
**                                the row's number; parts are 0 to 31
**   near:search(similarity)      from 0.5 to 1; how many pairs were compared
**   near:text(row)               of that row, and the next row that has it
**   near:first(text)             row; how many texts there are: near:count()
**   near:same(text), near:across(text)
**                                after a search: the text most like it in a
**                                part that it is in too, or in another part;
**                                the similarity; whether but numbers differ
**   near:group(text)             the first text of those that hang together
**   near:bytes()                 that it holds
*/
#include "lunula.h"
#include "lstate.h"

#include "../text/near.h"

#define NEAR  "lunula.core.near"


static Near *check_near(lua_State *L) {
  return (Near *)luaL_checkudata(L, 1, NEAR);
}


/* the number of a row or text at argument 2, of `count`; from 0 */
static uint32_t check_number(lua_State *L, uint32_t count) {
  lua_Integer i = luaL_checkinteger(L, 2);
  luaL_argcheck(L, 1 <= i && i <= (lua_Integer)count, 2, "there is no such");
  return (uint32_t)(i - 1);
}


static void push_number(lua_State *L, uint32_t i) {
  if (i == NEAR_NONE) lua_pushnil(L);
  else lua_pushinteger(L, (lua_Integer)i + 1);
}


static int l_new(lua_State *L) {
  lua_Integer most = luaL_optinteger(L, 1, NEAR_MOST);
  luaL_argcheck(L, 1 <= most && most <= NEAR_MOST, 1,
                "expected 1 to 2147483647 rows");
  Near *n = (Near *)lua_newuserdata(L, sizeof *n);
  *n = (Near){ .most = (uint32_t)most };
  luaL_setmetatable(L, NEAR);
  return 1;
}


static Bytes opt_bytes(lua_State *L, int arg) {
  Bytes s = { NULL, 0 };
  if (!lua_isnoneornil(L, arg))
    s.at = (const uint8_t *)luaL_checklstring(L, arg, &s.n);
  return s;
}


static int m_add(lua_State *L) {
  Near *n = check_near(L);
  luaL_checkstring(L, 2);
  lua_Integer part = luaL_optinteger(L, 3, 0);
  luaL_argcheck(L, 0 <= part && part < NEAR_PARTS, 3, "expected 0 to 31");
  size_t held = near_bytes(n);
  switch (near_add(n, opt_bytes(L, 2), opt_bytes(L, 4), (unsigned)part)) {
    case NEAR_NO_MEMORY: return luaL_error(L, "not enough memory");
    case NEAR_FULL:
      return luaL_error(L, "near: more than %d rows, or a text of more than "
                        "2147483647 bytes", (int)n->most);
    default: break;
  }
  if (near_bytes(n) > held) lstate_pressure(L, near_bytes(n) - held);
  lua_pushinteger(L, (lua_Integer)n->rows_n);
  return 1;
}


static int m_search(lua_State *L) {
  Near *n = check_near(L);
  lua_Number least = luaL_checknumber(L, 2);
  luaL_argcheck(L, 0.5 <= least && least <= 1, 2, "expected 0.5 to 1");
  if (!near_search(n, (float)least)) return luaL_error(L, "not enough memory");
  lua_pushinteger(L, (lua_Integer)n->compared);
  return 1;
}


static int m_text(lua_State *L) {
  const Near *n = check_near(L);
  const NearRow *row = near_row(n, check_number(L, n->rows_n));
  push_number(L, row->text);
  push_number(L, row->next);
  return 2;
}


static int m_first(lua_State *L) {
  const Near *n = check_near(L);
  push_number(L, near_text(n, check_number(L, n->texts_n))->first);
  return 1;
}


static int m_count(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_near(L)->texts_n);
  return 1;
}


static int push_link(lua_State *L, const Near *n, uint32_t text,
                     NearLink link) {
  if (link.text == NEAR_NONE) return 0;
  const NearText *a = near_text(n, text), *b = near_text(n, link.text);
  push_number(L, link.text);
  lua_pushnumber(L, (lua_Number)link.similarity);
  lua_pushboolean(L, similar_but_numbers(near_words(n, a), a->n,
                                         near_words(n, b), b->n));
  return 3;
}


static int m_same(lua_State *L) {
  const Near *n = check_near(L);
  uint32_t text = check_number(L, n->found_n);
  return push_link(L, n, text, n->found[text].same);
}


static int m_across(lua_State *L) {
  const Near *n = check_near(L);
  uint32_t text = check_number(L, n->found_n);
  return push_link(L, n, text, n->found[text].across);
}


static int m_group(lua_State *L) {
  const Near *n = check_near(L);
  push_number(L, n->found[check_number(L, n->found_n)].group);
  return 1;
}


static int m_bytes(lua_State *L) {
  lua_pushnumber(L, (lua_Number)near_bytes(check_near(L)));
  return 1;
}


static int mm_gc(lua_State *L) {
  near_free(check_near(L));
  return 0;
}


static const luaL_Reg meth[] = {
  {"add", m_add},
  {"search", m_search},
  {"text", m_text},
  {"first", m_first},
  {"count", m_count},
  {"same", m_same},
  {"across", m_across},
  {"group", m_group},
  {"bytes", m_bytes},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};

static const luaL_Reg func[] = {
  {"new", l_new},
  {NULL, NULL}
};


int near_open(lua_State *L) {
  compat_newtype(L, NEAR, meth, metameth);
  lua_newtable(L);
  luaL_setfuncs(L, func, 0);
  return 1;
}
