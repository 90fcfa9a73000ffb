/*
** SHA-256 (FIPS 180-4): the name of bytes by which files, rows and models are
** told apart, the same here as from `sha256sum`.
**
**   Sha256 h = sha256_new();
**   sha256_add(&h, data, bytes);      any number of times
**   sha256_text(&h, text);            ends it: a new one for other bytes
*/
#ifndef lunula_sha256_h
#define lunula_sha256_h

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
  SHA256_BLOCK = 64,    /* bytes that are mixed in at a time */
  SHA256_TEXT = 65      /* hexadecimal digits and the final zero */
};

typedef struct Sha256 {
  uint32_t state[8];
  uint64_t bytes;                /* added so far */
  uint8_t block[SHA256_BLOCK];   /* those that don't fill a block yet */
} Sha256;

Sha256 sha256_new(void);
void   sha256_add(Sha256 *h, const void *data, size_t bytes);
/* 64 hexadecimal digits in lower case */
void   sha256_text(Sha256 *h, char text[SHA256_TEXT]);

#pragma GCC visibility pop

#endif
