/*
** lunula.core: the C half of lunula. One opener per binding file, called in
** order by luaopen_lunula_core; each leaves one value, a field of the module.
*/
#include "lunula.h"
#include "../base/cpu.h"
#include "../base/library.h"
#include "../kernel/blas.h"

static const luaL_Reg openers[] = {
  {"adamw", adamw_open},
  {"bytes", bytes_open},
  {"clock", clock_open},
  {"config", config_open},
  {"encoder", encoder_open},
  {"gather", gather_open},
  {"peak", peak_open},
  {"pool", pooling_open},
  {"hasher", hasher_open},
  {"int8", int8_open},
  {"io", io_open},
  {"jobs", jobs_open},
  {"kernels", kernels_open},
  {"model", model_open},
  {"quantise", quantise_open},
  {"near", near_open},
  {"number_text", number_open},
  {"recording", state_open},
  {"rng", rng_open},
  {"sha256", sha256_open},
  {"share", share_open},
  {"system", system_open},
  {"tensor", tensor_open},
  {"ops", ops_open},
  {"text_fault", text_open},
  {"threads", threads_open},
  {"tokenizer", tokenizer_open},
  {"vocabulary", vocabulary_open},
  {NULL, NULL}
};


/* cpu(): the instruction set that is used, "avx2" */
static int l_cpu(lua_State *L) {
  lua_pushstring(L, cpu_level_name(cpu_level()));
  return 1;
}


int luaopen_lunula_core(lua_State *L) {
  Error e;
  luaL_checkversion(L);
  if (!cpu_detect(&e)) return luaL_error(L, "%s", e.message);
  library_stay();
  blas_init();
  lua_newtable(L);
  lua_pushcfunction(L, l_cpu);
  lua_setfield(L, -2, "cpu");
  for (const luaL_Reg *o = openers; o->name != NULL; o++) {
    o->func(L);
    lua_setfield(L, -2, o->name);
  }
  return 1;
}
