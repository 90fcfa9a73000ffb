/*
** The tokens of a text, as far as they are wanted: read stretch by stretch,
** and what lies between the first and the last that are wanted let go: where
** few are, and the text can be read in stretches (splitter.h), a long one takes
** no more memory than a short one.
*/
#ifndef lunula_part_h
#define lunula_part_h

#include "splitter.h"

#pragma GCC visibility push(hidden)

/* how many tokens are kept of each end of a text; all, when one of them is
   PART_ALL */
typedef struct Keep {
  size_t first, last;
} Keep;

#define PART_ALL  SIZE_MAX

/* zeros before its first text */
typedef struct Part {
  Tokens tokens;    /* those that are kept */
  size_t left_out;  /* tokens between the first and the last of these */
  Reading reading;
} Part;

void part_begin(Part *p, Bytes text);

/* reads one stretch more; false when there is no memory */
bool part_step(Part *p, const Splitter *s, Keep keep, Normal *normal);
/* reads until the end, or until there are more than `enough` tokens */
bool part_read(Part *p, const Splitter *s, Keep keep, size_t enough,
               Normal *normal);

/* tokens read so far */
static inline size_t part_length(const Part *p) {
  return p->tokens.n + p->left_out;
}

void part_free(Part *p);

#pragma GCC visibility pop

#endif
