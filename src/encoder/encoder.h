/*
** A BERT encoder over ragged batches, as one node of the tape.
**
** What always holds: every parameter is FLOAT32, contiguous and of the shape
** its name stands for; Q, K and V of a layer are views of one buffer. No
** padding token is ever computed. Memory for a forward is kept and used again
** once its backward is done. An encoder belongs to one thread at a time.
*/
#ifndef lunula_encoder_h
#define lunula_encoder_h

#include "../tensor/tape.h"
#include "config.h"
#include "linear.h"

#pragma GCC visibility push(hidden)

typedef struct Encoder Encoder;

/* parameters uninitialised; NULL: no memory */
Encoder *encoder_new(const EncoderConfig *config);
Encoder *encoder_retain(Encoder *e);
void     encoder_release(Encoder *e);

const EncoderConfig *encoder_config(const Encoder *e);

/* parameters by number, with the names that transformers' BertModel gives;
   adapters are `output.adapter` beside `output.dense` */
int         encoder_parameters(const Encoder *e);
const char *encoder_name(const Encoder *e, int i);
Tensor     *encoder_parameter(const Encoder *e, int i);
/* t has the parameter's shape. It becomes the parameter, without a copy where
   it can; false: no memory */
bool        encoder_set(Encoder *e, int i, Tensor *t);

/* a pair that changes when any parameter is written in place, or becomes
   another tensor */
typedef struct EncoderVersion {
  uint64_t written, replaced;
} EncoderVersion;

EncoderVersion encoder_version(const Encoder *e);

/* of the matrix products of the forwards to come, and their backwards */
void        encoder_set_precision(Encoder *e, Precision p);

/* Whether recorded forwards keep the input of each layer alone; their
   backwards then run each layer forward once more (Chen et al. 2016). */
void        encoder_set_checkpointing(Encoder *e, bool on);

typedef struct EncoderDropout {
  float hidden, attention;  /* probabilities */
  uint64_t seed;            /* of this forward */
} EncoderDropout;

/* What is asked of a batch (the caller has checked it): INT32, contiguous;
   ids, types [tokens], within the tables; offsets [sequences + 1] from 0 to
   tokens, rising, no sequence longer than max_position_embeddings. Or, in
   place of ids, what they stand for: inputs_embeds, FLOAT32 [tokens, hidden],
   to which the gradient then goes. The other of the two is NULL. */
typedef struct EncoderInput {
  Tensor *ids, *types, *offsets, *inputs_embeds;
} EncoderInput;

/* [tokens, hidden]; NULL: no memory */
Tensor *encoder_forward(Encoder *e, Tape *tape, const EncoderInput *input,
                        const EncoderDropout *dropout);

/* the vectors of words, as a forward of these ids takes them: INT32,
   contiguous, within the table. [tokens, hidden]; NULL: no memory */
Tensor *encoder_embed(Encoder *e, Tape *tape, Tensor *ids);

/* gives back the memory that forwards work in and would use again */
void    encoder_trim(Encoder *e);

/* bytes that a recorded forward of so many tokens keeps for its backward */
size_t  encoder_keeps(const Encoder *e, int64_t tokens);
/* bytes that a recorded forward of so many tokens must allocate now; 0 when
   the memory of an earlier one serves again */
size_t  encoder_needs(const Encoder *e, int64_t tokens);

#pragma GCC visibility pop

#endif
