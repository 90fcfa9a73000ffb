/*
** The parameters of an encoder: where they are, and what they are called.
*/
#ifndef lunula_parameters_h
#define lunula_parameters_h

#include "config.h"
#include "embeddings.h"
#include "layer.h"

#pragma GCC visibility push(hidden)

enum { NAME_SIZE = 80 };

typedef struct Parameter {
  char name[NAME_SIZE];
  Tensor **slot;   /* the field that holds it */
  Tensor *fused;   /* the buffer that it is a view of; or NULL */
} Parameter;

typedef struct Parameters {
  Embeddings embeddings;
  Layer *layer;    /* [num_hidden_layers] */
  int64_t layers;
  Parameter *list;
  int count;
} Parameters;

/* false: no memory; parameters_free is owed in any case */
bool parameters_init(Parameters *p, const EncoderConfig *c);
void parameters_free(Parameters *p);

/* makes t parameter i; see encoder_set */
bool parameters_set(Parameters *p, int i, Tensor *t);

/* Packs weights where they changed, to be kept; false: no memory. A layer that
   learns is not packed, and what was kept of it is freed: it changes at each
   step, and also a validation between two steps, which finds gradients, has
   better use for the memory. *all: no layer was left out. */
bool parameters_pack(Parameters *p, Precision precision, bool recorded,
                     bool *all);
void parameters_unpack(Parameters *p);

/* takes the memory of what training changes as a whole: all but the tables */
void parameters_take_pages(const Parameters *p);

/* does any parameter of the layer, or of the embeddings, want a gradient?
   words: that of the words too */
bool layer_wants(const Layer *l);
bool embeddings_want(const Embeddings *e, bool words);

#pragma GCC visibility pop

#endif
