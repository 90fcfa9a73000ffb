/*
** lunula.core.kernels: the row kernels and a head's softmax of this
** processor's level, one by one, for the spec that holds them to their stated
** errors. They write in place.
*/
#include "lunula.h"
#include "ltensor.h"

#include "../kernel/heads.h"
#include "../kernel/rows.h"

static Tensor *check_plain(lua_State *L, int arg) {
  Tensor *t = ltensor_checktype(L, arg, FLOAT32);
  luaL_argcheck(L, tensor_is_contiguous(t), arg, "expected it contiguous");
  return t;
}


/* elements [n], all of them written or read; arguments may be one tensor */
static float *check_count(lua_State *L, int arg, int64_t n) {
  Tensor *t = check_plain(L, arg);
  luaL_argcheck(L, tensor_count(t) == n, arg, "as many elements expected");
  tensor_touch(t);
  return tensor_f32(t);
}


/* [rows, width] */
static float *check_matrix(lua_State *L, int arg, int64_t *rows,
                           int64_t *width) {
  Tensor *t = check_plain(L, arg);
  luaL_argcheck(L, t->shape.ndim == 2, arg, "expected two dimensions");
  *rows = t->shape.size[0];
  *width = t->shape.size[1];
  luaL_argcheck(L, *rows > 0 && *width > 0, arg, "expected elements");
  return check_count(L, arg, *rows * *width);
}


static float number(lua_State *L, int arg) {
  return (float)luaL_checknumber(L, arg);
}


static Activation check_activation(lua_State *L, int arg) {
  static const char *const names[] = { "gelu", "gelu_tanh", "relu", NULL };
  return (Activation)luaL_checkoption(L, arg, NULL, names);
}


/* activate(name, out, u, bias) */
static int l_activate(lua_State *L) {
  int64_t rows, width;
  Activation act = check_activation(L, 1);
  float *u = check_matrix(L, 3, &rows, &width);
  float *out = check_count(L, 2, rows * width);
  row_kernels()->activate(act, out, u, check_count(L, 4, width), rows, width);
  return 0;
}


/* activate_back(name, out, u, dout) */
static int l_activate_back(lua_State *L) {
  int64_t rows, width;
  Activation act = check_activation(L, 1);
  float *u = check_matrix(L, 3, &rows, &width);
  float *out = check_count(L, 2, rows * width);
  float *dout = check_count(L, 4, rows * width);
  row_kernels()->activate_back(act, out, u, dout, rows, width);
  return 0;
}


/* add_bias(y, bias) */
static int l_add_bias(lua_State *L) {
  int64_t rows, width;
  float *y = check_matrix(L, 1, &rows, &width);
  row_kernels()->add_bias(y, check_count(L, 2, width), rows, width);
  return 0;
}


/* add_scaled(to, from, scale) */
static int l_add_scaled(lua_State *L) {
  int64_t n = tensor_count(check_plain(L, 1));
  float *to = check_count(L, 1, n), *from = check_count(L, 2, n);
  row_kernels()->add_scaled(to, from, number(L, 3), n);
  return 0;
}


/* dropout(x, p, seed, purpose) */
static int l_dropout(lua_State *L) {
  int64_t n = tensor_count(check_plain(L, 1));
  float *x = check_count(L, 1, n), p = number(L, 2);
  luaL_argcheck(L, 0 <= p && p < 1, 2, "expected 0 <= p < 1");
  lua_Integer seed = luaL_checkinteger(L, 3);
  lua_Integer purpose = luaL_checkinteger(L, 4);
  Dropout d = { p, rng_new((uint64_t)seed, (uint32_t)purpose) };
  row_kernels()->dropout(x, &d, 0, n);
  return 0;
}


/* layer_norm(out, z, weight, bias, eps, normal, inverse) */
static int l_layer_norm(lua_State *L) {
  int64_t rows, width;
  float *z = check_matrix(L, 2, &rows, &width);
  float *out = check_count(L, 1, rows * width);
  LayerNormRows n = { check_count(L, 3, width), check_count(L, 4, width),
                      number(L, 5), check_count(L, 6, rows * width),
                      check_count(L, 7, rows) };
  row_kernels()->layer_norm(out, z, &n, rows, width);
  return 0;
}


/* layer_norm_back(dz, dout, weight, normal, inverse) */
static int l_layer_norm_back(lua_State *L) {
  int64_t rows, width;
  float *dout = check_matrix(L, 2, &rows, &width);
  float *dz = check_count(L, 1, rows * width);
  LayerNormRows n = { .weight = check_count(L, 3, width),
                      .normal = check_count(L, 4, rows * width),
                      .inverse = check_count(L, 5, rows) };
  row_kernels()->layer_norm_back(dz, dout, &n, rows, width);
  return 0;
}


/* [keys, lanes] of a head */
static float *check_scores(lua_State *L, int arg, int64_t *keys,
                           int64_t *lanes) {
  float *s = check_matrix(L, arg, keys, lanes);
  luaL_argcheck(L, *lanes % HEAD_LANES == 0, arg, "expected whole lanes");
  return s;
}


/* softmax(s, lse) */
static int l_softmax(lua_State *L) {
  int64_t keys, lanes;
  float *s = check_scores(L, 1, &keys, &lanes);
  head_kernels()->softmax(s, check_count(L, 2, lanes), keys, lanes);
  return 0;
}


/* softmax_again(s, lse) */
static int l_softmax_again(lua_State *L) {
  int64_t keys, lanes;
  float *s = check_scores(L, 1, &keys, &lanes);
  head_kernels()->softmax_again(s, check_count(L, 2, lanes), keys, lanes);
  return 0;
}


/* softmax_back(dp, p, dropped, scale) */
static int l_softmax_back(lua_State *L) {
  int64_t keys, lanes;
  float *dp = check_scores(L, 1, &keys, &lanes);
  float *p = check_count(L, 2, keys * lanes);
  float *dropped = check_count(L, 3, keys * lanes);
  head_kernels()->softmax_back(dp, p, dropped, number(L, 4), keys, lanes);
  return 0;
}


/* exp_row(x, bias): most, sum */
static int l_exp_row(lua_State *L) {
  int64_t n = tensor_count(check_plain(L, 1));
  float *x = check_count(L, 1, n), most;
  double sum = row_kernels()->exp_row(x, check_count(L, 2, n), n, &most);
  lua_pushnumber(L, most);
  lua_pushnumber(L, sum);
  return 2;
}


/* column_sums(sum, x) */
static int l_column_sums(lua_State *L) {
  int64_t rows, width;
  float *x = check_matrix(L, 2, &rows, &width);
  row_kernels()->column_sums(check_count(L, 1, width), x, rows, width, width);
  return 0;
}


/* column_products(sum, x, y) */
static int l_column_products(lua_State *L) {
  int64_t rows, width;
  float *x = check_matrix(L, 2, &rows, &width);
  float *sum = check_count(L, 1, width);
  row_kernels()->column_products(sum, x, check_count(L, 3, rows * width),
                                 rows, width, width);
  return 0;
}


static float field(lua_State *L, int arg, const char *name) {
  lua_getfield(L, arg, name);
  if (!lua_isnumber(L, -1))
    luaL_error(L, "argument %d: %s: expected a number", arg, name);
  float x = (float)lua_tonumber(L, -1);
  lua_pop(L, 1);
  return x;
}


/* a table with the fields of StepNumbers */
static StepNumbers check_numbers(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  return (StepNumbers){
    .rate = field(L, arg, "rate"), .decay = field(L, arg, "decay"),
    .eps = field(L, arg, "eps"), .scale = field(L, arg, "scale"),
    .m_keep = field(L, arg, "m_keep"), .m_new = field(L, arg, "m_new"),
    .v_keep = field(L, arg, "v_keep"), .v_new = field(L, arg, "v_new"),
    .m_fix = field(L, arg, "m_fix"), .v_fix = field(L, arg, "v_fix")
  };
}


/* step(p, g, m, v, numbers) */
static int l_step(lua_State *L) {
  int64_t n = tensor_count(check_plain(L, 1));
  float *p = check_count(L, 1, n), *g = check_count(L, 2, n);
  float *m = check_count(L, 3, n), *v = check_count(L, 4, n);
  StepNumbers s = check_numbers(L, 5);
  row_kernels()->step(p, g, m, v, n, &s);
  return 0;
}


/* step_without_gradient(p, m, v, numbers ...), a table for each step */
static int l_step_without_gradient(lua_State *L) {
  enum { FIRST = 4, MOST = 8 };
  StepNumbers s[MOST];
  int64_t n = tensor_count(check_plain(L, 1));
  float *p = check_count(L, 1, n), *m = check_count(L, 2, n);
  float *v = check_count(L, 3, n);
  int steps = lua_gettop(L) - FIRST + 1;
  luaL_argcheck(L, steps <= MOST, FIRST + MOST, "too many steps");
  for (int i = 0; i < steps; i++) s[i] = check_numbers(L, FIRST + i);
  row_kernels()->step_without_gradient(p, m, v, n, s, steps);
  return 0;
}


int kernels_open(lua_State *L) {
  static const luaL_Reg functions[] = {
    {"activate", l_activate}, {"activate_back", l_activate_back},
    {"add_bias", l_add_bias}, {"add_scaled", l_add_scaled},
    {"column_products", l_column_products}, {"column_sums", l_column_sums},
    {"exp_row", l_exp_row},
    {"dropout", l_dropout}, {"layer_norm", l_layer_norm},
    {"layer_norm_back", l_layer_norm_back}, {"softmax", l_softmax},
    {"softmax_again", l_softmax_again}, {"softmax_back", l_softmax_back},
    {"step", l_step}, {"step_without_gradient", l_step_without_gradient},
    {NULL, NULL}
  };
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
