/*
** lunula.core.gather: the binding of gather.h. lua/lunula/encoded.lua is what
** calls it, once a step.
*/
#include "lunula.h"
#include "ltensor.h"

#include "../text/gather.h"


static Tensor *check_row(lua_State *L, int arg) {
  Tensor *t = ltensor_checktype(L, arg, INT32);
  luaL_argcheck(L, t->shape.ndim == 1 && tensor_is_contiguous(t), arg,
                "expected a contiguous tensor of one dimension");
  return t;
}


/* Only the rows asked for are looked at: a set may be large. */
static void check_rows(lua_State *L, const Tensor *offsets, int64_t tokens,
                       const Tensor *rows) {
  const int32_t *o = tensor_i32(offsets), *row = tensor_i32(rows);
  int64_t have = tensor_count(offsets) > 0 ? tensor_count(offsets) - 1 : 0;
  for (int64_t i = 0; i < tensor_count(rows); i++) {
    if (row[i] < 0 || row[i] >= have)
      luaL_error(L, "row %d: the set has %d rows, from 0", (int)row[i],
                 (int)have);
    if (o[row[i]] < 0 || o[row[i] + 1] < o[row[i]] || o[row[i] + 1] > tokens)
      luaL_error(L, "row %d: its offsets lie outside the tokens",
                 (int)row[i]);
  }
}


static int32_t *push_new(lua_State *L, int64_t n) {
  Shape s = shape_of(1, n);
  Tensor **out = ltensor_slot(L);
  *out = tensor_new(INT32, &s);
  ltensor_done(L, out);
  return tensor_i32(*out);
}


/* gather(ids, types, offsets, rows): those of a batch of the rows, which
   count from 0. A finalizer may have written to rows or offsets by the time
   there is room for the tokens: then they must be as many still. */
static int l_gather(lua_State *L) {
  Tensor *ids = check_row(L, 1), *types = check_row(L, 2);
  Tensor *offsets = check_row(L, 3), *rows = check_row(L, 4);
  int64_t n = tensor_count(rows), have = tensor_count(ids);
  luaL_argcheck(L, tensor_count(types) == have, 2,
                "expected as many types as ids");
  TokenRows from = { tensor_i32(ids), tensor_i32(types),
                     tensor_i32(offsets) };
  int32_t *ends = push_new(L, n + 1);
  check_rows(L, offsets, have, rows);
  int64_t tokens = gather_offsets(&from, tensor_i32(rows), n, ends);
  if (tokens < 0) return luaL_error(L, "more tokens than a batch can have");
  int32_t *some = push_new(L, tokens), *kinds = push_new(L, tokens);
  check_rows(L, offsets, have, rows);
  if (gather_offsets(&from, tensor_i32(rows), n, ends) != tokens)
    return luaL_error(L, "the rows were written to while they were gathered");
  gather_tokens(&from, tensor_i32(rows), n, some, kinds);
  lua_pushvalue(L, -3);
  return 3;  /* ids, types, offsets */
}


int gather_open(lua_State *L) {
  lua_pushcfunction(L, l_gather);
  return 1;
}
