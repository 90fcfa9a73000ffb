/*
** Models that several Lua states of a process use at once: one copy of the
** weights, found by a handle that is a string.
**
** What always holds: a handle says nothing of where a model lies, and none is
** ever given twice, here or in a forked child or another process; any string
** may be asked for. It is good for as long as somebody holds its Share. A
** forked child has the shares that its parent had.
*/
#ifndef lunula_share_h
#define lunula_share_h

#include "model.h"

#pragma GCC visibility push(hidden)

enum { SHARE_HANDLE = 96 };  /* bytes of a handle, with the 0 at its end */

typedef struct Share Share;

/* Both are held once. The model is retained; `about` is copied: what its
   finder must know of it, any bytes. NULL: no memory */
Share *share_new(Model *m, Bytes about);
/* the one with this handle; NULL: there is none */
Share *share_find(Bytes handle);
void   share_release(Share *s);  /* from any thread; NULL is allowed */

const char *share_handle(const Share *s);
Model      *share_model(const Share *s);
Bytes       share_about(const Share *s);

#pragma GCC visibility pop

#endif
