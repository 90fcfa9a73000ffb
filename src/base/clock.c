/*
** Time. See clock.h.
*/
#define _POSIX_C_SOURCE 200809L
#include "clock.h"

#include <time.h>

static __thread struct {
  bool on;
  ClockPart now;
  int64_t since;               /* when `now` was entered, or last counted */
  int64_t spent[CLOCK_PARTS];  /* nanoseconds, up to `since` */
} parts;

static const char *const names[CLOCK_PARTS] = {
  [CLOCK_DATA] = "data",
  [CLOCK_GEMM] = "gemm",
  [CLOCK_ATTENTION] = "attention",
  [CLOCK_ELEMENTWISE] = "elementwise",
  [CLOCK_OPTIMIZER] = "optimizer"
};


int64_t clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}


const char *clock_part_name(ClockPart p) {
  return names[p];
}


/* what has passed since then is that of the part that is on */
static void count(void) {
  int64_t now = clock_now();
  parts.spent[parts.now] += now - parts.since;
  parts.since = now;
}


void clock_time_parts(bool on) {
  if (parts.on) count();
  parts.on = on;
  if (!on) return;
  for (int p = 0; p < CLOCK_PARTS; p++) parts.spent[p] = 0;
  parts.now = CLOCK_DATA;
  parts.since = clock_now();
}


double clock_seconds(ClockPart p) {
  if (parts.on) count();
  return (double)parts.spent[p] * 1e-9;
}


ClockPart clock_enter(ClockPart p) {
  ClockPart before = parts.now;
  if (!parts.on) return before;
  count();
  parts.now = p;
  return before;
}


void clock_leave(ClockPart before) {
  clock_enter(before);
}
