/*
** lunula.core.quantise: what a file of 8 bits needs that no model makes.
*/
#include "lunula.h"

#include "../kernel/dots.h"
#include "../kernel/int8.h"
#include "ltensor.h"


/* quantise(t): rows of a float32 matrix in 8 bits: a string of I8 [rows,
   width], scale [rows] */
static int l_quantise(lua_State *L) {
  Tensor *t = ltensor_checktype(L, 1, FLOAT32);
  luaL_argcheck(L, t->shape.ndim == 2 && tensor_is_contiguous(t), 1,
                "expected a contiguous matrix");
  int64_t rows = t->shape.size[0], width = t->shape.size[1];
  luaL_argcheck(L, width <= INT8_DEPTH, 1, "rows are too long");
  size_t size = (size_t)(rows * width);
  int8_t *out = lua_newuserdata(L, size + INT8_UNIT);
  Tensor **scale = ltensor_slot(L);
  Shape s = shape_of(1, rows);
  if ((*scale = tensor_new(FLOAT32, &s)) == NULL)
    return luaL_error(L, "not enough memory");
  for (int64_t r = 0; r < rows; r++)
    dot_kernels()->quantise_signed(out + r * width, tensor_f32(*scale) + r,
                                   tensor_f32(t) + r * width, width);
  lua_pushlstring(L, (const char *)out, size);
  lua_insert(L, -2);
  return 2;
}


int quantise_open(lua_State *L) {
  lua_pushcfunction(L, l_quantise);
  return 1;
}
