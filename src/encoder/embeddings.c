/*
** Embeddings. See embeddings.h.
*/
#include "embeddings.h"

#include <string.h>

#include "../base/pool.h"
#include "../tensor/row_gradient.h"
#include "gradient.h"

enum { COLUMNS_A_TASK = 64 };

typedef struct EmbeddingJob {
  const Embeddings *e;
  const Batch *b;
  float *out;                      /* [tokens, hidden] */
  const float *dz;                 /* [tokens, hidden] */
  float *dword;                    /* rows as word_row says, or NULL */
  const int32_t *word_row;         /* [tokens] */
  int64_t untrained;               /* as in Embeddings */
  float *dposition, *dtype;        /* like the tables, or NULL */
  int64_t hidden;
} EmbeddingJob;


/* {======== forward ======== */

static void gather_token(const EmbeddingJob *j, int64_t t, int64_t place) {
  int64_t hidden = j->hidden;
  const float *word = j->b->words
                    ? j->b->words + t * hidden
                    : tensor_f32(j->e->word) + j->b->ids[t] * hidden;
  const float *position = tensor_f32(j->e->position) + place * hidden;
  const float *type = tensor_f32(j->e->type) + j->b->types[t] * hidden;
  float *out = j->out + t * hidden;
  for (int64_t c = 0; c < hidden; c++)
    out[c] = word[c] + type[c] + position[c];
}


static void gather_sequence(void *ctx, int64_t s) {
  const EmbeddingJob *j = ctx;
  int64_t first = j->b->offsets[s], end = j->b->offsets[s + 1];
  for (int64_t t = first; t < end; t++) gather_token(j, t, t - first);
}


static const Dropout NO_DROPOUT = { .p = 0 };


/* what LayerNorm made is dropped from, then it is whole */
static void finish(const Dropout *d, const Matrix *out) {
  dropout_rows(out->values, d, out->rows, out->width);
  matrix_round_all(out);
}


void embeddings_forward(const Embeddings *e, const Batch *b,
                        const NormKept *kept, const Dropout *d,
                        const Matrix *out) {
  Matrix values = matrix_of(out->values, out->rows, out->width);
  EmbeddingJob j = { .e = e, .b = b, .out = kept->normal,
                     .hidden = out->width };
  pool_run(b->sequences, gather_sequence, &j);
  norm_forward(&(NormForward){ .norm = &e->norm, .kept = *kept,
                               .out = &values, .y = kept->normal,
                               .d = &NO_DROPOUT });
  finish(d, out);
}


void embeddings_again(const Embeddings *e, const Batch *b,
                      const NormKept *kept, const Dropout *d,
                      const Matrix *out) {
  Matrix values = matrix_of(out->values, b->tokens, out->width);
  norm_again(&e->norm, kept, &values);
  finish(d, out);
}

/* }======== */


/* {======== backward ======== */

static void add_row(float *table, int64_t row, const float *dz,
                    int64_t hidden, int64_t columns) {
  for (int64_t c = 0; c < columns; c++) table[row * hidden + c] += dz[c];
}


/* Some columns of all tokens, in their order: one owner for each number. */
static void scatter_columns(void *ctx, int64_t i) {
  const EmbeddingJob *j = ctx;
  const Batch *b = j->b;
  int64_t c = i * COLUMNS_A_TASK, hidden = j->hidden, n = hidden - c;
  if (n > COLUMNS_A_TASK) n = COLUMNS_A_TASK;
  for (int64_t s = 0; s < b->sequences; s++)
    for (int64_t t = b->offsets[s]; t < b->offsets[s + 1]; t++) {
      const float *dz = j->dz + t * hidden + c;
      if (j->dword != NULL && b->ids[t] != j->untrained)
        add_row(j->dword + c, j->word_row[t], dz, hidden, n);
      if (j->dposition != NULL)
        add_row(j->dposition + c, t - b->offsets[s], dz, hidden, n);
      if (j->dtype != NULL)
        add_row(j->dtype + c, b->types[t], dz, hidden, n);
    }
}


static void scatter(EmbeddingJob *j) {
  int64_t tasks = (j->hidden + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK;
  if (j->dword != NULL || j->dposition != NULL || j->dtype != NULL)
    pool_run(tasks, scatter_columns, j);
}


/* *out: the gradient of a table, NULL when none is wanted */
static bool wanted_gradient(Tensor *table, float **out) {
  *out = NULL;
  return !table->requires_grad || (*out = gradient_of(table)) != NULL;
}


/* The words' gradient is in the rows of the batch, but where a dense one is
   already gathered. */
static bool wanted_words(EmbeddingJob *j, Tensor *word) {
  j->word_row = j->b->ids;
  if (!word->requires_grad || word->grad != NULL)
    return wanted_gradient(word, &j->dword);
  const RowGradient *g = row_gradient_place(word, j->b->ids, j->b->tokens,
                                            j->untrained);
  if (g == NULL) return false;
  j->dword = g->value;
  j->word_row = g->place;
  return true;
}


bool embeddings_back(const Embeddings *e, const Batch *b,
                     const NormKept *kept, const Dropout *d, float *dout) {
  int64_t hidden = e->word->shape.size[1];
  EmbeddingJob j = { .b = b, .dz = dout, .hidden = hidden,
                     .untrained = e->untrained };
  dropout_rows(dout, d, b->tokens, hidden);
  if (!norm_back(&e->norm, kept, dout, NULL, &NO_DROPOUT, b->tokens) ||
      (b->ids != NULL && !wanted_words(&j, e->word)) ||
      !wanted_gradient(e->position, &j.dposition) ||
      !wanted_gradient(e->type, &j.dtype))
    return false;
  scatter(&j);
  return true;
}

/* }======== */


/* {======== the words alone ======== */

/* kept: the ids, the id that does not learn */
static bool words_back(Node *n, Tensor *dout) {
  const Tensor *ids = n->kept.tensor[0];
  int32_t offsets[] = { 0, (int32_t)tensor_count(ids) };
  Batch b = { .tokens = tensor_count(ids), .sequences = 1,
              .ids = tensor_i32(ids), .offsets = offsets };
  EmbeddingJob j = { .b = &b, .dz = tensor_f32(dout),
                     .hidden = dout->shape.size[1],
                     .untrained = n->kept.integer[0] };
  if (!wanted_words(&j, n->input[0].leaf)) return false;
  scatter(&j);
  return true;
}


static const Op WORDS = { .name = "embed", .backward = words_back };


Tensor *embeddings_words(const Embeddings *e, Tape *tape, Tensor *ids) {
  int64_t tokens = tensor_count(ids), hidden = e->word->shape.size[1];
  Shape s = shape_of(2, tokens, hidden);
  Tensor *out = tensor_new(FLOAT32, &s);
  for (int64_t t = 0; out != NULL && t < tokens; t++)
    memcpy(tensor_f32(out) + t * hidden,
           tensor_f32(e->word) + tensor_i32(ids)[t] * hidden,
           sizeof(float) * (size_t)hidden);
  Kept kept = { .tensor = { ids }, .integer = { e->untrained } };
  return tape_record(tape, out, &WORDS, 1, (Tensor *[]){ e->word }, &kept);
}

/* }======== */
