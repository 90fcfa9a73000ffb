/*
** The ops on numbers as Lua values: arithmetic, functions, reductions,
** products. Ops that are called alike are rows of one table with one checker;
** their number is an upvalue.
*/
#include "lunula.h"
#include "lops.h"

#include <inttypes.h>

#include "../tensor/op.h"


/* {======== for the other files of ops ======== */

Tensor *lops_checkfloat(lua_State *L, int arg) {
  return ltensor_checktype(L, arg, FLOAT32);
}


float lops_checkprobability(lua_State *L, int arg) {
  double p = luaL_checknumber(L, arg);
  luaL_argcheck(L, 0 <= p && (float)p < 1, arg,
                "a probability of at least 0 and below 1");
  return (float)p;
}


Tensor *lops_checkids(lua_State *L, int arg, const char *op, int64_t n,
                      const int64_t *also) {
  Tensor *ids = ltensor_check(L, arg);
  int64_t bad;
  if (ids->dtype == FLOAT32)
    luaL_argerror(L, arg, "expected an int32 or int64 tensor, got float32");
  if (!ids_within(ids, n, also, &bad))
    ltensor_error(L, "%s: index %" PRId64 " is not in 0 .. %" PRId64, op, bad,
                  n - 1);
  return ids;
}

/* }======== */


static int upvalue(lua_State *L) {
  return (int)lua_tointeger(L, lua_upvalueindex(1));
}


/* {======== one tensor ======== */

enum { NEG };  /* the row that unary minus uses */

static const struct Unary {
  const char *name;
  Tensor *(*op)(Tape *, Tensor *);
} UNARY[] = {
  [NEG] = {"neg", op_neg}, {"exp", op_exp}, {"log", op_log}, {"sqrt", op_sqrt},
  {"tanh", op_tanh}, {"relu", op_relu}, {"gelu", op_gelu},
  {"sigmoid", op_sigmoid},
  {NULL, NULL}
};


static int unary(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  LOPS_RETURN(L, UNARY[upvalue(L)].op(lstate_tape(L), x));
}

/* }======== */


/* {======== two tensors, or one and a number ======== */

static const struct Binary {
  const char *name, *event;
  Tensor *(*op)(Tape *, Tensor *, Tensor *);
} BINARY[] = {
  {"add", "__add", op_add}, {"sub", "__sub", op_sub},
  {"mul", "__mul", op_mul}, {"div", "__div", op_div},
  {NULL, NULL, NULL}
};


/* a FLOAT32 tensor; a number becomes one, in its place on the stack */
static Tensor *check_operand(lua_State *L, int arg) {
  if (lua_type(L, arg) == LUA_TNUMBER) {
    Shape s = shape_of(0);
    Tensor **number = ltensor_slot(L);
    *number = tensor_new(FLOAT32, &s);
    ltensor_done(L, number);
    *tensor_f32(*number) = (float)lua_tonumber(L, arg);
    lua_replace(L, arg);
  }
  return lops_checkfloat(L, arg);
}


static int binary(lua_State *L) {
  const struct Binary *f = &BINARY[upvalue(L)];
  lua_settop(L, 2);
  Tensor *a = check_operand(L, 1), *b = check_operand(L, 2);
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  Shape s;
  if (!shape_broadcast(&a->shape, &b->shape, &s))
    return ltensor_error(L, "%s: %s and %s don't broadcast", f->name,
                         shape_text(&a->shape, x), shape_text(&b->shape, y));
  LOPS_RETURN(L, f->op(lstate_tape(L), a, b));
}


/* raises why a product can't be */
static int matmul_error(lua_State *L, const Shape *p, const Shape *q) {
  char x[SHAPE_TEXT], y[SHAPE_TEXT];
  Shape s;
  shape_text(p, x);
  shape_text(q, y);
  if (matmul_shape(p, q, &s))
    return ltensor_error(L, "matmul: %s by %s: more than %" PRId32 " rows or "
                         "columns", x, y, INT32_MAX);
  if (p->ndim == 0 || q->ndim == 0)
    return ltensor_error(L, "matmul: %s by %s: a scalar is no matrix", x, y);
  int64_t columns = p->size[p->ndim - 1];
  int64_t rows = q->size[q->ndim > 1 ? q->ndim - 2 : 0];
  if (columns != rows)
    return ltensor_error(L, "matmul: %s by %s: %" PRId64 " columns and %" PRId64
                         " rows must be equal", x, y, columns, rows);
  return ltensor_error(L, "matmul: %s by %s: the dimensions in front don't "
                       "broadcast", x, y);
}


static int m_matmul(lua_State *L) {
  Tensor *a = lops_checkfloat(L, 1), *b = lops_checkfloat(L, 2);
  Shape s;
  if (!matmul_shape(&a->shape, &b->shape, &s) ||
      !matmul_small(&a->shape, &b->shape))
    return matmul_error(L, &a->shape, &b->shape);
  LOPS_RETURN(L, op_matmul(lstate_tape(L), a, b));
}

/* }======== */


/* {======== over a dimension, or all ======== */

static const struct Reduction {
  const char *name;
  Tensor *(*op)(Tape *, Tensor *, int, bool);
} REDUCTION[] = {
  {"sum", op_sum}, {"mean", op_mean},
  {NULL, NULL}
};


/* no dimension: all of them */
static int opt_dim(lua_State *L, int arg, const Tensor *t) {
  return lua_isnoneornil(L, arg) ? ALL_DIMS : ltensor_checkdim(L, arg, t);
}


/* x:sum([dim [, keepdim]]) */
static int reduction(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  int dim = opt_dim(L, 2, x);
  bool keep = lua_toboolean(L, 3);
  LOPS_RETURN(L, REDUCTION[upvalue(L)].op(lstate_tape(L), x, dim, keep));
}


/* x:max([dim [, keepdim]]): the values; with a dimension also the indices */
static int m_max(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  int dim = opt_dim(L, 2, x);
  bool keep = lua_toboolean(L, 3);
  char text[SHAPE_TEXT];
  if (shape_around(&x->shape, dim).size == 0)
    return ltensor_error(L, "max: nothing to choose from in %s",
                         shape_text(&x->shape, text));
  Tensor **out = ltensor_slot(L), **at = ltensor_slot(L);
  *out = op_max(lstate_tape(L), x, dim, keep, at);
  ltensor_done(L, at);
  ltensor_done(L, out);
  if (dim == ALL_DIMS) lua_pop(L, 1);
  return dim == ALL_DIMS ? 1 : 2;
}

/* x:topk(k [, dim]): the k largest of a dimension, the last when none is
   named, and their indices */
static int m_topk(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  luaL_argcheck(L, x->shape.ndim > 0, 1, "a scalar has no dimension");
  int64_t k = luaL_checkinteger(L, 2);
  int dim = lua_isnoneornil(L, 3) ? x->shape.ndim - 1
                                  : ltensor_checkdim(L, 3, x);
  char text[SHAPE_TEXT];
  if (k < 0 || k > x->shape.size[dim])
    return ltensor_error(L, "topk: %" PRId64 " of dimension %d of %s", k,
                         dim + 1, shape_text(&x->shape, text));
  Tensor **out = ltensor_slot(L), **at = ltensor_slot(L);
  *out = op_topk(lstate_tape(L), x, dim, k, at);
  ltensor_done(L, at);
  ltensor_done(L, out);
  return 2;
}

/* }======== */


/* {======== along a dimension ======== */

static const struct Along {
  const char *name;
  Tensor *(*op)(Tape *, Tensor *, int);
} ALONG[] = {
  {"softmax", op_softmax}, {"log_softmax", op_log_softmax},
  {NULL, NULL}
};


/* x:softmax(dim) */
static int along(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  int dim = ltensor_checkdim(L, 2, x);
  LOPS_RETURN(L, ALONG[upvalue(L)].op(lstate_tape(L), x, dim));
}


/* a FLOAT32 vector of `size` numbers */
static Tensor *check_vector(lua_State *L, int arg, int64_t size) {
  Tensor *v = lops_checkfloat(L, arg);
  char text[SHAPE_TEXT];
  if (v->shape.ndim != 1 || v->shape.size[0] != size)
    ltensor_error(L, "expected [%" PRId64 "], got %s", size,
                  shape_text(&v->shape, text));
  return v;
}


/* x:layer_norm(weight, bias [, eps]) */
static int m_layer_norm(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  luaL_argcheck(L, x->shape.ndim > 0, 1, "a scalar has no last dimension");
  int64_t size = x->shape.size[x->shape.ndim - 1];
  Tensor *weight = check_vector(L, 2, size), *bias = check_vector(L, 3, size);
  double eps = luaL_optnumber(L, 4, 1e-5);
  luaL_argcheck(L, eps >= 0, 4, "eps must not be negative");
  LOPS_RETURN(L, op_layer_norm(lstate_tape(L), x, weight, bias, (float)eps));
}

/* }======== */


/* {======== random ======== */

/* the stream of three integers: [seed [, purpose [, position]]] */
static Rng opt_rng(lua_State *L, int arg) {
  lua_Integer seed = luaL_optinteger(L, arg, 0);
  lua_Integer purpose = luaL_optinteger(L, arg + 1, 0);
  lua_Integer at = luaL_optinteger(L, arg + 2, 0);
  luaL_argcheck(L, 0 <= purpose && purpose <= UINT32_MAX, arg + 1,
                "purpose must fit in 32 bits");
  luaL_argcheck(L, at >= 0, arg + 2, "position must not be negative");
  Rng rng = rng_new((uint64_t)seed, (uint32_t)purpose);
  rng.at = (uint64_t)at;
  return rng;
}


/* x:dropout(p [, seed [, purpose [, position]]]) */
static int m_dropout(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1);
  float p = lops_checkprobability(L, 2);
  Rng rng = opt_rng(L, 3);
  LOPS_RETURN(L, op_dropout(lstate_tape(L), x, p, rng));
}


/* x:mixout(base, p [, seed [, purpose [, position]]]) */
static int m_mixout(lua_State *L) {
  Tensor *x = lops_checkfloat(L, 1), *base = lops_checkfloat(L, 2);
  float p = lops_checkprobability(L, 3);
  Rng rng = opt_rng(L, 4);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!shape_equal(&x->shape, &base->shape))
    return ltensor_error(L, "mixout: the tensor is %s, its base %s",
                         shape_text(&x->shape, a),
                         shape_text(&base->shape, b));
  LOPS_RETURN(L, op_mixout(lstate_tape(L), x, base, p, rng));
}


/* shape, two numbers, and a stream */
static int filled(lua_State *L, double a, double b,
                  Tensor *(*op)(const Shape *, double, double, Rng)) {
  Shape s = ltensor_checkshape(L, 1);
  a = luaL_optnumber(L, 2, a);
  b = luaL_optnumber(L, 3, b);
  Rng rng = opt_rng(L, 4);
  LOPS_RETURN(L, op(&s, a, b, rng));
}


/* normal(shape [, mean [, std [, seed [, purpose [, position]]]]]) */
static int l_normal(lua_State *L) {
  return filled(L, 0, 1, op_normal);
}


/* uniform(shape [, low [, high [, ...]]]) */
static int l_uniform(lua_State *L) {
  return filled(L, 0, 1, op_uniform);
}

/* }======== */


static const luaL_Reg methods[] = {
  {"matmul", m_matmul},
  {"max", m_max},
  {"topk", m_topk},
  {"layer_norm", m_layer_norm},
  {"dropout", m_dropout},
  {"mixout", m_mixout},
  {NULL, NULL}
};

static const luaL_Reg functions[] = {
  {"normal", l_normal},
  {"uniform", l_uniform},
  {NULL, NULL}
};


/* sets field `name` of the table on top to f, as number i of its kind */
static void set_kind(lua_State *L, const char *name, lua_CFunction f, int i) {
  lua_pushinteger(L, i);
  lua_pushcclosure(L, f, 1);
  lua_setfield(L, -2, name);
}


/* the table of methods is on top */
static void add_methods(lua_State *L) {
  for (int i = 0; UNARY[i].name; i++) set_kind(L, UNARY[i].name, unary, i);
  for (int i = 0; BINARY[i].name; i++) set_kind(L, BINARY[i].name, binary, i);
  for (int i = 0; REDUCTION[i].name; i++)
    set_kind(L, REDUCTION[i].name, reduction, i);
  for (int i = 0; ALONG[i].name; i++) set_kind(L, ALONG[i].name, along, i);
  luaL_setfuncs(L, methods, 0);
  luaL_setfuncs(L, lops_shape_methods, 0);
}


/* the metatable is on top */
static void add_operators(lua_State *L) {
  for (int i = 0; BINARY[i].name; i++)
    set_kind(L, BINARY[i].event, binary, i);
  set_kind(L, "__unm", unary, NEG);
}


int ops_open(lua_State *L) {
  luaL_getmetatable(L, TENSOR);
  add_operators(L);
  lua_getfield(L, -1, "__index");
  add_methods(L);
  lua_pop(L, 2);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  luaL_setfuncs(L, lops_shape_functions, 0);
  luaL_setfuncs(L, lops_loss_functions, 0);
  return 1;
}
