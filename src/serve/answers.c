/*
** Texts in, numbers out. See answers.h.
**
** What a run needs is let go of at its end: a job that is done may wait long
** for its owner, with the numbers alone.
*/
#include "answers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"
#include "../base/pool.h"
#include "../text/buffer.h"
#include "../text/gather.h"

enum { TEXTS_BETWEEN = 64 };  /* that are encoded before it is asked again
                                 whether anybody wants them */

struct Answers {
  Model *model;
  AnswersOptions options;
  size_t count;
  bool paired, ran;
  Buffer bytes;          /* of all texts, each before its pair */
  size_t length;         /* of them */
  Buffer ends;           /* size_t [count, 2 with pairs], into bytes */
  const Job *job;        /* that it is the work of; or NULL */
  Encoding encoding;     /* of all texts */
  int32_t *order;        /* [sequences], the longest first */
  float *numbers;        /* [sequences, width], in the end [count, width] */
  int32_t *cut;          /* [count] */
};

/* what one batch is made in */
typedef struct Batching {
  int32_t *ids, *types;  /* [tokens] of the largest batch */
  int32_t *offsets;      /* [sequences + 1] */
  float *out;            /* [sequences, width] */
} Batching;


/* {======== texts ======== */

Answers *answers_new(Model *m, const AnswersOptions *o) {
  Answers *a = calloc(1, sizeof *a);
  if (a == NULL) return NULL;
  a->model = model_retain(m);
  a->options = *o;
  return a;
}


static void free_texts(Answers *a) {
  free(a->bytes.at);
  free(a->ends.at);
  a->bytes = a->ends = (Buffer){ .at = NULL };
}


static void free_tokens(Answers *a) {
  encoding_free(&a->encoding);
  a->encoding = (Encoding){ .sequences = 0 };
  mem_free(a->order);
  a->order = NULL;
}


void answers_free(Answers *a) {
  if (a == NULL) return;
  free_texts(a);
  free_tokens(a);
  mem_free(a->numbers);
  mem_free(a->cut);
  model_release(a->model);
  free(a);
}


static bool add_bytes(Answers *a, Bytes s, size_t i) {
  if (s.n > SIZE_MAX - a->length ||
      !buffer_room(&a->bytes, a->length + s.n, 1) ||
      !buffer_room(&a->ends, i + 1, sizeof(size_t)))
    return false;
  if (s.n > 0) memcpy((char *)a->bytes.at + a->length, s.at, s.n);
  a->length += s.n;
  ((size_t *)a->ends.at)[i] = a->length;
  return true;
}


bool answers_add(Answers *a, Bytes text, const Bytes *pair) {
  size_t each = pair != NULL ? 2 : 1, i = a->count * each;
  if (!add_bytes(a, text, i)) return false;
  if (pair != NULL && !add_bytes(a, *pair, i + 1)) return false;
  a->paired = pair != NULL;
  a->count++;
  return true;
}


static Bytes bytes_at(const Answers *a, size_t i) {
  const size_t *ends = a->ends.at;
  size_t start = i > 0 ? ends[i - 1] : 0;
  return (Bytes){ (const uint8_t *)a->bytes.at + start, ends[i] - start };
}

/* }======== */


/* {======== asking ======== */

int64_t answers_count(const Answers *a) {
  return (int64_t)a->count;
}


int64_t answers_width(const Answers *a) {
  return model_width(a->model);
}


size_t answers_bytes(const Answers *a) {
  size_t each = (size_t)answers_width(a) * sizeof *a->numbers;
  return sizeof *a + a->length + a->count * each;
}


bool answers_ran(const Answers *a) {
  return a->ran;
}


const float *answers_numbers(const Answers *a) {
  return a->numbers;
}


const int32_t *answers_cut(const Answers *a) {
  return a->cut;
}


static bool wanted(const Answers *a) {
  return a->job == NULL || job_is_wanted(a->job);
}

/* }======== */


/* {======== sequences ======== */

static bool encode_one(Answers *a, size_t i, Error *e) {
  Error why;
  Bytes text = bytes_at(a, a->paired ? 2 * i : i), pair = { NULL, 0 };
  if (a->paired) pair = bytes_at(a, 2 * i + 1);
  return tokenizer_encode(model_tokenizer(a->model), text,
                          a->paired ? &pair : NULL, &a->options.encode,
                          &a->encoding, &why) ||
         error_set(e, "texts[%zu]: %s", i + 1, why.message);
}


static bool encode(Answers *a, Error *e) {
  for (size_t i = 0; i < a->count; i++) {
    if (i % TEXTS_BETWEEN == 0 && !wanted(a)) return false;
    if (!encode_one(a, i, e)) return false;
  }
  free_texts(a);
  a->cut = mem_alloc(a->count * sizeof *a->cut);
  if (a->cut == NULL) return error_no_memory(e);
  if (a->count > 0)
    memcpy(a->cut, a->encoding.cut.at, a->count * sizeof *a->cut);
  return true;
}


static int64_t sequences(const Answers *a) {
  return (int64_t)a->encoding.sequences;
}


static int64_t tokens_of(const Answers *a, int64_t sequence) {
  const int32_t *offsets = a->encoding.offsets.at;
  return offsets[sequence + 1] - offsets[sequence];
}


/* By counting: no sequence has more tokens than fit into memory. Those of one
   length stay in their order. */
static bool sort(Answers *a, Error *e) {
  int64_t n = sequences(a), longest = 0;
  for (int64_t i = 0; i < n; i++)
    if (tokens_of(a, i) > longest) longest = tokens_of(a, i);
  a->order = mem_alloc((size_t)n * sizeof *a->order);
  int64_t *at = mem_zeros((size_t)(longest + 2) * sizeof *at);
  bool ok = a->order != NULL && at != NULL;
  for (int64_t i = 0; ok && i < n; i++) at[longest - tokens_of(a, i) + 1]++;
  for (int64_t k = 1; ok && k <= longest; k++) at[k] += at[k - 1];
  for (int64_t i = 0; ok && i < n; i++)
    a->order[at[longest - tokens_of(a, i)]++] = (int32_t)i;
  mem_free(at);
  return ok || error_no_memory(e);
}

/* }======== */


/* {======== batches ======== */

/* how many sequences, from `first` on in their order, are the next batch */
static int64_t cut(const Answers *a, int64_t first, int64_t *tokens) {
  const AnswersOptions *o = &a->options;
  int64_t n = 0;
  *tokens = 0;
  while (first + n < sequences(a) && n < o->batch_size) {
    int64_t more = tokens_of(a, a->order[first + n]);
    if (n > 0 && *tokens + more > o->batch_tokens) break;
    *tokens += more;
    n++;
  }
  return n;
}


static void free_batching(Batching *b) {
  mem_free(b->ids);
  mem_free(b->types);
  mem_free(b->offsets);
  mem_free(b->out);
}


static bool make_batching(const Answers *a, Batching *b) {
  int64_t most = 0, rows = 0, tokens;
  for (int64_t i = 0, n; i < sequences(a); i += n) {
    n = cut(a, i, &tokens);
    most = tokens > most ? tokens : most;
    rows = n > rows ? n : rows;
  }
  size_t width = (size_t)answers_width(a);
  b->ids = mem_alloc((size_t)most * sizeof *b->ids);
  b->types = mem_alloc((size_t)most * sizeof *b->types);
  b->offsets = mem_alloc((size_t)(rows + 1) * sizeof *b->offsets);
  b->out = mem_alloc((size_t)rows * width * sizeof *b->out);
  return b->ids && b->types && b->offsets && b->out;
}


static bool run_batch(Answers *a, Space *s, const Batching *b, int64_t first,
                      int64_t n, Error *e) {
  const int32_t *rows = a->order + first;
  size_t width = (size_t)answers_width(a);
  TokenRows from = { a->encoding.tokens.ids.at, a->encoding.types.at,
                     a->encoding.offsets.at };
  int64_t tokens = gather_offsets(&from, rows, n, b->offsets);
  gather_tokens(&from, rows, n, b->ids, b->types);
  Batch batch = { .tokens = tokens, .sequences = n,
                  .longest = tokens_of(a, rows[0]), .ids = b->ids,
                  .types = b->types, .offsets = b->offsets };
  if (!model_accepts(a->model, &batch, e)) return false;
  if (!model_run(a->model, s, &batch, b->out)) return error_no_memory(e);
  model_activate(b->out, n, (int64_t)width, a->options.activation);
  for (int64_t i = 0; i < n; i++)
    memcpy(a->numbers + (size_t)rows[i] * width,
           b->out + (size_t)i * width, width * sizeof *b->out);
  return true;
}


static bool run_batches(Answers *a, Space *s, const Batching *b, Error *e) {
  int64_t n, tokens;
  for (int64_t i = 0; i < sequences(a); i += n) {
    n = cut(a, i, &tokens);
    if (!wanted(a) || !run_batch(a, s, b, i, n, e)) return false;
  }
  return true;
}

/* }======== */


/* {======== running ======== */

/* of each text: the mean over its sequences, which are side by side */
static void pool_windows(Answers *a) {
  const int32_t *text_of = a->encoding.text_of.at;
  int64_t width = answers_width(a), n = sequences(a), first = 0, end;
  for (int64_t text = 0; first < n; text++, first = end) {
    for (end = first; end < n && text_of[end] == text; end++) {}
    for (int64_t c = 0; c < width; c++) {
      double sum = 0;
      for (int64_t i = first; i < end; i++)
        sum += (double)a->numbers[i * width + c];
      a->numbers[text * width + c] = (float)(sum / (double)(end - first));
    }
  }
}


static bool answer(Answers *a, Space *s, Error *e) {
  if (!encode(a, e) || !sort(a, e)) return false;
  size_t width = (size_t)answers_width(a);
  a->numbers = mem_alloc((size_t)sequences(a) * width *
                               sizeof *a->numbers);
  Batching b = { .ids = NULL };
  bool ok = a->numbers != NULL && make_batching(a, &b)
          ? run_batches(a, s, &b, e) : error_no_memory(e);
  free_batching(&b);
  if (ok && sequences(a) > answers_count(a)) pool_windows(a);
  return ok;
}


typedef struct Run {
  Answers *answers;
  Space *space;
  Error *error;
  bool ok;
} Run;


/* as the pool's tasks round, whatever thread it is: the same bits from all */
static void answer_as_task(void *ctx, int64_t task) {
  Run *r = ctx;
  (void)task;
  r->ok = answer(r->answers, r->space, r->error);
}


bool answers_run(Answers *a, Space *s, Error *e) {
  bool beside_others = a->job != NULL && jobs_running() > 1;
  assert(!a->ran);
  a->ran = true;
  space_set_threads(s, beside_others ? 1 : a->options.threads);
  Run r = { a, s, e, false };
  pool_run(1, answer_as_task, &r);
  free_texts(a);
  free_tokens(a);
  return r.ok;
}


/* each worker has a space, for all models */
static __thread Space *space;

static bool run_job(void *work, const Job *job, Error *e) {
  Answers *a = work;
  if (space == NULL) space = space_new();
  if (space == NULL) return error_no_memory(e);
  a->job = job;
  bool ok = answers_run(a, space, e);
  a->job = NULL;
  return ok;
}


static void free_work(void *work) {
  answers_free(work);
}


const JobKind answers_job = { run_job, free_work };

/* }======== */
