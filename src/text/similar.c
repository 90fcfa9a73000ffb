/*
** How alike two texts are. See similar.h.
**
** The edit distance is looked for in a band around the diagonal as wide as
** the rule lets it be (Ukkonen 1985), at most BAND_MOST words, and of long
** texts one of EDITS_SURE words or as many as WORK steps allow: hostile texts
** of a million words take no quadratic time.
*/
#include "similar.h"

enum {
  UNIT = 2,              /* of a word; a slip is 1 */
  EDITS_SURE = 64,
  BAND_MOST = 1536,
  WORK = 4000000
};

typedef struct Side {
  const Word *at;
  size_t n;
} Side;


static uint32_t change(Word a, Word b) {
  if (a.hash == b.hash) return 0;
  return word_is_slip(a, b) ? 1 : UNIT;
}


static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}


/* One row of the table: cost[k] is of a's first i words and b's first
   i + k - band. Returns the least. */
static uint32_t next_row(Side a, Side b, size_t i, size_t band,
                         uint32_t *cost, uint32_t never) {
  uint32_t least = never;
  for (size_t k = 0; k <= 2 * band; k++) {
    uint32_t best = k < 2 * band ? cost[k + 1] + UNIT : never;
    if (i + k < band || i + k - band > b.n) {
      cost[k] = never;
      continue;
    }
    size_t j = i + k - band;
    if (j > 0) {
      uint32_t changed = cost[k] + change(a.at[i - 1], b.at[j - 1]);
      if (changed < best) best = changed;
      if (k > 0 && cost[k - 1] + UNIT < best) best = cost[k - 1] + UNIT;
    }
    cost[k] = best < never ? best : never;
    if (cost[k] < least) least = cost[k];
  }
  return least;
}


/* what turns a into b, in UNITs; limit + 1 when it is more than limit */
static uint32_t distance(Side a, Side b, uint32_t limit) {
  uint32_t cost[2 * BAND_MOST + 1], never = limit + 1;
  size_t band = limit / UNIT;
  if ((a.n > b.n ? a.n - b.n : b.n - a.n) > band) return never;
  for (size_t k = 0; k <= 2 * band; k++) {
    bool inside = k >= band && k - band <= b.n;
    cost[k] = inside ? (uint32_t)(k - band) * UNIT : never;
  }
  for (size_t i = 1; i <= a.n; i++)
    if (next_row(a, b, i, band, cost, never) > limit) return never;
  return cost[b.n + band - a.n];
}


static uint32_t limit_of(const Rule *rule, size_t longer) {
  size_t words = longer > SIMILAR_SHORT ? longer : SIMILAR_SHORT;
  size_t most = WORK / words;
  if (most < EDITS_SURE) most = EDITS_SURE;
  if (most > BAND_MOST) most = BAND_MOST;
  double allowed = (1.0 - (double)rule->similarity) * (double)words;
  if (allowed > (double)most) allowed = (double)most;
  return (uint32_t)(allowed * UNIT + 1e-4);  /* 0.85 of 20 is 3, not 2.99 */
}


static uint32_t bits_of(const Rule *rule, const Word *at, size_t n) {
  uint32_t bits = 0;
  for (size_t i = 0; i < n; i++)
    bits += rule->bits[at[i].hash % SIMILAR_SLOTS];
  return bits;
}


/* whether what two short texts begin and end with alike is rare enough; of one
   word it never is */
static bool shares_enough(const Rule *rule, Side a, size_t head, size_t tail) {
  uint32_t bits = bits_of(rule, a.at, head) +
                  bits_of(rule, a.at + a.n - tail, tail);
  return bits >= rule->least_bits;
}


static float similar_side(const Rule *rule, Side a, Side b) {
  size_t longer = a.n > b.n ? a.n : b.n, both = smaller(a.n, b.n);
  size_t head = 0, tail = 0;
  while (head < both && a.at[head].hash == b.at[head].hash) head++;
  if (head == longer) return 1;
  while (tail < both - head &&
         a.at[a.n - 1 - tail].hash == b.at[b.n - 1 - tail].hash) tail++;
  uint32_t limit = limit_of(rule, longer);
  Side left = { a.at + head, a.n - head - tail };
  Side right = { b.at + head, b.n - head - tail };
  uint32_t cost = distance(left, right, limit);
  if (cost > limit) return 0;
  if (longer < SIMILAR_SHORT && !shares_enough(rule, a, head, tail)) return 0;
  float same = 1.0f - (float)cost / (float)(UNIT * longer);
  return same > 0 ? same : 0;
}


/* the words before the divider; *after those behind it, or nothing */
static Side cut(Side s, Side *after) {
  size_t i = 0;
  while (i < s.n && s.at[i].hash != WORD_DIVIDER) i++;
  bool divided = i < s.n;
  *after = (Side){ divided ? s.at + i + 1 : NULL, divided ? s.n - i - 1 : 0 };
  return (Side){ s.at, i };
}


float similar(const Rule *rule, const Word *a, size_t n, const Word *b,
              size_t m) {
  Side a2, b2, a1 = cut((Side){ a, n }, &a2), b1 = cut((Side){ b, m }, &b2);
  if ((a2.at == NULL) != (b2.at == NULL)) return 0;
  float first = similar_side(rule, a1, b1);
  if (first == 0 || a2.at == NULL) return first;
  float second = similar_side(rule, a2, b2);
  return first < second ? first : second;
}


bool similar_but_numbers(const Word *a, size_t n, const Word *b, size_t m) {
  if (n != m) return false;
  for (size_t i = 0; i < n; i++)
    if (a[i].hash != b[i].hash &&
        !(word_is_number(a[i]) && word_is_number(b[i])))
      return false;
  return true;
}
