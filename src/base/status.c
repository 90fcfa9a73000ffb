/*
** The one way to fill an Error. See status.h.
*/
#include "status.h"

#include <stdarg.h>
#include <stdio.h>


bool error_set(Error *e, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(e->message, sizeof e->message, format, args);
  va_end(args);
  return false;
}


bool error_no_memory(Error *e) {
  return error_set(e, "not enough memory");
}
