/*
** Products in 8 bits, cut over the pool. See int8.h.
*/
#include "int8.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/pool.h"
#include "dots.h"

enum {
  BLOCK_ROWS = 48,        /* rows of c in a task: their x stays in L1 or L2 */
  TASK_PRODUCTS = 1 << 20, /* in a task, at least */
  FINISH_ROWS = 8         /* finished in a task, of few; even */
};


static const float NO_BIAS[PANEL_COLUMNS];


static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}


static int64_t pieces(int64_t size, int64_t each) {
  return (size + each - 1) / each;
}


/* {======== quantising ======== */

typedef struct Quantising {
  int8_t *panels;
  float *scale;
  int32_t *sums;
  const float *w;
  int64_t columns, depth;
} Quantising;


/* a channel's row to its column of a panel */
static void spread(int8_t *panel, const int8_t *row, int64_t units) {
  for (int64_t u = 0; u < units; u++)
    memcpy(panel + u * INT8_UNIT * PANEL_COLUMNS, row + u * INT8_UNIT,
           INT8_UNIT);
}


static void quantise_panel(void *ctx, int64_t i) {
  const Quantising *q = ctx;
  int8_t row[INT8_DEPTH];
  int64_t units = int8_units(q->depth), first = i * PANEL_COLUMNS;
  int8_t *panel = q->panels + first * units * INT8_UNIT;
  for (int64_t c = 0; c < PANEL_COLUMNS; c++) {
    int64_t at = first + c;
    if (at < q->columns)
      q->sums[at] = dot_kernels()->quantise_signed(
        row, q->scale + at, q->w + at * q->depth, q->depth);
    else
      memset(row, 0, (size_t)(units * INT8_UNIT));
    spread(panel + c * INT8_UNIT, row, units);
  }
}


void int8_quantise_weight(int8_t *panels, float *scale, int32_t *sums,
                          const float *w, int64_t columns, int64_t depth) {
  Quantising q = { panels, scale, sums, w, columns, depth };
  assert(depth <= INT8_DEPTH);
  pool_run(panel_count(columns), quantise_panel, &q);
}


void int8_quantise(const Int8Matrix *to, int64_t first, int64_t n,
                   const float *x, int64_t stride) {
  int64_t step = int8_step(to->depth);
  for (int64_t r = first; r < first + n; r++, x += stride)
    dot_kernels()->quantise(to->values + r * step, to->scale + r,
                            to->zero + r, x, to->depth);
}


void int8_activate(Activation act, const Int8Matrix *to, int64_t first,
                   int64_t n, float *x, int64_t stride) {
  for (int64_t r = first; r < first + n; r++, x += stride) {
    dot_kernels()->activate(act, x, to->depth);
    int8_quantise(to, r, 1, x, stride);
  }
}

/* }======== */


/* {======== products ======== */

/* c cut into tasks of `block` rows and some panels */
typedef struct Product {
  float *c;
  const Int8Matrix *x;
  const Int8Weight *w;
  const Finish *finish;          /* or NULL */
  int64_t block, group, across;  /* group: panels; across: groups in a row */
} Product;


/* the columns of a panel, from `column` on */
static DotTile tile_at(const Product *p, int64_t row, int64_t rows,
                       int64_t column) {
  const Int8Matrix *x = p->x;
  const Int8Weight *w = p->w;
  int64_t step = int8_step(x->depth), units = int8_units(w->depth);
  return (DotTile){
    .c = p->c + row * w->columns + column, .c_step = w->columns,
    .a = x->values + row * step, .a_step = step,
    .a_scale = x->scale + row, .a_zero = x->zero + row,
    .panel = w->panels + column * units * INT8_UNIT,
    .scale = w->scale + column, .sums = w->sums + column,
    .bias = w->bias ? w->bias + column : NO_BIAS,
    .rows = rows, .units = units };
}


/* the last n columns, fewer than a panel: through a whole one */
static void product_edge(DotTile t, const Int8Weight *w, int64_t n) {
  float c[BLOCK_ROWS * PANEL_COLUMNS];
  float scale[PANEL_COLUMNS] = { 0 }, bias[PANEL_COLUMNS] = { 0 };
  int32_t sums[PANEL_COLUMNS] = { 0 };
  DotTile whole = t;
  size_t size = (size_t)n * sizeof *c;
  memcpy(scale, t.scale, size);
  memcpy(sums, t.sums, size);
  if (w->bias != NULL) memcpy(bias, t.bias, size);
  whole.c = c;
  whole.c_step = PANEL_COLUMNS;
  whole.scale = scale;
  whole.sums = sums;
  whole.bias = bias;
  dot_kernels()->product(&whole);
  for (int64_t r = 0; r < t.rows; r++)
    memcpy(t.c + r * t.c_step, c + r * PANEL_COLUMNS, size);
}


static void product_panel(const Product *p, int64_t row, int64_t rows,
                          int64_t panel) {
  int64_t column = panel * PANEL_COLUMNS, left = p->w->columns - column;
  DotTile t = tile_at(p, row, rows, column);
  if (left < PANEL_COLUMNS) product_edge(t, p->w, left);
  else dot_kernels()->product(&t);
}


static void product_task(void *ctx, int64_t i) {
  const Product *p = ctx;
  int64_t columns = p->w->columns;
  int64_t first = i % p->across * p->group, row = i / p->across * p->block;
  int64_t end = least(first + p->group, panel_count(columns));
  int64_t rows = least(p->block, p->x->rows - row);
  for (int64_t panel = first; panel < end; panel++)
    product_panel(p, row, rows, panel);
  int64_t column = first * PANEL_COLUMNS;
  product_finish_piece(p->finish,
                       (Piece){ row, rows, column,
                                least(end * PANEL_COLUMNS, columns) -
                                column });
}


/* an even number of blocks of about BLOCK_ROWS, so that two threads end
   together; each of an even number of rows, as a piece has. Few rows are one
   block: a weight is read once. */
static int64_t block_rows(int64_t rows) {
  if (rows <= BLOCK_ROWS) return rows;
  int64_t blocks = (pieces(rows, BLOCK_ROWS) + 1) / 2 * 2;
  return (pieces(rows, blocks) + 1) / 2 * 2;
}


/* panels in a task; an even number of tasks, or one where they are small */
static int64_t group_panels(int64_t rows, const Int8Weight *w) {
  int64_t panels = panel_count(w->columns);
  int64_t tasks = rows * w->columns * w->depth / TASK_PRODUCTS;
  int64_t group = pieces(panels, tasks < 1 ? 1 : tasks);
  while (pieces(panels, group) % 2 != 0 && group < panels) group++;
  return group;
}


static void finish_some(void *ctx, int64_t first, int64_t n) {
  const Product *p = ctx;
  product_finish_piece(p->finish, (Piece){ first, n, 0, p->w->columns });
}


static void multiply(Product *p) {
  p->across = pieces(panel_count(p->w->columns), p->group);
  pool_run(pieces(p->x->rows, p->block) * p->across, product_task, p);
}


void int8_product(float *c, const Int8Matrix *x, const Int8Weight *w,
                  const Finish *f) {
  if (x->rows == 0 || w->columns == 0) return;
  bool whole = f != NULL && f->whole, one = x->rows <= BLOCK_ROWS;
  int64_t block = block_rows(x->rows);
  Product p = {
    .c = c, .x = x, .w = w, .finish = whole && one ? NULL : f,
    .block = block,
    .group = whole && !one ? panel_count(w->columns)
                           : group_panels(block, w) };
  ClockPart before = clock_enter(CLOCK_GEMM);
  multiply(&p);
  p.finish = f;
  if (whole && one) pool_rows(x->rows, FINISH_ROWS, finish_some, &p);
  clock_leave(before);
}

/* }======== */
