/*
** What the `tokenizers` library knows of each code point, where utf8proc
** can't be asked: the library mixes the tables of several Unicode versions,
** and the ids of a checkpoint's tokens hang on its answers. Sorted ranges
** that don't overlap; a code point in none of them has no trait.
*/
#ifndef lunula_unidata_h
#define lunula_unidata_h

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef enum Trait {
  CONTROL     = 1 << 0,  /* clean_text removes it */
  SPACE       = 1 << 1,  /* clean_text makes it ' ' unless CONTROL; it ends
                            a word */
  PUNCTUATION = 1 << 2,  /* a word of its own */
  HAN         = 1 << 3,  /* handle_chinese_chars sets it apart */
  MARK        = 1 << 4,  /* strip_accents removes it (Mn) */
  DECOMPOSES  = 1 << 5,  /* NFD changes it, into what utf8proc says */
  NONSTARTER  = 1 << 6   /* NFD may move it; its class is utf8proc's */
} Trait;

typedef struct TraitRange {
  uint32_t first, last;
  uint8_t traits;
} TraitRange;

typedef struct LowerRange {
  uint32_t first, last;
  int32_t distance;  /* to the lowercase */
} LowerRange;

typedef struct CodeRange {
  uint32_t first, last;
} CodeRange;

extern const TraitRange UNIDATA_TRAITS[];
extern const size_t     UNIDATA_TRAITS_COUNT;

/* where the library lowers otherwise than utf8proc; U+0130 apart, which
   becomes two code points */
extern const LowerRange UNIDATA_LOWER[];
extern const size_t     UNIDATA_LOWER_COUNT;

/* word characters (`\w`) that their category doesn't make one */
extern const CodeRange  UNIDATA_WORD[];
extern const size_t     UNIDATA_WORD_COUNT;

#pragma GCC visibility pop

#endif
