/*
** Ops that move elements, as Lua values: views, joining, picking by number.
*/
#include "lunula.h"
#include "lops.h"

#include <inttypes.h>

#include "../tensor/op.h"


/* {======== views ======== */

/* x:transpose(a, b) */
static int m_transpose(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  int a = ltensor_checkdim(L, 2, x), b = ltensor_checkdim(L, 3, x);
  LOPS_RETURN(L, op_transpose(lstate_tape(L), x, a, b));
}


/* x:reshape{2, -1}: one size may be -1, which reshape_shape works out */
static int m_reshape(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  Shape asked = ltensor_checksizes(L, 2, -1), s = asked;
  char from[SHAPE_TEXT], to[SHAPE_TEXT];
  if (!reshape_shape(&x->shape, &s))
    return ltensor_error(L, "reshape: %s has %" PRId64 " elements, which do "
                         "not fill %s", shape_text(&x->shape, from),
                         tensor_count(x), shape_text(&asked, to));
  LOPS_RETURN(L, op_reshape(lstate_tape(L), x, &s));
}


/* a position among n, counted from the end when negative */
static int64_t from_front(lua_Integer at, int64_t n) {
  if (at >= 0) return at;
  return at < -n ? 0 : n + at + 1;
}


/* x:slice(dim, first [, last]), inclusive, cut like string.sub */
static int m_slice(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  int dim = ltensor_checkdim(L, 2, x);
  int64_t n = x->shape.size[dim];
  int64_t first = from_front(luaL_checkinteger(L, 3), n);
  int64_t last = from_front(luaL_optinteger(L, 4, -1), n);
  if (first < 1) first = 1;
  if (last > n) last = n;
  int64_t count = last < first ? 0 : last - first + 1;
  LOPS_RETURN(L, op_slice(lstate_tape(L), x, dim, count ? first - 1 : 0,
                          count));
}

/* }======== */


/* {======== copies ======== */

static int m_contiguous(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  LOPS_RETURN(L, op_contiguous(lstate_tape(L), x));
}


static int m_clone(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  LOPS_RETURN(L, op_clone(lstate_tape(L), x));
}


/* x:to(dtype) */
static int m_to(lua_State *L) {
  Tensor *x = ltensor_check(L, 1);
  luaL_checkany(L, 2);
  DType d = ltensor_optdtype(L, 2, x->dtype);
  LOPS_RETURN(L, op_to(lstate_tape(L), x, d));
}

/* }======== */


/* {======== concat ======== */

/* tensor i of the table at 1, counted from 0 */
static Tensor *part(lua_State *L, int i) {
  lua_rawgeti(L, 1, i + 1);
  Tensor *t = ltensor_test(L, -1);
  if (t == NULL)
    ltensor_error(L, "concat: expected a tensor at %d, got %s", i + 1,
                  luaL_typename(L, -1));
  lua_pop(L, 1);  /* the table keeps it */
  return t;
}


static void check_fits(lua_State *L, Tensor *const *part_at, int i, int dim,
                       Shape *all) {
  const Tensor *first = part_at[0], *t = part_at[i];
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (t->dtype != first->dtype)
    ltensor_error(L, "concat: tensor 1 is %s, tensor %d %s",
                  dtype_name(first->dtype), i + 1, dtype_name(t->dtype));
  if (!concat_shape(all, &t->shape, dim))
    ltensor_error(L, "concat: tensor 1 is %s, tensor %d %s: only dimension %d "
                  "may differ", shape_text(&first->shape, a), i + 1,
                  shape_text(&t->shape, b), dim + 1);
}


/* concat(tensors, dim) */
static int l_concat(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  size_t n = lua_rawlen(L, 1);
  luaL_argcheck(L, 0 < n && n < 1 << 20, 1, "expected tensors to join");
  Tensor **x = (Tensor **)lua_newuserdata(L, n * sizeof *x);
  Tensor **out = ltensor_slot(L);
  for (int i = 0; i < (int)n; i++) x[i] = part(L, i);
  int dim = ltensor_checkdim(L, 2, x[0]);
  Shape all = x[0]->shape;
  for (int i = 1; i < (int)n; i++) check_fits(L, x, i, dim, &all);
  *out = op_concat(lstate_tape(L), (int)n, x, dim);
  return ltensor_done(L, out);
}

/* }======== */


/* {======== by number ======== */

/* x:index(dim, ids) */
static int m_index(lua_State *L) {
  lua_settop(L, 3);
  Tensor **out = ltensor_slot(L);
  Tensor *x = ltensor_check(L, 1);
  int dim = ltensor_checkdim(L, 2, x);
  Tensor *ids = lops_checkids(L, 3, "index", x->shape.size[dim], NULL);
  luaL_argcheck(L, ids->shape.ndim == 1, 3, "expected a vector of indices");
  *out = op_index(lstate_tape(L), x, dim, ids);
  return ltensor_done(L, out);
}


/* x:gather(dim, ids) */
static int m_gather(lua_State *L) {
  lua_settop(L, 3);
  Tensor **out = ltensor_slot(L);
  Tensor *x = ltensor_check(L, 1);
  int dim = ltensor_checkdim(L, 2, x);
  Tensor *ids = lops_checkids(L, 3, "gather", x->shape.size[dim], NULL);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (!gather_shape(&x->shape, dim, &ids->shape))
    return ltensor_error(L, "gather: indices %s into %s: no dimension but %d "
                         "may be larger", shape_text(&ids->shape, a),
                         shape_text(&x->shape, b), dim + 1);
  *out = op_gather(lstate_tape(L), x, dim, ids);
  return ltensor_done(L, out);
}


/* weight:embedding(ids) */
static int m_embedding(lua_State *L) {
  lua_settop(L, 2);
  Tensor **out = ltensor_slot(L);
  Tensor *weight = lops_checkfloat(L, 1);
  luaL_argcheck(L, weight->shape.ndim == 2, 1, "expected rows, [V, H]");
  Tensor *ids = lops_checkids(L, 2, "embedding", weight->shape.size[0],
                              NULL);
  luaL_argcheck(L, ids->shape.ndim < TENSOR_DIMS, 2, "at most 7 dimensions");
  *out = op_embedding(lstate_tape(L), weight, ids);
  return ltensor_done(L, out);
}

/* }======== */


const luaL_Reg lops_shape_methods[] = {
  {"transpose", m_transpose},
  {"reshape", m_reshape},
  {"slice", m_slice},
  {"contiguous", m_contiguous},
  {"clone", m_clone},
  {"to", m_to},
  {"index", m_index},
  {"gather", m_gather},
  {"embedding", m_embedding},
  {NULL, NULL}
};

const luaL_Reg lops_shape_functions[] = {
  {"concat", l_concat},
  {NULL, NULL}
};
