/*
** lunula.core.sha256(bytes): their SHA-256, 64 hexadecimal digits.
** lunula.core.io.sha256(path) is that of a file.
*/
#include "lunula.h"

#include "../base/sha256.h"


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


int sha256_open(lua_State *L) {
  lua_pushcfunction(L, l_sha256);
  return 1;
}
