/*
** The shape of an encoder, from a table. See lconfig.h.
*/
#include "lunula.h"
#include "lconfig.h"

#include <math.h>
#include <string.h>

#include "ltensor.h"

/* no architecture comes near; keeps products of sizes inside 64 bits */
enum { LARGEST_SIZE = 1 << 28, MOST_LAYERS = 4096 };


static int64_t get_size(lua_State *L, int arg, const char *name,
                        int64_t least, int64_t most) {
  lua_getfield(L, arg, name);
  lua_Number x = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(x >= least && x <= most) ||
      x != floor(x))
    ltensor_error(L, "%s: expected an integer from %d to %d, got %s", name,
                  (int)least, (int)most, luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (int64_t)x;
}


/* 0 where it says nothing */
static int64_t opt_size(lua_State *L, int arg, const char *name) {
  lua_getfield(L, arg, name);
  bool absent = lua_isnil(L, -1);
  lua_pop(L, 1);
  return absent ? 0 : get_size(L, arg, name, 1, LARGEST_SIZE);
}


/* true only where it says so */
static bool get_flag(lua_State *L, int arg, const char *name) {
  lua_getfield(L, arg, name);
  if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
    ltensor_error(L, "%s: expected true or false, got %s", name,
                  luaL_tolstring(L, -1, NULL));
  bool flag = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return flag;
}


static float get_eps(lua_State *L, int arg) {
  lua_getfield(L, arg, "layer_norm_eps");
  lua_Number x = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(x > 0 && x < 1))
    ltensor_error(L, "layer_norm_eps: expected a number between 0 and 1, got "
                  "%s", luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (float)x;
}


static Activation get_activation(lua_State *L, int arg) {
  static const struct { const char *name; Activation act; } known[] = {
    { "gelu", ACT_GELU },
    { "gelu_new", ACT_GELU_TANH },
    { "gelu_pytorch_tanh", ACT_GELU_TANH },
    { "relu", ACT_RELU },
  };
  lua_getfield(L, arg, "hidden_act");
  const char *name = lua_tostring(L, -1);
  for (size_t i = 0; name != NULL && i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i].name) == 0) {
      lua_pop(L, 1);
      return known[i].act;
    }
  ltensor_error(L, "hidden_act: expected gelu, gelu_new, gelu_pytorch_tanh or "
                "relu, got %s", luaL_tolstring(L, -1, NULL));
  return ACT_GELU;
}


EncoderConfig lconfig_check(lua_State *L, int arg) {
  luaL_checktype(L, arg, LUA_TTABLE);
  EncoderConfig c = {
    .hidden_size = get_size(L, arg, "hidden_size", 1, LARGEST_SIZE),
    .num_hidden_layers = get_size(L, arg, "num_hidden_layers", 0,
                                  MOST_LAYERS),
    .num_attention_heads = get_size(L, arg, "num_attention_heads", 1,
                                    LARGEST_SIZE),
    .intermediate_size = get_size(L, arg, "intermediate_size", 1,
                                  LARGEST_SIZE),
    .vocab_size = get_size(L, arg, "vocab_size", 1, LARGEST_SIZE),
    .max_position_embeddings = get_size(L, arg, "max_position_embeddings", 1,
                                        LARGEST_SIZE),
    .type_vocab_size = get_size(L, arg, "type_vocab_size", 1, LARGEST_SIZE),
    .adapter_size = opt_size(L, arg, "adapter_size"),
    .pad_token_id = get_size(L, arg, "pad_token_id", -1, LARGEST_SIZE),
    .causal = get_flag(L, arg, "is_decoder"),
    .layer_norm_eps = get_eps(L, arg),
    .hidden_act = get_activation(L, arg) };
  if (c.hidden_size % c.num_attention_heads != 0)
    ltensor_error(L, "hidden_size %d is no multiple of num_attention_heads "
                  "%d", (int)c.hidden_size, (int)c.num_attention_heads);
  return c;
}


/* config(table): raises what is wrong with it */
static int l_config(lua_State *L) {
  lconfig_check(L, 1);
  return 0;
}


int config_open(lua_State *L) {
  lua_pushcfunction(L, l_config);
  return 1;
}
