/*
** lunula.tensor: making tensors, looking into them, gradients. The ops on
** them are in lops.c. See ltensor.h for the conventions.
*/
#include "lunula.h"
#include "ltensor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lstate.h"
#include "../tensor/checksum.h"
#include "../tensor/row_gradient.h"


/* what a tensor takes beside its elements: of many small ones it is the most */
enum { TENSOR_COST = sizeof(Tensor) + sizeof(Storage) + sizeof(Node) };


/* {======== for the other binding files ======== */

int ltensor_error(lua_State *L, const char *format, ...) {
  char message[ERROR_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  lua_pushstring(L, message);
  return lua_error(L);
}


Tensor **ltensor_slot(lua_State *L) {
  Tensor **slot = (Tensor **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, TENSOR);
  return slot;
}


int ltensor_done(lua_State *L, Tensor **slot) {
  if (*slot == NULL) return luaL_error(L, "not enough memory");
  Storage *s = (*slot)->storage;
  bool told = __atomic_exchange_n(&s->told, true, __ATOMIC_RELAXED);
  lstate_pressure(L, TENSOR_COST + (told ? 0 : s->bytes));
  return 1;
}


Tensor *ltensor_testhandle(lua_State *L, int arg) {
  Tensor **slot = (Tensor **)luaL_testudata(L, arg, TENSOR);
  return slot ? *slot : NULL;
}


Tensor *ltensor_test(lua_State *L, int arg) {
  Tensor *t = ltensor_testhandle(L, arg);
  if (t != NULL) tensor_settle(t);
  return t;
}


Tensor *ltensor_checkhandle(lua_State *L, int arg) {
  Tensor **slot = (Tensor **)luaL_checkudata(L, arg, TENSOR);
  luaL_argcheck(L, *slot != NULL, arg, "tensor was never made");
  return *slot;
}


Tensor *ltensor_check(lua_State *L, int arg) {
  Tensor *t = ltensor_checkhandle(L, arg);
  tensor_settle(t);
  return t;
}


Tensor *ltensor_checktype(lua_State *L, int arg, DType d) {
  Tensor *t = ltensor_check(L, arg);
  if (t->dtype != d)
    luaL_argerror(L, arg, lua_pushfstring(L, "expected a %s tensor, got %s",
                                          dtype_name(d),
                                          dtype_name(t->dtype)));
  return t;
}


Shape ltensor_checksizes(lua_State *L, int arg, int least) {
  Shape s = { .ndim = 0 };
  luaL_checktype(L, arg, LUA_TTABLE);
  size_t n = lua_rawlen(L, arg);
  luaL_argcheck(L, n <= TENSOR_DIMS, arg, "at most 8 dimensions");
  for (s.ndim = 0; s.ndim < (int)n; s.ndim++) {
    lua_rawgeti(L, arg, s.ndim + 1);
    int64_t size = 0;
    if (!compat_toint64(L, -1, &size) || size < least)
      luaL_argerror(L, arg, lua_pushfstring(L, "a shape is a table of sizes, "
                                            "integers of at least %d",
                                            least));
    s.size[s.ndim] = size;
    lua_pop(L, 1);
  }
  return s;
}


Shape ltensor_checkshape(lua_State *L, int arg) {
  Shape s = ltensor_checksizes(L, arg, 0);
  luaL_argcheck(L, shape_valid(&s), arg, "more elements than fit in memory");
  return s;
}


void ltensor_pushshape(lua_State *L, const Shape *s) {
  lua_createtable(L, s->ndim, 0);
  for (int i = 0; i < s->ndim; i++) {
    lua_pushinteger(L, (lua_Integer)s->size[i]);
    lua_rawseti(L, -2, i + 1);
  }
}


DType ltensor_optdtype(lua_State *L, int arg, DType otherwise) {
  static const char *const names[] = { "float32", "int32", "int64", NULL };
  return (DType)luaL_checkoption(L, arg, names[otherwise], names);
}


int ltensor_checkdim(lua_State *L, int arg, const Tensor *t) {
  lua_Integer d = luaL_checkinteger(L, arg);
  int n = t->shape.ndim;
  if (d == 0 || d > n || d < -n)
    ltensor_error(L, "dimension %" PRId64 " of a tensor that has %d",
                  (int64_t)d, n);
  return (int)(d > 0 ? d - 1 : n + d);
}

/* }======== */


/* {======== from and to tables ======== */

/* the number on top as element i */
static void store(lua_State *L, Tensor *t, int64_t i) {
  int64_t x = 0;
  if (t->dtype == FLOAT32) {
    tensor_f32(t)[i] = (float)lua_tonumber(L, -1);
    return;
  }
  bool fits = compat_toint64(L, -1, &x) &&
              (t->dtype == INT64 || (INT32_MIN <= x && x <= INT32_MAX));
  if (!fits)
    ltensor_error(L, "%.14g is no %s", lua_tonumber(L, -1),
                  dtype_name(t->dtype));
  if (t->dtype == INT32) tensor_i32(t)[i] = (int32_t)x;
  else tensor_i64(t)[i] = x;
}


static void push_element(lua_State *L, const Tensor *t, int64_t i) {
  switch (t->dtype) {
    case FLOAT32: lua_pushnumber(L, tensor_f32(t)[i]); break;
    case INT32: lua_pushinteger(L, tensor_i32(t)[i]); break;
    case INT64: lua_pushinteger(L, (lua_Integer)tensor_i64(t)[i]); break;
  }
}


/* the shape of the nested table on top, judged by its first elements */
static Shape table_shape(lua_State *L) {
  Shape s = { .ndim = 0 };
  int top = lua_gettop(L);
  lua_pushvalue(L, top);
  while (lua_istable(L, -1)) {
    if (s.ndim == TENSOR_DIMS)
      luaL_error(L, "tensor.from: at most 8 dimensions");
    s.size[s.ndim++] = (int64_t)lua_rawlen(L, -1);
    luaL_checkstack(L, 2, "tensor.from");
    lua_rawgeti(L, -1, 1);
  }
  lua_settop(L, top);
  return s;
}


/* copies the nested table on top into t from element *at on */
static void fill_from(lua_State *L, Tensor *t, int dim, int64_t *at) {
  if (dim == t->shape.ndim) {
    if (!lua_isnumber(L, -1))
      luaL_error(L, "tensor.from: expected a number, got %s",
                 luaL_typename(L, -1));
    store(L, t, (*at)++);
    return;
  }
  int64_t size = t->shape.size[dim];
  if (!lua_istable(L, -1) || (int64_t)lua_rawlen(L, -1) != size)
    ltensor_error(L, "tensor.from: rows differ: dimension %d has a row of "
                  "another length than the first, which has %" PRId64,
                  dim + 1, size);
  for (int64_t i = 0; i < size; i++) {
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    fill_from(L, t, dim + 1, at);
    lua_pop(L, 1);
  }
}


/* from(numbers [, dtype]): a tensor of a number or of nested tables */
static int l_from(lua_State *L) {
  DType d = ltensor_optdtype(L, 2, FLOAT32);
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  luaL_checkstack(L, TENSOR_DIMS + 4, "tensor.from");
  Shape s = table_shape(L);
  Tensor **out = ltensor_slot(L);
  *out = tensor_new(d, &s);
  ltensor_done(L, out);
  int64_t at = 0;
  lua_pushvalue(L, 1);
  fill_from(L, *out, 0, &at);
  lua_pop(L, 1);
  return 1;
}


static void push_table(lua_State *L, const Tensor *t, int dim, int64_t *at) {
  if (dim == t->shape.ndim) {
    push_element(L, t, (*at)++);
    return;
  }
  lua_createtable(L, (int)t->shape.size[dim], 0);
  for (int64_t i = 0; i < t->shape.size[dim]; i++) {
    push_table(L, t, dim + 1, at);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}


/* pushes a contiguous tensor that Lua owns, with t's elements */
static const Tensor *push_contiguous(lua_State *L, Tensor *t) {
  Tensor **rows = ltensor_slot(L);
  *rows = tensor_contiguous(t);
  ltensor_done(L, rows);
  return *rows;
}


/* how many tables and numbers hold a tensor is bounded by its size only when
   it has elements */
static void check_tables(lua_State *L, const Shape *s) {
  int64_t n = 1;
  for (int i = 0; i < s->ndim && n <= INT32_MAX; i++)
    n *= s->size[i] > 0 ? s->size[i] : 1;
  if (n > INT32_MAX) luaL_error(L, "totable: too large for a table");
}


static int m_totable(lua_State *L) {
  const Tensor *t = push_contiguous(L, ltensor_check(L, 1));
  int64_t at = 0;
  check_tables(L, &t->shape);
  luaL_checkstack(L, TENSOR_DIMS + 2, "totable");
  push_table(L, t, 0, &at);
  return 1;
}


static int m_item(lua_State *L) {
  Tensor *t = ltensor_check(L, 1);
  if (tensor_count(t) != 1)
    return ltensor_error(L, "item: expected one element, the tensor has %"
                         PRId64, tensor_count(t));
  push_element(L, t, 0);
  return 1;
}

/* }======== */


/* {======== making ======== */

/* the first element over all the others */
static void spread(Tensor *t) {
  int64_t n = tensor_count(t);
  for (int64_t i = 1; i < n; i++)
    switch (t->dtype) {
      case FLOAT32: tensor_f32(t)[i] = *tensor_f32(t); break;
      case INT32: tensor_i32(t)[i] = *tensor_i32(t); break;
      case INT64: tensor_i64(t)[i] = *tensor_i64(t); break;
    }
}


/* (shape, x [, dtype]) */
static int push_filled(lua_State *L) {
  Shape s = ltensor_checkshape(L, 1);
  DType d = ltensor_optdtype(L, 3, FLOAT32);
  Tensor **out = ltensor_slot(L);
  *out = tensor_new(d, &s);
  ltensor_done(L, out);
  lua_pushvalue(L, 2);
  if (tensor_count(*out) > 0) store(L, *out, 0);
  lua_pop(L, 1);
  spread(*out);
  return 1;
}


/* (shape [, dtype]) */
static int push_all(lua_State *L, int x) {
  lua_settop(L, 2);
  lua_pushinteger(L, x);
  lua_insert(L, 2);
  return push_filled(L);
}


static int l_zeros(lua_State *L) {
  return push_all(L, 0);
}


static int l_ones(lua_State *L) {
  return push_all(L, 1);
}


/* full(shape, x [, dtype]) */
static int l_full(lua_State *L) {
  luaL_checknumber(L, 2);
  return push_filled(L);
}

/* }======== */


/* {======== asking ======== */

static int m_shape(lua_State *L) {
  ltensor_pushshape(L, &ltensor_checkhandle(L, 1)->shape);
  return 1;
}


static int m_dtype(lua_State *L) {
  lua_pushstring(L, dtype_name(ltensor_checkhandle(L, 1)->dtype));
  return 1;
}


static int m_is_contiguous(lua_State *L) {
  lua_pushboolean(L, tensor_is_contiguous(ltensor_checkhandle(L, 1)));
  return 1;
}


static int mm_len(lua_State *L) {
  Tensor *t = ltensor_checkhandle(L, 1);
  if (t->shape.ndim == 0) return luaL_error(L, "a scalar has no length");
  lua_pushinteger(L, (lua_Integer)t->shape.size[0]);
  return 1;
}


enum { SHOWN = 6 };  /* elements of a dimension that tostring shows */

static void add_values(luaL_Buffer *b, const Tensor *t, int dim,
                       int64_t at) {
  char text[64];
  if (dim == t->shape.ndim) {
    if (t->dtype == FLOAT32)
      snprintf(text, sizeof text, "%.4g", (double)tensor_f32(t)[at]);
    else
      snprintf(text, sizeof text, "%" PRId64, t->dtype == INT32
               ? (int64_t)tensor_i32(t)[at] : tensor_i64(t)[at]);
    luaL_addstring(b, text);
    return;
  }
  luaL_addchar(b, '{');
  for (int64_t i = 0; i < t->shape.size[dim]; i++) {
    if (i > 0) luaL_addstring(b, ", ");
    if (i == SHOWN) {
      luaL_addstring(b, "...");
      break;
    }
    add_values(b, t, dim + 1, at + i * t->stride[dim]);
  }
  luaL_addchar(b, '}');
}


/* tensor float32 [2, 3] {{1, 2, 3}, {4, 5, 6}} */
static int mm_tostring(lua_State *L) {
  Tensor *t = ltensor_check(L, 1);
  char shape[SHAPE_TEXT];
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "tensor ");
  luaL_addstring(&b, dtype_name(t->dtype));
  luaL_addchar(&b, ' ');
  luaL_addstring(&b, shape_text(&t->shape, shape));
  luaL_addchar(&b, ' ');
  add_values(&b, t, 0, 0);
  luaL_pushresult(&b);
  return 1;
}


static int mm_gc(lua_State *L) {
  Tensor **slot = (Tensor **)luaL_checkudata(L, 1, TENSOR);
  tensor_release(*slot);
  *slot = NULL;
  return 0;
}

/* }======== */


/* {======== gradients, writing in place ======== */

/* requires_grad() asks, requires_grad(on) sets and returns the tensor */
static int m_requires_grad(lua_State *L) {
  Tensor *t = ltensor_checkhandle(L, 1);
  if (lua_isnoneornil(L, 2)) {
    lua_pushboolean(L, t->requires_grad || t->node != NULL);
    return 1;
  }
  luaL_argcheck(L, t->dtype == FLOAT32, 1,
                "only a float32 tensor can have a gradient");
  luaL_argcheck(L, t->node == NULL, 1,
                "is the result of an op; detach() it first");
  t->requires_grad = lua_toboolean(L, 2);
  lua_settop(L, 1);
  return 1;
}


static int m_grad(lua_State *L) {
  Tensor *t = ltensor_checkhandle(L, 1);
  Tensor **out = ltensor_slot(L);
  if (!tensor_has_gradient(t)) {
    lua_pushnil(L);
    return 1;
  }
  const Tensor *grad = tensor_gradient(t);
  *out = grad ? tensor_alias(grad) : NULL;
  return ltensor_done(L, out);
}


static int m_zero_grad(lua_State *L) {
  Tensor *t = ltensor_checkhandle(L, 1);
  tensor_release(t->grad);
  row_gradient_free(t->grad_rows);
  t->grad = NULL;
  t->grad_stale = false;
  t->grad_rows = NULL;
  lua_settop(L, 1);
  return 1;
}


/* backward([seed]) */
static int m_backward(lua_State *L) {
  Tensor *t = ltensor_checktype(L, 1, FLOAT32);
  Tensor *seed = lua_isnoneornil(L, 2) ? NULL
               : ltensor_checktype(L, 2, FLOAT32);
  if (!t->requires_grad && t->node == NULL)
    return luaL_error(L, "backward: nothing here wants a gradient: call "
                      "requires_grad(true) on a leaf, outside no_grad");
  if (seed == NULL && tensor_count(t) != 1)
    return ltensor_error(L, "backward: a tensor of %" PRId64 " elements "
                         "needs a seed of its shape", tensor_count(t));
  if (seed != NULL && !shape_equal(&seed->shape, &t->shape))
    return luaL_argerror(L, 2, "the seed must have the tensor's shape");
  Error e;
  if (!tape_backward(lstate_tape(L), t, seed, &e))
    return luaL_error(L, "%s", e.message);
  return 0;
}


static int m_detach(lua_State *L) {
  Tensor *t = ltensor_check(L, 1);
  Tensor **out = ltensor_slot(L);
  *out = tensor_alias(t);
  return ltensor_done(L, out);
}


/* What is written over the tensor at 1: a tensor at 2 of its dtype and shape,
   or a copy of it where they share memory. It is left on the stack. */
static const Tensor *check_source(lua_State *L, const char *method) {
  Tensor *t = ltensor_check(L, 1);
  Tensor *from = ltensor_checktype(L, 2, t->dtype);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (t->node != NULL)
    luaL_error(L, "%s: only a leaf is written in place", method);
  if (!shape_equal(&t->shape, &from->shape))
    luaL_error(L, "%s: the tensor is %s, the other is %s", method,
               shape_text(&t->shape, a), shape_text(&from->shape, b));
  bool overlaps = t->storage == from->storage;
  Tensor **source = ltensor_slot(L);
  *source = overlaps ? tensor_copied(from) : tensor_alias(from);
  ltensor_done(L, source);
  return *source;
}


/* copy(from): writes from's elements over the tensor's own, in place */
static int m_copy(lua_State *L) {
  Tensor *t = ltensor_check(L, 1);
  tensor_copy(t, check_source(L, "copy"));
  tensor_touch(t);
  lua_settop(L, 1);
  return 1;
}


/* lerp_to(other, weight): moves the elements towards other's, in place */
static int m_lerp_to(lua_State *L) {
  Tensor *t = ltensor_checktype(L, 1, FLOAT32);
  double weight = luaL_checknumber(L, 3);
  luaL_argcheck(L, 0 <= weight && weight <= 1, 3, "a weight from 0 to 1");
  tensor_lerp(t, check_source(L, "lerp_to"), (float)weight);
  tensor_touch(t);
  lua_settop(L, 1);
  return 1;
}


/* 16 hexadecimal digits of what it holds */
static int m_checksum(lua_State *L) {
  uint64_t sum;
  char text[17];
  if (!tensor_checksum(ltensor_check(L, 1), &sum))
    return luaL_error(L, "checksum: no memory");
  snprintf(text, sizeof text, "%016" PRIx64, sum);
  lua_pushstring(L, text);
  return 1;
}

/* }======== */


static const luaL_Reg functions[] = {
  {"from", l_from},
  {"zeros", l_zeros},
  {"ones", l_ones},
  {"full", l_full},
  {NULL, NULL}
};

/* version(): a number that changes when elements are written in place */
static int m_version(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ltensor_checkhandle(L, 1)->storage->version);
  return 1;
}


static const luaL_Reg meth[] = {
  {"version", m_version},
  {"totable", m_totable},
  {"item", m_item},
  {"shape", m_shape},
  {"dtype", m_dtype},
  {"is_contiguous", m_is_contiguous},
  {"requires_grad", m_requires_grad},
  {"grad", m_grad},
  {"zero_grad", m_zero_grad},
  {"backward", m_backward},
  {"detach", m_detach},
  {"copy", m_copy},
  {"checksum", m_checksum},
  {"lerp_to", m_lerp_to},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__len", mm_len},
  {"__tostring", mm_tostring},
  {"__gc", mm_gc},
  {NULL, NULL}
};


int tensor_open(lua_State *L) {
  compat_newtype(L, TENSOR, meth, metameth);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
