/*
** Matrix products over the pool. See product.h.
*/
#include "product.h"

#include "../base/clock.h"
#include "../base/cpu.h"
#include "../base/pool.h"
#include "rows.h"

enum {
  BLOCK_ROWS = 48,     /* rows of c in a task: a block of a stays in L1 or L2 */
  BLOCK_PANELS = 6,    /* panels of b in a task */
  DEPTH_UNITS = 512,   /* of a long sum: a piece of a panel stays in L2 */
  ROWS_A_TASK = 32     /* of what is packed, or finished */
};

/* c [m, n] cut into tasks of `block` rows and some panels */
typedef struct Product {
  Element element;
  float *c;
  bool add;
  Operand a, b;
  int64_t a_block;      /* units from one block of rows to the next */
  int64_t b_panel;      /* units from one panel to the next */
  int64_t m, n, units;
  int64_t piece;        /* units summed before c is written */
  int64_t block, group, across;  /* group: panels; across: groups in a row */
  const Finish *finish;          /* or NULL */
} Product;

typedef struct Packing {
  Element element;
  uint32_t *out;
  const float *x;       /* contiguous */
  int64_t columns, depth;
} Packing;


static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}


static int64_t pieces(int64_t size, int64_t each) {
  return (size + each - 1) / each;
}


bool product_has_fp32(int64_t columns, int64_t depth) {
  return cpu_level() >= CPU_AVX512 && columns % PANEL_COLUMNS == 0 &&
         depth % PANEL_COLUMNS == 0;
}


/* rounding and packing are what a product costs, too */
static void run(int64_t n, PoolTask task, void *ctx) {
  ClockPart before = clock_enter(CLOCK_GEMM);
  pool_run(n, task, ctx);
  clock_leave(before);
}


/* {======== packing ======== */

static void pack_panel(void *ctx, int64_t i) {
  const Packing *p = ctx;
  int64_t first = i * PANEL_COLUMNS;
  panel_kernels()->pack_rows[p->element](
    p->out + i * panel_size(p->element, p->depth), p->x + first * p->depth,
    p->depth, p->columns - first, p->depth);
}


void product_pack_rows(Element e, uint32_t *panels, const float *x,
                       int64_t columns, int64_t depth) {
  Packing p = { e, panels, x, columns, depth };
  run(panel_count(columns), pack_panel, &p);
}


void product_pack_piece(Element e, uint32_t *panels, int64_t depth, Piece p,
                        const float *x, int64_t stride) {
  int64_t size = panel_size(e, depth);
  uint32_t *at = panels + p.column / PANEL_COLUMNS * size +
                 panel_units(e, p.row) * PANEL_COLUMNS;
  panel_kernels()->pack_columns[e](at, size, x, stride, p.columns, p.rows);
}


static void pack_columns_some(void *ctx, int64_t first, int64_t n) {
  const Packing *p = ctx;
  product_pack_piece(p->element, p->out, p->depth,
                     (Piece){ first, n, 0, p->columns },
                     p->x + first * p->columns, p->columns);
}


void product_pack_columns(uint32_t *panels, const float *x, int64_t columns,
                          int64_t depth) {
  Packing p = { ELEMENT_BF16, panels, x, columns, depth };
  ClockPart before = clock_enter(CLOCK_GEMM);
  pool_rows(depth, ROWS_A_TASK, pack_columns_some, &p);
  clock_leave(before);
}

/* }======== */


/* {======== products ======== */

static void product_panel(const Product *p, int64_t block, int64_t panel) {
  int64_t row = block * p->block, column = panel * PANEL_COLUMNS;
  Operand a = { p->a.at + block * p->a_block, p->a.step, p->a.unit_step };
  Operand b = { p->b.at + panel * p->b_panel, 1, p->b.unit_step };
  for (int64_t u = 0; u < p->units; u += p->piece) {
    int64_t n = least(p->piece, p->units - u);
    panel_kernels()->product[p->element](
      p->c + row * p->n + column, p->n, p->add || u > 0, &a, &b,
      least(p->block, p->m - row), least(PANEL_COLUMNS, p->n - column), n);
    a.at += n * a.unit_step;
    b.at += n * b.unit_step;
  }
}


void product_finish_piece(const Finish *f, Piece p) {
  if (f == NULL) return;
  ClockPart before = clock_enter(CLOCK_ELEMENTWISE);
  f->piece(f->ctx, p);
  clock_leave(before);
}


static void product_task(void *ctx, int64_t i) {
  const Product *p = ctx;
  int64_t first = i % p->across * p->group, row = i / p->across * p->block;
  int64_t end = least(first + p->group, panel_count(p->n));
  for (int64_t panel = first; panel < end; panel++)
    product_panel(p, i / p->across, panel);
  int64_t column = first * PANEL_COLUMNS;
  product_finish_piece(p->finish,
                       (Piece){ row, least(p->block, p->m - row), column,
                                least(end * PANEL_COLUMNS, p->n) - column });
}


static void multiply(Product *p) {
  if (p->m == 0 || p->n == 0) return;
  p->across = pieces(panel_count(p->n), p->group);
  run(pieces(p->m, p->block) * p->across, product_task, p);
}


/* an even number of blocks of about BLOCK_ROWS: two threads end together;
   each of an even number of rows, as a piece has. One thread reads the panels
   less often with fewer. No sum depends on it. */
static int64_t block_rows(int64_t m) {
  int64_t blocks = pieces(m, BLOCK_ROWS);
  if (pool_threads() > 1) blocks = (blocks + 1) / 2 * 2;
  return m > 0 ? (pieces(m, blocks) + 1) / 2 * 2 : 2;
}


/* c (+)= a b: the rows of a, each `step` units */
static void multiply_rows(Element e, float *c, bool add, const void *a,
                          int64_t step, Operand b, int64_t b_panel,
                          int64_t m, int64_t n, int64_t k, const Finish *f) {
  int64_t block = block_rows(m), units = panel_units(e, k);
  Product p = {
    .element = e, .c = c, .add = add, .a = { a, step, 1 }, .b = b,
    .a_block = block * step, .b_panel = b_panel,
    .m = m, .n = n, .units = units, .piece = units,
    .block = block, .finish = f,
    .group = f && f->whole ? panel_count(n) : BLOCK_PANELS };
  multiply(&p);
}


void product_rows(Element e, float *c, bool add, const void *a,
                  const uint32_t *panels, int64_t m, int64_t n, int64_t k,
                  const Finish *f) {
  int64_t step = e == ELEMENT_BF16 ? bf16_step(k) / 2 : k;
  multiply_rows(e, c, add, a, step, (Operand){ panels, 1, PANEL_COLUMNS },
                panel_size(e, k), m, n, k, f);
}


void product_plain(float *c, bool add, const float *a, const float *b,
                   int64_t m, int64_t n, int64_t k, const Finish *f) {
  multiply_rows(ELEMENT_FP32, c, add, a, k,
                (Operand){ (const void *)b, 1, n }, PANEL_COLUMNS, m, n, k,
                f);
}


static void add_bias(void *ctx, Piece p) {
  const Bias *b = ctx;
  float *y = b->y + p.row * b->width + p.column;
  for (int64_t r = 0; r < p.rows; r++, y += b->width)
    row_kernels()->add_bias(y, b->bias + p.column, 1, p.columns);
}


Finish product_bias(Bias *b) {
  return (Finish){ add_bias, b, false };
}


typedef struct FinishJob {
  const Finish *finish;
  int64_t columns;
} FinishJob;


static void finish_some(void *ctx, int64_t first, int64_t n) {
  const FinishJob *j = ctx;
  product_finish_piece(j->finish, (Piece){ first, n, 0, j->columns });
}


void product_finish(int64_t m, int64_t n, const Finish *f) {
  FinishJob j = { f, n };
  if (f != NULL) pool_rows(m, ROWS_A_TASK, finish_some, &j);
}


void product_columns(Element e, float *c, bool add, const uint32_t *a,
                     const uint32_t *b, int64_t m, int64_t n, int64_t depth) {
  int64_t size = panel_size(e, depth);
  Product p = {
    .element = e, .c = c, .add = add,
    .a = { a, 1, PANEL_COLUMNS }, .b = { b, 1, PANEL_COLUMNS },
    .a_block = size, .b_panel = size,
    .m = m, .n = n, .units = panel_units(e, depth),
    .piece = DEPTH_UNITS, .block = PANEL_COLUMNS, .group = 1 };
  multiply(&p);
}

/* }======== */
