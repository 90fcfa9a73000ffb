/*
** Processes fork while their threads multiply, and their children multiply
** too; for spec/host_spec.lua. Many of them, and each at once: OpenBLAS holds
** its locks longest in the first products.
*/
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/kernel/blas.h"

enum { THREADS = 3, PROCESSES = 20, CHILDREN = 3, CHILD_SECONDS = 10,
       SIZE = 8 };

static bool done;


static void multiply(void) {
  static const float a[SIZE * SIZE];
  float c[SIZE * SIZE];
  blas_sgemm(false, true, SIZE, SIZE, SIZE, 1, a, SIZE, a, SIZE, 0, c, SIZE);
}


static void *multiply_on(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&done, __ATOMIC_RELAXED)) multiply();
  return NULL;
}


static void wait_for(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) == child && status == 0) return;
  fprintf(stderr, "a child ended with status %d\n", status);
  exit(EXIT_FAILURE);
}


static void fork_to(void (*f)(void)) {
  pid_t child = fork();
  if (child > 0) {
    wait_for(child);
    return;
  }
  alarm(CHILD_SECONDS);
  f();
  exit(EXIT_SUCCESS);
}


static void multiply_and_fork(void) {
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++)
    pthread_create(&thread[i], NULL, multiply_on, NULL);
  for (int i = 0; i < CHILDREN; i++) fork_to(multiply);
  __atomic_store_n(&done, true, __ATOMIC_RELAXED);
  for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}


int main(void) {
  blas_init();
  for (int i = 0; i < PROCESSES; i++) fork_to(multiply_and_fork);
  puts("alive");
  return 0;
}
