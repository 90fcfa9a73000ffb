/*
** Models as Lua values, for the other binding files.
*/
#ifndef lunula_lmodel_h
#define lunula_lmodel_h

#include "compat.h"
#include "../serve/model.h"

#pragma GCC visibility push(hidden)

Model *lmodel_check(lua_State *L, int arg);
/* pushes a model that is still empty; *slot owns a reference */
Model **lmodel_slot(lua_State *L);

#pragma GCC visibility pop

#endif
