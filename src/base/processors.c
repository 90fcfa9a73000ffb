/*
** Processors at hand. See processors.h.
*/
#if defined(__linux__)
#define _GNU_SOURCE  /* sched_getaffinity */
#elif defined(__APPLE__)
#define _DARWIN_C_SOURCE  /* _SC_NPROCESSORS_ONLN */
#endif
#include "processors.h"

#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <stdio.h>

#define QUOTA_FILE  "/sys/fs/cgroup/cpu.max"


static int allowed(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}


/* n, or fewer: the file holds microseconds of processor time in a period, and
   the period, or "max" where there is no limit */
static int within_quota(int n) {
  double time, period;
  FILE *f = fopen(QUOTA_FILE, "r");
  if (f == NULL) return n;
  if (fscanf(f, "%lf %lf", &time, &period) == 2 && time < period * n)
    n = (int)(time / period + 0.5);
  fclose(f);
  return n;
}
#else
static int allowed(void) {
  return (int)sysconf(_SC_NPROCESSORS_ONLN);
}


static int within_quota(int n) {
  return n;
}
#endif


int processors_usable(void) {
  int n = within_quota(allowed());
  return n > 1 ? n : 1;
}
