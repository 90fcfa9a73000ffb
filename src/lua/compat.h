/*
** The one place that knows the differences between Lua 5.1 (and LuaJIT)
** and 5.4. The rest of src/lua is written for 5.4 and includes this
** instead of lua.h.
*/
#ifndef lunula_compat_h
#define lunula_compat_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#if LUA_VERSION_NUM < 502

#define lua_rawlen(L, i)  lua_objlen(L, i)

/* a library built for 5.1 lacks functions in the others, which refuse it */
#define luaL_checkversion(L)  ((void)(L))

/* LuaJIT 2.1 declares both functions and Lua 5.1 neither: ours under another
   name serve the two */
#define luaL_setmetatable  compat_setmetatable
#define luaL_setfuncs      compat_setfuncs
#define luaL_testudata     compat_testudata
#define luaL_tolstring     compat_tolstring

static inline void compat_setmetatable(lua_State *L, const char *name) {
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}

static inline void compat_setfuncs(lua_State *L, const luaL_Reg *l, int nup) {
  (void)nup;  /* no upvalues are used here */
  for (; l->name != NULL; l++) {
    lua_pushcfunction(L, l->func);
    lua_setfield(L, -2, l->name);
  }
}

static inline void *compat_testudata(lua_State *L, int i, const char *name) {
  void *p = lua_touserdata(L, i);
  if (p == NULL || !lua_getmetatable(L, i)) return NULL;
  luaL_getmetatable(L, name);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? p : NULL;
}

/* pushes a value as tostring shows it */
static inline const char *compat_tolstring(lua_State *L, int i, size_t *n) {
  lua_pushvalue(L, i);
  lua_getglobal(L, "tostring");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  return lua_tolstring(L, -1, n);
}

#endif

#if LUA_VERSION_NUM >= 504
#undef lua_newuserdata
#define lua_newuserdata(L, size)  lua_newuserdatauv(L, size, 0)
#endif

/* the number at i in *out; false when it is no integer of 64 bits */
static inline bool compat_toint64(lua_State *L, int i, int64_t *out) {
#if LUA_VERSION_NUM >= 503
  int exact;
  *out = (int64_t)lua_tointegerx(L, i, &exact);
  return exact;
#else
  lua_Number x = lua_tonumber(L, i);
  if (!lua_isnumber(L, i) || !(x >= -0x1p63 && x < 0x1p63)) return false;
  *out = (int64_t)x;
  return (lua_Number)*out == x;
#endif
}

#if LUA_VERSION_NUM < 503

/* Lua's own cut a fraction off */
#define luaL_checkinteger  compat_checkinteger
#define luaL_optinteger    compat_optinteger

static inline lua_Integer compat_checkinteger(lua_State *L, int arg) {
  int64_t x = 0;
  luaL_checknumber(L, arg);
  if (!compat_toint64(L, arg, &x))
    luaL_argerror(L, arg, "number has no integer representation");
  return (lua_Integer)x;
}

static inline lua_Integer compat_optinteger(lua_State *L, int arg,
                                            lua_Integer otherwise) {
  if (lua_isnoneornil(L, arg)) return otherwise;
  return compat_checkinteger(L, arg);
}

#endif

/* the C file of a Lua file, NULL when it is closed */
static inline FILE *compat_checkfile(lua_State *L, int arg) {
#if LUA_VERSION_NUM >= 502
  luaL_Stream *s = (luaL_Stream *)luaL_checkudata(L, arg, LUA_FILEHANDLE);
  return s->closef != NULL ? s->f : NULL;
#else
  return *(FILE **)luaL_checkudata(L, arg, LUA_FILEHANDLE);
#endif
}

/* makes the metatable of a type: methods behind __index, metamethods beside.
   getmetatable gives the name instead, so that no program calls __gc on what
   is in use. */
static inline void compat_newtype(lua_State *L, const char *name,
                                  const luaL_Reg *meth,
                                  const luaL_Reg *metameth) {
  if (luaL_newmetatable(L, name)) {
    luaL_setfuncs(L, metameth, 0);
    lua_newtable(L);
    luaL_setfuncs(L, meth, 0);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
  }
  lua_pop(L, 1);
}

#endif
