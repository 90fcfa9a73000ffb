/*
** Vocabularies, and the two kinds of file they come from. See vocabulary.h.
*/
#include "vocabulary.h"

#include <string.h>


/* {======== filling ======== */

enum {
  MOST_TOKENS = 1 << 24,
  BYTES_PER_ENTRY = 12  /* of a file, about: so many tokens are expected */
};


static bool expect_tokens(Vocabulary *v, size_t bytes) {
  return strings_reserve(&v->tokens, bytes, bytes / BYTES_PER_ENTRY);
}


bool vocabulary_add(Vocabulary *v, Bytes token, Error *e) {
  if (v->tokens.count == MOST_TOKENS)
    return error_set(e, "a vocabulary of more than %d tokens", MOST_TOKENS);
  if (!utf8_is_valid(token))
    return error_set(e, "token %zu is not valid UTF-8", v->tokens.count);
  return strings_add(&v->tokens, token) || error_no_memory(e);
}


/* the line that a text begins with, its end left out, and in *used the bytes
   with it */
static Bytes first_line(Bytes text, size_t *used) {
  const uint8_t *end = memchr(text.at, '\n', text.n);
  Bytes line = { text.at, end ? (size_t)(end - text.at) : text.n };
  *used = line.n + (end != NULL);
  if (line.n > 0 && line.at[line.n - 1] == '\r') line.n--;
  return line;
}


bool vocabulary_lines(Vocabulary *v, Bytes text, Error *e) {
  if (!expect_tokens(v, text.n)) return error_no_memory(e);
  for (size_t i = 0, used; i < text.n; i += used) {
    Error why;
    Bytes line = first_line((Bytes){ text.at + i, text.n - i }, &used);
    if (!vocabulary_add(v, line, &why))
      return error_set(e, "%zu: %s", v->tokens.count + 1, why.message);
  }
  return true;
}

/* }======== */


/* {======== JSON ======== */

/* what is left of a text; each reader below is false where it has not what it
   looks for */
typedef struct Reader {
  const uint8_t *at, *end;
} Reader;

enum { TOKEN_LONGEST = 1024 };  /* bytes; a longer one is for the parser */


static void skip_blanks(Reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' ||
                            *r->at == '\n' || *r->at == '\r'))
    r->at++;
}


static bool take(Reader *r, uint8_t byte) {
  skip_blanks(r);
  if (r->at == r->end || *r->at != byte) return false;
  r->at++;
  return true;
}


static uint8_t unescaped(uint8_t byte) {
  switch (byte) {
    case '"': case '\\': case '/': return byte;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}


/* a string's content, into `to` */
static bool read_string(Reader *r, uint8_t to[TOKEN_LONGEST], size_t *n) {
  if (!take(r, '"')) return false;
  for (*n = 0; r->at < r->end && *n < TOKEN_LONGEST;) {
    uint8_t byte = *r->at++;
    if (byte == '"') return true;
    if (byte < ' ') return false;
    if (byte == '\\') byte = r->at < r->end ? unescaped(*r->at++) : 0;
    if (byte == 0) return false;
    to[(*n)++] = byte;
  }
  return false;
}


/* the number that must be there, as it is written when it is an integer */
static bool read_id(Reader *r, size_t expected) {
  size_t id = 0;
  skip_blanks(r);
  const uint8_t *start = r->at;
  for (; r->at < r->end && '0' <= *r->at && *r->at <= '9'; r->at++) {
    id = 10 * id + (*r->at - '0');
    if (id > expected) return false;
  }
  return id == expected && r->at > start &&
         (*start != '0' || r->at == start + 1);
}


static bool read_entry(Vocabulary *v, Reader *r) {
  uint8_t token[TOKEN_LONGEST];
  size_t n;
  Error unused;
  return read_string(r, token, &n) && take(r, ':') &&
         read_id(r, v->tokens.count) &&
         vocabulary_add(v, (Bytes){ token, n }, &unused);
}


size_t vocabulary_json(Vocabulary *v, Bytes text) {
  Reader r = { text.at, text.at + text.n };
  if (!expect_tokens(v, text.n) || !take(&r, '{')) return 0;
  do {
    if (!read_entry(v, &r)) return 0;
  } while (take(&r, ','));
  return take(&r, '}') ? (size_t)(r.at - text.at) : 0;
}

/* }======== */


bool vocabulary_index(Vocabulary *v, int32_t *same, int32_t *first) {
  size_t count = v->tokens.count;
  *same = -1;
  if (!lexicon_init(&v->ids, &v->tokens, 0, count)) return false;
  for (size_t i = 0; i < count; i++) {
    *first = lexicon_add(&v->ids, (int32_t)i);
    if (*first == LEXICON_NONE) continue;
    *same = (int32_t)i;
    return false;
  }
  return true;
}


void vocabulary_free(Vocabulary *v) {
  lexicon_free(&v->ids);
  strings_free(&v->tokens);
}
