/*
** What a core function that can fail at run time says about it.
**
** Only memory, files and bad input fail at run time; a broken promise of the
** caller is an assertion. A function that takes an `Error *` returns false
** (or NULL) exactly when it has filled it. The message says what was wrong,
** where, and what would be right; the binding raises it as it is.
*/
#ifndef lunula_status_h
#define lunula_status_h

#include <stdbool.h>

#pragma GCC visibility push(hidden)

enum { ERROR_SIZE = 512 };

typedef struct Error {
  char message[ERROR_SIZE];
} Error;

#if defined(__GNUC__)
#define LIKE_PRINTF(at, first) \
  __attribute__((format(printf, at, first)))
#else
#define LIKE_PRINTF(at, first)
#endif

/* fills e, cutting what does not fit; always returns false, so that a
   function can end with `return error_set(...)` */
bool error_set(Error *e, const char *format, ...) LIKE_PRINTF(2, 3);

/* error_set for an allocation that failed */
bool error_no_memory(Error *e);

#pragma GCC visibility pop

#endif
