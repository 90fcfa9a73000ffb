/*
** Tensors: numbers with a shape, seen through strides.
**
**   storage   bytes, counted references, shared by all views of them
**   tensor    a view: dtype, shape, strides, the first element
**
** What always holds: shape[i] >= 0; the elements a view can reach lie inside
** its storage; stride 0 marks a dimension that repeats one element. A tensor
** belongs to one thread; a storage may be shared by several (its count is
** atomic). Functions that return a tensor return one reference, or NULL when
** there is no memory; nothing else can fail here.
**
** Writes to a storage can be put off (tensor_owe) until somebody reads it: who
** is about to read or write elements of a tensor that came from elsewhere
** calls tensor_settle first. The bindings do so for every argument.
*/
#ifndef lunula_tensor_h
#define lunula_tensor_h

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum { TENSOR_DIMS = 8 };

typedef enum DType {
  FLOAT32,
  INT32,
  INT64
} DType;

typedef struct Shape {
  int ndim;
  int64_t size[TENSOR_DIMS];
} Shape;

/* Who put writes off. They are over once an optimizer says so (the storage's
   version has moved); only memory doesn't show them yet. */
typedef struct Pending {
  const struct Tensor *of;  /* its rows are counted */
  /* Writes what is owed to n rows, in any order, some named twice; rows NULL:
     to all, and then storage->pending is NULL. */
  void (*settle)(struct Pending *p, const int32_t *rows, int64_t n);
  /* rows first .. first + n - 1 to out, as they are once that is done; few of
     them are written, so that memory of a file stays the file's */
  void (*read)(struct Pending *p, int64_t first, int64_t n, void *out);
} Pending;

typedef struct Storage {
  int refs;
  size_t bytes;
  void *data;
  uint64_t version;  /* moves with every write in place */
  bool told;         /* a collector knows of its bytes */
  Pending *pending;  /* NULL: memory is up to date */
  void (*release)(struct Storage *s);  /* gives data back; s is freed after */
  void *owner;       /* what release needs: a mapped file */
} Storage;

typedef struct Tensor {
  int refs;
  DType dtype;
  Shape shape;
  int64_t stride[TENSOR_DIMS];  /* in elements */
  int64_t start;                /* the first element, from storage->data */
  Storage *storage;
  bool requires_grad;
  struct Tensor *grad;  /* NULL, or FLOAT32, contiguous, of the same shape */
  bool grad_stale;      /* the gradient is 0, whatever grad's memory holds:
                           ask tensor_gradient for it (row_gradient.h) */
  struct RowGradient *grad_rows;  /* NULL, or the gradient, where it is but in
                                     some rows (row_gradient.h); then grad is
                                     NULL */
  struct Node *node;    /* the op it came from; NULL for a leaf (tape.h) */
} Tensor;

size_t      dtype_size(DType d);
const char *dtype_name(DType d);  /* "float32", "int32", "int64" */

/* shape */

/* a Shape of these sizes: shape_of(2, tokens, hidden) */
Shape   shape_of(int ndim, ...);    /* the sizes are int64_t */
int64_t shape_count(const Shape *s);  /* elements; 1 for a scalar */
bool    shape_equal(const Shape *a, const Shape *b);
/* the shape that a and b broadcast to, by NumPy's rules; false when they
   don't fit */
bool    shape_broadcast(const Shape *a, const Shape *b, Shape *out);
/* false when elements or bytes overflow */
bool    shape_valid(const Shape *s);

/* a contiguous tensor seen around one of its dimensions */
typedef struct Around {
  int64_t outer, size, inner;  /* [outer, size, inner] */
} Around;
/* dim ALL_DIMS: all of them as one, [1, count, 1]. Without elements outer is
   0, so that nothing loops over 2^50 empty rows. */
enum { ALL_DIMS = -1 };
Around  shape_around(const Shape *s, int dim);
/* a lane: the elements along the dimension that share all other positions,
   a.inner apart. The first element of lane i, of outer * inner: */
static inline int64_t around_lane(Around a, int64_t i) {
  return i / a.inner * a.size * a.inner + i % a.inner;
}
/* s with that dimension (ALL_DIMS: every one) of size 1 */
Shape   shape_reduced(const Shape *s, int dim);

/* "[2, 3]" into text, cut to fit; returns text */
enum { SHAPE_TEXT = 192 };
char   *shape_text(const Shape *s, char text[SHAPE_TEXT]);

/* storage */

/* takes data; NULL (data not released) when there is no memory */
Storage *storage_wrap(void *data, size_t bytes,
                      void (*release)(Storage *), void *owner);
Storage *storage_retain(Storage *s);
void     storage_release(Storage *s);

/* making */

Tensor *tensor_new(DType d, const Shape *s);    /* uninitialised */
Tensor *tensor_zeros(DType d, const Shape *s);
Tensor *tensor_like(const Tensor *t);    /* new, of t's dtype and shape */
Tensor *tensor_retain(Tensor *t);
void    tensor_release(Tensor *t);       /* NULL is allowed */
/* contiguous rows of s from element `start` on; retains the storage */
Tensor *tensor_over(Storage *storage, DType d, const Shape *s, int64_t start);

/* views: share the storage, know nothing of the tape */

Tensor *tensor_alias(const Tensor *t);   /* the same elements */
Tensor *tensor_reshaped(const Tensor *t, const Shape *s);  /* t contiguous */
Tensor *tensor_transposed(const Tensor *t, int a, int b);
/* elements first .. first + count - 1 of dimension dim */
Tensor *tensor_narrowed(const Tensor *t, int dim, int64_t first,
                        int64_t count);
Tensor *tensor_expanded(const Tensor *t, const Shape *s);  /* broadcast */

/* asking and copying */

int64_t tensor_count(const Tensor *t);
bool    tensor_is_contiguous(const Tensor *t);
Tensor *tensor_copied(const Tensor *t);  /* contiguous, of its own storage */
/* t itself, retained, when it is contiguous; else a copy, row by row. Never
   carries a node. */
Tensor *tensor_contiguous(Tensor *t);
void    tensor_copy(Tensor *to, const Tensor *from);  /* same shape, dtype */
void    tensor_add_to(Tensor *to, const Tensor *from);  /* to += from, FLOAT32,
                                                          the same shape */
/* to = (1 - weight) to + weight from, FLOAT32, the same shape; over the pool.
   0 leaves it as it is, 1 copies, to the last bit. */
void    tensor_lerp(Tensor *to, const Tensor *from, float weight);
/* summed over dim or ALL_DIMS, which stays with size 1. FLOAT32, added up in
   double: a long sum keeps its last digits. */
Tensor *tensor_summed(Tensor *t, int dim);
void    tensor_touch(Tensor *t);         /* say that it was written in place */

/* writes that are put off */

void    tensor_settle(const Tensor *t);  /* brings all elements up to date */
/* brings these rows of t [rows, ...] up to date, or more of them */
void    tensor_settle_rows(const Tensor *t, const int32_t *rows, int64_t n);
/* can tensor_read_rows tell t's rows? Only where writes to them, as rows, are
   put off */
bool    tensor_has_unsettled_rows(const Tensor *t);
/* n rows from `first` on, as settling would leave them, to out */
void    tensor_read_rows(const Tensor *t, int64_t first, int64_t n,
                         void *out);
/* from now on p puts off writes to t's storage; what another owed is settled,
   so that there is never more than one */
void    tensor_owe(const Tensor *t, Pending *p);

/* the first element */
float   *tensor_f32(const Tensor *t);
int32_t *tensor_i32(const Tensor *t);
int64_t *tensor_i64(const Tensor *t);

/* Walks the elements of n tensors of one shape, a run along the last
   dimension at a time: each call to `run` gets the addresses of the first
   elements, the strides in elements, the length, and ctx. */
typedef void (*TensorRun)(char *const *at, const int64_t *stride,
                          int64_t length, void *ctx);
enum { TENSOR_WALK = 4 };  /* n at most */
void    tensor_walk(int n, const Tensor *const *t, TensorRun run, void *ctx);

#pragma GCC visibility pop

#endif
