/*
** lunula.core.int8: the products of kernel/int8.h on this processor's level,
** for the spec that holds them to what is stated there. Bytes are strings,
** whole numbers and scales tables:
**
**   rows    { depth =, values =, scale =, zero = }
**   weight  { depth =, panels =, scale =, sums = }
*/
#include <string.h>

#include "lunula.h"
#include "ltensor.h"

#include "../base/pool.h"
#include "../kernel/int8.h"

enum { ROWS_A_TASK = 8 };

/* a contiguous matrix */
static float *check_matrix(lua_State *L, int arg, int64_t *rows,
                           int64_t *width) {
  Tensor *t = ltensor_checktype(L, arg, FLOAT32);
  luaL_argcheck(L, tensor_is_contiguous(t) && t->shape.ndim == 2, arg,
                "expected a contiguous matrix");
  *rows = t->shape.size[0];
  *width = t->shape.size[1];
  tensor_touch(t);
  return tensor_f32(t);
}


/* bytes that live until the call returns */
static void *scratch(lua_State *L, int64_t bytes) {
  return lua_newuserdata(L, (size_t)bytes);
}


/* {======== tables ======== */

static void set_floats(lua_State *L, const char *name, const float *x,
                       int64_t n) {
  lua_newtable(L);
  for (int i = 0; i < n; i++) {
    lua_pushnumber(L, x[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}


static void set_integers(lua_State *L, const char *name, const int32_t *x,
                         int64_t n) {
  lua_newtable(L);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, x[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}


static void set_bytes(lua_State *L, const char *name, const void *x,
                      int64_t n) {
  lua_pushlstring(L, x, (size_t)n);
  lua_setfield(L, -2, name);
}


static void set_integer(lua_State *L, const char *name, int64_t x) {
  lua_pushinteger(L, (lua_Integer)x);
  lua_setfield(L, -2, name);
}


static double get_number(lua_State *L, int arg, const char *name, int i) {
  lua_getfield(L, arg, name);
  luaL_argcheck(L, lua_istable(L, -1), arg, "expected numbers");
  lua_rawgeti(L, -1, i + 1);
  luaL_argcheck(L, lua_isnumber(L, -1), arg, "expected more numbers");
  double x = lua_tonumber(L, -1);
  lua_pop(L, 2);
  return x;
}


static float *get_floats(lua_State *L, int arg, const char *name, int64_t n) {
  float *x = scratch(L, n * (int64_t)sizeof *x);
  for (int i = 0; i < n; i++) x[i] = (float)get_number(L, arg, name, i);
  return x;
}


static int32_t *get_integers(lua_State *L, int arg, const char *name,
                             int64_t n) {
  int32_t *x = scratch(L, n * (int64_t)sizeof *x);
  for (int i = 0; i < n; i++) x[i] = (int32_t)get_number(L, arg, name, i);
  return x;
}


/* a copy of a string of n bytes */
static void *get_bytes(lua_State *L, int arg, const char *name, int64_t n) {
  size_t size;
  void *copy = scratch(L, n);
  lua_getfield(L, arg, name);
  const char *bytes = lua_tolstring(L, -1, &size);
  luaL_argcheck(L, bytes != NULL && size == (size_t)n, arg,
                "expected other bytes");
  memcpy(copy, bytes, size);
  lua_pop(L, 1);
  return copy;
}


static int64_t get_depth(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_getfield(L, arg, "depth");
  int64_t depth = (int64_t)lua_tonumber(L, -1);
  luaL_argcheck(L, 0 <= depth && depth <= INT8_DEPTH, arg,
                "expected a depth");
  lua_pop(L, 1);
  return depth;
}

/* }======== */


/* {======== quantising ======== */

typedef struct QuantiseJob {
  const Int8Matrix *to;
  float *x;         /* [rows, depth] */
  int activation;   /* or -1 */
} QuantiseJob;


static void quantise_some(void *ctx, int64_t first, int64_t n) {
  const QuantiseJob *j = ctx;
  int64_t depth = j->to->depth;
  float *x = j->x + first * depth;
  if (j->activation < 0) int8_quantise(j->to, first, n, x, depth);
  else int8_activate((Activation)j->activation, j->to, first, n, x, depth);
}


static int check_activation(lua_State *L, int arg) {
  static const char *const names[] = { "gelu", "gelu_tanh", "relu", NULL };
  return lua_isnoneornil(L, arg) ? -1
                                 : luaL_checkoption(L, arg, NULL, names);
}


/* quantise(x [, activation]): rows, of whose bytes those that are not written
   are 255; with an activation x is written */
static int l_quantise(lua_State *L) {
  int64_t rows, depth;
  QuantiseJob j = { .activation = check_activation(L, 2) };
  j.x = check_matrix(L, 1, &rows, &depth);
  int64_t size = rows * int8_step(depth);
  Int8Matrix m = { scratch(L, size), NULL, NULL, rows, depth };
  m.scale = scratch(L, rows * (int64_t)sizeof *m.scale);
  m.zero = scratch(L, rows * (int64_t)sizeof *m.zero);
  memset(m.values, UINT8_MAX, (size_t)size);
  j.to = &m;
  pool_rows(rows, ROWS_A_TASK, quantise_some, &j);
  lua_newtable(L);
  set_integer(L, "depth", depth);
  set_bytes(L, "values", m.values, size);
  set_floats(L, "scale", m.scale, rows);
  set_integers(L, "zero", m.zero, rows);
  return 1;
}


/* quantise_weight(w): weight */
static int l_quantise_weight(lua_State *L) {
  int64_t columns, depth;
  const float *w = check_matrix(L, 1, &columns, &depth);
  luaL_argcheck(L, depth <= INT8_DEPTH, 1, "expected less depth");
  int64_t size = int8_panels_size(columns, depth);
  int8_t *panels = scratch(L, size);
  float *scale = scratch(L, columns * (int64_t)sizeof *scale);
  int32_t *sums = scratch(L, columns * (int64_t)sizeof *sums);
  int8_quantise_weight(panels, scale, sums, w, columns, depth);
  lua_newtable(L);
  set_integer(L, "depth", depth);
  set_bytes(L, "panels", panels, size);
  set_floats(L, "scale", scale, columns);
  set_integers(L, "sums", sums, columns);
  return 1;
}

/* }======== */


/* {======== products ======== */

typedef struct Finishing {
  float *c;
  const Int8Matrix *x;
  int64_t columns;
  bool whole;
} Finishing;


/* adds 1 to a piece; to whole rows, when those of x can be overwritten */
static void finish_piece(void *ctx, Piece p) {
  const Finishing *f = ctx;
  int64_t step = int8_step(f->x->depth);
  for (int64_t r = p.row; r < p.row + p.rows; r++) {
    float *row = f->c + r * f->columns;
    for (int64_t i = 0; i < p.columns; i++) row[p.column + i] += 1;
    if (f->whole) memset(f->x->values + r * step, 0, (size_t)step);
  }
}


static Int8Matrix get_matrix(lua_State *L, int arg, int64_t rows) {
  int64_t depth = get_depth(L, arg);
  return (Int8Matrix){
    get_bytes(L, arg, "values", rows * int8_step(depth)),
    get_floats(L, arg, "scale", rows), get_integers(L, arg, "zero", rows),
    rows, depth };
}


static Int8Weight get_weight(lua_State *L, int arg, int64_t columns) {
  int64_t depth = get_depth(L, arg);
  lua_getfield(L, arg, "bias");
  bool bias = !lua_isnil(L, -1);
  lua_pop(L, 1);
  return (Int8Weight){
    get_bytes(L, arg, "panels", int8_panels_size(columns, depth)),
    get_floats(L, arg, "scale", columns),
    get_integers(L, arg, "sums", columns),
    bias ? get_floats(L, arg, "bias", columns) : NULL, columns, depth };
}


/* product(c, x, w [, finish]): c = x w' + w.bias, which may be missing;
   finish "piece" or "whole" adds 1 to all of c, and with the latter x, or
   rather its copy, is overwritten as soon as it may be */
static int l_product(lua_State *L) {
  static const char *const finishes[] = { "none", "piece", "whole", NULL };
  enum { NONE, PIECE, WHOLE };
  int64_t rows, columns;
  int finish = luaL_checkoption(L, 4, "none", finishes);
  lua_settop(L, 4);
  float *c = check_matrix(L, 1, &rows, &columns);
  Int8Matrix x = get_matrix(L, 2, rows);
  Int8Weight w = get_weight(L, 3, columns);
  luaL_argcheck(L, x.depth == w.depth, 3, "expected the depth of the rows");
  Finishing f = { c, &x, columns, finish == WHOLE };
  Finish each = { finish_piece, &f, f.whole };
  int8_product(c, &x, &w, finish == NONE ? NULL : &each);
  return 0;
}

/* }======== */


int int8_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"product", l_product}, {"quantise", l_quantise},
    {"quantise_weight", l_quantise_weight}, {NULL, NULL}
  };
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
