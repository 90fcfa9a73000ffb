/*
** Strings by number and by content. See lexicon.h.
**
** The hash is FNV-1a (Fowler, Noll, Vo), spread by Fibonacci hashing (Knuth,
** volume 3, 6.4); slots are probed one after another.
*/
#include "lexicon.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../base/mem.h"

static const uint32_t FNV_BASIS = 0x811C9DC5u, FNV_PRIME = 0x01000193u;
static const uint32_t SPREAD = 0x9E3779B9u;  /* 2^32 over the golden ratio */

enum { LEAST_BITS = 4, MOST_BITS = 31 };


/* strings */

static size_t bytes_used(const Strings *s) {
  return s->count ? ((const uint32_t *)s->ends.at)[s->count - 1] : 0;
}


bool strings_reserve(Strings *s, size_t bytes, size_t count) {
  return buffer_room(&s->bytes, bytes_used(s) + bytes, 1) &&
         buffer_room(&s->ends, s->count + count, sizeof(uint32_t));
}


bool strings_add(Strings *s, Bytes string) {
  size_t used = bytes_used(s);
  if (string.n > INT32_MAX - used) return false;
  if (!buffer_room(&s->bytes, used + string.n, 1) ||
      !buffer_room(&s->ends, s->count + 1, sizeof(uint32_t)))
    return false;
  if (string.n > 0) memcpy((uint8_t *)s->bytes.at + used, string.at, string.n);
  ((uint32_t *)s->ends.at)[s->count++] = (uint32_t)(used + string.n);
  return true;
}


Bytes strings_at(const Strings *s, size_t i) {
  const uint32_t *ends = s->ends.at;
  assert(i < s->count);
  size_t start = i ? ends[i - 1] : 0;
  return (Bytes){ (const uint8_t *)s->bytes.at + start, ends[i] - start };
}


void strings_free(Strings *s) {
  free(s->bytes.at);
  free(s->ends.at);
}


/* lexicon */

static uint32_t hash_step(uint32_t h, uint8_t byte) {
  return (h ^ byte) * FNV_PRIME;
}


static uint32_t hash_of(Bytes s) {
  uint32_t h = FNV_BASIS;
  for (size_t i = 0; i < s.n; i++) h = hash_step(h, s.at[i]);
  return h;
}


static Bytes key_of(const Lexicon *l, int32_t id) {
  Bytes whole = strings_at(l->strings, (size_t)id);
  assert(whole.n >= l->skip);
  return (Bytes){ whole.at + l->skip, whole.n - l->skip };
}


static size_t slot_count(const Lexicon *l) {
  return (size_t)1 << (32 - l->shift);
}


bool lexicon_init(Lexicon *l, const Strings *s, size_t skip, size_t room) {
  unsigned bits = LEAST_BITS;
  while (bits < MOST_BITS && ((size_t)1 << bits) < 2 * room) bits++;
  *l = (Lexicon){ .strings = s, .skip = skip, .shift = 32 - bits };
  assert(slot_count(l) > room);
  l->slots = mem_alloc(slot_count(l) * sizeof *l->slots);
  if (l->slots == NULL) return false;
  for (size_t i = 0; i < slot_count(l); i++)
    l->slots[i] = (LexiconSlot){ 0, LEXICON_NONE };
  return true;
}


void lexicon_free(Lexicon *l) {
  mem_free(l->slots);
}


/* the slot that holds s, or the empty one where it would go */
static LexiconSlot *slot_of(const Lexicon *l, Bytes s, uint32_t hash) {
  size_t mask = slot_count(l) - 1;
  size_t i = (hash * SPREAD) >> l->shift;
  for (;; i = (i + 1) & mask) {
    LexiconSlot *slot = &l->slots[i];
    if (slot->id == LEXICON_NONE) return slot;
    if (slot->hash != hash) continue;
    Bytes key = key_of(l, slot->id);
    if (key.n == s.n && memcmp(key.at, s.at, s.n) == 0) return slot;
  }
}


int32_t lexicon_add(Lexicon *l, int32_t id) {
  Bytes key = key_of(l, id);
  uint32_t hash = hash_of(key);
  LexiconSlot *slot = slot_of(l, key, hash);
  if (slot->id != LEXICON_NONE) return slot->id;
  *slot = (LexiconSlot){ hash, id };
  if (key.n > l->longest) l->longest = key.n;
  return LEXICON_NONE;
}


int32_t lexicon_find(const Lexicon *l, Bytes s) {
  if (s.n > l->longest) return LEXICON_NONE;
  return slot_of(l, s, hash_of(s))->id;
}


/* Strings are well-formed, so that as long as s agrees with one its code
   points are as long as they say; where s is not, nothing agrees. */
int32_t lexicon_longest(const Lexicon *l, Bytes s, size_t *n) {
  int32_t found = LEXICON_NONE;
  uint32_t hash = FNV_BASIS;
  size_t most = s.n < l->longest ? s.n : l->longest;
  for (size_t i = 0; i < most;) {
    size_t end = i + utf8_length(s.at[i]);
    if (end > most) break;
    while (i < end) hash = hash_step(hash, s.at[i++]);
    int32_t id = slot_of(l, (Bytes){ s.at, i }, hash)->id;
    if (id == LEXICON_NONE) continue;
    found = id;
    *n = i;
  }
  return found;
}
