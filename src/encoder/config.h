/*
** The shape of an encoder, as config.json gives it, with transformers' names.
** What a BERT-family architecture may do differently is a field here, so that
** another one is added by its config and not by a copy of the code.
*/
#ifndef lunula_config_h
#define lunula_config_h

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/rows.h"

typedef struct EncoderConfig {
  int64_t hidden_size;
  int64_t num_hidden_layers;
  int64_t num_attention_heads;  /* divides hidden_size */
  int64_t intermediate_size;
  int64_t vocab_size;
  int64_t max_position_embeddings;
  int64_t type_vocab_size;
  int64_t adapter_size;         /* of adapter.h; 0: there are none. lunula's
                                   own, transformers has no name for it */
  int64_t pad_token_id;         /* its word embedding is never trained, as in
                                   torch.nn.Embedding; -1: none */
  bool causal;                  /* is_decoder: no token sees a later one */
  float layer_norm_eps;
  Activation hidden_act;
} EncoderConfig;

#endif
