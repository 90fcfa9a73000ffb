/*
** Added tokens. See added.h.
*/
#include "added.h"

#include <stdlib.h>


/* patterns are normalised one after another into the same Normal: each is
   copied before the next */
static bool add_pattern(Matcher *m, const AddedToken *token, Bytes content,
                        const Normaliser *r, Normal *normal) {
  Bytes pattern = content;
  if (token->normalized) {
    if (!normalise(r, content, 0, normal)) return false;
    pattern = (Bytes){ normal->bytes.at, normal->n };
  }
  if (pattern.n == 0) return true;
  size_t i = m->patterns.count;
  if (!buffer_room(&m->tokens, i + 1, sizeof *token)) return false;
  ((AddedToken *)m->tokens.at)[i] = *token;
  m->begins[pattern.at[0]] = true;
  return strings_add(&m->patterns, pattern);
}


static bool add_patterns(Matcher *m, const AddedToken *list, size_t count,
                         const Strings *tokens, bool normalized,
                         const Normaliser *r) {
  Normal normal = { 0 };
  bool ok = true;
  for (size_t i = 0; ok && i < count; i++) {
    if (list[i].normalized != normalized) continue;
    Bytes content = strings_at(tokens, (size_t)list[i].id);
    ok = add_pattern(m, &list[i], content, r, &normal);
  }
  normal_free(&normal);
  return ok;
}


bool matcher_init(Matcher *m, const AddedToken *list, size_t count,
                  const Strings *tokens, bool normalized,
                  const Normaliser *r) {
  *m = (Matcher){ .patterns = { 0 } };
  if (!add_patterns(m, list, count, tokens, normalized, r)) return false;
  if (!lexicon_init(&m->lexicon, &m->patterns, 0, m->patterns.count))
    return false;
  for (size_t i = 0; i < m->patterns.count; i++)
    lexicon_add(&m->lexicon, (int32_t)i);
  return true;
}


void matcher_free(Matcher *m) {
  strings_free(&m->patterns);
  lexicon_free(&m->lexicon);
  free(m->tokens.at);
}


bool matcher_pattern(const Matcher *m, int32_t id, Bytes *pattern) {
  const AddedToken *tokens = m->tokens.at;
  for (size_t i = 0; i < m->patterns.count; i++) {
    if (tokens[i].id != id) continue;
    *pattern = strings_at(&m->patterns, i);
    return true;
  }
  return false;
}


static bool ends_in_word(Bytes s) {
  size_t used;
  return s.n > 0 && code_is_word(utf8_decode_last(s.at, s.n, &used));
}


static bool begins_with_word(Bytes s) {
  size_t used;
  return s.n > 0 && code_is_word(utf8_decode(s.at, s.n, &used));
}


static size_t without_last_spaces(const Traits *t, Bytes s) {
  for (size_t used; s.n > 0; s.n -= used) {
    uint32_t c = utf8_decode_last(s.at, s.n, &used);
    if (!(traits_of(t, c) & SPACE)) break;
  }
  return s.n;
}


static size_t first_spaces(const Traits *t, Bytes s) {
  size_t n = 0;
  for (size_t used; n < s.n; n += used) {
    uint32_t c = utf8_decode(s.at + n, s.n - n, &used);
    if (!(traits_of(t, c) & SPACE)) break;
  }
  return n;
}


/* the leftmost longest pattern that begins at s->at or later, before `limit`,
   and s->at behind it */
static const AddedToken *find_pattern(const Matcher *m, Bytes text,
                                      size_t limit, Search *s,
                                      Found *found) {
  for (size_t i = s->at; i < limit; i++) {
    size_t n;
    if (!m->begins[text.at[i]]) continue;
    Bytes rest = { text.at + i, text.n - i };
    int32_t pattern = lexicon_longest(&m->lexicon, rest, &n);
    if (pattern == LEXICON_NONE) continue;
    const AddedToken *token = (AddedToken *)m->tokens.at + pattern;
    *found = (Found){ token->id, s->done, i, i + n };
    s->at = i + n;
    return token;
  }
  if (s->at < limit) s->at = limit;
  return NULL;
}


static bool stands_alone(Bytes before, Bytes behind) {
  return !ends_in_word(before) && !begins_with_word(behind);
}


/* where the spaces before `start` begin, but not before `done`: nobody looks
   at spaces again that the token before took */
static size_t strip_left(const Traits *t, Bytes text, size_t start,
                         size_t done) {
  if (start <= done) return done;
  return done + without_last_spaces(t, (Bytes){ text.at + done,
                                                start - done });
}


bool matcher_next(const Matcher *m, const Traits *traits, Bytes text,
                  size_t limit, Search *s, Found *found) {
  const AddedToken *token;
  if (m->patterns.count == 0) return false;
  while ((token = find_pattern(m, text, limit, s, found)) != NULL) {
    Bytes before = { text.at, found->start };
    Bytes behind = { text.at + found->end, text.n - found->end };
    if (token->single_word && !stands_alone(before, behind)) continue;
    if (token->lstrip)
      found->start = strip_left(traits, text, found->start, s->done);
    if (token->rstrip) found->end += first_spaces(traits, behind);
    s->done = found->end;
    return true;
  }
  return false;
}
