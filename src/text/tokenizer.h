/*
** BERT's tokenizer: texts in, token ids out, the same as those of the Hugging
** Face `tokenizers` library for the same files and any text.
**
**   text -> added tokens as written -> normalise -> added tokens normalised
**        -> words -> pieces -> cut to max_length -> special tokens around
**
** A Tokenizer is read only once made: any number of threads may share it,
** each with its own Encoding.
*/
#ifndef lunula_tokenizer_h
#define lunula_tokenizer_h

#include "../base/status.h"
#include "added.h"
#include "wordpiece.h"

#pragma GCC visibility push(hidden)

/* what goes around the texts: "[CLS] A [SEP]" */
enum { TEMPLATE_PARTS = 16 };

typedef struct TemplatePart {
  int text;      /* 1 or 2: that text's tokens; 0: the token `id` */
  int32_t id;
  int32_t type;  /* token type of all of them */
} TemplatePart;

typedef struct Template {
  size_t n;
  TemplatePart parts[TEMPLATE_PARTS];
} Template;

typedef struct TokenizerConfig {
  const Bytes *tokens;       /* [count] by id, valid UTF-8 */
  size_t count;
  size_t model_count;        /* the first are WordPiece's, the rest added */
  const AddedToken *added;   /* [added_count], id < count */
  size_t added_count;
  NormalOptions normal;
  Bytes prefix;              /* continuing_subword_prefix: "##" */
  size_t max_chars;          /* max_input_chars_per_word: 100 */
  int32_t unknown;           /* id of unk_token, < model_count */
  Template single, pair;     /* text 1 once; text 1 once and text 2 once */
} TokenizerConfig;

typedef struct Tokenizer Tokenizer;

Tokenizer *tokenizer_new(const TokenizerConfig *c, Error *e);
/* counted, from any thread: the last tokenizer_free frees it */
Tokenizer *tokenizer_retain(Tokenizer *t);
void       tokenizer_free(Tokenizer *t);  /* NULL is allowed */

size_t     tokenizer_count(const Tokenizer *t);
Bytes      tokenizer_token(const Tokenizer *t, int32_t id);  /* id < count */
/* what decoding writes for it: a normalized added token as it is found */
Bytes      tokenizer_decoded(const Tokenizer *t, int32_t id);
int32_t    tokenizer_id(const Tokenizer *t, Bytes token);  /* or -1 */

typedef struct EncodeOptions {
  size_t max_length;        /* most tokens of a sequence; 0 for no limit */
  bool add_special_tokens;
} EncodeOptions;

/* a ragged batch; zeros before the first use */
typedef struct Encoding {
  size_t sequences;
  Tokens tokens;      /* ids, and spans in bytes of their text: special tokens
                         of the template have {0, 0} */
  Buffer types;       /* int32_t [tokens.n] */
  Buffer ends;        /* int32_t [sequences], into tokens */
  size_t truncated;   /* tokens that max_length cut, of all sequences */
  Normal normal;      /* what encoding needs */
  Tokens parts[2];    /* the tokens of text 1 and text 2 */
} Encoding;

/* Adds a sequence: a text, or a text and its pair (NULL for none). Any bytes;
   false, with the batch as it was, when a text or the batch is too long,
   max_length too small for the special tokens, or there is no memory. */
bool tokenizer_encode(const Tokenizer *t, Bytes text, const Bytes *pair,
                      const EncodeOptions *o, Encoding *to, Error *e);
void encoding_free(Encoding *to);

#pragma GCC visibility pop

#endif
