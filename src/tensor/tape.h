/*
** The tape: which ops made a tensor, and how to go back through them.
**
** A tensor made by an op while the tape records holds a node. A node knows
** its op, what the op kept for the way back, and an edge for each input that
** wants a gradient: to the node that made the input, or to the leaf itself.
** Nodes hold no inputs' values except what was kept, so that memory goes
** when the last user of it does.
**
** What always holds: nodes are ordered as they were made, and edges lead to
** older ones, so going back in that order meets each node once, after all its
** users. A node's gradient is contiguous FLOAT32 of its output's shape. What
** was kept and then written in place is noticed and is an error.
*/
#ifndef lunula_tape_h
#define lunula_tape_h

#include <stdbool.h>
#include <stdint.h>

#include "../base/status.h"
#include "tensor.h"

#pragma GCC visibility push(hidden)

enum { KEPT_TENSORS = 3, KEPT_NUMBERS = 2, KEPT_INTEGERS = 4 };

/* What an op keeps for its backward. Tensors are kept as aliases: an op may
   name its own output. */
typedef struct Kept {
  Tensor *tensor[KEPT_TENSORS];
  float number[KEPT_NUMBERS];
  int64_t integer[KEPT_INTEGERS];
  void *state;  /* anything else; the op's release gives it back */
} Kept;

typedef struct Node Node;

typedef struct Op {
  const char *name;
  /* gives each input its gradient (node_give); false: no memory */
  bool (*backward)(Node *n, Tensor *dout);
  void (*release)(void *state);  /* NULL when it keeps no state */
  /* is what the state refers to as it was at forward? NULL: nothing to ask */
  bool (*intact)(const void *state);
} Op;

typedef struct Edge {
  Node *node;    /* what made the input, */
  Tensor *leaf;  /* or the input itself; both NULL: wants no gradient */
  Shape shape;
} Edge;

struct Node {
  int refs;
  uint64_t order;
  uint64_t visit;     /* the backward pass that saw it last */
  const Op *op;
  Tensor *grad;       /* of the output, gathered on the way back */
  bool used;          /* went back: what it kept is gone */
  Node *next;         /* in the list of those being released */
  Kept kept;
  uint64_t version[KEPT_TENSORS];  /* of what is kept, when it was */
  int inputs;
  Edge input[];
};

/* One for each Lua state. */
typedef struct Tape {
  bool recording;
  uint64_t order;
  uint64_t visit;
} Tape;

/* true when the tape records and a gradient can reach t */
bool    tape_wants(const Tape *tape, const Tensor *t);

/* Ends an op: makes `out` (which it takes) the result of `op` on `inputs` if
   any of these wants a gradient. Takes kept->state. Returns out, or NULL
   when out is NULL or there is no memory. */
Tensor *tape_record(Tape *tape, Tensor *out, const Op *op, int inputs,
                    Tensor *const *input, const Kept *kept);
/* the same, whatever the inputs want: for ops that hold their own leaves */
Tensor *tape_attach(Tape *tape, Tensor *out, const Op *op, int inputs,
                    Tensor *const *input, const Kept *kept);

/* in a backward: does this input want a gradient? */
bool    node_wants(const Node *n, int input);
/* hands an input its gradient, which it takes. d has the input's shape, or a
   shape that the input was broadcast to: then it is summed. NULL (no memory)
   is passed on as false. */
bool    node_give(Node *n, int input, Tensor *d);

void    node_release(Node *n);

/* Fills `grad` of every leaf that t depends on, adding to what is there. t is
   one number, or `seed` has its shape. What the graph kept is freed on the
   way. */
bool    tape_backward(Tape *tape, Tensor *t, Tensor *seed, Error *e);

#pragma GCC visibility pop

#endif
