/*
** lunula.core.number_text(x): the fewest digits that read back as the same
** number, with a point whatever the host's locale has. Lua can't say it alike
** everywhere: where x lies between two numbers of so many digits, LuaJIT
** rounds up and C to the even one.
*/
#include "lunula.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 17 };  /* tell any two numbers apart */


static int l_number_text(lua_State *L) {
  char text[32];
  lua_Number x = luaL_checknumber(L, 1);
  for (int digits = 15; digits <= DIGITS; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  char *comma = strchr(text, ',');
  if (comma != NULL) *comma = '.';
  lua_pushstring(L, text);
  return 1;
}


int number_open(lua_State *L) {
  lua_pushcfunction(L, l_number_text);
  return 1;
}
