/*
** The words of a text. See words.h.
**
** A word's letters, in 32 bits: of which of 21 kinds of letters there is an
** odd number, its first letter, its length, and whether it has a digit. One
** letter more changes one kind, one for another two, two swapped none.
*/
#include "words.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "traits.h"

enum {
  KINDS = 21, KINDS_MASK = (1 << KINDS) - 1,
  FIRST_AT = 21, FIRST_MASK = 31,
  LENGTH_AT = 26, LENGTH_MOST = 31,
  SLIP_LEAST = 5,          /* letters of a word with a slip */
  DECOMPOSED_MOST = 32     /* code points; U+FDFA has 18 */
};

#define DIGIT_BIT  (UINT32_C(1) << 31)
#define SEED       UINT64_C(0xCBF29CE484222325)
#define PRIME      UINT64_C(0x100000001B3)  /* FNV-1a's */

/* the word that is read */
typedef struct Open {
  uint64_t hash, mark_sum;
  uint32_t letters, length;
  bool is_open, alone;  /* alone: the next letter begins another */
  bool hyphen;          /* after one */
} Open;

typedef enum Kind { GAP, LETTER, MARKED, ALONE, NOTHING, HYPHEN } Kind;


static uint64_t fold(uint64_t hash, uint32_t c) {
  return (hash ^ c) * PRIME;
}


static bool close_word(Words *w, Open *o) {
  if (!o->is_open) return true;
  if (!buffer_room(&w->at, w->n + 1, sizeof(Word))) return false;
  uint64_t hash = words_mix(o->hash + o->mark_sum);
  uint32_t low = (uint32_t)hash, n = o->length;
  if (n > LENGTH_MOST) n = LENGTH_MOST;
  ((Word *)w->at.at)[w->n++] = (Word){
    .hash = low == WORD_DIVIDER ? 1 : low,
    .letters = o->letters | n << LENGTH_AT };
  w->hash = words_mix(w->hash * PRIME + hash);
  *o = (Open){ .is_open = false };
  return true;
}


static void open_word(Words *w, Open *o, uint32_t c, bool is_digit) {
  if (is_digit && w->after_digit) w->letters = fold(w->letters, ' ');
  *o = (Open){ .hash = SEED, .is_open = true,
               .letters = (c & FIRST_MASK) << FIRST_AT };
}


static bool add_letter(Words *w, Open *o, uint32_t c, bool alone) {
  bool is_digit = '0' <= c && c <= '9';
  if ((alone || o->alone) && !close_word(w, o)) return false;
  if (!o->is_open) open_word(w, o, c, is_digit);
  o->alone = alone;
  o->hyphen = false;
  o->hash = fold(o->hash, c);
  o->letters ^= UINT32_C(1) << c % KINDS;
  if (is_digit) o->letters |= DIGIT_BIT;
  o->length++;
  w->letters = fold(w->letters, c);
  w->after_digit = is_digit;
  return true;
}


/* One after a digit parts two numbers: 3-1 is not 31. */
static bool add_hyphen(Words *w, Open *o) {
  if (o->hyphen || w->after_digit) return close_word(w, o);
  o->hyphen = true;
  return true;
}


/* the same whatever the order of the marks, and linear in their number */
static void add_mark(Words *w, Open *o, uint32_t c) {
  if (!o->is_open) return;
  o->mark_sum += words_mix(o->hash ^ c);
  o->letters ^= UINT32_C(1) << c % KINDS;
  w->mark_sum += words_mix(w->letters ^ c);
}


static bool is_unspaced(uint32_t c) {
  return (0x0E00 <= c && c <= 0x0EFF) ||  /* Thai, Lao */
         (0x1000 <= c && c <= 0x109F) ||  /* Myanmar */
         (0x1780 <= c && c <= 0x17FF) ||  /* Khmer */
         (0x3040 <= c && c <= 0x30FF);    /* kana */
}


static Kind kind_of(uint32_t c) {
  if (c == UTF8_REPLACEMENT) return LETTER;  /* it was one */
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return MARKED;
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
      return is_unspaced(c) || (traits_find(c) & HAN) ? ALONE : LETTER;
    case UTF8PROC_CATEGORY_SO:
      return ALONE;
    case UTF8PROC_CATEGORY_PD:
      return c == 0x2010 ? HYPHEN : GAP;
    default:
      return c == 0x2019 ? NOTHING : GAP;  /* an apostrophe */
  }
}


static bool add_code(Words *w, Open *o, uint32_t c) {
  switch (kind_of(c)) {
    case LETTER: return add_letter(w, o, c, false);
    case ALONE: return add_letter(w, o, c, true);
    case MARKED: add_mark(w, o, c); return true;
    case NOTHING: return true;
    case HYPHEN: return add_hyphen(w, o);
    default: return close_word(w, o);
  }
}


static bool add_wide(Words *w, Open *o, uint32_t c) {
  utf8proc_int32_t to[DECOMPOSED_MOST] = { (utf8proc_int32_t)c };
  int boundary_class = 0;
  utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, to,
      DECOMPOSED_MOST, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
      UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &boundary_class);
  if (n < 0 || n > DECOMPOSED_MOST) n = 1;
  for (utf8proc_ssize_t i = 0; i < n; i++)
    if (!add_code(w, o, (uint32_t)to[i])) return false;
  return true;
}


static bool add_ascii(Words *w, Open *o, uint32_t c) {
  if ('A' <= c && c <= 'Z') c += 'a' - 'A';
  if (('a' <= c && c <= 'z') || ('0' <= c && c <= '9'))
    return add_letter(w, o, c, false);
  if (c == '-') return add_hyphen(w, o);
  return c == '\'' || close_word(w, o);
}


static bool add_words(Words *w, Bytes text) {
  Open o = { .is_open = false };
  for (size_t i = 0, used; i < text.n; i += used) {
    uint32_t c = utf8_decode(text.at + i, text.n - i, &used);
    if (!(c < 0x80 ? add_ascii(w, &o, c) : add_wide(w, &o, c))) return false;
  }
  return close_word(w, &o);
}


static bool is_sign(uint32_t c) {
  utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
  return UTF8PROC_CATEGORY_PC <= k && k <= UTF8PROC_CATEGORY_SO;
}


static bool add_signs(Words *w, Bytes text) {
  Open o = { .is_open = false };
  for (size_t i = 0, used; i < text.n; i += used) {
    uint32_t c = utf8_decode(text.at + i, text.n - i, &used);
    if (is_sign(c) && !add_letter(w, &o, c, true)) return false;
  }
  return close_word(w, &o);
}


static bool add_text(Words *w, Bytes text) {
  size_t before = w->n;
  if (!add_words(w, text)) return false;
  return w->n > before || add_signs(w, text);
}


static void begin(Words *w) {
  *w = (Words){ .at = w->at, .hash = SEED, .letters = SEED };
}


static void finish(Words *w) {
  w->letters = words_mix(w->letters + w->mark_sum);
}


bool words_of(Words *w, Bytes text) {
  begin(w);
  if (!add_text(w, text)) return false;
  finish(w);
  return true;
}


bool words_of_pair(Words *w, Bytes text, Bytes other) {
  begin(w);
  if (!add_text(w, text) || !buffer_room(&w->at, w->n + 1, sizeof(Word)))
    return false;
  ((Word *)w->at.at)[w->n++] = (Word){ WORD_DIVIDER, 0 };
  w->hash = words_mix(w->hash);
  w->letters = words_mix(w->letters);
  w->after_digit = false;
  if (!add_text(w, other)) return false;
  if (w->n == 1) w->n = 0;  /* two empty texts */
  finish(w);
  return true;
}


void words_free(Words *w) {
  free(w->at.at);
}


static unsigned ones(uint32_t x) {
  unsigned n = 0;
  for (; x != 0; x &= x - 1) n++;
  return n;
}


bool word_is_number(Word w) {
  return (w.letters & DIGIT_BIT) != 0;
}


bool word_is_slip(Word a, Word b) {
  uint32_t n = a.letters >> LENGTH_AT & LENGTH_MOST;
  uint32_t m = b.letters >> LENGTH_AT & LENGTH_MOST;
  uint32_t other = a.letters ^ b.letters;
  if (n < SLIP_LEAST || m < SLIP_LEAST || n > m + 1 || m > n + 1) return false;
  if (word_is_number(a) || word_is_number(b)) return false;
  if (other >> FIRST_AT & FIRST_MASK) return false;
  return ones(other & KINDS_MASK) <= 2;
}
