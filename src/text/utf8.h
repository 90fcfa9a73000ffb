/*
** UTF-8, any bytes accepted. What is malformed reads as U+FFFD, one for each
** maximal part of a sequence that could have been begun (the practice that
** Unicode recommends, and Python's errors="replace").
*/
#ifndef lunula_utf8_h
#define lunula_utf8_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
  UTF8_LONGEST = 4,          /* bytes of a code point */
  UTF8_REPLACEMENT = 0xFFFD
};

typedef struct Bytes {
  const uint8_t *at;
  size_t n;
} Bytes;

/* the code point that s [n] begins with, and in *used its 1 to 4 bytes;
   n > 0 */
uint32_t utf8_decode(const uint8_t *s, size_t n, size_t *used);

/* the code point that s [n] ends with; n > 0 */
uint32_t utf8_decode_last(const uint8_t *s, size_t n, size_t *used);

/* writes c, returns how many bytes that took */
size_t   utf8_encode(uint32_t c, uint8_t out[UTF8_LONGEST]);

bool     utf8_is_valid(Bytes s);

/* what a code point's first byte says of its length, 1 where it says nothing:
   right for well-formed text */
static inline size_t utf8_length(uint8_t first) {
  return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static inline bool utf8_is_continuation(uint8_t byte) {
  return (byte & 0xC0) == 0x80;
}

#pragma GCC visibility pop

#endif
