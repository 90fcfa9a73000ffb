/*
** lunula.core.system: what a command needs to know of the system it runs on.
**
** Ctrl-C is caught only between catch_interrupt(true) and (false), and only
** the command line asks for that: a host's signals are its own. A signal
** belongs to the process, so what is kept here does too.
*/
#define _DEFAULT_SOURCE  /* getrusage(2), which plain POSIX.1 leaves out */
#include "lunula.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/mem.h"

#if defined(__APPLE__)
#define RSS_PER_MIB  (1024.0 * 1024.0)
#else
#define RSS_PER_MIB  1024.0
#endif

enum { INPUT_CHUNK = 1 << 14 };  /* bytes read at once */

static volatile sig_atomic_t interrupted = 0;
static bool catching = false;
static struct sigaction before;


/* {======== Ctrl-C ======== */

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}


/* the handler goes with the first signal, so that a second Ctrl-C ends the
   program at once */
static bool start_catching(void) {
  struct sigaction ours = { .sa_handler = on_interrupt };
  ours.sa_flags = SA_RESTART | (int)SA_RESETHAND;
  sigemptyset(&ours.sa_mask);
  if (sigaction(SIGINT, NULL, &before) != 0) return false;
  if (before.sa_handler == SIG_IGN) return true;  /* as nohup wants it */
  return sigaction(SIGINT, &ours, NULL) == 0;
}


static bool stop_catching(void) {
  interrupted = 0;
  return sigaction(SIGINT, &before, NULL) == 0;
}


/* catch_interrupt(on) */
static int l_catch_interrupt(lua_State *L) {
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  bool on = lua_toboolean(L, 1);
  if (on == catching) return 0;
  bool ok = on ? start_catching() : stop_catching();
  if (!ok) return luaL_error(L, "catch_interrupt: %s", strerror(errno));
  catching = on;
  return 0;
}


/* interrupted(): whether Ctrl-C came since catch_interrupt(true); false when
   it is not caught */
static int l_interrupted(lua_State *L) {
  lua_pushboolean(L, interrupted);
  return 1;
}

/* }======== */


/* peak_rss(): the most memory that the process ever held, MiB */
static int l_peak_rss(lua_State *L) {
  struct rusage usage = { .ru_maxrss = 0 };
  getrusage(RUSAGE_SELF, &usage);
  lua_pushnumber(L, (lua_Number)usage.ru_maxrss / RSS_PER_MIB);
  return 1;
}


/* trim(): gives back the memory that is kept for tensors to come */
static int l_trim(lua_State *L) {
  (void)L;
  mem_trim();
  return 0;
}


/* mappings(): how often the system was asked for a large block of numbers;
   nil where that is not counted */
static int l_mappings(lua_State *L) {
  int64_t n = mem_mappings();
  if (n < 0) lua_pushnil(L);
  else lua_pushinteger(L, (lua_Integer)n);
  return 1;
}


/* monotonic(): seconds from some moment on, never set back */
static int l_monotonic(lua_State *L) {
  lua_pushnumber(L, (lua_Number)clock_now() * 1e-9);
  return 1;
}


/* 0, 1 or 2: input, output, errors */
static int check_stream(lua_State *L) {
  lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, 0 <= fd && fd <= 2, 1, "0, 1 or 2 expected");
  return (int)fd;
}


/* isatty(fd): whether 0, 1 or 2 is a terminal */
static int l_isatty(lua_State *L) {
  lua_pushboolean(L, isatty(check_stream(L)));
  return 1;
}


/* columns(fd): of the terminal that 0, 1 or 2 is; nil where it is none, or
   does not say */
static int l_columns(lua_State *L) {
  struct winsize size = { .ws_col = 0 };
  int ok = ioctl(check_stream(L), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  if (ok) lua_pushinteger(L, size.ws_col);
  else lua_pushnil(L);
  return 1;
}


/* {======== standard input ======== */

static int input_error(lua_State *L) {
  lua_pushfstring(L, "stdin: %s", strerror(errno));
  return lua_error(L);
}


/* input_ready(wait): whether there is something to read, or the end; waits
   for it when told. false too when a signal came, which is Lua's to handle */
static int l_input_ready(lua_State *L) {
  struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
  luaL_checktype(L, 1, LUA_TBOOLEAN);
  int n = poll(&input, 1, lua_toboolean(L, 1) ? -1 : 0);
  if (n < 0 && errno != EINTR) return input_error(L);
  lua_pushboolean(L, n > 0);
  return 1;
}


/* read_input(): bytes that are there; nil at the end */
static int l_read_input(lua_State *L) {
  char bytes[INPUT_CHUNK];
  ssize_t n;
  do n = read(STDIN_FILENO, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n < 0) return input_error(L);
  if (n == 0) lua_pushnil(L);
  else lua_pushlstring(L, bytes, (size_t)n);
  return 1;
}

/* }======== */


static const luaL_Reg functions[] = {
  {"catch_interrupt", l_catch_interrupt},
  {"interrupted", l_interrupted},
  {"peak_rss", l_peak_rss},
  {"trim", l_trim},
  {"mappings", l_mappings},
  {"monotonic", l_monotonic},
  {"isatty", l_isatty},
  {"columns", l_columns},
  {"input_ready", l_input_ready},
  {"read_input", l_read_input},
  {NULL, NULL}
};


int system_open(lua_State *L) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
