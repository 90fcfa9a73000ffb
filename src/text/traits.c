/*
** Traits of code points. See traits.h.
*/
#include "traits.h"

#include <assert.h>
#include <string.h>
#include <utf8proc.h>


void traits_init(Traits *t) {
  memset(t->bmp, 0, sizeof t->bmp);
  for (size_t i = 0; i < UNIDATA_TRAITS_COUNT; i++) {
    const TraitRange *r = &UNIDATA_TRAITS[i];
    for (uint32_t c = r->first; c <= r->last && c < TRAITS_BMP; c++)
      t->bmp[c] = r->traits;
  }
}


unsigned traits_find(uint32_t c) {
  size_t low = 0, high = UNIDATA_TRAITS_COUNT;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const TraitRange *r = &UNIDATA_TRAITS[middle];
    if (c < r->first) high = middle;
    else if (c > r->last) low = middle + 1;
    else return r->traits;
  }
  return 0;
}


size_t code_decompose(uint32_t c, uint32_t out[DECOMPOSITION_LONGEST]) {
  utf8proc_int32_t to[DECOMPOSITION_LONGEST];
  int boundary_class = 0;
  utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, to,
      DECOMPOSITION_LONGEST, UTF8PROC_DECOMPOSE, &boundary_class);
  assert(0 < n && n <= DECOMPOSITION_LONGEST);
  for (utf8proc_ssize_t i = 0; i < n; i++) out[i] = (uint32_t)to[i];
  return (size_t)n;
}


unsigned code_combining_class(uint32_t c) {
  return (unsigned)utf8proc_get_property((utf8proc_int32_t)c)
      ->combining_class;
}


size_t code_lower(uint32_t c, uint32_t out[LOWER_LONGEST]) {
  if (c == 0x130) {  /* I with a dot: the one that grows */
    out[0] = 'i'; out[1] = 0x307;
    return 2;
  }
  out[0] = (uint32_t)(utf8proc_tolower((utf8proc_int32_t)c));
  for (size_t i = 0; i < UNIDATA_LOWER_COUNT; i++) {
    const LowerRange *r = &UNIDATA_LOWER[i];
    if (c < r->first) break;
    if (c <= r->last) out[0] = (uint32_t)((int32_t)c + r->distance);
  }
  return 1;
}


static int is_listed_word(uint32_t c) {
  for (size_t i = 0; i < UNIDATA_WORD_COUNT; i++) {
    const CodeRange *r = &UNIDATA_WORD[i];
    if (r->first <= c && c <= r->last) return 1;
  }
  return c == 0x200C || c == 0x200D;
}


int code_is_word(uint32_t c) {
  switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return 1;
    default:
      return is_listed_word(c);
  }
}
