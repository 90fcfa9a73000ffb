/*
** lunula.core.share: models that other Lua states of the process open by a
** handle.
**
**   new(model, about), find(handle): a share; nil where there is none
*/
#include "lunula.h"

#include "../serve/share.h"
#include "lmodel.h"

#define SHARE  "lunula.core.share"


static Share **push_slot(lua_State *L) {
  Share **slot = (Share **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, SHARE);
  return slot;
}


static Share *check_share(lua_State *L) {
  Share **s = (Share **)luaL_checkudata(L, 1, SHARE);
  luaL_argcheck(L, *s != NULL, 1, "it is gone");
  return *s;
}


static Bytes check_bytes(lua_State *L, int arg) {
  Bytes s;
  s.at = (const uint8_t *)luaL_checklstring(L, arg, &s.n);
  return s;
}


static int l_new(lua_State *L) {
  Model *m = lmodel_check(L, 1);
  Bytes about = check_bytes(L, 2);
  Share **s = push_slot(L);
  *s = share_new(m, about);
  return *s != NULL ? 1 : luaL_error(L, "not enough memory");
}


static int l_find(lua_State *L) {
  Bytes handle = check_bytes(L, 1);
  Share **s = push_slot(L);
  *s = share_find(handle);
  return *s != NULL ? 1 : 0;
}


static int m_handle(lua_State *L) {
  lua_pushstring(L, share_handle(check_share(L)));
  return 1;
}


static int m_model(lua_State *L) {
  Share *s = check_share(L);
  Model **slot = lmodel_slot(L);  /* it may raise: nothing is held yet */
  *slot = model_retain(share_model(s));
  return 1;
}


static int m_about(lua_State *L) {
  Bytes about = share_about(check_share(L));
  lua_pushlstring(L, (const char *)about.at, about.n);
  return 1;
}


static int mm_gc(lua_State *L) {
  Share **s = (Share **)luaL_checkudata(L, 1, SHARE);
  share_release(*s);
  *s = NULL;
  return 0;
}


static const luaL_Reg functions[] = {
  {"new", l_new},
  {"find", l_find},
  {NULL, NULL}
};

static const luaL_Reg meth[] = {
  {"handle", m_handle},
  {"model", m_model},
  {"about", m_about},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};


int share_open(lua_State *L) {
  compat_newtype(L, SHARE, meth, metameth);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
