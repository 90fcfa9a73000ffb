/*
** lunula.core.threads: the number of threads that work on a job.
*/
#include "lunula.h"
#include "../base/pool.h"


/* threads([n]): sets the number when told; returns it */
static int l_threads(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer n = luaL_checkinteger(L, 1);
    if (n < 1 || n > POOL_MAX)
      luaL_argerror(L, 1, lua_pushfstring(L, "expected 1 to %d threads",
                                          POOL_MAX));
    pool_set_threads((int)n);
  }
  lua_pushinteger(L, pool_threads());
  return 1;
}


int threads_open(lua_State *L) {
  lua_pushcfunction(L, l_threads);
  return 1;
}
