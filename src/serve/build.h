/*
** How a Model is made: of the numbers of its parameters, which are kept where
** they lie, and packed where products need it.
*/
#ifndef lunula_build_h
#define lunula_build_h

#include "../tensor/tensor.h"
#include "model.h"
#include "network.h"

#pragma GCC visibility push(hidden)

/* the numbers of one parameter, in memory that its storage keeps; data NULL:
   there are none */
typedef struct Numbers {
  const void *data;
  Storage *storage;
} Numbers;

/* float32, or int8 with all of these but the float32 weight */
typedef struct LinearParts {
  Numbers weight;          /* [out, in] */
  Numbers bias;            /* [out] */
  Numbers panels;          /* int8_panels_size() bytes */
  Numbers scale, sums;     /* [out] float32, int32 */
} LinearParts;

typedef struct NormParts {
  Numbers weight, bias;
} NormParts;

/* float32 */
typedef struct AdapterParts {
  LinearParts down, up;
} AdapterParts;

typedef struct LayerParts {
  LinearParts qkv[MOST_PARTS];  /* of packed panels, the first is all three */
  LinearParts attention_output, intermediate, output;
  NormParts attention_norm, output_norm;
  AdapterParts attention_adapter, output_adapter;  /* with adapter_size */
} LayerParts;

typedef struct ModelParts {
  EncoderConfig config;
  Form form;               /* that is wanted */
  bool packed;             /* linear layers are given as int8 panels */
  ModelPooling pooling;
  int64_t labels;          /* 0: no head */
  Numbers word;               /* [vocab_size, hidden], float32, or int8 with */
  Numbers word_scale;         /* [vocab_size] */
  Numbers position, type;
  NormParts embedding_norm;
  LayerParts *layer;       /* [num_hidden_layers] */
  LinearParts pooler;      /* MODEL_POOLER */
  LinearParts head;        /* with labels; float32 */
  Tokenizer *tokenizer;    /* or NULL; retained */
} ModelParts;

/* NULL: no memory. Storages are retained. */
Model *model_new(const ModelParts *p);

enum { UNPACKED, PACKS, PACKED };

struct Model {
  int refs;
  Network network;
  Tokenizer *tokenizer;
  Storage **kept;          /* [kept_count] */
  size_t kept_count;
  void *memory;            /* what was packed at first */
  size_t bytes;            /* of it */
  void *panels;            /* what was packed later */
  int64_t asked;           /* tokens, until it is packed */
  int packing;             /* UNPACKED, PACKS while a thread does, PACKED */
};

/* float32 only: is it worth to, and still to do? */
bool model_can_pack(const Model *m);
/* makes float32's panels, and says that they are there; false: no memory */
bool model_pack(Model *m);

/* The int8 panels, scales and sums of a model, for a file that it is saved
   to: those of linear layer i, in the order that they are used in, the pooler
   last. NULL: there is no such layer, or it is not int8. */
const Int8Weight *model_int8(Model *m, int64_t i);

#pragma GCC visibility pop

#endif
