/*
** lunula.core.clock and lunula.core.peak: what `lunula bench` measures with.
*/
#include "lunula.h"

#include "../base/clock.h"
#include "../kernel/peak.h"

enum { MOST_SECONDS = 3600 };


/* clock(on): times the parts of a step from 0, or stops
   clock(): seconds by part */
static int l_clock(lua_State *L) {
  if (!lua_isnoneornil(L, 1)) {
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    clock_time_parts(lua_toboolean(L, 1));
    return 0;
  }
  lua_createtable(L, 0, CLOCK_PARTS);
  for (ClockPart p = 0; p < CLOCK_PARTS; p++) {
    lua_pushnumber(L, clock_seconds(p));
    lua_setfield(L, -2, clock_part_name(p));
  }
  return 1;
}


/* peak(precision, seconds): GFLOP/s of the fastest product */
static int l_peak(lua_State *L) {
  static const char *const names[] = { "fp32", "bf16", "int8", NULL };
  static bool (*const measure[])(double, double *, Error *) = {
    peak_fp32, peak_bf16, peak_int8
  };
  int precision = luaL_checkoption(L, 1, NULL, names);
  double seconds = luaL_checknumber(L, 2), gflops;
  luaL_argcheck(L, seconds >= 0 && seconds <= MOST_SECONDS, 2,
                "expected 0 to 3600 seconds");
  Error e;
  if (!measure[precision](seconds, &gflops, &e))
    return luaL_error(L, "%s", e.message);
  lua_pushnumber(L, gflops);
  return 1;
}


int clock_open(lua_State *L) {
  lua_pushcfunction(L, l_clock);
  return 1;
}


int peak_open(lua_State *L) {
  lua_pushcfunction(L, l_peak);
  return 1;
}
