/*
** Folders: made, synced, and locked against other writers.
*/
#ifndef lunula_folder_h
#define lunula_folder_h

#include <stdbool.h>

#include "../base/status.h"

#pragma GCC visibility push(hidden)

/* makes one folder; one that exists already is as good */
bool folder_make(const char *path, Error *e);

/* brings to the disk which names the folder holds */
bool folder_sync(const char *path, Error *e);
/* the same for the folder that holds `path`; nothing where it can't be opened,
   since one may write to a folder and not read it */
bool folder_sync_parent(const char *path, Error *e);

/* Locks the folder against other calls of this function, here and in other
   processes, until *fd is closed or the process ends. *fd is -1 when somebody
   else holds the lock. On a file system without locks nobody is kept out. */
bool folder_lock(const char *path, int *fd, Error *e);

#pragma GCC visibility pop

#endif
