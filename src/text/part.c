/*
** The tokens of a text. See part.h.
*/
#include "part.h"

#include <string.h>

enum { SLACK = 1024 };  /* tokens that are let go at once, at least */


void part_begin(Part *p, Bytes text) {
  p->tokens.n = p->left_out = 0;
  p->reading = (Reading){ .text = text };
}


/* Only once there are twice as many as are kept: each token moves once, on an
   average. */
static void let_go(Part *p, Keep keep) {
  if (keep.first == PART_ALL || keep.last == PART_ALL) return;
  size_t kept = keep.first + keep.last, n = p->tokens.n;
  if (n < 2 * kept + SLACK) return;
  int32_t *ids = p->tokens.ids.at;
  Span *spans = p->tokens.spans.at;
  memmove(ids + keep.first, ids + n - keep.last, keep.last * sizeof *ids);
  memmove(spans + keep.first, spans + n - keep.last,
          keep.last * sizeof *spans);
  p->left_out += n - kept;
  p->tokens.n = kept;
}


bool part_step(Part *p, const Splitter *s, Keep keep, Normal *normal) {
  if (!splitter_step(s, &p->reading, normal, &p->tokens)) return false;
  let_go(p, keep);
  return true;
}


bool part_read(Part *p, const Splitter *s, Keep keep, size_t enough,
               Normal *normal) {
  while (!p->reading.done && part_length(p) <= enough)
    if (!part_step(p, s, keep, normal)) return false;
  return true;
}


void part_free(Part *p) {
  tokens_free(&p->tokens);
}
