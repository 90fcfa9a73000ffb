/*
** BERT's tokenizer: texts in, token ids out, the same as those of the Hugging
** Face `tokenizers` library for the same files and any text.
**
**   text -> tokens (splitter.h) -> cut to max_length -> special tokens around
**
** A Tokenizer is read only once made, and counts who holds it: any number of
** threads may encode with one at once, each into its own Encoding. Nothing
** here knows of Lua.
*/
#ifndef lunula_tokenizer_h
#define lunula_tokenizer_h

#include "../base/status.h"
#include "part.h"
#include "vocabulary.h"

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
  Vocabulary *vocabulary;    /* WordPiece's, indexed; taken, and left empty,
                                whatever comes of it */
  const Bytes *beyond;       /* [beyond_count], by id from the vocabulary's
                                count on: tokens that are only added */
  size_t beyond_count;
  const AddedToken *added;   /* [added_count], of any token */
  size_t added_count;
  NormalOptions normal;
  Bytes prefix;              /* continuing_subword_prefix: "##" */
  size_t max_chars;          /* max_input_chars_per_word: 100 */
  int32_t unknown;           /* id of unk_token, in the vocabulary */
  Template single, pair;     /* text 1 once; text 1 once and text 2 once */
} TokenizerConfig;

typedef struct Tokenizer Tokenizer;

/* held once; NULL with the reason in e */
Tokenizer *tokenizer_new(const TokenizerConfig *c, Error *e);
/* each from any thread */
Tokenizer *tokenizer_retain(Tokenizer *t);
void       tokenizer_release(Tokenizer *t);  /* NULL is allowed */

size_t     tokenizer_count(const Tokenizer *t);
Bytes      tokenizer_token(const Tokenizer *t, int32_t id);  /* id < count */
/* what decoding writes for it: a normalized added token as it is found */
Bytes      tokenizer_decoded(const Tokenizer *t, int32_t id);
int32_t    tokenizer_id(const Tokenizer *t, Bytes token);  /* or -1 */

/* for encode.c */
const Splitter *tokenizer_splitter(const Tokenizer *t);
const Template *tokenizer_template(const Tokenizer *t, bool paired);

/* What is kept of a text that is too long. Of a text and its pair, the longer
   one loses first, as with the library's "longest_first"; each then is cut as
   its mode says to what it has left. */
typedef enum Truncation {
  TRUNCATE_HEAD,       /* the first tokens: no more of the text is read */
  TRUNCATE_TAIL,       /* the last ones */
  TRUNCATE_HEAD_TAIL,  /* the first quarter of them, rounded, and the rest from
                          the end (Sun et al. 2019: 128 and 382 of 510) */
  TRUNCATE_WINDOWS     /* all, in several sequences, each of which begins
                          before the end of the one before. Of a pair, the
                          longer text is cut into windows, the other one stays
                          whole, or its first half of all the room */
} Truncation;

enum { STRIDE_HALF = -1 };

typedef struct EncodeOptions {
  size_t max_length;        /* most tokens of a sequence; 0 for no limit */
  bool add_special_tokens;
  Truncation truncation;
  int64_t stride;           /* tokens of text that a window has in common with
                               the one before, fewer than it has room for;
                               STRIDE_HALF: half of these */
  bool count;               /* read every text to its end, to count what was
                               cut of it */
} EncodeOptions;

/* A ragged batch, and what making it needs: kept from one batch to the next,
   so that a server that keeps its Encoding takes no memory once it has met its
   longest text. Zeros before the first use. */
typedef struct Encoding {
  size_t texts;
  size_t sequences;   /* as many; more with TRUNCATE_WINDOWS */
  Tokens tokens;      /* ids, and spans in bytes of their text: special tokens
                         of the template have {0, 0} */
  Buffer types;       /* int32_t [tokens.n] */
  Buffer offsets;     /* int32_t [sequences + 1], into tokens, from 0; there
                         once a sequence is */
  Buffer text_of;     /* int32_t [sequences], the text of each, from 0 */
  Buffer cut;         /* int32_t [texts], bytes that max_length cut of each,
                         at most INT32_MAX */
  size_t truncated;   /* tokens that it cut of all, where they were counted */
  Normal normal;      /* what encoding needs */
  Part parts[2];      /* text 1 and text 2 */
} Encoding;

/* Adds a text, or a text and its pair (NULL for none). Any bytes; false, with
   the batch as it was, when a text or the batch is too long, max_length too
   small for the special tokens, or there is no memory. */
bool tokenizer_encode(const Tokenizer *t, Bytes text, const Bytes *pair,
                      const EncodeOptions *o, Encoding *to, Error *e);
/* Makes the batch of texts [n], with pairs [n] (NULL for none), over what was
   there. False, the message naming the text from 1, as tokenizer_encode. */
bool tokenizer_encode_all(const Tokenizer *t, const Bytes *texts,
                          const Bytes *pairs, size_t n,
                          const EncodeOptions *o, Encoding *to, Error *e);

/* an empty batch, its memory kept for the next */
void encoding_clear(Encoding *to);
void encoding_free(Encoding *to);

#pragma GCC visibility pop

#endif
