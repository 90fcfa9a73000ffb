/*
** Arithmetic with broadcasting. Gradients are given in the shape of the
** result; node_give sums them to the input's.
*/
#include "op.h"
#include "map.h"

RUN2(add, x + y)
RUN2(subtract, x - y)
RUN2(multiply, x * y)
RUN2(divide, x / y)


static bool add_back(Node *n, Tensor *dout) {
  return node_give(n, 0, tensor_retain(dout)) &&
         node_give(n, 1, tensor_retain(dout));
}


static const Op ADD = { .name = "add", .backward = add_back };


Tensor *op_add(Tape *tape, Tensor *a, Tensor *b) {
  return tape_record(tape, map2(add, NULL, a, b), &ADD, 2,
                     (Tensor *[]){ a, b }, NULL);
}


static bool sub_back(Node *n, Tensor *dout) {
  return node_give(n, 0, tensor_retain(dout)) &&
         (!node_wants(n, 1) || node_give(n, 1, map_scaled(dout, -1)));
}


static const Op SUB = { .name = "sub", .backward = sub_back };


Tensor *op_sub(Tape *tape, Tensor *a, Tensor *b) {
  return tape_record(tape, map2(subtract, NULL, a, b), &SUB, 2,
                     (Tensor *[]){ a, b }, NULL);
}


/* kept: a when b wants a gradient, b when a does */
static bool mul_back(Node *n, Tensor *dout) {
  const Kept *k = &n->kept;
  return (!node_wants(n, 0) ||
          node_give(n, 0, map2(multiply, NULL, dout, k->tensor[1]))) &&
         (!node_wants(n, 1) ||
          node_give(n, 1, map2(multiply, NULL, dout, k->tensor[0])));
}


static const Op MUL = { .name = "mul", .backward = mul_back };


Tensor *op_mul(Tape *tape, Tensor *a, Tensor *b) {
  Kept kept = { .tensor = { tape_wants(tape, b) ? a : NULL,
                            tape_wants(tape, a) ? b : NULL } };
  return tape_record(tape, map2(multiply, NULL, a, b), &MUL, 2,
                     (Tensor *[]){ a, b }, &kept);
}


/* db = -dout * a / b^2, from out = a / b */
RUN3(divisor_gradient, -x * y / z)


/* kept: out when b wants a gradient, b */
static bool div_back(Node *n, Tensor *dout) {
  const Kept *k = &n->kept;
  return (!node_wants(n, 0) ||
          node_give(n, 0, map2(divide, NULL, dout, k->tensor[1]))) &&
         (!node_wants(n, 1) ||
          node_give(n, 1, map3(divisor_gradient, NULL, dout, k->tensor[0],
                               k->tensor[1])));
}


static const Op DIV = { .name = "div", .backward = div_back };


Tensor *op_div(Tape *tape, Tensor *a, Tensor *b) {
  Tensor *out = map2(divide, NULL, a, b);
  Kept kept = { .tensor = { tape_wants(tape, b) ? out : NULL, b } };
  return tape_record(tape, out, &DIV, 2, (Tensor *[]){ a, b }, &kept);
}
