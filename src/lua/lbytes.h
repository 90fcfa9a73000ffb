/*
** A part of a file that is no tensor, as a Lua value: what is packed for one
** purpose and read in place. Lua knows its length alone.
*/
#ifndef lunula_lbytes_h
#define lunula_lbytes_h

#include "compat.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

/* pushes a value that is still empty; *slot owns its storage */
Storage **lbytes_slot(lua_State *L);
/* NULL when the argument is none */
Storage  *lbytes_test(lua_State *L, int arg);

#pragma GCC visibility pop

#endif
