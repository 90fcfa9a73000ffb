/*
** Texts that are there more than once: adding them. See near.h.
*/
#include "near.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"

enum { SLOTS_LEAST = 1024 };  /* a power of two */


/* {======== texts by their hash, an open table at most half full ======== */

static bool is_text(const Near *n, uint32_t text, const Words *w) {
  const NearText *t = near_text(n, text);
  return t->hash == w->hash && t->n == w->n &&
         memcmp(near_words(n, t), w->at.at, w->n * sizeof(Word)) == 0;
}


/* where the text is in the table, or is to be */
static uint32_t *slot_of(const Near *n, const Words *w) {
  size_t mask = n->slots_n - 1, i = (size_t)w->hash & mask;
  while (n->slots[i] != NEAR_NONE && !is_text(n, n->slots[i], w))
    i = (i + 1) & mask;
  return &n->slots[i];
}


static uint32_t *new_slots(size_t count) {
  size_t bytes;
  if (!mem_times(count, sizeof(uint32_t), &bytes)) return NULL;
  uint32_t *slots = malloc(bytes);
  for (size_t i = 0; slots != NULL && i < count; i++) slots[i] = NEAR_NONE;
  return slots;
}


static bool slots_room(Near *n) {
  if (n->texts_n + (size_t)1 <= n->slots_n / 2) return true;
  size_t count = n->slots_n ? 2 * n->slots_n : SLOTS_LEAST;
  uint32_t *slots = new_slots(count);
  if (slots == NULL) return false;
  for (uint32_t t = 0; t < n->texts_n; t++) {
    size_t i = (size_t)near_text(n, t)->hash & (count - 1);
    while (slots[i] != NEAR_NONE) i = (i + 1) & (count - 1);
    slots[i] = t;
  }
  free(n->slots);
  n->slots = slots;
  n->slots_n = count;
  return true;
}

/* }======== */


static bool room(Near *n) {
  if (n->counts == NULL)
    n->counts = calloc(SIMILAR_SLOTS, sizeof *n->counts);
  return n->counts != NULL && slots_room(n) &&
         buffer_room(&n->words, n->words_n + n->reading.n, sizeof(Word)) &&
         buffer_room(&n->texts, n->texts_n + (size_t)1, sizeof(NearText)) &&
         buffer_room(&n->rows, n->rows_n + (size_t)1, sizeof(NearRow));
}


/* a word that a text has twice counts twice: that makes it no rarer */
static uint32_t new_text(Near *n, const Words *w) {
  const Word *words = words_at(w);
  NearText *t = (NearText *)n->texts.at + n->texts_n;
  *t = (NearText){ w->hash, w->letters, n->words_n, (uint32_t)w->n, 0,
                   NEAR_NONE, NEAR_NONE };
  for (size_t i = 0; i < w->n; i++)
    n->counts[words[i].hash % SIMILAR_SLOTS]++;
  if (w->n > 0)
    memcpy((Word *)n->words.at + n->words_n, words, w->n * sizeof(Word));
  n->words_n += w->n;
  return n->texts_n++;
}


static void add_row(Near *n, uint32_t text, unsigned part) {
  NearText *t = (NearText *)n->texts.at + text;
  NearRow *rows = n->rows.at;
  uint32_t row = n->rows_n++;
  rows[row] = (NearRow){ text, NEAR_NONE };
  if (t->first == NEAR_NONE) t->first = row;
  else rows[t->last].next = row;
  t->last = row;
  t->parts |= UINT32_C(1) << part;
  n->parts |= UINT32_C(1) << part;
}


/* each text without words is one of its own */
static uint32_t text_of_reading(Near *n) {
  if (n->reading.n == 0) return new_text(n, &n->reading);
  uint32_t *slot = slot_of(n, &n->reading);
  if (*slot == NEAR_NONE) *slot = new_text(n, &n->reading);
  return *slot;
}


NearStatus near_add(Near *n, Bytes text, Bytes other, unsigned part) {
  assert(part < NEAR_PARTS && n->most <= NEAR_MOST);
  if (n->rows_n >= n->most || text.n > INT32_MAX || other.n > INT32_MAX)
    return NEAR_FULL;
  bool read = other.at == NULL ? words_of(&n->reading, text)
                               : words_of_pair(&n->reading, text, other);
  if (!read || !room(n)) return NEAR_NO_MEMORY;
  add_row(n, text_of_reading(n), part);
  return NEAR_OK;
}


size_t near_bytes(const Near *n) {
  return n->words.capacity * sizeof(Word) +
         n->texts.capacity * sizeof(NearText) +
         n->rows.capacity * sizeof(NearRow) +
         n->slots_n * sizeof *n->slots + n->found_n * sizeof *n->found +
         (n->counts ? SIMILAR_SLOTS * sizeof *n->counts : 0);
}


void near_free(Near *n) {
  free(n->words.at);
  free(n->texts.at);
  free(n->rows.at);
  free(n->slots);
  free(n->counts);
  free(n->found);
  words_free(&n->reading);
  *n = (Near){ .most = n->most };
}
