/*
** Bytes as Lua values. See lbytes.h.
*/
#include "lunula.h"
#include "lbytes.h"

#include <string.h>

#include "../base/mem.h"
#include "lstate.h"

#define BYTES  "lunula.bytes"


Storage **lbytes_slot(lua_State *L) {
  Storage **slot = (Storage **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, BYTES);
  return slot;
}


Storage *lbytes_test(lua_State *L, int arg) {
  Storage **slot = (Storage **)luaL_testudata(L, arg, BYTES);
  return slot != NULL ? *slot : NULL;
}


static void release_copy(Storage *s) {
  mem_free(s->data);
}


/* bytes(string): a copy of it, as bytes */
static int l_bytes(lua_State *L) {
  size_t n;
  const char *from = luaL_checklstring(L, 1, &n);
  Storage **slot = lbytes_slot(L);
  void *copy = mem_alloc(n);
  if (copy != NULL) *slot = storage_wrap(copy, n, release_copy, NULL);
  if (*slot == NULL) {
    mem_free(copy);
    return luaL_error(L, "not enough memory");
  }
  if (n > 0) memcpy(copy, from, n);
  lstate_pressure(L, n);
  return 1;
}


static int mm_len(lua_State *L) {
  Storage *s = lbytes_test(L, 1);
  lua_pushnumber(L, s != NULL ? (lua_Number)s->bytes : 0);
  return 1;
}


static int mm_gc(lua_State *L) {
  Storage **slot = (Storage **)luaL_checkudata(L, 1, BYTES);
  storage_release(*slot);
  *slot = NULL;
  return 0;
}


static const luaL_Reg meth[] = {
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__len", mm_len},
  {"__gc", mm_gc},
  {NULL, NULL}
};


int bytes_open(lua_State *L) {
  compat_newtype(L, BYTES, meth, metameth);
  lua_pushcfunction(L, l_bytes);
  return 1;
}
