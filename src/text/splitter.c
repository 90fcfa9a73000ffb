/*
** Texts cut into tokens. See splitter.h.
*/
#include "splitter.h"

#include <assert.h>

/* what a byte is to the words around it */
typedef enum ByteKind {
  LETTER,  /* part of a word, by itself: `letter` says of what */
  BLANK,   /* between words */
  SIGN,    /* a word of its own */
  HARD     /* not ASCII, or removed: for the normaliser to say */
} ByteKind;

enum {
  STRETCH = 1024,  /* bytes, or as many as it takes to a place to end at */
  SEGMENT = 256,   /* bytes that are normalised at once, likewise */
  WORD_ROOM = 128  /* letters of a word that is cut as it stands */
};


/* making */

static ByteKind kind_of(const Normaliser *r, unsigned byte) {
  if (byte >= sizeof r->ascii || r->ascii[byte] == NORMAL_REMOVED)
    return HARD;
  unsigned traits = r->traits.bmp[r->ascii[byte]];
  return traits & SPACE ? BLANK : traits & PUNCTUATION ? SIGN : LETTER;
}


/* may go across the end of a stretch, or takes blanks along that do */
static bool crosses_blanks(const Splitter *s, size_t pattern) {
  const AddedToken *token = (AddedToken *)s->normalised.tokens.at + pattern;
  Bytes bytes = strings_at(&s->normalised.patterns, pattern);
  bool crosses = token->lstrip || token->rstrip;
  for (size_t i = 0; i < bytes.n; i++)
    crosses |= s->kind[bytes.at[i]] == BLANK;
  return crosses;
}


void splitter_init(Splitter *s) {
  for (unsigned byte = 0; byte < sizeof s->kind; byte++) {
    s->kind[byte] = kind_of(&s->normaliser, byte);
    s->letter[byte] = s->kind[byte] == LETTER ? s->normaliser.ascii[byte]
                                              : NORMAL_REMOVED;
  }
  s->in_stretches = true;
  for (size_t i = 0; i < s->normalised.patterns.count; i++)
    if (crosses_blanks(s, i)) s->in_stretches = false;
}


void splitter_free(Splitter *s) {
  matcher_free(&s->written);
  matcher_free(&s->normalised);
  wordpiece_free(&s->model);
}


/* where to end */

/* whether an ideograph that is set apart begins s */
static bool is_apart(const Splitter *s, Bytes rest) {
  size_t used;
  if (rest.at[0] < 0xE0 || !s->normaliser.options.handle_chinese_chars)
    return false;
  uint32_t c = utf8_decode(rest.at, rest.n, &used);
  return traits_of(&s->normaliser.traits, c) & HAN;
}


/* A sign does for words; where added tokens are looked for, one may be part
   of them. */
static bool may_end_at(const Splitter *s, Bytes text, size_t i) {
  ByteKind kind = s->kind[text.at[i]];
  if (kind == SIGN) return s->normalised.patterns.count == 0;
  return kind == BLANK ||
         (kind == HARD && is_apart(s, (Bytes){ text.at + i, text.n - i }));
}


static size_t stretch_end(const Splitter *s, const Reading *r) {
  Bytes text = r->text;
  if (!s->in_stretches || text.n - r->at <= STRETCH) return text.n;
  size_t i = r->at + STRETCH;
  while (i < text.n && !may_end_at(s, text, i)) i++;
  return i;
}


/* Where to stop normalising what begins at `start`: at the next blank or sign
   of ASCII, at an ideograph only once it is worth the while. */
static size_t segment_end(const Splitter *s, Bytes text, size_t start) {
  for (size_t i = start; i < text.n; i++) {
    ByteKind kind = s->kind[text.at[i]];
    if (kind == BLANK || kind == SIGN) return i;
    if (kind == HARD && i - start >= SEGMENT &&
        is_apart(s, (Bytes){ text.at + i, text.n - i }))
      return i;
  }
  return text.n;
}


/* cutting: each is false when there is no memory */

static bool split_normal(const Splitter *s, const Normal *normal,
                         size_t start, size_t end, Tokens *out) {
  return start >= end || wordpiece_split(&s->model, &s->normaliser.traits,
                                         normal, start, end, out);
}


/* a normalised text in which added tokens are to be found first */
static bool split_around_added(const Splitter *s, const Normal *normal,
                               Tokens *out) {
  const Span *from = normal->from.at;
  Bytes text = { normal->bytes.at, normal->n };
  Search search = { 0, 0 };
  Found f;
  while (matcher_next(&s->normalised, &s->normaliser.traits, text, text.n,
                      &search, &f)) {
    Span span = { from[f.start].start, from[f.end - 1].end };
    if (!split_normal(s, normal, f.after, f.start, out) ||
        !tokens_room(out, 1))
      return false;
    tokens_push(out, f.id, span);
  }
  return split_normal(s, normal, search.done, text.n, out);
}


/* bytes start .. end - 1 of a text, by way of `normal` */
static bool split_hard(const Splitter *s, Bytes text, size_t start,
                       size_t end, Normal *normal, Tokens *out) {
  Bytes piece = { text.at + start, end - start };
  return normalise(&s->normaliser, piece, start, normal) &&
         split_around_added(s, normal, out);
}


/* the end of the letters from `start` on; the first WORD_ROOM of them, as they
   are in a token, in `word` */
static size_t read_letters(const Splitter *s, Bytes text, size_t start,
                           uint8_t word[WORD_ROOM]) {
  size_t i = start, most = start + WORD_ROOM;
  if (most > text.n) most = text.n;
  for (; i < most; i++) {
    uint8_t byte = s->letter[text.at[i]];
    if (byte == NORMAL_REMOVED) return i;
    word[i - start] = byte;
  }
  while (i < text.n && s->kind[text.at[i]] == LETTER) i++;
  return i;
}


/* The word that begins at *at, of letters or a sign, as it stands; false, and
   nothing done, where it is to be normalised. There is room for its tokens. */
static bool split_plain(const Splitter *s, Bytes text, size_t *at,
                        Tokens *out) {
  uint8_t word[WORD_ROOM];
  size_t start = *at, end = read_letters(s, text, start, word);
  if (end < text.n && s->kind[text.at[end]] == HARD) return false;
  if (end == start) word[0] = text.at[end++];  /* a sign */
  Bytes bytes = { word, end - start };
  if (bytes.n > WORD_ROOM) {
    if (bytes.n <= s->model.max_chars) return false;
    Span span = { (int32_t)start, (int32_t)end };
    tokens_push(out, s->model.unknown, span);
  } else {
    wordpiece_word(&s->model, bytes, NULL, start, out);
  }
  *at = end;
  return true;
}


/* bytes start .. text.n - 1, which hold no added token */
static bool split_words(const Splitter *s, Bytes text, size_t start,
                        Normal *normal, Tokens *out) {
  for (size_t i = start; i < text.n;) {
    if (s->kind[text.at[i]] == BLANK) {
      i++;
      continue;
    }
    if (!tokens_room(out, WORD_ROOM)) return false;
    if (split_plain(s, text, &i, out)) continue;
    size_t end = segment_end(s, text, i);
    if (!split_hard(s, text, i, end, normal, out)) return false;
    i = end;
  }
  return true;
}


/* bytes start .. end - 1 of a text, which hold no added token as written */
static bool split_piece(const Splitter *s, Bytes text, size_t start,
                        size_t end, Normal *normal, Tokens *out) {
  if (start >= end) return true;
  if (s->normalised.patterns.count > 0)
    return split_hard(s, text, start, end, normal, out);
  return split_words(s, (Bytes){ text.at, end }, start, normal, out);
}


bool splitter_step(const Splitter *s, Reading *r, Normal *normal,
                   Tokens *out) {
  Found f;
  assert(!r->done);
  if (r->at >= r->end) r->end = stretch_end(s, r);
  size_t end = r->end;
  if (!matcher_next(&s->written, &s->normaliser.traits, r->text, end,
                    &r->search, &f)) {
    r->done = end == r->text.n;
    bool ok = split_piece(s, r->text, r->at, end, normal, out);
    r->at = end;
    return ok;
  }
  Span span = { (int32_t)f.start, (int32_t)f.end };
  if (!split_piece(s, r->text, r->at, f.start, normal, out) ||
      !tokens_room(out, 1))
    return false;
  tokens_push(out, f.id, span);
  r->at = f.end;
  return true;
}
