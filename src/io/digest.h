/*
** The SHA-256 of a file.
*/
#ifndef lunula_digest_h
#define lunula_digest_h

#include "../base/sha256.h"
#include "../base/status.h"

#pragma GCC visibility push(hidden)

/* of all bytes that can be read from it, some at a time */
bool digest_file(const char *path, char text[SHA256_TEXT], Error *e);

#pragma GCC visibility pop

#endif
