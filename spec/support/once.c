/*
** OpenBLAS is set up by states of several threads at once, as when each loads
** lunula.core; for spec/host_spec.lua, under the thread sanitizer.
*/
#include <pthread.h>
#include <stdio.h>

#include "../../src/kernel/blas.h"

enum { THREADS = 4 };


static void *set_up(void *unused) {
  (void)unused;
  blas_init();
  return NULL;
}


int main(void) {
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, set_up, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
  puts("alive");
  return 0;
}
