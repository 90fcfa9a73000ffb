/*
** Programs that lunula lives in, for spec/host_spec.lua:
**
**   host closed CODE   runs the Lua code, closes the state, then sends itself
**                      Ctrl-C
**   host upward CODE   runs it, and again where floats are rounded upward
**   host threads CODE  runs it in states of three threads, one after the other
**   host forks CODE    runs it, then again in children of the same state
**   host busy CODE     runs it again and again in three threads, and beside
**                      them in children of another, where `child` is true
**   host shared CODE [N]  runs it in a state that stays, then in N states of
**                      each of four threads, where `handle` is what it left in
**                      that global, and at last again in the first, where
**                      `finished` is true
**
** All states have readable(fd): whether poll says so. Each prints "alive" at
** its end. The host has functions of its own with names that are lunula's
** inside, as a game may.
*/
#define _POSIX_C_SOURCE 200809L
#include <fenv.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { THREADS = 3, SHARING = 4, STATES = 3, CHILDREN = 10, CHILD_SECONDS = 60,
       BUSY_CHILDREN = 60 };

static const char *code, *handle;
static int states = STATES;  /* of a thread, one after the other */
static bool done;


int map(int x);
int error_set(int x);


int map(int x) {
  fprintf(stderr, "the host's map was called\n");
  return x;
}


int error_set(int x) {
  fprintf(stderr, "the host's error_set was called\n");
  return x;
}


static int l_readable(lua_State *L) {
  struct pollfd p = { .fd = (int)luaL_checkinteger(L, 1), .events = POLLIN };
  int n = poll(&p, 1, 0);
  lua_pushboolean(L, n == 1 && (p.revents & POLLIN) != 0);
  return 1;
}


static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_pushcfunction(L, l_readable);
  lua_setglobal(L, "readable");
  lua_pushstring(L, handle);  /* NULL is nil */
  lua_setglobal(L, "handle");
  return L;
}


static void run_in(lua_State *L) {
  if (luaL_dostring(L, code) == 0) return;
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(EXIT_FAILURE);
}


static void run_code(void) {
  lua_State *L = new_state();
  run_in(L);
  lua_close(L);
}


static void run_closed(void) {
  run_code();
  raise(SIGINT);
}


/* threads that are made here begin with the mode of who makes them */
static void run_upward(void) {
  run_code();
  fesetround(FE_UPWARD);
  run_code();
  if (fegetround() != FE_UPWARD) fprintf(stderr, "the mode was changed\n");
}


static void *run_states(void *unused) {
  (void)unused;
  for (int i = 0; i < states; i++) run_code();
  return NULL;
}


static void run_threads(int n) {
  pthread_t thread[SHARING];
  for (int i = 0; i < n; i++)
    pthread_create(&thread[i], NULL, run_states, NULL);
  for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
}


static void run_shared(void) {
  lua_State *L = new_state();
  run_in(L);
  lua_getglobal(L, "handle");
  handle = lua_tostring(L, -1);
  run_threads(SHARING);
  lua_pushboolean(L, true);
  lua_setglobal(L, "finished");
  run_in(L);
  lua_close(L);
}


static void run_child(lua_State *L) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    alarm(CHILD_SECONDS);
    lua_pushboolean(L, true);
    lua_setglobal(L, "child");
    run_in(L);
    _exit(EXIT_SUCCESS);
  }
  if (waitpid(child, &status, 0) != child || status != 0)
    fprintf(stderr, "a child ended with status %d\n", status);
}


static void run_forks(void) {
  lua_State *L = new_state();
  run_in(L);
  for (int i = 0; i < CHILDREN; i++) run_child(L);
  lua_close(L);
}


static void *run_on(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) run_code();
  return NULL;
}


static void run_busy(void) {
  pthread_t thread[THREADS];
  lua_State *L = new_state();
  run_in(L);
  for (int i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, run_on, NULL);
  for (int i = 0; i < BUSY_CHILDREN; i++) run_child(L);
  __atomic_store_n(&done, true, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  lua_close(L);
}


int main(int argc, char **argv) {
  if (argc < 3) return EXIT_FAILURE;
  code = argv[2];
  if (argc > 3) states = atoi(argv[3]);
  if (strcmp(argv[1], "closed") == 0) run_closed();
  if (strcmp(argv[1], "upward") == 0) run_upward();
  if (strcmp(argv[1], "threads") == 0) run_threads(THREADS);
  if (strcmp(argv[1], "forks") == 0) run_forks();
  if (strcmp(argv[1], "busy") == 0) run_busy();
  if (strcmp(argv[1], "shared") == 0) run_shared();
  puts("alive");
  return EXIT_SUCCESS;
}
