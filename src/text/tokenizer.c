/*
** BERT's tokenizer. See tokenizer.h.
*/
#include "tokenizer.h"

#include <assert.h>
#include <stdlib.h>

#include "../base/mem.h"

struct Tokenizer {
  int refs;
  Strings tokens;
  size_t model_count;
  Normaliser normaliser;
  WordPiece model;
  Lexicon beyond;       /* the tokens that are only added */
  Matcher written;      /* added tokens, looked for before normalisation */
  Matcher normalised;   /* and after it */
  Template single, pair;
};

enum { MOST_TOKENS = 1 << 24 };


/* making */

static bool add_tokens(Tokenizer *t, const TokenizerConfig *c, Error *e) {
  if (c->count > MOST_TOKENS)
    return error_set(e, "a vocabulary of %zu tokens, the most is %d",
                     c->count, MOST_TOKENS);
  for (size_t i = 0; i < c->count; i++) {
    if (!utf8_is_valid(c->tokens[i]))
      return error_set(e, "token %zu is not valid UTF-8", i);
    if (!strings_add(&t->tokens, c->tokens[i])) return error_no_memory(e);
  }
  return true;
}


static bool add_beyond(Tokenizer *t, Error *e) {
  size_t count = t->tokens.count;
  if (!lexicon_init(&t->beyond, &t->tokens, 0, count - t->model_count))
    return error_no_memory(e);
  for (size_t i = t->model_count; i < count; i++) {
    Bytes token = strings_at(&t->tokens, i);
    int32_t same = lexicon_find(&t->model.first, token);
    if (same == LEXICON_NONE) same = lexicon_add(&t->beyond, (int32_t)i);
    if (same != LEXICON_NONE)
      return error_set(e, "token '%.*s' has two ids, %d and %zu",
                       (int)token.n, (const char *)token.at, (int)same, i);
  }
  return true;
}


static bool add_matchers(Tokenizer *t, const TokenizerConfig *c, Error *e) {
  const Normaliser *r = &t->normaliser;
  if (!matcher_init(&t->written, c->added, c->added_count, &t->tokens, false,
                    r) ||
      !matcher_init(&t->normalised, c->added, c->added_count, &t->tokens,
                    true, r))
    return error_no_memory(e);
  return true;
}


Tokenizer *tokenizer_new(const TokenizerConfig *c, Error *e) {
  assert(c->model_count <= c->count);
  assert(0 <= c->unknown && (size_t)c->unknown < c->model_count);
  Tokenizer *t = mem_zeros(sizeof *t);
  if (t == NULL) {
    error_no_memory(e);
    return NULL;
  }
  t->refs = 1;
  t->model_count = c->model_count;
  t->single = c->single;
  t->pair = c->pair;
  t->model.unknown = c->unknown;
  t->model.max_chars = c->max_chars;
  normaliser_init(&t->normaliser, c->normal);
  if (!add_tokens(t, c, e) ||
      !wordpiece_init(&t->model, &t->tokens, c->model_count, c->prefix, e) ||
      !add_beyond(t, e) || !add_matchers(t, c, e)) {
    tokenizer_free(t);
    return NULL;
  }
  return t;
}


Tokenizer *tokenizer_retain(Tokenizer *t) {
  __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
  return t;
}


void tokenizer_free(Tokenizer *t) {
  if (t == NULL || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  matcher_free(&t->written);
  matcher_free(&t->normalised);
  lexicon_free(&t->beyond);
  wordpiece_free(&t->model);
  strings_free(&t->tokens);
  mem_free(t);
}


/* asking */

size_t tokenizer_count(const Tokenizer *t) {
  return t->tokens.count;
}


Bytes tokenizer_token(const Tokenizer *t, int32_t id) {
  return strings_at(&t->tokens, (size_t)id);
}


Bytes tokenizer_decoded(const Tokenizer *t, int32_t id) {
  Bytes pattern;
  return matcher_pattern(&t->normalised, id, &pattern)
             ? pattern : tokenizer_token(t, id);
}


int32_t tokenizer_id(const Tokenizer *t, Bytes token) {
  int32_t id = lexicon_find(&t->model.first, token);
  return id != LEXICON_NONE ? id : lexicon_find(&t->beyond, token);
}


/* encoding: each of these is false when there is no memory */

/* the words in bytes start .. end - 1 of the normalised text */
static bool encode_words(const Tokenizer *t, Encoding *to, size_t start,
                         size_t end, Tokens *out) {
  return start >= end ||
         wordpiece_split(&t->model, &t->normaliser.traits, &to->normal, start,
                         end, out);
}


static bool encode_normalised(const Tokenizer *t, Encoding *to, Tokens *out) {
  const Span *from = to->normal.from.at;
  Bytes text = { to->normal.bytes.at, to->normal.n };
  Search search = { 0, 0 };
  Found f;
  while (matcher_next(&t->normalised, &t->normaliser.traits, text, &search,
                      &f)) {
    Span span = { from[f.start].start, from[f.end - 1].end };
    if (!encode_words(t, to, f.after, f.start, out) || !tokens_room(out, 1))
      return false;
    tokens_push(out, f.id, span);
  }
  return encode_words(t, to, search.done, text.n, out);
}


/* bytes start .. end - 1 of a text, which hold no added token as written */
static bool encode_piece(const Tokenizer *t, Encoding *to, Bytes text,
                         size_t start, size_t end, Tokens *out) {
  if (start >= end) return true;
  Bytes piece = { text.at + start, end - start };
  return normalise(&t->normaliser, piece, start, &to->normal) &&
         encode_normalised(t, to, out);
}


static bool encode_text(const Tokenizer *t, Encoding *to, Bytes text,
                        Tokens *out) {
  Search search = { 0, 0 };
  Found f;
  out->n = 0;
  while (matcher_next(&t->written, &t->normaliser.traits, text, &search,
                      &f)) {
    Span span = { (int32_t)f.start, (int32_t)f.end };
    if (!encode_piece(t, to, text, f.after, f.start, out) ||
        !tokens_room(out, 1))
      return false;
    tokens_push(out, f.id, span);
  }
  return encode_piece(t, to, text, search.done, text.n, out);
}


/* Cuts a and b, *a + *b > most, to `most` in all: the longer of the two loses
   first. As the library's "longest_first", odd tokens included. */
static void cut_longest(size_t *a, size_t *b, size_t most) {
  size_t *less = *a > *b ? b : a, *more = *a > *b ? a : b;
  size_t left = *less < most ? most - *less : 0;
  *more = *less > left ? *less : left;
  if (*less + *more > most) {
    *less = most / 2;
    *more = *less + most % 2;
  }
}


static size_t special_count(const Template *around, const EncodeOptions *o) {
  size_t count = 0;
  for (size_t i = 0; i < around->n; i++) count += around->parts[i].text == 0;
  return o->add_special_tokens ? count : 0;
}


/* drops what is over max_length from to->parts */
static bool cut_parts(Encoding *to, size_t special, const EncodeOptions *o,
                      size_t *cut, Error *e) {
  size_t *n = &to->parts[0].n, *m = &to->parts[1].n, whole = *n + *m;
  *cut = 0;
  if (o->max_length == 0) return true;
  if (o->max_length < special)
    return error_set(e, "max_length %zu: the special tokens alone are %zu",
                     o->max_length, special);
  if (whole > o->max_length - special)
    cut_longest(n, m, o->max_length - special);
  *cut = whole - *n - *m;
  return true;
}


static void append(Encoding *to, int32_t id, Span span, int32_t type) {
  ((int32_t *)to->types.at)[to->tokens.n] = type;
  tokens_push(&to->tokens, id, span);
}


static void append_text(Encoding *to, const Tokens *part, int32_t type) {
  const int32_t *ids = part->ids.at;
  const Span *spans = part->spans.at;
  for (size_t i = 0; i < part->n; i++) append(to, ids[i], spans[i], type);
}


/* what to->parts hold, and the special tokens, as the next sequence */
static void append_sequence(Encoding *to, const Template *around,
                            const EncodeOptions *o) {
  for (size_t i = 0; i < around->n; i++) {
    const TemplatePart *p = &around->parts[i];
    if (p->text > 0)
      append_text(to, &to->parts[p->text - 1], p->type);
    else if (o->add_special_tokens)
      append(to, p->id, (Span){ 0, 0 }, p->type);
  }
  ((int32_t *)to->ends.at)[to->sequences++] = (int32_t)to->tokens.n;
}


static bool check_length(Bytes text, Error *e) {
  return text.n <= INT32_MAX ||
         error_set(e, "a text of %zu bytes, the most is %d", text.n,
                   INT32_MAX);
}


static bool room_for_sequence(Encoding *to, size_t more, Error *e) {
  if (more > INT32_MAX - to->tokens.n)
    return error_set(e, "a batch of more than %d tokens", INT32_MAX);
  if (!tokens_room(&to->tokens, more) ||
      !buffer_room(&to->types, to->tokens.n + more, sizeof(int32_t)) ||
      !buffer_room(&to->ends, to->sequences + 1, sizeof(int32_t)))
    return error_no_memory(e);
  return true;
}


bool tokenizer_encode(const Tokenizer *t, Bytes text, const Bytes *pair,
                      const EncodeOptions *o, Encoding *to, Error *e) {
  const Template *around = pair ? &t->pair : &t->single;
  size_t special = special_count(around, o), cut;
  to->parts[1].n = 0;
  if (!check_length(text, e) || (pair && !check_length(*pair, e)))
    return false;
  if (!encode_text(t, to, text, &to->parts[0]) ||
      (pair && !encode_text(t, to, *pair, &to->parts[1])))
    return error_no_memory(e);
  if (!cut_parts(to, special, o, &cut, e) ||
      !room_for_sequence(to, special + to->parts[0].n + to->parts[1].n, e))
    return false;
  append_sequence(to, around, o);
  to->truncated += cut;
  return true;
}


void encoding_free(Encoding *to) {
  tokens_free(&to->tokens);
  free(to->types.at);
  free(to->ends.at);
  normal_free(&to->normal);
  tokens_free(&to->parts[0]);
  tokens_free(&to->parts[1]);
}
