/*
** Bottleneck adapters. See adapter.h.
*/
#include "adapter.h"

#include "activate.h"

static const Dropout NOTHING = { .p = 0 };


void adapter_forward(const AdapterCall *c, const Linear *linear,
                     const Matrix *x, NormForward *norm) {
  const Adapter *a = c->adapter;
  DropForward drop = { &c->input, tensor_f32(linear->bias), c->dropout,
                       norm->y };
  Activate act = { ACT_GELU, c->kept->inner, tensor_f32(a->down.bias),
                   &c->inner, NULL };
  Finish dropped = drop_finish(&drop), active = activate_finish(&act);
  norm->bias = tensor_f32(a->up.bias);
  norm->d = &NOTHING;
  Finish normal = norm_finish(norm);
  linear_product(linear, c->arithmetic, c->kept->input, false, x, &dropped);
  linear_product(&a->down, c->arithmetic, c->kept->inner, false, &c->input,
                 &active);
  linear_product(&a->up, c->arithmetic, norm->y, true, &c->inner, &normal);
}


bool adapter_back(const AdapterCall *c, const Matrix *dout,
                  const Matrix *dy) {
  const Adapter *a = c->adapter;
  const Matrix *dinner = &c->dinner;
  Activate act = { ACT_GELU, c->kept->inner, NULL, &c->inner, dinner };
  DropForward drop = { dy, NULL, c->dropout, NULL };
  Finish active = activate_finish(&act), dropped = drop_finish(&drop);
  linear_back_input(&a->up, c->arithmetic, dinner->values, false, dout,
                    &active);
  if (!linear_back(&a->up, c->arithmetic, dout, &c->inner)) return false;
  matrix_round_all(&c->input);
  if (!linear_back(&a->down, c->arithmetic, dinner, &c->input)) return false;
  linear_back_input(&a->down, c->arithmetic, dy->values, true, dinner,
                    &dropped);
  return true;
}
