/*
** The shape of an encoder, from the table that config.json gives with its
** defaults filled in. What it can get wrong is caught here.
*/
#ifndef lunula_lconfig_h
#define lunula_lconfig_h

#include "compat.h"
#include "../encoder/config.h"

#pragma GCC visibility push(hidden)

EncoderConfig lconfig_check(lua_State *L, int arg);

#pragma GCC visibility pop

#endif
