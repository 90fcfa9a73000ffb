/*
** Texts as a ragged batch: how much of each is read, what of it is kept, and
** the special tokens around. See tokenizer.h.
*/
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

/* tokens of a part, without those in between: [0] and then [1] */
typedef struct Slice {
  struct { size_t start, end; } range[2];
} Slice;

/* one text, or a text and its pair, while it is encoded */
typedef struct Job {
  const Splitter *splitter;
  const Template *around;
  const EncodeOptions *options;
  size_t parts;    /* 1, or 2 with a pair */
  size_t room;     /* tokens of text in a sequence; PART_ALL for no limit */
  size_t share[2]; /* of each part */
} Job;


/* {======== how much there is room for ======== */

static size_t special_count(const Job *j) {
  size_t count = 0;
  for (size_t i = 0; i < j->around->n; i++)
    count += j->around->parts[i].text == 0;
  return j->options->add_special_tokens ? count : 0;
}


static bool find_room(Job *j, Error *e) {
  size_t special = special_count(j), most = j->options->max_length;
  if (most > 0 && most < special)
    return error_set(e, "max_length %zu: the special tokens alone are %zu",
                     most, special);
  j->room = most > 0 ? most - special : PART_ALL;
  return true;
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


static size_t first_quarter(size_t n) {
  return n / 4 + (n % 4 >= 2);
}


static Keep keep_of(const Job *j) {
  switch (j->options->truncation) {
    case TRUNCATE_HEAD: return (Keep){ j->room, 0 };
    case TRUNCATE_TAIL: return (Keep){ 0, j->room };
    case TRUNCATE_HEAD_TAIL:
      return j->room == PART_ALL
                 ? (Keep){ PART_ALL, 0 }
                 : (Keep){ first_quarter(j->room), j->room };
    default: return (Keep){ PART_ALL, 0 };
  }
}

/* }======== */


/* {======== reading: each is false when there is no memory ======== */

/* the one to read on before it is known which is longer; NULL: it is known */
static Part *shorter_so_far(Part *a, Part *b) {
  size_t n = part_length(a), m = part_length(b);
  if (!a->reading.done && n <= m) return a;
  if (!b->reading.done && m < n) return b;
  return NULL;
}


/* Of two parts that both fill all the room the longer one gets the odd token:
   the one case in which a head depends on what is far behind it. */
static bool read_to_compare(const Job *j, Encoding *to) {
  Part *a = &to->parts[0], *b = &to->parts[1], *next;
  if (j->room % 2 == 0 || part_length(a) <= j->room ||
      part_length(b) <= j->room)
    return true;
  while ((next = shorter_so_far(a, b)) != NULL)
    if (!part_step(next, j->splitter, keep_of(j), &to->normal)) return false;
  return true;
}


static bool read_parts(const Job *j, Encoding *to) {
  bool head = j->options->truncation == TRUNCATE_HEAD;
  size_t enough = head && !j->options->count ? j->room : PART_ALL;
  for (size_t i = 0; i < j->parts; i++)
    if (!part_read(&to->parts[i], j->splitter, keep_of(j), enough,
                   &to->normal))
      return false;
  return j->parts < 2 || read_to_compare(j, to);
}

/* }======== */


/* {======== what is kept ======== */

/* the tokens of a part that its share leaves */
static Slice slice_of(const Part *p, size_t share, Truncation truncation) {
  size_t n = p->tokens.n;
  if (part_length(p) <= share) return (Slice){ {{ 0, n }, { 0, 0 }} };
  size_t first = truncation == TRUNCATE_TAIL        ? 0
                 : truncation == TRUNCATE_HEAD_TAIL ? first_quarter(share)
                                                    : share;
  return (Slice){ {{ 0, first }, { n - (share - first), n }} };
}


static size_t slice_length(const Slice *s) {
  return (s->range[0].end - s->range[0].start) +
         (s->range[1].end - s->range[1].start);
}


/* bytes of a part's text between the tokens that are kept: from its start where
   there is none before, to its end where there is none behind */
static int64_t bytes_cut(const Part *p, const Slice *s) {
  const Span *spans = p->tokens.spans.at;
  size_t first = s->range[0].end, second = s->range[1].start;
  if (part_length(p) == slice_length(s)) return 0;
  int64_t start = first > 0 ? spans[first - 1].end : 0;
  int64_t end = s->range[1].end > second ? spans[second].start
                                         : (int64_t)p->reading.text.n;
  return end > start ? end - start : 0;
}

/* }======== */


/* {======== sequences ======== */

static bool room_for_sequence(Encoding *to, size_t more, Error *e) {
  if (more > INT32_MAX - to->tokens.n || to->sequences >= INT32_MAX - 1)
    return error_set(e, "a batch of more than %d tokens", INT32_MAX);
  if (!tokens_room(&to->tokens, more) ||
      !buffer_room(&to->types, to->tokens.n + more, sizeof(int32_t)) ||
      !buffer_room(&to->text_of, to->sequences + 1, sizeof(int32_t)) ||
      !buffer_room(&to->offsets, to->sequences + 2, sizeof(int32_t)))
    return error_no_memory(e);
  return true;
}


static void append_special(Encoding *to, const TemplatePart *p) {
  ((int32_t *)to->types.at)[to->tokens.n] = p->type;
  tokens_push(&to->tokens, p->id, (Span){ 0, 0 });
}


static void append_range(Encoding *to, const Tokens *from, size_t start,
                         size_t end, int32_t type) {
  size_t n = to->tokens.n, count = end - start;
  int32_t *types = (int32_t *)to->types.at + n;
  if (count == 0) return;
  memcpy((int32_t *)to->tokens.ids.at + n,
         (const int32_t *)from->ids.at + start, count * sizeof(int32_t));
  memcpy((Span *)to->tokens.spans.at + n,
         (const Span *)from->spans.at + start, count * sizeof(Span));
  for (size_t i = 0; i < count; i++) types[i] = type;
  to->tokens.n += count;
}


/* slices [2] of the parts, and the special tokens, as the next sequence */
static bool append_sequence(const Job *j, const Slice *slices, Encoding *to,
                            Error *e) {
  size_t more = special_count(j);
  for (size_t i = 0; i < j->parts; i++) more += slice_length(&slices[i]);
  if (!room_for_sequence(to, more, e)) return false;
  for (size_t i = 0; i < j->around->n; i++) {
    const TemplatePart *p = &j->around->parts[i];
    if (p->text == 0) {
      if (j->options->add_special_tokens) append_special(to, p);
      continue;
    }
    const Tokens *from = &to->parts[p->text - 1].tokens;
    const Slice *s = &slices[p->text - 1];
    append_range(to, from, s->range[0].start, s->range[0].end, p->type);
    append_range(to, from, s->range[1].start, s->range[1].end, p->type);
  }
  ((int32_t *)to->text_of.at)[to->sequences] = (int32_t)to->texts;
  int32_t *offsets = to->offsets.at;
  offsets[0] = 0;
  offsets[++to->sequences] = (int32_t)to->tokens.n;
  return true;
}


/* Tokens that two windows share. What the options ask for must be less than a
   window has; beside the other text of a pair it has fewer in one pair than in
   the next, and shares what it can. */
static bool find_stride(const Job *j, size_t room, size_t *stride, Error *e) {
  if (room == 0) return error_set(e, "a window has no room for a token");
  *stride = j->options->stride == STRIDE_HALF ? room / 2
                                              : (size_t)j->options->stride;
  if (*stride < room) return true;
  if (j->parts == 1)
    return error_set(e, "stride %zu: a window has %zu tokens of text",
                     *stride, room);
  *stride = room - 1;
  return true;
}


/* the longer part's windows; the other part whole, or the half of it that is
   to be in each */
static bool append_windows(const Job *j, size_t cut, Slice *slices,
                           Encoding *to, Error *e) {
  size_t n = to->parts[cut].tokens.n, other = slice_length(&slices[1 - cut]);
  size_t room = j->room - (j->parts > 1 ? other : 0), stride = 0;
  if (n > room && !find_stride(j, room, &stride, e)) return false;
  for (size_t start = 0;; start += room - stride) {
    size_t end = n - start < room ? n : start + room;
    slices[cut] = (Slice){ {{ start, end }, { 0, 0 }} };
    if (!append_sequence(j, slices, to, e)) return false;
    if (end == n) return true;
  }
}

/* }======== */


/* the shares of the parts; the index of the one that is cut into windows */
static size_t find_shares(Job *j, const Encoding *to) {
  size_t n = part_length(&to->parts[0]), m = part_length(&to->parts[1]);
  size_t longer = j->parts > 1 && m > n, whole = j->parts > 1 ? n + m : n;
  j->share[0] = n;
  j->share[1] = m;
  if (whole <= j->room) return longer;
  if (j->parts > 1) cut_longest(&j->share[0], &j->share[1], j->room);
  else j->share[0] = j->room;
  return longer;
}


/* what max_length cut of a text and its pair */
static void note_cut(const Job *j, const Slice *slices, size_t in_windows,
                     Encoding *to) {
  int64_t bytes = 0;
  for (size_t i = 0; i < j->parts; i++) {
    const Part *p = &to->parts[i];
    if (i == in_windows) continue;
    bytes += bytes_cut(p, &slices[i]);
    to->truncated += part_length(p) - slice_length(&slices[i]);
  }
  ((int32_t *)to->cut.at)[to->texts] =
      (int32_t)(bytes < INT32_MAX ? bytes : INT32_MAX);
}


static bool append_text(Job *j, Encoding *to, Error *e) {
  Slice slices[2] = { {{{ 0, 0 }, { 0, 0 }}} };
  size_t longer = find_shares(j, to), in_windows = 2;
  Truncation how = j->options->truncation;
  if (!buffer_room(&to->cut, to->texts + 1, sizeof(int32_t)))
    return error_no_memory(e);
  for (size_t i = 0; i < j->parts; i++)
    slices[i] = slice_of(&to->parts[i], j->share[i], how);
  if (how == TRUNCATE_WINDOWS && j->room != PART_ALL) in_windows = longer;
  if (in_windows < 2 ? !append_windows(j, in_windows, slices, to, e)
                     : !append_sequence(j, slices, to, e))
    return false;
  note_cut(j, slices, in_windows, to);
  to->texts++;
  return true;
}


static bool check_length(Bytes text, Error *e) {
  return text.n <= INT32_MAX ||
         error_set(e, "a text of %zu bytes, the most is %d", text.n,
                   INT32_MAX);
}


bool tokenizer_encode(const Tokenizer *t, Bytes text, const Bytes *pair,
                      const EncodeOptions *o, Encoding *to, Error *e) {
  size_t sequences = to->sequences, tokens = to->tokens.n;
  Job j = { .splitter = tokenizer_splitter(t),
            .around = tokenizer_template(t, pair != NULL),
            .options = o, .parts = pair ? 2 : 1 };
  if (!check_length(text, e) || (pair && !check_length(*pair, e)) ||
      !find_room(&j, e))
    return false;
  part_begin(&to->parts[0], text);
  if (pair) part_begin(&to->parts[1], *pair);
  if (!read_parts(&j, to)) return error_no_memory(e);
  if (append_text(&j, to, e)) return true;
  to->sequences = sequences;
  to->tokens.n = tokens;
  return false;
}


bool tokenizer_encode_all(const Tokenizer *t, const Bytes *texts,
                          const Bytes *pairs, size_t n,
                          const EncodeOptions *o, Encoding *to, Error *e) {
  encoding_clear(to);
  for (size_t i = 0; i < n; i++) {
    Error why;
    if (!tokenizer_encode(t, texts[i], pairs ? &pairs[i] : NULL, o, to, &why))
      return error_set(e, "texts[%zu]: %s", i + 1, why.message);
  }
  return true;
}


void encoding_clear(Encoding *to) {
  to->texts = to->sequences = to->tokens.n = to->truncated = 0;
}


void encoding_free(Encoding *to) {
  tokens_free(&to->tokens);
  free(to->types.at);
  free(to->offsets.at);
  free(to->text_of.at);
  free(to->cut.at);
  normal_free(&to->normal);
  part_free(&to->parts[0]);
  part_free(&to->parts[1]);
}
