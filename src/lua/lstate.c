/*
** The state of a Lua state. See lstate.h.
*/
#include "lunula.h"
#include "lstate.h"

#define STATE  "lunula.state"

/* foreign bytes between two collections: a constant, and a share of Lua's
   own heap, since a collection costs what that heap costs */
enum { PRESSURE_BYTES = 4 << 20, PRESSURE_PER_HEAP = 1 };

typedef struct State {
  Tape tape;
  size_t pressure;
} State;


static State *get_state(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, STATE);
  State *s = (State *)lua_touserdata(L, -1);
  lua_pop(L, 1);  /* the registry keeps it */
  return s;
}


Tape *lstate_tape(lua_State *L) {
  return &get_state(L)->tape;
}


static size_t limit(lua_State *L) {
  size_t heap = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024;
  return PRESSURE_BYTES + PRESSURE_PER_HEAP * heap;
}


void lstate_pressure(lua_State *L, size_t bytes) {
  State *s = get_state(L);
  s->pressure += bytes;
  if (s->pressure < limit(L)) return;
  s->pressure = 0;
  lua_gc(L, LUA_GCCOLLECT, 0);
}


/* recording([on]): whether the tape records; sets it when told. Returns what
   it was. */
static int l_recording(lua_State *L) {
  Tape *tape = lstate_tape(L);
  bool was = tape->recording;
  if (!lua_isnoneornil(L, 1)) tape->recording = lua_toboolean(L, 1);
  lua_pushboolean(L, was);
  return 1;
}


int state_open(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, STATE);
  if (lua_isnil(L, -1)) {
    State *s = (State *)lua_newuserdata(L, sizeof *s);
    *s = (State){ .tape = { .recording = true } };
    lua_setfield(L, LUA_REGISTRYINDEX, STATE);
  }
  lua_pop(L, 1);
  lua_pushcfunction(L, l_recording);
  return 1;
}
