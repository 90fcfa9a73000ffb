/*
** Texts in, numbers out: what a prediction does once the host has
** handed its texts over, on whatever thread.
**
**   texts -> sequences of token ids -> batches of like length -> model
**         -> activation -> mean over the windows of each text
**
** What always holds: the texts are copies, and nothing of Lua is touched. Who
** answers, in how many threads and beside what else, changes no bit.
*/
#ifndef lunula_answers_h
#define lunula_answers_h

#include "job.h"
#include "model.h"

#pragma GCC visibility push(hidden)

typedef struct Answers Answers;

typedef struct AnswersOptions {
  EncodeOptions encode;
  ModelActivation activation;
  int64_t batch_size;    /* most sequences of a batch, */
  int64_t batch_tokens;  /* and tokens, but for a sequence that has more: it is
                            a batch of its own */
  int threads;           /* see space_set_threads */
} AnswersOptions;

/* Of a model with a tokenizer, which is retained. NULL: no memory. */
Answers *answers_new(Model *m, const AnswersOptions *o);
void     answers_free(Answers *a);  /* NULL is allowed */

/* a text more, any bytes; with a pair (or NULL) all have one. false: no
   memory */
bool     answers_add(Answers *a, Bytes text, const Bytes *pair);

/* whether somebody did already what may be done once: answers_run, or a job */
bool     answers_ran(const Answers *a);
/* once; false: a text that can't be encoded, or no memory */
bool     answers_run(Answers *a, Space *s, Error *e);

/* the same as a job's work, which stops where nobody wants it any more */
extern const JobKind answers_job;

int64_t  answers_count(const Answers *a);  /* texts */
int64_t  answers_width(const Answers *a);
size_t   answers_bytes(const Answers *a);  /* that it takes, about */
/* once it ran: [count, width]; and [count] bytes that were cut of each */
const float   *answers_numbers(const Answers *a);
const int32_t *answers_cut(const Answers *a);

#pragma GCC visibility pop

#endif
