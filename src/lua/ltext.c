/*
** lunula.core.text_fault(bytes): why bytes are no text, or nil. A text is UTF-8
** without control characters, but for tab, line feed and carriage return.
*/
#include "lunula.h"

#include "../text/utf8.h"


static bool is_control(uint8_t byte) {
  return byte < ' ' && byte != '\t' && byte != '\n' && byte != '\r';
}


static bool has_control(Bytes s) {
  bool found = false;
  for (size_t i = 0; i < s.n; i++) found |= is_control(s.at[i]);
  return found;
}


static int l_fault(lua_State *L) {
  Bytes s;
  s.at = (const uint8_t *)luaL_checklstring(L, 1, &s.n);
  if (has_control(s)) lua_pushliteral(L, "a control character");
  else if (!utf8_is_valid(s)) lua_pushliteral(L, "not UTF-8");
  else lua_pushnil(L);
  return 1;
}


int text_open(lua_State *L) {
  lua_pushcfunction(L, l_fault);
  return 1;
}
