/*
** Words and their pieces. See wordpiece.h.
*/
#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>


void tokens_free(Tokens *t) {
  free(t->ids.at);
  free(t->spans.at);
}


static bool begins_with(Bytes s, Bytes prefix) {
  return s.n >= prefix.n &&
         (prefix.n == 0 || memcmp(s.at, prefix.at, prefix.n) == 0);
}


bool wordpiece_init(WordPiece *w, size_t count, Bytes prefix) {
  const Strings *vocabulary = w->first.strings;
  size_t following = 0;
  for (size_t i = 0; i < count; i++)
    following += begins_with(strings_at(vocabulary, i), prefix);
  if (!lexicon_init(&w->following, vocabulary, prefix.n, following))
    return false;
  for (size_t i = 0; i < count; i++)
    if (begins_with(strings_at(vocabulary, i), prefix))
      lexicon_add(&w->following, (int32_t)i);
  return true;
}


void wordpiece_free(WordPiece *w) {
  lexicon_free(&w->first);
  lexicon_free(&w->following);
}


static bool is_too_long(const WordPiece *w, Bytes word) {
  size_t chars = 0;
  if (word.n <= w->max_chars) return false;
  for (size_t i = 0; i < word.n; i++)
    chars += !utf8_is_continuation(word.at[i]);
  return chars > w->max_chars;
}


/* where bytes at .. end - 1 of a word came from */
static Span origin(const Span *from, size_t start, size_t at, size_t end) {
  return from ? (Span){ from[at].start, from[end - 1].end }
              : (Span){ (int32_t)(start + at), (int32_t)(start + end) };
}


/* false, with nothing added, when the word has no pieces */
static bool split_in_pieces(const WordPiece *w, Bytes word, const Span *from,
                            size_t start, Tokens *out) {
  size_t before = out->n;
  for (size_t at = 0, n; at < word.n; at += n) {
    const Lexicon *pieces = at == 0 ? &w->first : &w->following;
    Bytes rest = { word.at + at, word.n - at };
    int32_t id = lexicon_longest(pieces, rest, &n);
    if (id == LEXICON_NONE) {
      out->n = before;
      return false;
    }
    tokens_push(out, id, origin(from, start, at, at + n));
  }
  return true;
}


/* most words are in the vocabulary whole: that is asked first */
void wordpiece_word(const WordPiece *w, Bytes word, const Span *from,
                    size_t start, Tokens *out) {
  int32_t id = w->unknown;
  if (!is_too_long(w, word)) {
    int32_t whole = lexicon_find(&w->first, word);
    if (whole != LEXICON_NONE) id = whole;
    else if (split_in_pieces(w, word, from, start, out)) return;
  }
  tokens_push(out, id, origin(from, start, 0, word.n));
}


/* the word of bytes start .. end - 1 of a normalised text */
static void split_word(const WordPiece *w, const Normal *text, size_t start,
                       size_t end, Tokens *out) {
  Bytes word = { (const uint8_t *)text->bytes.at + start, end - start };
  wordpiece_word(w, word, (const Span *)text->from.at + start, 0, out);
}


bool wordpiece_split(const WordPiece *w, const Traits *traits,
                     const Normal *text, size_t start, size_t end,
                     Tokens *out) {
  const uint8_t *bytes = text->bytes.at;
  size_t word = start;  /* where the word began that i is in */
  if (!tokens_room(out, end - start)) return false;
  for (size_t i = start, used; i < end; i += used) {
    uint32_t c = utf8_decode(bytes + i, end - i, &used);
    unsigned ends = traits_of(traits, c) & (SPACE | PUNCTUATION);
    if (!ends) continue;
    if (word < i) split_word(w, text, word, i, out);
    if (!(ends & SPACE)) split_word(w, text, i, i + used, out);
    word = i + used;
  }
  if (word < end) split_word(w, text, word, end, out);
  return true;
}
