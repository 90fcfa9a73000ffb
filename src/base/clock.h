/*
** Time: a clock that is never set back, and where a step's time goes.
**
** What always holds: while the parts are timed, every moment belongs to one
** of them, the one that was entered last and not left. Each thread times its
** own; that of a job counts where pool_run was called. Off, as at first,
** entering and leaving cost a test.
*/
#ifndef lunula_clock_h
#define lunula_clock_h

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef enum ClockPart {
  CLOCK_DATA,         /* whatever is none of the others: Lua, batches, head */
  CLOCK_GEMM,         /* matrix products of the encoder and the head */
  CLOCK_ATTENTION,    /* scores, softmax and context, their products too */
  CLOCK_ELEMENTWISE,  /* the rest of the encoder */
  CLOCK_OPTIMIZER,    /* clipping and the step */
  CLOCK_PARTS
} ClockPart;

int64_t     clock_now(void);  /* nanoseconds since some moment */

const char *clock_part_name(ClockPart p);  /* "gemm" */

void        clock_time_parts(bool on);     /* on: from 0, in CLOCK_DATA */
double      clock_seconds(ClockPart p);    /* so far, or when it was stopped */

/* time is p's from now on; returns the part before, for clock_leave */
ClockPart   clock_enter(ClockPart p);
void        clock_leave(ClockPart before);

#pragma GCC visibility pop

#endif
