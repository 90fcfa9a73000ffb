/*
** Texts that are much alike: near_search of near.h.
**
** A task takes one kind of key, or a part of the deleted ones, of all texts;
** sorts; and compares within each key. Tasks run ROUND at a time. Those of a
** round see what the rounds before found, and what they find is put together
** in their order: nothing hangs on how many threads there are, or on which is
** first. A text that has what it needs from an earlier round is compared only
** for the sake of another.
*/
#include "near.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "../base/pool.h"
#include "buckets.h"
#include "sketch.h"

enum {
  ROUND = 4,
  TASK_ENTRIES = 1 << 21,  /* of deleted keys, about */
  BITS_MOST = UINT8_MAX
};

typedef enum TaskKind { LETTERS, DELETED, BAND } TaskKind;

typedef struct Pair {
  uint32_t a, b;
  float similarity;
} Pair;

typedef struct Task {
  TaskKind kind;
  uint32_t index, of;  /* which part of the deleted keys, which band */
  Buckets buckets;
  Buffer pairs;        /* Pair [pairs_n] */
  size_t pairs_n;
  uint64_t compared;
  bool failed;         /* there was no memory */
} Task;

typedef struct Finder {
  Near *near;          /* its texts are only read */
  Rule rule;
  NearFound *found;    /* [texts_n] */
  uint32_t bands_at, tasks_n;  /* tasks before are of deleted keys */
  Task round[ROUND];
} Finder;

/* a text among those of its key, and what it still needs */
typedef struct Member {
  uint32_t text, parts;
  bool lacks_same, lacks_across;
} Member;


static bool is_several(uint32_t parts) {
  return (parts & (parts - 1)) != 0;
}


/* {======== keys ======== */

static bool add_key(Task *t, uint64_t key, uint32_t text) {
  return buckets_add(&t->buckets, (uint32_t)key, text);
}


static bool fill_deleted(Task *t, const Word *words, uint32_t n,
                         uint32_t text) {
  uint64_t keys[SKETCH_KEYS];
  size_t count = sketch_deleted_count(n);
  if (count == 0) return true;
  sketch_deleted(words, n, keys);
  for (size_t i = 0; i < count; i++) {
    uint32_t part = (uint32_t)((keys[i] >> 32) * t->of >> 32);
    if (part == t->index && !add_key(t, keys[i], text)) return false;
  }
  return true;
}


static bool fill_text(const Near *n, Task *t, uint32_t text) {
  const NearText *of = near_text(n, text);
  const Word *words = near_words(n, of);
  if (of->n == 0) return true;
  if (t->kind == LETTERS) return add_key(t, of->letters, text);
  if (t->kind == DELETED) return fill_deleted(t, words, of->n, text);
  return of->n < SKETCH_BAND_LEAST ||
         add_key(t, sketch_band(words, of->n, t->index), text);
}


static bool fill(const Near *n, Task *t) {
  for (uint32_t text = 0; text < n->texts_n; text++)
    if (!fill_text(n, t, text)) return false;
  return buckets_sort(&t->buckets);
}

/* }======== */


/* {======== comparing ======== */

static Member member_of(const Finder *f, uint32_t text) {
  const NearFound *found = &f->found[text];
  return (Member){
    .text = text, .parts = near_text(f->near, text)->parts,
    .lacks_same = found->same.text == NEAR_NONE,
    .lacks_across = is_several(f->near->parts) &&
                    found->across.text == NEAR_NONE };
}


static float compare(const Finder *f, Task *t, uint32_t a, uint32_t b) {
  const NearText *x = near_text(f->near, a), *y = near_text(f->near, b);
  t->compared++;
  if (x->letters == y->letters) return 1;
  return similar(&f->rule, near_words(f->near, x), x->n,
                 near_words(f->near, y), y->n);
}


static bool add_pair(Task *t, uint32_t a, uint32_t b, float similarity) {
  if (!buffer_room(&t->pairs, t->pairs_n + 1, sizeof(Pair))) return false;
  ((Pair *)t->pairs.at)[t->pairs_n++] = (Pair){ a, b, similarity };
  return true;
}


/* Compares two where one needs it; *same: they are alike and of one part.
   False when there is no memory. */
static bool meet(const Finder *f, Task *t, Member *a, Member *b, bool *same) {
  bool shared = (a->parts & b->parts) != 0;
  bool across = is_several(a->parts | b->parts);
  if (!(shared && (a->lacks_same || b->lacks_same)) &&
      !(across && (a->lacks_across || b->lacks_across)))
    return true;
  float similarity = compare(f, t, a->text, b->text);
  if (similarity <= 0) return true;
  if (shared) a->lacks_same = b->lacks_same = false, *same = true;
  if (across) a->lacks_across = b->lacks_across = false;
  return add_pair(t, a->text, b->text, similarity);
}


/* Each with the last NEAR_COMPARED that were like none before: a million rows
   of one template are each compared with the first. */
static bool scan_key(const Finder *f, Task *t, const Entry *e, size_t n) {
  Member kept[NEAR_COMPARED];
  size_t kept_n = 0;
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && e[i].id == e[i - 1].id) continue;  /* "very, very" */
    Member m = member_of(f, e[i].id);
    bool same = false;
    for (size_t k = 0; k < kept_n && k < NEAR_COMPARED; k++)
      if (!meet(f, t, &m, &kept[k], &same)) return false;
    if (!same) kept[kept_n++ % NEAR_COMPARED] = m;
  }
  return true;
}


static bool scan(const Finder *f, Task *t) {
  const Entry *e = buckets_at(&t->buckets);
  size_t n = t->buckets.n;
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && e[end].key == e[i].key;) end++;
    if (end - i > 1 && !scan_key(f, t, e + i, end - i)) return false;
  }
  return true;
}


static void run_task(void *ctx, int64_t i) {
  Finder *f = ctx;
  Task *t = &f->round[i];
  t->failed = !fill(f->near, t) || !scan(f, t);
  buckets_free(&t->buckets);
  t->buckets = (Buckets){ .n = 0 };
}

/* }======== */


/* {======== putting together ======== */

static uint32_t root_of(NearFound *found, uint32_t text) {
  while (found[text].group != text) {
    uint32_t above = found[found[text].group].group;
    text = found[text].group = above;
  }
  return text;
}


static void join(NearFound *found, uint32_t a, uint32_t b) {
  a = root_of(found, a), b = root_of(found, b);
  if (a < b) found[b].group = a;
  else found[a].group = b;
}


/* the most alike, and of those the first */
static void link_to(NearLink *link, uint32_t text, float similarity) {
  bool better = similarity > link->similarity ||
                (similarity == link->similarity && text < link->text);
  if (link->text == NEAR_NONE || better)
    *link = (NearLink){ text, similarity };
}


static void take_pair(Finder *f, Pair p) {
  uint32_t a = near_text(f->near, p.a)->parts;
  uint32_t b = near_text(f->near, p.b)->parts;
  if (a & b) {
    link_to(&f->found[p.a].same, p.b, p.similarity);
    link_to(&f->found[p.b].same, p.a, p.similarity);
  }
  if (is_several(a | b)) {
    link_to(&f->found[p.a].across, p.b, p.similarity);
    link_to(&f->found[p.b].across, p.a, p.similarity);
  }
  join(f->found, p.a, p.b);
}


static bool take_task(Finder *f, Task *t) {
  const Pair *pairs = t->pairs.at;
  for (size_t i = 0; i < t->pairs_n && !t->failed; i++)
    take_pair(f, pairs[i]);
  f->near->compared += t->compared;
  free(t->pairs.at);
  return !t->failed;
}

/* }======== */


static Task task_of(const Finder *f, uint32_t i) {
  if (i == 0) return (Task){ .kind = LETTERS };
  if (i >= f->bands_at)
    return (Task){ .kind = BAND, .index = i - f->bands_at };
  return (Task){ .kind = DELETED, .index = i - 1, .of = f->bands_at - 1 };
}


/* rounds: the first is of the first task alone, whose equals by letters would
   else be looked for again by all */
static bool run_round(Finder *f, uint32_t first, uint32_t n) {
  bool ok = true;
  for (uint32_t i = 0; i < n; i++) f->round[i] = task_of(f, first + i);
  pool_run(n, run_task, f);
  for (uint32_t i = 0; i < n; i++) ok = take_task(f, &f->round[i]) && ok;
  return ok;
}


static bool run_rounds(Finder *f) {
  if (!run_round(f, 0, 1)) return false;
  for (uint32_t i = 1, n; i < f->tasks_n; i += n) {
    n = f->tasks_n - i < ROUND ? f->tasks_n - i : ROUND;
    if (!run_round(f, i, n)) return false;
  }
  return true;
}


static uint8_t bits_of_count(double texts, uint32_t count) {
  double bits = log2(texts / (double)count);
  double eighths = bits > 0 ? floor(bits * SIMILAR_EIGHTHS + 0.5) : 0;
  return (uint8_t)(eighths < BITS_MOST ? eighths : BITS_MOST);
}


/* false when there is no memory */
static bool make_rule(const Near *n, float similarity, Rule *rule) {
  uint8_t *bits = malloc(SIMILAR_SLOTS);
  if (bits == NULL) return false;
  double texts = n->texts_n;
  for (size_t i = 0; i < SIMILAR_SLOTS; i++)
    bits[i] = n->counts[i] > 0 ? bits_of_count(texts, n->counts[i]) : 0;
  double least = (log2(texts) + SIMILAR_BITS) * SIMILAR_EIGHTHS;
  *rule = (Rule){ similarity, bits, (uint32_t)least };
  return true;
}


static void plan(Finder *f) {
  uint64_t keys = 0;
  for (uint32_t t = 0; t < f->near->texts_n; t++)
    keys += sketch_deleted_count(near_text(f->near, t)->n);
  f->bands_at = 1 + (uint32_t)(keys / TASK_ENTRIES + 1);
  f->tasks_n = f->bands_at + SKETCH_BANDS;
}


static bool search_with(Near *n, const Rule *rule, NearFound *found) {
  Finder f = { .near = n, .rule = *rule, .found = found };
  for (uint32_t t = 0; t < n->texts_n; t++)
    found[t] = (NearFound){ { NEAR_NONE, 0 }, { NEAR_NONE, 0 }, t };
  n->compared = 0;
  plan(&f);
  if (!run_rounds(&f)) return false;
  for (uint32_t t = 0; t < n->texts_n; t++)
    found[t].group = root_of(found, t);
  return true;
}


bool near_search(Near *n, float similarity) {
  Rule rule;
  assert(0.5f <= similarity && similarity <= 1.0f);
  free(n->found);
  n->found = NULL;
  n->found_n = 0;
  if (n->texts_n == 0) return true;
  NearFound *found = malloc(n->texts_n * sizeof *found);
  bool ok = found != NULL && make_rule(n, similarity, &rule);
  if (ok) {
    ok = search_with(n, &rule, found);
    free((void *)rule.bits);
  }
  if (!ok) {
    free(found);
    return false;
  }
  n->found = found;
  n->found_n = n->texts_n;
  return true;
}
