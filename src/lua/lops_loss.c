/*
** Losses as Lua values. nn.lua is their friendlier face.
*/
#include "lunula.h"
#include "lops.h"

#include <inttypes.h>

#include "../tensor/op.h"


/* nil, or a FLOAT32 tensor that the loss treats as a constant */
static Tensor *opt_constant(lua_State *L, int arg) {
  if (lua_isnoneornil(L, arg)) return NULL;
  Tensor *t = lops_checkfloat(L, arg);
  luaL_argcheck(L, !tape_wants(lstate_tape(L), t), arg,
                "is a constant here, but wants a gradient: detach() it");
  return t;
}


static void check_same_shape(lua_State *L, const char *op, const Tensor *a,
                             const Tensor *b) {
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  if (!shape_equal(&a->shape, &b->shape))
    ltensor_error(L, "%s: %s and %s must be of one shape", op,
                  shape_text(&a->shape, x), shape_text(&b->shape, y));
}


/* nil, or a weight for each of the classes */
static Tensor *opt_class_weight(lua_State *L, int arg, int64_t classes) {
  Tensor *w = opt_constant(L, arg);
  char text[SHAPE_TEXT];
  if (w != NULL && (w->shape.ndim != 1 || w->shape.size[0] != classes))
    ltensor_error(L, "cross_entropy: weight is %s, but there are %" PRId64
                  " classes", shape_text(&w->shape, text), classes);
  return w;
}


/* cross_entropy(logits, classes [, weight [, label_smoothing
   [, ignore_index]]]) */
static int l_cross_entropy(lua_State *L) {
  enum { IGNORED = -100 };  /* PyTorch's default */
  lua_settop(L, 5);
  Tensor **out = ltensor_slot(L);
  Tensor *logits = lops_checkfloat(L, 1);
  CrossEntropy how = { .ignore_index = luaL_optinteger(L, 5, IGNORED) };
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  luaL_argcheck(L, logits->shape.ndim == 2, 1, "expected logits [n, C]");
  int64_t rows = logits->shape.size[0], classes = logits->shape.size[1];
  Tensor *ids = lops_checkids(L, 2, "cross_entropy", classes,
                              &how.ignore_index);
  if (ids->shape.ndim != 1 || ids->shape.size[0] != rows)
    return ltensor_error(L, "cross_entropy: logits %s need %" PRId64
                         " classes, got %s", shape_text(&logits->shape, x),
                         rows, shape_text(&ids->shape, y));
  how.weight = opt_class_weight(L, 3, classes);
  double smoothing = luaL_optnumber(L, 4, 0);
  luaL_argcheck(L, 0 <= smoothing && smoothing <= 1, 4,
                "label_smoothing must be between 0 and 1");
  how.label_smoothing = (float)smoothing;
  *out = op_cross_entropy(lstate_tape(L), logits, ids, &how);
  return ltensor_done(L, out);
}


/* linear_cross_entropy(x, weight, bias, classes) */
static int l_linear_cross_entropy(lua_State *L) {
  static const char name[] = "linear_cross_entropy";
  Tensor *x = lops_checkfloat(L, 1), *w = lops_checkfloat(L, 2);
  Tensor *b = lops_checkfloat(L, 3);
  char s[SHAPE_TEXT], t[SHAPE_TEXT], u[SHAPE_TEXT];
  bool fits = x->shape.ndim == 2 && w->shape.ndim == 2 &&
              b->shape.ndim == 1 &&
              x->shape.size[1] == w->shape.size[1] &&
              w->shape.size[0] == b->shape.size[0] && w->shape.size[0] > 0;
  if (!fits)
    return ltensor_error(L, "%s: expected [n, H], [C, H] and [C], got %s, %s "
                         "and %s", name, shape_text(&x->shape, s),
                         shape_text(&w->shape, t), shape_text(&b->shape, u));
  Shape columns = shape_of(2, w->shape.size[1], w->shape.size[0]);
  if (!matmul_small(&x->shape, &columns))
    return ltensor_error(L, "%s: more rows or columns than BLAS counts", name);
  Tensor *ids = lops_checkids(L, 4, name, w->shape.size[0], NULL);
  if (ids->shape.ndim != 1 || ids->shape.size[0] != x->shape.size[0])
    return ltensor_error(L, "%s: %s needs as many classes, got %s", name,
                         shape_text(&x->shape, s),
                         shape_text(&ids->shape, t));
  LOPS_RETURN(L, op_linear_cross_entropy(lstate_tape(L), x, w, b, ids));
}


/* mse(a, b) */
static int l_mse(lua_State *L) {
  Tensor *a = lops_checkfloat(L, 1), *b = lops_checkfloat(L, 2);
  check_same_shape(L, "mse", a, b);
  LOPS_RETURN(L, op_mse(lstate_tape(L), a, b));
}


/* binary_cross_entropy_with_logits(logits, targets [, pos_weight]) */
static int l_binary_cross_entropy(lua_State *L) {
  static const char name[] = "binary_cross_entropy_with_logits";
  Tensor *x = lops_checkfloat(L, 1);
  Tensor *y = opt_constant(L, 2), *w = opt_constant(L, 3);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  Shape s;
  luaL_argcheck(L, y != NULL, 2, "expected targets");
  check_same_shape(L, name, x, y);
  if (w != NULL && !(shape_broadcast(&x->shape, &w->shape, &s) &&
                     shape_equal(&s, &x->shape)))
    return ltensor_error(L, "%s: pos_weight %s does not broadcast to %s", name,
                         shape_text(&w->shape, a), shape_text(&x->shape, b));
  LOPS_RETURN(L, op_binary_cross_entropy(lstate_tape(L), x, y, w));
}


const luaL_Reg lops_loss_functions[] = {
  {"cross_entropy", l_cross_entropy},
  {"linear_cross_entropy", l_linear_cross_entropy},
  {"mse", l_mse},
  {"binary_cross_entropy_with_logits", l_binary_cross_entropy},
  {NULL, NULL}
};
