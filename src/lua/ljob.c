/*
** lunula.core.jobs: predictions that are made on threads of ours while Lua
** goes on.
**
**   answers(model, texts, pairs | nil, options, batch_size, batch_tokens
**   [, threads]):
**     options as of a tokenizer's encode, and `activation`: "softmax" (when
**     not given), "sigmoid" or "none"
**   space()
**   queue(capacity)
**
** An answers object holds copies of the texts. It is run here and now, in a
** space, or handed to a queue, which makes it a job: one of them, once.
*/
#include "lunula.h"

#include <math.h>
#include <string.h>

#include "../serve/answers.h"
#include "lmodel.h"
#include "lstate.h"
#include "ltokenizer.h"

#define QUEUE    "lunula.core.queue"
#define SPACE    "lunula.core.space"
#define ANSWERS  "lunula.core.answers"
#define JOB      "lunula.core.job"

enum { LARGEST_CAPACITY = 1 << 20 };


/* raises a message as it stands */
static int fail(lua_State *L, const char *message) {
  lua_pushstring(L, message);
  return lua_error(L);
}


/* an empty slot for a pointer, with the metatable that will free it */
static void **push_slot(lua_State *L, const char *type) {
  void **slot = (void **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, type);
  return slot;
}


static void *check_slot(lua_State *L, int arg, const char *type) {
  void **slot = (void **)luaL_checkudata(L, arg, type);
  luaL_argcheck(L, *slot != NULL, arg, "it is gone");
  return *slot;
}


/* {======== answers ======== */

static Bytes check_text(lua_State *L, int table, const char *what, size_t i) {
  Bytes s;
  lua_rawgeti(L, table, (int)i);
  if (lua_type(L, -1) != LUA_TSTRING)
    fail(L, lua_pushfstring(L, "%s[%d]: expected a string, got %s", what,
                            (int)i, luaL_typename(L, -1)));
  s.at = (const uint8_t *)lua_tolstring(L, -1, &s.n);
  lua_pop(L, 1);  /* the table keeps it */
  return s;
}


static void add_texts(lua_State *L, Answers *a) {
  bool paired = !lua_isnoneornil(L, 3);
  size_t n = lua_rawlen(L, 2);
  if (paired) {
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_argcheck(L, lua_rawlen(L, 3) == n, 3, "expected one for each text");
  }
  for (size_t i = 1; i <= n; i++) {
    Bytes text = check_text(L, 2, "texts", i), pair = { NULL, 0 };
    if (paired) pair = check_text(L, 3, "text_pairs", i);
    if (!answers_add(a, text, paired ? &pair : NULL))
      fail(L, "not enough memory");
  }
}


static int64_t check_limit(lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, 1 <= n && n <= INT32_MAX, arg, "out of range");
  return (int64_t)n;
}


static ModelActivation check_activation(lua_State *L, int options) {
  static const char *const names[] = {
    [MODEL_SOFTMAX] = "softmax", [MODEL_SIGMOID] = "sigmoid",
    [MODEL_LINEAR] = "none", NULL };
  lua_getfield(L, options, "activation");
  int i = luaL_checkoption(L, -1, names[MODEL_SOFTMAX], names);
  lua_pop(L, 1);
  return (ModelActivation)i;
}


static int l_answers(lua_State *L) {
  Model *m = lmodel_check(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  AnswersOptions o = { .encode = ltokenizer_checkoptions(L, 4),
                       .activation = check_activation(L, 4),
                       .batch_size = check_limit(L, 5),
                       .batch_tokens = check_limit(L, 6),
                       .threads = (int)luaL_optinteger(L, 7, 0) };
  luaL_argcheck(L, model_tokenizer(m) != NULL, 1, "it has no tokenizer");
  Answers **a = (Answers **)push_slot(L, ANSWERS);
  *a = answers_new(m, &o);
  if (*a == NULL) return fail(L, "not enough memory");
  add_texts(L, *a);
  lstate_pressure(L, answers_bytes(*a));
  return 1;
}


/* pushes two arrays: of each text an array of numbers, one for each output,
   and how many of its bytes were cut */
static int push_results(lua_State *L, const Answers *a) {
  const float *p = answers_numbers(a);
  int64_t n = answers_count(a), width = answers_width(a);
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_createtable(L, (int)width, 0);
    for (int64_t c = 0; c < width; c++) {
      lua_pushnumber(L, *p++);
      lua_rawseti(L, -2, (int)c + 1);
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_pushinteger(L, answers_cut(a)[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 2;
}


static int l_space(lua_State *L) {
  Space **s = (Space **)push_slot(L, SPACE);
  *s = space_new();
  return *s != NULL ? 1 : fail(L, "not enough memory");
}


static int space_gc(lua_State *L) {
  Space **s = (Space **)luaL_checkudata(L, 1, SPACE);
  space_free(*s);
  *s = NULL;
  return 0;
}


/* those that may still be run; a run that failed was one, too */
static Answers *check_fresh(lua_State *L, int arg) {
  Answers *a = check_slot(L, arg, ANSWERS);
  luaL_argcheck(L, !answers_ran(a), arg, "it ran before");
  return a;
}


/* run(space): numbers, cut */
static int answers_now(lua_State *L) {
  Error e;
  Answers *a = check_fresh(L, 1);
  if (!answers_run(a, check_slot(L, 2, SPACE), &e)) return fail(L, e.message);
  return push_results(L, a);
}


static int answers_gc(lua_State *L) {
  Answers **a = (Answers **)luaL_checkudata(L, 1, ANSWERS);
  answers_free(*a);
  *a = NULL;
  return 0;
}

/* }======== */


/* {======== queues ======== */

static int l_queue(lua_State *L) {
  lua_Integer capacity = luaL_checkinteger(L, 1);
  luaL_argcheck(L, 1 <= capacity && capacity <= LARGEST_CAPACITY, 1,
                "out of range");
  Queue **q = (Queue **)push_slot(L, QUEUE);
  *q = queue_new((int)capacity);
  return *q != NULL ? 1 : fail(L, "not enough memory");
}


/* full(): whether no job may be submitted now */
static int queue_full(lua_State *L) {
  lua_pushboolean(L, queue_is_full(check_slot(L, 1, QUEUE)));
  return 1;
}


/* submit(answers): the job, to which the answers belong from here on; nil
   when it is full */
static int queue_submit(lua_State *L) {
  Error e;
  Queue *q = check_slot(L, 1, QUEUE);
  Answers *a = check_fresh(L, 2);
  Answers **given = (Answers **)lua_touserdata(L, 2);
  if (queue_is_full(q)) return 0;
  Job **j = (Job **)push_slot(L, JOB);
  *j = job_submit(q, &answers_job, a, &e);
  if (*j == NULL) return fail(L, e.message);
  *given = NULL;
  return 1;
}


static int queue_gc(lua_State *L) {
  Queue **q = (Queue **)luaL_checkudata(L, 1, QUEUE);
  queue_release(*q);
  *q = NULL;
  return 0;
}

/* }======== */


/* {======== jobs ======== */

static int m_done(lua_State *L) {
  lua_pushboolean(L, job_is_done(check_slot(L, 1, JOB)));
  return 1;
}


/* wait([seconds]): whether it is done, in the end; nil waits until it is */
static int m_wait(lua_State *L) {
  Job *j = check_slot(L, 1, JOB);
  lua_Number seconds = luaL_optnumber(L, 2, INFINITY);
  lua_pushboolean(L, job_wait(j, (double)seconds));
  return 1;
}


/* result(): numbers, cut; waits until there is an end to it */
static int m_result(lua_State *L) {
  Job *j = check_slot(L, 1, JOB);
  job_wait(j, INFINITY);
  const char *error = job_error(j);
  if (error != NULL) return fail(L, error);
  return push_results(L, job_work(j));
}


static int m_cancel(lua_State *L) {
  lua_pushboolean(L, job_cancel(check_slot(L, 1, JOB)));
  return 1;
}


static int m_fd(lua_State *L) {
  Error e;
  int fd = job_fd(check_slot(L, 1, JOB), &e);
  if (fd < 0) return fail(L, e.message);
  lua_pushinteger(L, fd);
  return 1;
}


static int job_gc(lua_State *L) {
  Job **j = (Job **)luaL_checkudata(L, 1, JOB);
  if (*j != NULL) job_release(*j);
  *j = NULL;
  return 0;
}

/* }======== */


static const luaL_Reg functions[] = {
  {"answers", l_answers},
  {"space", l_space},
  {"queue", l_queue},
  {NULL, NULL}
};

static const luaL_Reg answers_meth[] = {
  {"run", answers_now},
  {NULL, NULL}
};

static const luaL_Reg space_meth[] = {
  {NULL, NULL}
};

static const luaL_Reg queue_meth[] = {
  {"full", queue_full},
  {"submit", queue_submit},
  {NULL, NULL}
};

static const luaL_Reg job_meth[] = {
  {"done", m_done},
  {"wait", m_wait},
  {"result", m_result},
  {"cancel", m_cancel},
  {"fd", m_fd},
  {NULL, NULL}
};

static const luaL_Reg answers_metameth[] = {
  {"__gc", answers_gc}, {NULL, NULL}
};

static const luaL_Reg space_metameth[] = {
  {"__gc", space_gc}, {NULL, NULL}
};

static const luaL_Reg queue_metameth[] = {
  {"__gc", queue_gc}, {NULL, NULL}
};

static const luaL_Reg job_metameth[] = {
  {"__gc", job_gc}, {NULL, NULL}
};


int jobs_open(lua_State *L) {
  compat_newtype(L, ANSWERS, answers_meth, answers_metameth);
  compat_newtype(L, SPACE, space_meth, space_metameth);
  compat_newtype(L, QUEUE, queue_meth, queue_metameth);
  compat_newtype(L, JOB, job_meth, job_metameth);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
