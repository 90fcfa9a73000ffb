/*
** BERT's normalisation. See normalise.h.
**
** Each code point goes down a chain, clean -> accent -> lower -> write; marks
** wait before `lower` until the next starter shows how they sort.
*/
#include "normalise.h"

#include <assert.h>
#include <stdlib.h>

/* a code point among the marks after a starter */
typedef struct Waiting {
  uint32_t code;
  unsigned combining_class;
  bool removed;  /* it is a MARK, and only takes part in the sorting */
  bool stands;   /* for what it came from; else it follows one that does */
  Span from;
} Waiting;

enum { CLASSES = 256 };


void normaliser_init(Normaliser *r, NormalOptions options) {
  r->options = options;
  traits_init(&r->traits);
  for (unsigned c = 0; c < sizeof r->ascii; c++) {
    unsigned traits = r->traits.bmp[c];
    bool upper = options.lowercase && 'A' <= c && c <= 'Z';
    r->ascii[c] = (uint8_t)(upper ? c - 'A' + 'a' : c);
    if (!options.clean_text) continue;
    if (traits & CONTROL) r->ascii[c] = NORMAL_REMOVED;
    else if (traits & SPACE) r->ascii[c] = ' ';
  }
}


void normal_free(Normal *out) {
  free(out->bytes.at);
  free(out->from.at);
  free(out->waiting.at);
  free(out->sorted.at);
}


static bool room_for_bytes(Normal *out, size_t more) {
  if (!buffer_room(&out->bytes, out->n + more, sizeof(uint8_t)) ||
      !buffer_room(&out->from, out->n + more, sizeof(Span)))
    out->failed = true;
  return !out->failed;
}


static void write_code(Normal *out, uint32_t c, Span from) {
  if (!room_for_bytes(out, UTF8_LONGEST)) return;
  Span *of = (Span *)out->from.at + out->n;
  size_t n = utf8_encode(c, (uint8_t *)out->bytes.at + out->n);
  for (size_t i = 0; i < n; i++) of[i] = from;
  out->n += n;
}


static void lower(const Normaliser *r, Normal *out, uint32_t c, Span from) {
  uint32_t low[LOWER_LONGEST] = { c };
  size_t n = r->options.lowercase ? code_lower(c, low) : 1;
  for (size_t i = 0; i < n; i++) write_code(out, low[i], from);
}


/* Stable, and linear whatever the text: a text may be all marks. */
static void sort_waiting(const Waiting *marks, size_t n, Waiting *sorted) {
  size_t at[CLASSES + 1] = { 0 };
  for (size_t i = 0; i < n; i++) at[marks[i].combining_class + 1]++;
  for (size_t k = 0; k < CLASSES; k++) at[k + 1] += at[k];
  for (size_t i = 0; i < n; i++)
    sorted[at[marks[i].combining_class]++] = marks[i];
}


/* the marks in their order: `marks` as they were read, `sorted` as they sort;
   the k-th that stands for something stands for the k-th that was read */
static void release_in_order(const Normaliser *r, Normal *out,
                             const Waiting *marks, const Waiting *sorted) {
  size_t next = 0;
  for (size_t i = 0; i < out->waiting_n; i++) {
    if (sorted[i].stands) {
      while (!marks[next].stands) next++;
      out->source = marks[next++].from;
    }
    if (!sorted[i].removed) lower(r, out, sorted[i].code, out->source);
  }
}


static void release_waiting(const Normaliser *r, Normal *out) {
  size_t n = out->waiting_n;
  if (n == 0) return;
  const Waiting *marks = out->waiting.at;
  if (n == 1) {
    release_in_order(r, out, marks, marks);
  } else if (buffer_room(&out->sorted, n, sizeof(Waiting))) {
    sort_waiting(marks, n, out->sorted.at);
    release_in_order(r, out, marks, out->sorted.at);
  } else {
    out->failed = true;
  }
  out->waiting_n = 0;
}


static void wait(Normal *out, Waiting mark) {
  if (!buffer_room(&out->waiting, out->waiting_n + 1, sizeof mark))
    out->failed = true;
  else
    ((Waiting *)out->waiting.at)[out->waiting_n++] = mark;
}


/* one code point of a decomposition; all but the first follow it */
static void place(const Normaliser *r, Normal *out, uint32_t c, bool first,
                  Span from) {
  unsigned traits = traits_of(&r->traits, c);
  bool removed = (traits & MARK) != 0;
  if (traits & NONSTARTER) {
    wait(out, (Waiting){ c, code_combining_class(c), removed, first, from });
    return;
  }
  release_waiting(r, out);
  if (first) out->source = from;
  if (!removed) lower(r, out, c, out->source);
}


static void accent(const Normaliser *r, Normal *out, uint32_t c,
                   unsigned traits, Span from) {
  uint32_t parts[DECOMPOSITION_LONGEST] = { c };
  if (!r->options.strip_accents) {
    lower(r, out, c, from);
    return;
  }
  size_t n = traits & DECOMPOSES ? code_decompose(c, parts) : 1;
  for (size_t i = 0; i < n; i++) place(r, out, parts[i], i == 0, from);
}


static void clean(const Normaliser *r, Normal *out, uint32_t c, Span from) {
  unsigned traits = traits_of(&r->traits, c);
  bool apart = r->options.handle_chinese_chars && (traits & HAN);
  if (r->options.clean_text) {
    if (traits & CONTROL) return;
    if (traits & SPACE) c = ' ', traits = SPACE;
  }
  if (apart) accent(r, out, ' ', SPACE, from);
  accent(r, out, c, traits, from);
  if (apart) accent(r, out, ' ', SPACE, from);
}


/* the run of ASCII that the piece begins with: starters, all of them, and
   none that another step would touch. Returns its bytes. */
static size_t ascii_run(const Normaliser *r, Bytes piece, size_t start,
                        Normal *out) {
  size_t i = 0, n = out->n;
  uint8_t *bytes = out->bytes.at;
  Span *from = out->from.at;
  for (; i < piece.n && piece.at[i] < sizeof r->ascii; i++) {
    bytes[n] = r->ascii[piece.at[i]];
    from[n] = (Span){ (int32_t)(start + i), (int32_t)(start + i + 1) };
    n += bytes[n] != NORMAL_REMOVED;
  }
  out->n = n;
  return i;
}


bool normalise(const Normaliser *r, Bytes piece, size_t start, Normal *out) {
  assert(piece.n <= INT32_MAX - start);
  out->n = out->waiting_n = 0;
  out->failed = false;
  for (size_t i = 0; i < piece.n;) {
    Bytes rest = { piece.at + i, piece.n - i };
    size_t used;
    if (rest.at[0] < sizeof r->ascii && out->waiting_n == 0) {
      if (!room_for_bytes(out, rest.n)) return false;
      used = ascii_run(r, rest, start + i, out);
    } else {
      uint32_t c = utf8_decode(rest.at, rest.n, &used);
      clean(r, out, c, (Span){ (int32_t)(start + i),
                               (int32_t)(start + i + used) });
    }
    i += used;
  }
  release_waiting(r, out);
  return !out->failed;
}
