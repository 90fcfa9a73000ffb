/*
** What one Lua state holds for lunula: its tape, and how much memory that
** Lua can't see was handed out since the collector last ran.
*/
#ifndef lunula_lstate_h
#define lunula_lstate_h

#include "compat.h"
#include "../tensor/tape.h"

#pragma GCC visibility push(hidden)

Tape *lstate_tape(lua_State *L);

/* Says that `bytes` outside Lua's heap now hang on a Lua object. Runs the
   collector when enough came together, so that a loop that makes temporaries
   stays flat. Call it with the object on the stack. */
void  lstate_pressure(lua_State *L, size_t bytes);

#pragma GCC visibility pop

#endif
