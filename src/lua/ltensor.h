/*
** Tensors as Lua values, for the other binding files.
**
** A Lua error is a jump, so a tensor is made into a slot that the collector
** already owns:
**
**   Tensor **out = ltensor_slot(L);
**   *out = op_exp(lstate_tape(L), x);
**   return ltensor_done(L, out);
**
** Making a slot, ending it and lstate_pressure may run the collector, and so
** finalizers: any Lua code, which can write to tensors, drop gradients and
** empty tables. Whatever was found before and is not held by the stack must be
** looked at again; so ops that check elements (ids, offsets) or take tensors
** out of a table make their slot first:
**
**   lua_settop(L, 2);               the slot is no third argument
**   Tensor **out = ltensor_slot(L);
**   Tensor *ids = lops_checkids(L, 2, ...);
**
** Numbers inside tensors that stand for something (token ids, offsets,
** classes) count from 0, as in model files. Positions that Lua code writes
** (dimensions, first and last) count from 1, negative from the end.
*/
#ifndef lunula_ltensor_h
#define lunula_ltensor_h

#include "compat.h"
#include "../base/status.h"
#include "../tensor/tensor.h"

#pragma GCC visibility push(hidden)

#define TENSOR  "lunula.tensor"

/* raises a message in printf's format, 64-bit numbers included */
int      ltensor_error(lua_State *L, const char *format, ...)
  LIKE_PRINTF(2, 3);

/* pushes a tensor that is still empty */
Tensor **ltensor_slot(lua_State *L);
/* ends what ltensor_slot began: raises when *slot is NULL (no memory), tells
   the collector of the bytes (once for all views of them), and returns 1. The
   slot is on top. */
int      ltensor_done(lua_State *L, Tensor **slot);

/* all of whose elements are up to date (tensor_settle) */
Tensor  *ltensor_check(lua_State *L, int arg);
/* for who asks about the tensor and not for its elements, which may be
   behind */
Tensor  *ltensor_checkhandle(lua_State *L, int arg);
Tensor  *ltensor_checktype(lua_State *L, int arg, DType d);
/* as ltensor_check and ltensor_checkhandle, but NULL when the argument is no
   tensor */
Tensor  *ltensor_test(lua_State *L, int arg);
Tensor  *ltensor_testhandle(lua_State *L, int arg);

/* a table of integers of at least `least` */
Shape    ltensor_checksizes(lua_State *L, int arg, int least);
/* a table of sizes, {2, 3}, of a tensor that may fit in memory */
Shape    ltensor_checkshape(lua_State *L, int arg);
void     ltensor_pushshape(lua_State *L, const Shape *s);
/* a dtype by its name; `otherwise` when the argument is absent */
DType    ltensor_optdtype(lua_State *L, int arg, DType otherwise);
/* a dimension of t as Lua counts, as C counts */
int      ltensor_checkdim(lua_State *L, int arg, const Tensor *t);

#pragma GCC visibility pop

#endif
