/*
** lunula.core.io: files as Lua sees them. What a file holds is judged in Lua
** (safetensors.lua, checkpoint.lua); here are the calls that Lua has not. A
** failure raises `PATH: what went wrong`.
*/
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE  /* without it struct stat has no nanoseconds */
#endif
#define _POSIX_C_SOURCE 200809L
#include "lunula.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__APPLE__)
#define st_mtim  st_mtimespec  /* as POSIX names it */
#endif

#include "../io/atomic.h"
#include "../io/digest.h"
#include "../io/folder.h"
#include "../io/posix.h"
#include "../io/safetensors.h"
#include "lbytes.h"
#include "lstate.h"
#include "ltensor.h"

#define MAPPED  "lunula.mapped"
#define ATOMIC  "lunula.atomic"
#define LOCK    "lunula.lock"
#define LISTING "lunula.listing"

enum { WRITTEN_ROWS = 256 };  /* of a table, at a time */


/* the message as it is: the place in a Lua file would say nothing about a
   file on the disk */
static int raise(lua_State *L, const Error *e) {
  lua_pushstring(L, e->message);
  return lua_error(L);
}


/* a path without a zero byte, where C would take it to end */
static const char *check_path(lua_State *L, int arg) {
  size_t n;
  const char *path = luaL_checklstring(L, arg, &n);
  luaL_argcheck(L, n > 0, arg, "an empty path");
  luaL_argcheck(L, strlen(path) == n, arg, "a path with a zero byte");
  return path;
}


/* {======== mapped files ======== */

static Mapped *check_mapped(lua_State *L) {
  Mapped **slot = (Mapped **)luaL_checkudata(L, 1, MAPPED);
  luaL_argcheck(L, *slot != NULL, 1, "file was never mapped");
  return *slot;
}


/* map(path): the file in memory */
static int l_map(lua_State *L) {
  const char *path = check_path(L, 1);
  Error e;
  Mapped **slot = (Mapped **)lua_newuserdata(L, sizeof *slot);
  *slot = NULL;
  luaL_setmetatable(L, MAPPED);
  if ((*slot = mapped_open(path, &e)) == NULL) return raise(L, &e);
  return 1;
}


/* size(): bytes in the file */
static int m_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_mapped(L)->bytes);
  return 1;
}


/* header(): the header of a safetensors file, and how many bytes of data
   follow it */
static int m_header(lua_State *L) {
  const Mapped *m = check_mapped(L);
  const char *header;
  size_t length;
  Error e;
  if (!safetensors_header(m, &header, &length, &e)) return raise(L, &e);
  lua_pushlstring(L, header, length);
  lua_pushinteger(L, (lua_Integer)(m->data + m->bytes - header - length));
  return 2;
}


/* tensor(type, shape, first): the tensor whose bytes begin at `first` (from
   0) in the data of a safetensors file; type is "F32" etc. */
static int m_tensor(lua_State *L) {
  static const char *const names[] = {
    [STORED_F32] = "F32", [STORED_I32] = "I32",   [STORED_I64] = "I64",
    [STORED_F16] = "F16", [STORED_BF16] = "BF16", [STORED_F64] = "F64", NULL
  };
  Mapped *m = check_mapped(L);
  StoredType type = (StoredType)luaL_checkoption(L, 2, NULL, names);
  Shape s = ltensor_checkshape(L, 3);
  lua_Integer first = luaL_checkinteger(L, 4);
  luaL_argcheck(L, first >= 0, 4, "must not be negative");
  Error e;
  Tensor **out = ltensor_slot(L);
  *out = safetensors_tensor(m, type, &s, (uint64_t)first, &e);
  return *out ? ltensor_done(L, out) : raise(L, &e);
}


/* bytes(count, first): so many of the data of a safetensors file, as they lie;
   see lbytes.h */
static int m_bytes(lua_State *L) {
  Mapped *m = check_mapped(L);
  lua_Integer bytes = luaL_checkinteger(L, 2), first = luaL_checkinteger(L, 3);
  luaL_argcheck(L, bytes >= 0, 2, "must not be negative");
  luaL_argcheck(L, first >= 0, 3, "must not be negative");
  Error e;
  Storage **slot = lbytes_slot(L);
  *slot = safetensors_bytes(m, (uint64_t)bytes, (uint64_t)first, &e);
  return *slot ? 1 : raise(L, &e);
}


static int mapped_tostring(lua_State *L) {
  lua_pushfstring(L, "mapped file (%s)", check_mapped(L)->path);
  return 1;
}


static int mapped_gc(lua_State *L) {
  Mapped **slot = (Mapped **)luaL_checkudata(L, 1, MAPPED);
  mapped_release(*slot);
  *slot = NULL;
  return 0;
}


static const luaL_Reg mapped_meth[] = {
  {"size", m_size},
  {"header", m_header},
  {"tensor", m_tensor},
  {"bytes", m_bytes},
  {NULL, NULL}
};

static const luaL_Reg mapped_metameth[] = {
  {"__tostring", mapped_tostring},
  {"__gc", mapped_gc},
  {NULL, NULL}
};

/* }======== */


/* {======== writing ======== */

static int atomic_gc(lua_State *L) {
  atomic_abort((Atomic *)luaL_checkudata(L, 1, ATOMIC));
  return 0;
}


static const luaL_Reg atomic_metameth[] = {
  {"__gc", atomic_gc},
  {NULL, NULL}
};


/* pushes a writer that the collector closes, should something raise */
static Atomic *push_atomic(lua_State *L) {
  Atomic *a = (Atomic *)lua_newuserdata(L, sizeof *a);
  *a = ATOMIC_CLOSED;
  luaL_setmetatable(L, ATOMIC);
  return a;
}


/* writes a tensor's elements, in order; a copy is made when they don't lie
   so, and given back at once */
static bool write_tensor(lua_State *L, Atomic *a, Tensor *t, Error *e) {
  Tensor **rows = ltensor_slot(L);
  if ((*rows = tensor_contiguous(t)) == NULL) return error_no_memory(e);
  size_t size = dtype_size(t->dtype);
  const char *data = (*rows)->storage->data;
  bool ok = atomic_write(a, data + (size_t)(*rows)->start * size,
                         (size_t)tensor_count(t) * size, e);
  tensor_release(*rows);
  *rows = NULL;
  lua_pop(L, 1);
  return ok;
}


/* the same of a table that is trained, which stays unsettled: to bring all its
   rows up to date where they lie would take the memory of all */
static bool write_unsettled(lua_State *L, Atomic *a, const Tensor *t,
                            Error *e) {
  int64_t rows = t->shape.size[0], width = t->shape.size[1];
  int64_t most = rows < WRITTEN_ROWS ? rows : WRITTEN_ROWS;
  float *some = (float *)lua_newuserdata(L,
                                         sizeof *some * (size_t)(most * width));
  bool ok = true;
  for (int64_t first = 0; ok && first < rows; first += most) {
    int64_t n = rows - first < most ? rows - first : most;
    tensor_read_rows(t, first, n, some);
    ok = atomic_write(a, some, sizeof *some * (size_t)(n * width), e);
  }
  lua_pop(L, 1);
  return ok;
}


/* writes what is on top, a string or a tensor */
static bool write_piece(lua_State *L, Atomic *a, Error *e) {
  size_t n;
  Tensor *t = ltensor_testhandle(L, lua_gettop(L));
  if (t != NULL && tensor_has_unsettled_rows(t))
    return write_unsettled(L, a, t, e);
  if (t != NULL) {
    tensor_settle(t);
    return write_tensor(L, a, t, e);
  }
  if (lua_type(L, -1) != LUA_TSTRING)
    return error_set(e, "write: a piece must be a string or a tensor, got %s",
                     luaL_typename(L, -1));
  const char *s = lua_tolstring(L, -1, &n);
  return atomic_write(a, s, n, e);
}


static bool write_pieces(lua_State *L, Atomic *a, int arg, Error *e) {
  size_t n = lua_rawlen(L, arg);
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, arg, (int)i);
    if (!write_piece(L, a, e)) return false;
    lua_pop(L, 1);
  }
  return true;
}


/* the same of what a function gives at each call, nil at the end. What it
   raises is raised again when nothing of the file is left: to leave that to
   the collector would leave it there when the program ends first */
static bool write_given(lua_State *L, Atomic *a, int arg, Error *e) {
  for (bool more = true; more; lua_pop(L, 1)) {
    lua_pushvalue(L, arg);
    if (lua_pcall(L, 0, 1, 0) != 0) {
      atomic_abort(a);
      return lua_error(L);
    }
    more = !lua_isnil(L, -1);
    if (more && !write_piece(L, a, e)) return false;
  }
  return true;
}


/* write(path, pieces): a file of these strings and tensors, whole or not at
   all; they are an array, or what a function gives at each call until nil */
static int l_write(lua_State *L) {
  const char *path = check_path(L, 1);
  bool given = lua_isfunction(L, 2);
  if (!given) luaL_checktype(L, 2, LUA_TTABLE);
  Error e;
  Atomic *a = push_atomic(L);
  if (atomic_open(a, path, &e) &&
      (given ? write_given : write_pieces)(L, a, 2, &e) &&
      atomic_commit(a, &e))
    return 0;
  atomic_abort(a);
  return raise(L, &e);
}

/* }======== */


/* {======== lines ======== */

/* more of a line; true when its end is not among it */
static bool add_part(luaL_Buffer *b, FILE *f) {
  char *to = luaL_prepbuffer(b);
  size_t n = 0;
  int c = 0;
  flockfile(f);
  while (n < LUAL_BUFFERSIZE && c != '\n' && (c = getc_unlocked(f)) != EOF)
    to[n++] = (char)c;
  funlockfile(f);
  luaL_addsize(b, n);
  return n == LUAL_BUFFERSIZE && c != '\n';
}


/* line(file): the next line with its end, which the last may lack, as
   file:read("*L") gives it where there is Lua 5.2; nil at the end; nil and
   why when it can't be read */
static int l_line(lua_State *L) {
  FILE *f = compat_checkfile(L, 1);
  luaL_argcheck(L, f != NULL, 1, "a closed file");
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  clearerr(f);
  while (add_part(&b, f)) {}
  luaL_pushresult(&b);
  if (ferror(f)) {
    lua_pushnil(L);
    lua_pushstring(L, strerror(errno));
    return 2;
  }
  if (lua_rawlen(L, -1) == 0) lua_pushnil(L);
  return 1;
}

/* }======== */


/* {======== folders ======== */

/* make_folder(path): no error when it exists */
static int l_make_folder(lua_State *L) {
  Error e;
  return folder_make(check_path(L, 1), &e) ? 0 : raise(L, &e);
}


/* sync(path): brings a file's bytes to the disk, or renames and removals
   inside a folder */
static int l_sync(lua_State *L) {
  Error e;
  return folder_sync(check_path(L, 1), &e) ? 0 : raise(L, &e);
}


static int listing_gc(lua_State *L) {
  DIR **d = (DIR **)luaL_checkudata(L, 1, LISTING);
  if (*d != NULL) closedir(*d);
  *d = NULL;
  return 0;
}


static const luaL_Reg listing_metameth[] = {
  {"__gc", listing_gc},
  {NULL, NULL}
};


/* list(folder): the names in it, in no order, without "." and ".." */
static int l_list(lua_State *L) {
  const char *path = check_path(L, 1);
  Error e;
  DIR **d = (DIR **)lua_newuserdata(L, sizeof *d);
  *d = NULL;
  luaL_setmetatable(L, LISTING);
  if ((*d = opendir(path)) == NULL) {
    posix_error(&e, path, errno);
    return raise(L, &e);
  }
  lua_newtable(L);
  int n = 0;
  for (struct dirent *f; (f = readdir(*d)) != NULL;) {
    if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
    lua_pushstring(L, f->d_name);
    lua_rawseti(L, -2, ++n);
  }
  closedir(*d);
  *d = NULL;
  return 1;
}


/* stat(path): nil when nothing is there, else "file", "folder" or "other",
   the size in bytes, and a string that changes when the file is replaced or
   written */
static int l_stat(lua_State *L) {
  struct stat s;
  char id[96];
  if (stat(check_path(L, 1), &s) != 0) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, S_ISREG(s.st_mode) ? "file"
                    : S_ISDIR(s.st_mode) ? "folder" : "other");
  lua_pushinteger(L, (lua_Integer)s.st_size);
  snprintf(id, sizeof id, "%jx:%jx:%jx:%jx.%lx", (uintmax_t)s.st_dev,
           (uintmax_t)s.st_ino, (uintmax_t)s.st_size,
           (uintmax_t)s.st_mtim.tv_sec, (unsigned long)s.st_mtim.tv_nsec);
  lua_pushstring(L, id);
  return 3;
}


/* sha256(path): that of the file's bytes, 64 hexadecimal digits */
static int l_sha256(lua_State *L) {
  const char *path = check_path(L, 1);
  char text[SHA256_TEXT];
  Error e;
  if (!digest_file(path, text, &e)) return raise(L, &e);
  lua_pushstring(L, text);
  return 1;
}


static int lock_release(lua_State *L) {
  int *fd = (int *)luaL_checkudata(L, 1, LOCK);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}


static const luaL_Reg lock_meth[] = {
  {"release", lock_release},
  {NULL, NULL}
};

static const luaL_Reg lock_metameth[] = {
  {"__gc", lock_release},
  {NULL, NULL}
};


/* lock(folder): a lock that nobody else gets until it is released; nil when
   somebody else has it */
static int l_lock(lua_State *L) {
  const char *path = check_path(L, 1);
  Error e;
  int *fd = (int *)lua_newuserdata(L, sizeof *fd);
  *fd = -1;
  luaL_setmetatable(L, LOCK);
  if (!folder_lock(path, fd, &e)) return raise(L, &e);
  if (*fd < 0) lua_pushnil(L);
  return 1;
}

/* }======== */


static const luaL_Reg functions[] = {
  {"map", l_map},
  {"write", l_write},
  {"make_folder", l_make_folder},
  {"sync", l_sync},
  {"line", l_line},
  {"list", l_list},
  {"stat", l_stat},
  {"sha256", l_sha256},
  {"lock", l_lock},
  {NULL, NULL}
};

static const luaL_Reg none[] = {
  {NULL, NULL}
};


int io_open(lua_State *L) {
  compat_newtype(L, MAPPED, mapped_meth, mapped_metameth);
  compat_newtype(L, ATOMIC, none, atomic_metameth);
  compat_newtype(L, LISTING, none, listing_metameth);
  compat_newtype(L, LOCK, lock_meth, lock_metameth);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
