/*
** The tape. See tape.h for what is promised.
*/
#include "tape.h"

#include <assert.h>
#include <stdlib.h>

#include "row_gradient.h"

typedef struct NodeList {
  Node **at;
  size_t count, room;
} NodeList;


bool tape_wants(const Tape *tape, const Tensor *t) {
  return tape->recording && (t->requires_grad || t->node != NULL);
}


/* {======== recording ======== */

static Edge edge_to(Tensor *t) {
  Edge e = { .shape = t->shape };
  if (t->node != NULL) {
    e.node = t->node;
    e.node->refs++;
  }
  else if (t->requires_grad)
    e.leaf = tensor_retain(t);
  return e;
}


static void drop_kept(Node *n) {
  for (int i = 0; i < KEPT_TENSORS; i++) {
    tensor_release(n->kept.tensor[i]);
    n->kept.tensor[i] = NULL;
  }
  if (n->kept.state != NULL) n->op->release(n->kept.state);
  n->kept.state = NULL;
}


/* replaces what is to be kept by aliases; false: no memory */
static bool keep(Node *n, const Kept *kept) {
  bool ok = true;
  n->kept = *kept;
  for (int i = 0; i < KEPT_TENSORS; i++) {
    Tensor *t = kept->tensor[i];
    if (t == NULL) continue;
    n->kept.tensor[i] = tensor_alias(t);
    n->version[i] = t->storage->version;
    ok = ok && n->kept.tensor[i] != NULL;
  }
  return ok;
}


static const Kept NOTHING = { .state = NULL };


Tensor *tape_attach(Tape *tape, Tensor *out, const Op *op, int inputs,
                    Tensor *const *input, const Kept *kept) {
  Node *n = out ? calloc(1, sizeof *n + sizeof(Edge) * (size_t)inputs) : NULL;
  if (n == NULL) {
    if (kept != NULL && kept->state != NULL) op->release(kept->state);
    tensor_release(out);
    return NULL;
  }
  n->refs = 1;
  n->order = ++tape->order;
  n->op = op;
  n->inputs = inputs;
  for (int i = 0; i < inputs; i++) n->input[i] = edge_to(input[i]);
  out->node = n;
  if (!keep(n, kept ? kept : &NOTHING)) {
    tensor_release(out);
    return NULL;
  }
  return out;
}


Tensor *tape_record(Tape *tape, Tensor *out, const Op *op, int inputs,
                    Tensor *const *input, const Kept *kept) {
  for (int i = 0; i < inputs; i++)
    if (tape_wants(tape, input[i]))
      return tape_attach(tape, out, op, inputs, input, kept);
  if (kept != NULL && kept->state != NULL) op->release(kept->state);
  return out;
}

/* }======== */


/* {======== releasing: a list, since a graph can be deeper than the stack */

static void queue_release(Node *n, Node **list) {
  if (n == NULL || --n->refs > 0) return;
  n->next = *list;
  *list = n;
}


static void drop_edges(Node *n, Node **list) {
  for (int i = 0; i < n->inputs; i++) {
    queue_release(n->input[i].node, list);
    tensor_release(n->input[i].leaf);
    n->input[i].node = NULL;
    n->input[i].leaf = NULL;
  }
}


void node_release(Node *n) {
  Node *list = NULL;
  queue_release(n, &list);
  while (list != NULL) {
    Node *dead = list;
    list = dead->next;
    drop_edges(dead, &list);
    drop_kept(dead);
    tensor_release(dead->grad);
    free(dead);
  }
}

/* }======== */


/* {======== going back ======== */

bool node_wants(const Node *n, int input) {
  return n->input[input].node != NULL || n->input[input].leaf != NULL;
}


/* sums d over the dimensions in which a tensor of shape s was repeated.
   Takes d. */
static Tensor *sum_to(Tensor *d, const Shape *s) {
  for (int i = 0; d != NULL && i < d->shape.ndim; i++) {
    int at = i - (d->shape.ndim - s->ndim);
    if (d->shape.size[i] == (at < 0 ? 1 : s->size[at])) continue;
    Tensor *sum = tensor_summed(d, i);
    tensor_release(d);
    d = sum;
  }
  Tensor *rows = d ? tensor_contiguous(d) : NULL;
  Tensor *out = rows ? tensor_reshaped(rows, s) : NULL;
  tensor_release(rows);
  tensor_release(d);
  return out;
}


/* d as a tensor that nothing else sees and that can be added to. Takes d. */
static Tensor *own(Tensor *d) {
  bool alone = d->refs == 1 && d->storage->refs == 1 &&
               d->node == NULL && tensor_is_contiguous(d);
  if (alone) return d;
  Tensor *c = tensor_copied(d);
  tensor_release(d);
  return c;
}


static bool gather(Tensor **slot, Tensor *d) {
  if (*slot == NULL) return (*slot = own(d)) != NULL;
  tensor_add_to(*slot, d);
  tensor_touch(*slot);  /* of a leaf: an op may have kept it */
  tensor_release(d);
  return true;
}


/* a gradient in rows is there beside the dense one until both are added */
static bool gather_leaf(Tensor *leaf, Tensor *d) {
  if (leaf->grad != NULL) tensor_gradient(leaf);
  return gather(&leaf->grad, d) && tensor_gradient(leaf) != NULL;
}


bool node_give(Node *n, int input, Tensor *d) {
  Edge *e = &n->input[input];
  if (d == NULL) return false;
  if (!node_wants(n, input)) {
    tensor_release(d);
    return true;
  }
  if (!shape_equal(&d->shape, &e->shape) &&
      (d = sum_to(d, &e->shape)) == NULL)
    return false;
  return e->node ? gather(&e->node->grad, d) : gather_leaf(e->leaf, d);
}


static bool list_push(NodeList *l, Node *n) {
  if (l->count == l->room) {
    size_t room = l->room ? 2 * l->room : 64;
    Node **at = realloc(l->at, room * sizeof *at);
    if (at == NULL) return false;
    l->at = at;
    l->room = room;
  }
  l->at[l->count++] = n;
  return true;
}


static int newest_first(const void *a, const void *b) {
  uint64_t x = (*(Node *const *)a)->order, y = (*(Node *const *)b)->order;
  return x < y ? 1 : x > y ? -1 : 0;
}


/* every node that `from` leads to, newest first; false: no memory */
static bool collect(Tape *tape, Node *from, NodeList *l) {
  uint64_t visit = ++tape->visit;
  from->visit = visit;
  if (!list_push(l, from)) return false;
  for (size_t i = 0; i < l->count; i++) {
    Node *n = l->at[i];
    for (int k = 0; k < n->inputs; k++) {
      Node *in = n->input[k].node;
      if (in == NULL || in->visit == visit) continue;
      in->visit = visit;
      if (!list_push(l, in)) return false;
    }
  }
  qsort(l->at, l->count, sizeof *l->at, newest_first);
  return true;
}


static bool is_intact(const Node *n) {
  for (int i = 0; i < KEPT_TENSORS; i++) {
    const Tensor *t = n->kept.tensor[i];
    if (t != NULL && t->storage->version != n->version[i]) return false;
  }
  return n->op->intact == NULL || n->op->intact(n->kept.state);
}


static bool check_node(const Node *n, Error *e) {
  if (n->used)
    return error_set(e, "backward: the graph behind '%s' was freed by an "
                     "earlier backward; run forward again", n->op->name);
  if (!is_intact(n))
    return error_set(e, "backward: a tensor that '%s' kept was written in "
                     "place after forward", n->op->name);
  return true;
}


/* the gradient is dropped with the rest, so that memory falls on the way */
static bool go_back(Node *n, Error *e) {
  Tensor *dout = n->grad;
  n->grad = NULL;
  bool ok = dout == NULL || n->op->backward(n, dout);
  tensor_release(dout);
  n->used = true;
  drop_kept(n);
  return ok || error_no_memory(e);
}


static bool check_all(const NodeList *l, Error *e) {
  for (size_t i = 0; i < l->count; i++)
    if (!check_node(l->at[i], e)) return false;
  return true;
}


/* edges go last: they are what keeps the older nodes of the list alive. */
static void drop_graph(NodeList *l) {
  for (size_t i = 0; i < l->count; i++) {
    tensor_release(l->at[i]->grad);
    l->at[i]->grad = NULL;
    l->at[i]->refs++;
  }
  for (size_t i = 0; i < l->count; i++) {
    Node *dead = NULL;
    if (l->at[i]->used) drop_edges(l->at[i], &dead);
    assert(dead == NULL);
  }
  for (size_t i = 0; i < l->count; i++) node_release(l->at[i]);
}


static Tensor *ones_like(const Tensor *t) {
  Tensor *one = tensor_new(FLOAT32, &t->shape);
  if (one != NULL)
    for (int64_t i = 0; i < tensor_count(one); i++) tensor_f32(one)[i] = 1;
  return one;
}


bool tape_backward(Tape *tape, Tensor *t, Tensor *seed, Error *e) {
  NodeList list = { .at = NULL };
  Tensor *d = seed ? tensor_copied(seed) : ones_like(t);
  if (d == NULL) return error_no_memory(e);
  if (t->node == NULL)
    return gather_leaf(t, d) || error_no_memory(e);
  bool ok = collect(tape, t->node, &list) || error_no_memory(e);
  ok = ok && check_all(&list, e);
  if (!ok) {
    tensor_release(d);
    free(list.at);
    return false;
  }
  t->node->grad = d;
  for (size_t i = 0; ok && i < list.count; i++) ok = go_back(list.at[i], e);
  drop_graph(&list);
  free(list.at);
  return ok;
}

/* }======== */
