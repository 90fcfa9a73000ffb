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
  Lexicon beyond;     /* the tokens that are only added */
  Splitter splitter;
  Template single, pair;
};


/* making */

static void take_vocabulary(Tokenizer *t, Vocabulary *v) {
  t->tokens = v->tokens;
  t->splitter.model.first = v->ids;
  t->splitter.model.first.strings = &t->tokens;
  *v = (Vocabulary){ .tokens = { 0 } };
}


static bool add_beyond(Tokenizer *t, const TokenizerConfig *c, Error *e) {
  if (!lexicon_init(&t->beyond, &t->tokens, 0, c->beyond_count))
    return error_no_memory(e);
  for (size_t i = 0; i < c->beyond_count; i++) {
    Bytes token = c->beyond[i];
    size_t id = t->tokens.count;
    if (!utf8_is_valid(token))
      return error_set(e, "token %zu is not valid UTF-8", id);
    if (!strings_add(&t->tokens, token)) return error_no_memory(e);
    int32_t same = lexicon_find(&t->splitter.model.first, token);
    if (same == LEXICON_NONE) same = lexicon_add(&t->beyond, (int32_t)id);
    if (same != LEXICON_NONE)
      return error_set(e, "token '%.*s' has two ids, %d and %zu",
                       (int)token.n, (const char *)token.at, (int)same, id);
  }
  return true;
}


static bool add_matchers(Tokenizer *t, const TokenizerConfig *c, Error *e) {
  Splitter *s = &t->splitter;
  const Normaliser *r = &s->normaliser;
  if (!matcher_init(&s->written, c->added, c->added_count, &t->tokens, false,
                    r) ||
      !matcher_init(&s->normalised, c->added, c->added_count, &t->tokens,
                    true, r))
    return error_no_memory(e);
  splitter_init(s);
  return true;
}


static bool fill(Tokenizer *t, const TokenizerConfig *c, Error *e) {
  Splitter *s = &t->splitter;
  t->single = c->single;
  t->pair = c->pair;
  s->model.unknown = c->unknown;
  s->model.max_chars = c->max_chars;
  normaliser_init(&s->normaliser, c->normal);
  if (!wordpiece_init(&s->model, t->tokens.count, c->prefix))
    return error_no_memory(e);
  return add_beyond(t, c, e) && add_matchers(t, c, e);
}


Tokenizer *tokenizer_new(const TokenizerConfig *c, Error *e) {
  assert(0 <= c->unknown && (size_t)c->unknown < c->vocabulary->tokens.count);
  Tokenizer *t = mem_zeros(sizeof *t);
  if (t == NULL) {
    vocabulary_free(c->vocabulary);
    *c->vocabulary = (Vocabulary){ .tokens = { 0 } };
    error_no_memory(e);
    return NULL;
  }
  t->refs = 1;
  take_vocabulary(t, c->vocabulary);
  if (fill(t, c, e)) return t;
  tokenizer_release(t);
  return NULL;
}


Tokenizer *tokenizer_retain(Tokenizer *t) {
  __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
  return t;
}


void tokenizer_release(Tokenizer *t) {
  if (t == NULL || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  splitter_free(&t->splitter);
  lexicon_free(&t->beyond);
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
  return matcher_pattern(&t->splitter.normalised, id, &pattern)
             ? pattern : tokenizer_token(t, id);
}


int32_t tokenizer_id(const Tokenizer *t, Bytes token) {
  int32_t id = lexicon_find(&t->splitter.model.first, token);
  return id != LEXICON_NONE ? id : lexicon_find(&t->beyond, token);
}


const Splitter *tokenizer_splitter(const Tokenizer *t) {
  return &t->splitter;
}


const Template *tokenizer_template(const Tokenizer *t, bool paired) {
  return paired ? &t->pair : &t->single;
}
