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

enum { LEAST_BITS = 4, MOST_BITS = 28 };


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


static size_t filter_bytes(const Lexicon *l) {
  return slot_count(l) * LEXICON_FILTER / 8;
}


bool lexicon_init(Lexicon *l, const Strings *s, size_t skip, size_t room) {
  unsigned bits = LEAST_BITS;
  while (bits < MOST_BITS && ((size_t)1 << bits) < 2 * room) bits++;
  *l = (Lexicon){ .strings = s, .skip = skip, .shift = 32 - bits };
  assert(slot_count(l) > room);
  l->slots = mem_alloc(slot_count(l) * sizeof *l->slots);
  l->filter = mem_zeros(filter_bytes(l));
  if (l->slots == NULL || l->filter == NULL) return false;
  for (size_t i = 0; i < slot_count(l); i++)
    l->slots[i] = (LexiconSlot){ 0, LEXICON_NONE };
  return true;
}


void lexicon_free(Lexicon *l) {
  mem_free(l->slots);
  mem_free(l->filter);
}


static size_t filter_bit(const Lexicon *l, uint32_t hash) {
  size_t most = filter_bytes(l) * 8;
  return ((uint64_t)(hash * SPREAD) * most) >> 32;
}


static bool may_have(const Lexicon *l, uint32_t hash) {
  size_t bit = filter_bit(l, hash);
  return l->filter[bit / 8] >> bit % 8 & 1;
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
  size_t bit = filter_bit(l, hash);
  l->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
  if (key.n > l->longest) l->longest = key.n;
  return LEXICON_NONE;
}


int32_t lexicon_find(const Lexicon *l, Bytes s) {
  if (s.n > l->longest) return LEXICON_NONE;
  return slot_of(l, s, hash_of(s))->id;
}


/* a prefix that may be one of the strings */
typedef struct Prefix {
  size_t n;
  uint32_t hash;
} Prefix;

enum { PREFIXES = 32 };


/* the longest of prefixes of s that is one, and in *n its bytes */
static int32_t longest_of(const Lexicon *l, const uint8_t *s,
                          const Prefix *prefixes, size_t count, size_t *n) {
  while (count-- > 0) {
    Prefix p = prefixes[count];
    int32_t id = slot_of(l, (Bytes){ s, p.n }, p.hash)->id;
    if (id == LEXICON_NONE) continue;
    *n = p.n;
    return id;
  }
  return LEXICON_NONE;
}


int32_t lexicon_longest(const Lexicon *l, Bytes s, size_t *n) {
  Prefix prefixes[PREFIXES];
  size_t count = 0, most = s.n < l->longest ? s.n : l->longest;
  int32_t shorter = LEXICON_NONE;
  uint32_t hash = FNV_BASIS;
  for (size_t i = 0; i < most; i++) {
    hash = hash_step(hash, s.at[i]);
    if (!may_have(l, hash)) continue;
    if (count == PREFIXES) {
      int32_t id = longest_of(l, s.at, prefixes, count, n);
      if (id != LEXICON_NONE) shorter = id;
      count = 0;
    }
    prefixes[count++] = (Prefix){ i + 1, hash };
  }
  int32_t id = longest_of(l, s.at, prefixes, count, n);
  return id != LEXICON_NONE ? id : shorter;
}
