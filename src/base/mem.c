/*
** Aligned memory. See mem.h.
**
** Before each block stands a line with its size, so that it is known by its
** address alone whether it is pages or malloc's.
*/
#define _DEFAULT_SOURCE  /* MAP_ANONYMOUS, which plain POSIX.1 leaves out */
#include "mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 1 << 12 };  /* bytes, or a part of a larger page */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#if !defined(SANITIZED)

enum { SLOTS = 64 };

/* the line before a block */
typedef struct Head {
  size_t pages;  /* bytes of the mapping, the line included; 0: malloc's */
} Head;

/* freed mappings, the oldest first */
static struct Kept {
  bool taken;    /* by a thread; another does without, and waits for none */
  int count;
  size_t bytes;
  Head *slot[SLOTS];
} kept;

static int64_t mappings;  /* made so far */


/* {======== freed blocks ======== */

/* in a child that was forked while another thread was here, which may have
   left half of a change: it forgets what was kept */
static void after_fork_child(void) {
  if (kept.taken) kept = (struct Kept){ .taken = false };
}


static void prepare_once(void) {
  pthread_atfork(NULL, NULL, after_fork_child);
}


static bool enter(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_once);
  return !__atomic_exchange_n(&kept.taken, true, __ATOMIC_ACQUIRE);
}


static void leave(void) {
  __atomic_store_n(&kept.taken, false, __ATOMIC_RELEASE);
}


static Head *take_slot(int i) {
  Head *h = kept.slot[i];
  kept.count--;
  kept.bytes -= h->pages;
  memmove(&kept.slot[i], &kept.slot[i + 1],
          sizeof *kept.slot * (size_t)(kept.count - i));
  return h;
}


static void unmap(Head *h) {
  munmap(h, h->pages);
}


/* the smallest that has room and is at most twice as large; -1: none */
static int find_fit(size_t pages) {
  int best = -1;
  for (int i = 0; i < kept.count; i++) {
    size_t have = kept.slot[i]->pages;
    if (have >= pages && have / 2 <= pages &&
        (best < 0 || have < kept.slot[best]->pages))
      best = i;
  }
  return best;
}


static Head *reuse(size_t pages) {
  if (!enter()) return NULL;
  int i = find_fit(pages);
  Head *h = i >= 0 ? take_slot(i) : NULL;
  leave();
  return h;
}


static void keep(Head *h) {
  if (h->pages > MEM_KEPT / 2 || !enter()) {
    unmap(h);
    return;
  }
  while (kept.count == SLOTS || kept.bytes + h->pages > MEM_KEPT)
    unmap(take_slot(0));
  kept.slot[kept.count++] = h;
  kept.bytes += h->pages;
  leave();
}


void mem_trim(void) {
  if (!enter()) return;
  while (kept.count > 0) unmap(take_slot(0));
  leave();
}

/* }======== */


/* {======== blocks ======== */

static void *body(Head *h) {
  return h ? (char *)h + MEM_ALIGN : NULL;
}


static Head *head(void *p) {
  return (Head *)(void *)((char *)p - MEM_ALIGN);
}


#if !defined(MAP_POPULATE)
#define MAP_POPULATE  0  /* a hint of Linux's */
#endif

static void *pages_of(size_t bytes, int flags) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}


/* Fresh pages, which are 0. What is read before it is written should take
   them now: a page that was read is replaced when it is written, and that
   interrupts every other thread. */
static Head *map(size_t pages, bool read) {
  int now = read ? MAP_POPULATE : 0;
  void *p = pages_of(pages, now);
  if (p == MAP_FAILED) {  /* it may fit when nothing is kept */
    mem_trim();
    p = pages_of(pages, now);
  }
  if (p == MAP_FAILED) return NULL;
  __atomic_add_fetch(&mappings, 1, __ATOMIC_RELAXED);
  Head *h = p;
  h->pages = pages;
  return h;
}


static Head *small(size_t bytes) {
  void *p = NULL;
  if (posix_memalign(&p, MEM_ALIGN, bytes + MEM_ALIGN) != 0) return NULL;
  Head *h = p;
  h->pages = 0;
  return h;
}


/* a size in whole pages, with its line; 0: it is not large */
static size_t pages_for(size_t bytes) {
  if (bytes < MEM_LARGE) return 0;
  return (bytes + MEM_ALIGN + PAGE - 1) / PAGE * PAGE;
}


static bool possible(size_t bytes) {
  return bytes <= SIZE_MAX - MEM_ALIGN - PAGE;
}


void *mem_alloc(size_t bytes) {
  if (!possible(bytes)) return NULL;
  size_t pages = pages_for(bytes);
  if (pages == 0) return body(small(bytes));
  Head *h = reuse(pages);
  return body(h ? h : map(pages, false));
}


/* a kept block is cleared: that is cheaper than new pages */
void *mem_zeros(size_t bytes) {
  if (!possible(bytes)) return NULL;
  size_t pages = pages_for(bytes);
  Head *h = pages ? reuse(pages) : small(bytes);
  if (h == NULL) return pages ? body(map(pages, true)) : NULL;
  return memset(body(h), 0, bytes);
}


void mem_free(void *p) {
  if (p == NULL) return;
  Head *h = head(p);
  if (h->pages == 0) free(h);
  else keep(h);
}


int64_t mem_mappings(void) {
  return __atomic_load_n(&mappings, __ATOMIC_RELAXED);
}

/* }======== */

#else

/* nothing stands between a block and what the sanitizer watches */
void *mem_alloc(size_t bytes) {
  void *p = NULL;
  if (bytes > SIZE_MAX - MEM_ALIGN) return NULL;
  return posix_memalign(&p, MEM_ALIGN, bytes ? bytes : 1) == 0 ? p : NULL;
}


void *mem_zeros(size_t bytes) {
  void *p = mem_alloc(bytes);
  return p ? memset(p, 0, bytes) : NULL;
}


void mem_free(void *p) {
  free(p);
}


void mem_trim(void) {
}


int64_t mem_mappings(void) {
  return -1;
}

#endif


/* a hint: what the system does not do now it does page by page */
void mem_take_pages(void *p, size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
  uintptr_t first = (uintptr_t)p / PAGE * PAGE;
  madvise((void *)first, (uintptr_t)p + bytes - first, MADV_POPULATE_WRITE);
#else
  (void)p;
  (void)bytes;
#endif
}


/* a compare-and-swap writes, as a processor sees it, what was there before */
void mem_take_page(void *p) {
  char zero = 0;
  __atomic_compare_exchange_n((char *)p, &zero, 0, false, __ATOMIC_RELAXED,
                              __ATOMIC_RELAXED);
}


bool mem_times(size_t a, size_t b, size_t *out) {
  if (b != 0 && a > SIZE_MAX / b) return false;
  *out = a * b;
  return true;
}
