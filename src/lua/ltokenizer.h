/*
** Tokenizers as Lua values, for the other binding files.
*/
#ifndef lunula_ltokenizer_h
#define lunula_ltokenizer_h

#include "compat.h"
#include "../text/tokenizer.h"

#pragma GCC visibility push(hidden)

/* lunula.core's, the field `core` of what lunula.tokenizer gives */
Tokenizer *ltokenizer_check(lua_State *L, int arg);

/* The table at `at`: max_length (0: no limit), add_special_tokens, truncation,
   stride (-1: half), count. */
EncodeOptions ltokenizer_checkoptions(lua_State *L, int at);

/* lunula.core.vocabulary's, indexed (lvocabulary.c) */
Vocabulary *ltokenizer_checkvocabulary(lua_State *L, int arg);

#pragma GCC visibility pop

#endif
