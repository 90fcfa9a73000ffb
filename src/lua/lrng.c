/*
** lunula.rng: the binding of rng.h. Every argument is checked here, and
** nowhere else; a mistake raises an error that names the argument.
*/
#include <inttypes.h>
#include <stdio.h>

#include "lunula.h"
#include "ltensor.h"
#include "../base/rng.h"

#define RNG  "lunula.rng"

static Rng *check_rng(lua_State *L) {
  return (Rng *)luaL_checkudata(L, 1, RNG);
}


static int l_new(lua_State *L) {
  lua_Integer seed = luaL_checkinteger(L, 1);
  lua_Integer purpose = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, 0 <= purpose && purpose <= UINT32_MAX, 2,
                "purpose must fit in 32 bits");
  Rng *r = (Rng *)lua_newuserdata(L, sizeof *r);
  *r = rng_new((uint64_t)seed, (uint32_t)purpose);
  luaL_setmetatable(L, RNG);
  return 1;
}


static int m_float(lua_State *L) {
  lua_pushnumber(L, rng_float(check_rng(L)));
  return 1;
}


static int m_below(lua_State *L) {
  Rng *r = check_rng(L);
  lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n > 0, 2, "must be positive");
  lua_pushinteger(L, (lua_Integer)rng_below(r, (uint64_t)n));
  return 1;
}


static Tensor *check_cells(lua_State *L, int arg, int64_t k) {
  Tensor *t = ltensor_checktype(L, arg, INT32);
  luaL_argcheck(L, t->shape.ndim == 1 && tensor_is_contiguous(t), arg,
                "expected a contiguous tensor of one dimension");
  const int32_t *cell = tensor_i32(t);  /* [n] */
  for (int64_t i = 0; i < tensor_count(t); i++)
    luaL_argcheck(L, 0 <= cell[i] && cell[i] < k, arg, "no such cell");
  return t;
}


/* rng:resample(cells, k): draws as many of the places of cells as there are,
   as below(n) for each would, and returns of how many of these the cell is 0,
   1 .. k - 1. cells int32 [n], the result [k] */
static int m_resample(lua_State *L) {
  Rng *r = check_rng(L);
  lua_Integer k = luaL_checkinteger(L, 3);
  luaL_argcheck(L, 0 < k && k <= INT32_MAX, 3, "must be positive");
  const Tensor *cells = check_cells(L, 2, k);
  Shape s = shape_of(1, (int64_t)k);
  Tensor **counts = ltensor_slot(L);
  *counts = tensor_zeros(INT32, &s);
  ltensor_done(L, counts);
  const int32_t *cell = tensor_i32(cells);  /* [n] */
  int32_t *count = tensor_i32(*counts);     /* [k] */
  uint64_t n = (uint64_t)tensor_count(cells);
  for (uint64_t i = 0; i < n; i++) count[cell[rng_below(r, n)]]++;
  return 1;
}


static int mm_tostring(lua_State *L) {
  Rng *r = check_rng(L);
  char s[80];  /* the words and two 64-bit numbers: always fits */
  snprintf(s, sizeof s, "rng (seed %" PRIu64 ", at %" PRIu64 ")", r->seed,
           r->at);
  lua_pushstring(L, s);
  return 1;
}


static const luaL_Reg meth[] = {
  {"float", m_float},
  {"below", m_below},
  {"resample", m_resample},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__tostring", mm_tostring},
  {NULL, NULL}
};


int rng_open(lua_State *L) {
  compat_newtype(L, RNG, meth, metameth);
  lua_pushcfunction(L, l_new);
  return 1;
}
