/*
** The network of a model, its way forward alone: nothing is kept for a way
** back, and weights are in the form that they are multiplied in.
**
** Where an answer needs nothing but each sequence's first token, the last
** layer makes no more: keys and values of all tokens, and the rest of the
** first ones.
*/
#ifndef lunula_network_h
#define lunula_network_h

#include "../encoder/batch.h"
#include "../encoder/config.h"
#include "weights.h"

#pragma GCC visibility push(hidden)

typedef struct Norm {
  const float *weight, *bias;  /* [hidden] */
} Norm;

/* rows in float32, or in 8 bits: scale[row] * quantised[row] */
typedef struct Table {
  const float *values;      /* [rows, hidden], or NULL */
  const int8_t *quantised;  /* [rows, hidden] */
  const float *scale;       /* [rows] */
} Table;

/* h + gelu(h D' + bd) U' + bu (encoder/adapter.h); FORM_FP32 in any model:
   they are small. D [adapter_size, hidden] with out 0: there is none */
typedef struct NetworkAdapter {
  Weights down, up;
} NetworkAdapter;

typedef struct NetworkLayer {
  Weights qkv, attention_output, intermediate, output;
  Norm attention_norm, output_norm;
  NetworkAdapter attention_adapter, output_adapter;
} NetworkLayer;

typedef enum ModelPooling {
  MODEL_POOLER,  /* tanh of a linear layer over the first token */
  MODEL_FIRST,
  MODEL_MEAN     /* of all tokens */
} ModelPooling;

typedef struct Network {
  EncoderConfig config;
  Form form;
  ModelPooling pooling;
  Table word;
  const float *position, *type;  /* [.., hidden] */
  Norm embedding_norm;
  NetworkLayer *layer;           /* [num_hidden_layers] */
  Weights pooler;                /* MODEL_POOLER */
  Weights head;                  /* FORM_FP32; out 0: none */
  int64_t most_units;            /* of a layer's weights_units */
} Network;

/* numbers of an answer */
int64_t network_width(const Network *n);

/* The buffers of one thread that runs a batch. */
typedef struct Lane {
  int64_t lanes;           /* of attention, given */
  int32_t *offsets;        /* [sequences + 1] */
  float *x, *h, *y;        /* [tokens, hidden] */
  float *qkv;              /* [tokens, 3 hidden]; once attention is done, what
                              adapters add, [tokens, hidden] */
  float *context;          /* [tokens, hidden] */
  float *inner;            /* [tokens, intermediate or adapter_size] */
  float *pooled, *pooler;  /* [sequences, hidden] */
  float *attention;        /* attention_scratch */
  void *narrow;            /* activations of width hidden, */
  void *wide;              /* and intermediate */
  uint32_t *panels;        /* for weights_product's room */
} Lane;

/* places the buffers of a lane whose `lanes` are known, for batches of at most
   this size; returns their bytes. at NULL: only counts */
size_t lane_place(Lane *l, char *at, const Network *n, int64_t tokens,
                  int64_t sequences, int64_t longest);

/* out [sequences, network_width] */
void network_run(const Network *n, const Lane *l, const Batch *b, float *out);

#pragma GCC visibility pop

#endif
