/*
** lunula.core.quantise: what a file of 8 bits needs that no model makes.
*/
#include "lunula.h"

#include "../base/pool.h"
#include "../kernel/dots.h"
#include "../kernel/int8.h"
#include "ltensor.h"


typedef struct QuantiseJob {
  int8_t *out;      /* [rows, width], and room for a whole unit at its end */
  float *scale;     /* [rows] */
  const float *x;   /* [rows, width] */
  int64_t rows, width;
} QuantiseJob;


/* one task: what fills up a row is where the next one begins */
static void quantise_rows(void *ctx, int64_t task) {
  const QuantiseJob *j = ctx;
  (void)task;
  for (int64_t r = 0; r < j->rows; r++)
    dot_kernels()->quantise_signed(j->out + r * j->width, j->scale + r,
                                   j->x + r * j->width, j->width);
}


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
  QuantiseJob j = { out, tensor_f32(*scale), tensor_f32(t), rows, width };
  pool_run(1, quantise_rows, &j);
  lua_pushlstring(L, (const char *)out, size);
  lua_insert(L, -2);
  return 2;
}


int quantise_open(lua_State *L) {
  lua_pushcfunction(L, l_quantise);
  return 1;
}
