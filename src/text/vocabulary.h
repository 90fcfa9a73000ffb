/*
** A model's tokens by id, and their ids by token.
**
** Filled first (vocabulary_add, _lines or _json), then indexed, then read
** only. Each token is valid UTF-8.
*/
#ifndef lunula_vocabulary_h
#define lunula_vocabulary_h

#include "../base/status.h"
#include "lexicon.h"

#pragma GCC visibility push(hidden)

/* zeros before the first token */
typedef struct Vocabulary {
  Strings tokens;  /* by id */
  Lexicon ids;     /* of tokens, once indexed */
} Vocabulary;

/* the next id's token; false when it is not UTF-8, or there is no memory */
bool vocabulary_add(Vocabulary *v, Bytes token, Error *e);

/* The lines of a vocab.txt, a token each; a line ends in "\n" or "\r\n".
   False, with "LINE: why" in e, as vocabulary_add. */
bool vocabulary_lines(Vocabulary *v, Bytes text, Error *e);

/* The object {"token": 0, "another": 1} that a text begins with, as the
   `tokenizers` library writes the vocabulary of a tokenizer.json: ids from 0
   on in their order, no escape but \" \\ \/ \b \f \n \r \t. Returns its bytes;
   0, with v filled in part, where it is anything else: then a JSON parser has
   to read it, and to say what is wrong. */
size_t vocabulary_json(Vocabulary *v, Bytes text);

/* Finds the ids. False when there is no memory, with *same -1, or when token
   *same is the one before it again, whose id is *first. */
bool vocabulary_index(Vocabulary *v, int32_t *same, int32_t *first);

void vocabulary_free(Vocabulary *v);

#pragma GCC visibility pop

#endif
