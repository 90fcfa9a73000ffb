/*
** lunula.core.adamw: the binding of adamw.h. Parameters count from 1, in the
** order in which they were added. lua/lunula/optim.lua is what users see.
*/
#include "lunula.h"
#include "ltensor.h"

#include <math.h>

#include "lstate.h"
#include "../optim/adamw.h"

#define ADAMW  "lunula.adamw"

/* above it a double skips integers */
#define MOST_STEPS  (INT64_C(1) << 53)


static Adamw *check_adamw(lua_State *L) {
  Adamw *a = *(Adamw **)luaL_checkudata(L, 1, ADAMW);
  luaL_argcheck(L, a != NULL, 1, "optimizer was never made");
  return a;
}


static double check_rate(lua_State *L, int arg) {
  double x = luaL_checknumber(L, arg);
  luaL_argcheck(L, x >= 0 && isfinite(x), arg,
                "expected a number of at least 0");
  return x;
}


static double check_beta(lua_State *L, int arg) {
  double x = luaL_checknumber(L, arg);
  luaL_argcheck(L, x >= 0 && x < 1, arg, "expected a number in [0, 1)");
  return x;
}


/* a parameter as C counts */
static int check_parameter(lua_State *L, int arg, const Adamw *a) {
  lua_Integer i = luaL_checkinteger(L, arg);
  luaL_argcheck(L, 1 <= i && i <= adamw_count(a), arg, "no such parameter");
  return (int)i - 1;
}


/* adamw(beta1, beta2, eps) */
static int l_new(lua_State *L) {
  AdamwOptions o = { .beta1 = check_beta(L, 1), .beta2 = check_beta(L, 2),
                     .eps = check_rate(L, 3) };
  Adamw **slot = (Adamw **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, ADAMW);
  *slot = adamw_new(&o);
  return *slot ? 1 : luaL_error(L, "not enough memory");
}


/* what keeps t from being a parameter, NULL when nothing does; optim.lua says
   which tensor it was */
static const char *why_not(const Adamw *a, const Tensor *t) {
  if (t->dtype != FLOAT32) return "is not float32";
  if (t->node != NULL) return "is the result of an op, not a leaf";
  if (!tensor_is_contiguous(t)) return "is not contiguous";
  return adamw_has(a, t) ? "comes twice" : NULL;
}


/* add(tensor, rate, decay) */
static int m_add(lua_State *L) {
  Adamw *a = check_adamw(L);
  Tensor *t = ltensor_checkhandle(L, 2);
  double rate = check_rate(L, 3), decay = check_rate(L, 4);
  const char *why = why_not(a, t);
  if (why != NULL) return luaL_error(L, "%s", why);
  Error e;
  if (!adamw_add(a, t, rate, decay, &e)) return luaL_error(L, "%s", e.message);
  return 0;
}


/* clip(max_norm): the norm of all gradients */
static int m_clip(lua_State *L) {
  Adamw *a = check_adamw(L);
  double max_norm = luaL_checknumber(L, 2);
  luaL_argcheck(L, max_norm > 0, 2, "expected a norm above 0");
  lua_pushnumber(L, adamw_clip(a, max_norm));
  return 1;
}


/* moments that are new are told to the collector, which can't see them */
static void tell_growth(lua_State *L, const Adamw *a, size_t before) {
  lua_pushvalue(L, 1);
  if (adamw_bytes(a) > before) lstate_pressure(L, adamw_bytes(a) - before);
  lua_pop(L, 1);
}


/* step(learning_rate) */
static int m_step(lua_State *L) {
  Adamw *a = check_adamw(L);
  double rate = check_rate(L, 2);
  size_t before = adamw_bytes(a);
  Error e;
  if (!adamw_step(a, rate, &e)) return luaL_error(L, "%s", e.message);
  tell_growth(L, a, before);
  return 0;
}


static int m_zero_grad(lua_State *L) {
  adamw_zero_grad(check_adamw(L));
  return 0;
}


/* bytes(): of all moments */
static int m_bytes(lua_State *L) {
  lua_pushnumber(L, (lua_Number)adamw_bytes(check_adamw(L)));
  return 1;
}


/* state(i): steps, and m and v when there are any */
static int m_state(lua_State *L) {
  const Adamw *a = check_adamw(L);
  int i = check_parameter(L, 2, a);
  AdamwState s;
  Error e;
  Tensor **m = ltensor_slot(L), **v = ltensor_slot(L);
  if (!adamw_state(a, i, &s, &e)) return luaL_error(L, "%s", e.message);
  *m = s.m;
  *v = s.v;
  lua_pushinteger(L, (lua_Integer)s.steps);
  lua_insert(L, -3);
  if (s.m == NULL) {
    lua_pop(L, 2);
    return 1;
  }
  ltensor_done(L, v);
  ltensor_done(L, m);
  return 3;
}


static Tensor *check_moment(lua_State *L, int arg, const Tensor *like) {
  Tensor *t = ltensor_check(L, arg);
  char a[SHAPE_TEXT], b[SHAPE_TEXT];
  if (t->dtype != FLOAT32 || !tensor_is_contiguous(t))
    luaL_error(L, "expected contiguous float32");
  if (!shape_equal(&t->shape, &like->shape))
    luaL_error(L, "is %s, the parameter %s", shape_text(&t->shape, a),
               shape_text(&like->shape, b));
  return t;
}


/* set_state(i, steps, m, v) */
static int m_set_state(lua_State *L) {
  Adamw *a = check_adamw(L);
  int i = check_parameter(L, 2, a);
  const Tensor *p = adamw_parameter(a, i);
  lua_Integer steps = luaL_checkinteger(L, 3);
  luaL_argcheck(L, 0 < steps && steps < MOST_STEPS, 3,
                "expected 1 to 2^53 - 1 steps");
  AdamwState s = { .steps = steps, .m = check_moment(L, 4, p),
                   .v = check_moment(L, 5, p) };
  size_t before = adamw_bytes(a);
  Error e;
  if (!adamw_set_state(a, i, &s, &e)) return luaL_error(L, "%s", e.message);
  tell_growth(L, a, before);
  return 0;
}


static int mm_gc(lua_State *L) {
  Adamw **slot = (Adamw **)luaL_checkudata(L, 1, ADAMW);
  adamw_free(*slot);
  *slot = NULL;
  return 0;
}


static const luaL_Reg meth[] = {
  {"add", m_add},
  {"clip", m_clip},
  {"step", m_step},
  {"zero_grad", m_zero_grad},
  {"bytes", m_bytes},
  {"state", m_state},
  {"set_state", m_set_state},
  {NULL, NULL}
};

static const luaL_Reg metameth[] = {
  {"__gc", mm_gc},
  {NULL, NULL}
};


int adamw_open(lua_State *L) {
  compat_newtype(L, ADAMW, meth, metameth);
  lua_pushcfunction(L, l_new);
  return 1;
}
