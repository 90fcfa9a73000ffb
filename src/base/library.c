/*
** The library that stays. See library.h.
*/
#define _GNU_SOURCE  /* dladdr, RTLD_NODELETE */
#include "library.h"

#include <dlfcn.h>
#include <stdint.h>


/* Only raises a count, since the library is there. Linked into the program
   itself, it needs nothing and a failure says nothing. */
void library_stay(void) {
  Dl_info info;
  if (dladdr((void *)(intptr_t)library_stay, &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}
