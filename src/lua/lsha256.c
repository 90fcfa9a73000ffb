/*
** lunula.core.sha256(bytes): their SHA-256, 64 hexadecimal digits;
** lunula.core.hasher(): that of bytes that come in pieces.
** lunula.core.io.sha256(path) is that of a file.
*/
#include "lunula.h"

#include "../base/sha256.h"

#define HASHER "lunula.hasher"


static int l_sha256(lua_State *L) {
  size_t n;
  char text[SHA256_TEXT];
  const char *bytes = luaL_checklstring(L, 1, &n);
  Sha256 h = sha256_new();
  sha256_add(&h, bytes, n);
  sha256_text(&h, text);
  lua_pushstring(L, text);
  return 1;
}


static int l_hasher(lua_State *L) {
  Sha256 *h = (Sha256 *)lua_newuserdata(L, sizeof *h);
  *h = sha256_new();
  luaL_setmetatable(L, HASHER);
  return 1;
}


/* add(bytes): behind those that were added before */
static int h_add(lua_State *L) {
  Sha256 *h = (Sha256 *)luaL_checkudata(L, 1, HASHER);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  sha256_add(h, bytes, n);
  return 0;
}


/* text(): of what was added so far; more may follow */
static int h_text(lua_State *L) {
  Sha256 h = *(Sha256 *)luaL_checkudata(L, 1, HASHER);
  char text[SHA256_TEXT];
  sha256_text(&h, text);
  lua_pushstring(L, text);
  return 1;
}


static const luaL_Reg hasher_meth[] = {
  {"add", h_add},
  {"text", h_text},
  {NULL, NULL}
};

static const luaL_Reg none[] = {
  {NULL, NULL}
};


int hasher_open(lua_State *L) {
  compat_newtype(L, HASHER, hasher_meth, none);
  lua_pushcfunction(L, l_hasher);
  return 1;
}


int sha256_open(lua_State *L) {
  lua_pushcfunction(L, l_sha256);
  return 1;
}
