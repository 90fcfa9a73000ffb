/*
** UTF-8. See utf8.h.
*/
#include "utf8.h"

/* what may follow a lead byte: n continuation bytes, of which the first is
   within low..high (no overlong forms, surrogates, nothing past U+10FFFF) */
typedef struct Lead {
  uint8_t n, low, high;
} Lead;


static Lead lead_of(uint8_t b) {
  if (b < 0xC2 || b > 0xF4) return (Lead){ 0, 0, 0 };
  if (b < 0xE0) return (Lead){ 1, 0x80, 0xBF };
  if (b < 0xF0)
    return (Lead){ 2, b == 0xE0 ? 0xA0 : 0x80, b == 0xED ? 0x9F : 0xBF };
  return (Lead){ 3, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF };
}


uint32_t utf8_decode(const uint8_t *s, size_t n, size_t *used) {
  *used = 1;
  if (s[0] < 0x80) return s[0];
  Lead lead = lead_of(s[0]);
  if (lead.n == 0) return UTF8_REPLACEMENT;
  uint32_t c = s[0] & (0x3Fu >> lead.n);
  for (size_t i = 1; i <= lead.n; i++) {
    bool first = i == 1;
    if (i == n || s[i] < (first ? lead.low : 0x80)
               || s[i] > (first ? lead.high : 0xBF)) {
      *used = i;
      return UTF8_REPLACEMENT;
    }
    c = c << 6 | (s[i] & 0x3Fu);
  }
  *used = lead.n + 1u;
  return c;
}


/* a sequence that ends here begins at the last byte that is no continuation;
   when it ends earlier, the last byte is one that nothing claims */
uint32_t utf8_decode_last(const uint8_t *s, size_t n, size_t *used) {
  for (size_t back = 1; back <= n && back <= UTF8_LONGEST; back++) {
    const uint8_t *at = s + n - back;
    if (utf8_is_continuation(*at)) continue;
    uint32_t c = utf8_decode(at, back, used);
    if (*used == back) return c;
    break;
  }
  *used = 1;
  return UTF8_REPLACEMENT;
}


size_t utf8_encode(uint32_t c, uint8_t out[UTF8_LONGEST]) {
  if (c < 0x80) {
    out[0] = (uint8_t)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (size_t i = n - 1; i > 0; i--, c >>= 6)
    out[i] = (uint8_t)(0x80 | (c & 0x3F));
  out[0] = (uint8_t)(0xF00u >> n | c);
  return n;
}


bool utf8_is_valid(Bytes s) {
  for (size_t i = 0, used; i < s.n; i += used) {
    uint32_t c = utf8_decode(s.at + i, s.n - i, &used);
    bool written = used == 3 && s.at[i] == 0xEF;  /* as U+FFFD itself */
    if (c == UTF8_REPLACEMENT && !written) return false;
  }
  return true;
}
