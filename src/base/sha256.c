/*
** SHA-256. The names of the functions and of what they work on are those of
** FIPS 180-4, sections 4.1.2 and 6.2.
*/
#include "sha256.h"

#include <string.h>

enum {
  ROUNDS = 64,
  WORDS = 16,                        /* of a block */
  LENGTH_AT = SHA256_BLOCK - 8       /* of the last block: the message's bits */
};

/* the first 32 bits of the fractional parts of the cube roots of the first 64
   primes */
static const uint32_t K[ROUNDS] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
  0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
  0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
  0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};


Sha256 sha256_new(void) {
  return (Sha256){ .state = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                              0x510e527f, 0x9b05688c, 0x1f83d9ab,
                              0x5be0cd19 } };
}


static uint32_t rotr(uint32_t x, int n) {
  return x >> n | x << (32 - n);
}


static uint32_t big_endian(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
         (uint32_t)at[2] << 8 | at[3];
}


/* the message schedule: w [64] of a block [64 bytes] */
static void expand(uint32_t *w, const uint8_t *block) {
  for (int t = 0; t < WORDS; t++) w[t] = big_endian(block + 4 * t);
  for (int t = WORDS; t < ROUNDS; t++) {
    uint32_t x = w[t - 2], y = w[t - 15];
    uint32_t s1 = rotr(x, 17) ^ rotr(x, 19) ^ x >> 10;
    uint32_t s0 = rotr(y, 7) ^ rotr(y, 18) ^ y >> 3;
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
}


static void mix(uint32_t state[8], const uint8_t *block) {
  uint32_t w[ROUNDS];
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  expand(w, block);
  for (int t = 0; t < ROUNDS; t++) {
    uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t];
    uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = d + t1;
    d = c; c = b; b = a; a = t1 + t2;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}


void sha256_add(Sha256 *h, const void *data, size_t bytes) {
  const uint8_t *at = data;
  size_t held = h->bytes % SHA256_BLOCK;
  h->bytes += bytes;
  if (held > 0) {
    size_t room = SHA256_BLOCK - held, n = bytes < room ? bytes : room;
    memcpy(h->block + held, at, n);
    if (n < room) return;
    mix(h->state, h->block);
    at += n;
    bytes -= n;
  }
  for (; bytes >= SHA256_BLOCK; at += SHA256_BLOCK, bytes -= SHA256_BLOCK)
    mix(h->state, at);
  if (bytes > 0) memcpy(h->block, at, bytes);
}


/* a bit that is set, zeros, and the number of bits as 64 bits end a message */
static void pad(Sha256 *h) {
  static const uint8_t padding[SHA256_BLOCK] = { 0x80 };
  uint8_t length[8];
  uint64_t bits = h->bytes * 8;
  size_t held = h->bytes % SHA256_BLOCK;
  for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  sha256_add(h, padding, (held < LENGTH_AT ? LENGTH_AT : SHA256_BLOCK +
                          LENGTH_AT) - held);
  sha256_add(h, length, sizeof length);
}


void sha256_text(Sha256 *h, char text[SHA256_TEXT]) {
  static const char digits[] = "0123456789abcdef";
  pad(h);
  for (int i = 0; i < SHA256_TEXT - 1; i++)
    text[i] = digits[h->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
  text[SHA256_TEXT - 1] = '\0';
}
