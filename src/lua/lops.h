/*
** What the binding files of the ops share. The ops are methods of TENSOR and
** functions of lunula.core.ops; lops.c registers them all.
*/
#ifndef lunula_lops_h
#define lunula_lops_h

#include "lstate.h"
#include "ltensor.h"

#pragma GCC visibility push(hidden)

extern const luaL_Reg lops_shape_methods[];    /* lops_shape.c */
extern const luaL_Reg lops_shape_functions[];
extern const luaL_Reg lops_loss_functions[];   /* lops_loss.c */

Tensor *lops_checkfloat(lua_State *L, int arg);
/* that something is dropped: at least 0, and below 1 as a float too */
float   lops_checkprobability(lua_State *L, int arg);
/* an INT32 or INT64 tensor of values in 0 .. n - 1, or *also (unless
   NULL) */
Tensor *lops_checkids(lua_State *L, int arg, const char *op, int64_t n,
                      const int64_t *also);

/* `out = op(...)` as the one result of a binding */
#define LOPS_RETURN(L, op) \
  do { \
    Tensor **lops_out = ltensor_slot(L); \
    *lops_out = (op); \
    return ltensor_done(L, lops_out); \
  } while (0)

#pragma GCC visibility pop

#endif
