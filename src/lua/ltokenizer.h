/*
** Tokenizers as Lua values, for the other binding files.
*/
#ifndef lunula_ltokenizer_h
#define lunula_ltokenizer_h

#include "compat.h"
#include "../text/tokenizer.h"

#pragma GCC visibility push(hidden)

#define TOKENIZER  "lunula.core.tokenizer"  /* holds a Tokenizer * */

#pragma GCC visibility pop

#endif
