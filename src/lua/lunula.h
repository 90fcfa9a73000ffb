/*
** What the binding files share: one opener per file.
**
** The library shows the program that loads it luaopen_lunula_core alone: every
** header hides what it declares, or a function of the host that has the same
** name would be called instead.
*/
#ifndef lunula_lunula_h
#define lunula_lunula_h

#include "compat.h"

#pragma GCC visibility push(hidden)

__attribute__((visibility("default")))
int luaopen_lunula_core(lua_State *L);

int adamw_open(lua_State *L);      /* ladamw.c */
int bytes_open(lua_State *L);      /* lbytes.c */
int clock_open(lua_State *L);      /* lbench.c */
int config_open(lua_State *L);     /* lconfig.c */
int encoder_open(lua_State *L);    /* lencoder.c */
int gather_open(lua_State *L);     /* lgather.c; after tensor_open */
int hasher_open(lua_State *L);     /* lsha256.c */
int int8_open(lua_State *L);       /* lint8.c */
int io_open(lua_State *L);         /* lio.c */
int jobs_open(lua_State *L);       /* ljob.c */
int kernels_open(lua_State *L);    /* lkernels.c */
int model_open(lua_State *L);      /* lmodel.c; after tensor_open */
int near_open(lua_State *L);        /* lnear.c */
int number_open(lua_State *L);     /* lnumber.c */
int ops_open(lua_State *L);        /* lops.c; after tensor_open */
int peak_open(lua_State *L);       /* lbench.c */
int pooling_open(lua_State *L);    /* lencoder.c */
int quantise_open(lua_State *L);   /* lquantise.c; after tensor_open */
int rng_open(lua_State *L);        /* lrng.c */
int sha256_open(lua_State *L);     /* lsha256.c */
int share_open(lua_State *L);      /* lshare.c; after model_open */
int state_open(lua_State *L);      /* lstate.c */
int system_open(lua_State *L);     /* lsystem.c */
int tensor_open(lua_State *L);     /* ltensor.c */
int text_open(lua_State *L);       /* ltext.c */
int threads_open(lua_State *L);    /* lthreads.c */
int tokenizer_open(lua_State *L);  /* ltokenizer.c */
int vocabulary_open(lua_State *L); /* lvocabulary.c */

#pragma GCC visibility pop

#endif
