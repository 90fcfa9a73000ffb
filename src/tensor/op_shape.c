/*
** Ops that move elements and leave their values alone. Views share the
** storage of their input, so a write in place into one is seen in the other.
*/
#include "op.h"

#include <math.h>

/* {======== views ======== */

static bool transpose_back(Node *n, Tensor *dout) {
  const int64_t *dim = n->kept.integer;
  return node_give(n, 0, tensor_transposed(dout, (int)dim[0], (int)dim[1]));
}


Tensor *op_transpose(Tape *tape, Tensor *x, int a, int b) {
  static const Op op = { .name = "transpose", .backward = transpose_back };
  Kept kept = { .integer = { a, b } };
  return tape_record(tape, tensor_transposed(x, a, b), &op, 1, &x, &kept);
}


bool reshape_shape(const Shape *from, Shape *into) {
  int64_t count = shape_count(from), known = 1;
  int open = -1;
  if (!shape_valid(into)) return false;
  for (int i = 0; i < into->ndim; i++) {
    if (into->size[i] >= 0) known *= into->size[i];
    else if (open >= 0 || into->size[i] != -1) return false;
    else open = i;
  }
  if (open >= 0) {
    if (known == 0 || count % known != 0) return false;
    into->size[open] = count / known;
    known = count;
  }
  return known == count;
}


/* dout is contiguous: node gradients are */
static bool reshape_back(Node *n, Tensor *dout) {
  return node_give(n, 0, tensor_reshaped(dout, &n->input[0].shape));
}


Tensor *op_reshape(Tape *tape, Tensor *x, const Shape *s) {
  static const Op op = { .name = "reshape", .backward = reshape_back };
  Tensor *rows = tensor_contiguous(x);
  Tensor *out = rows ? tensor_reshaped(rows, s) : NULL;
  tensor_release(rows);
  return tape_record(tape, out, &op, 1, &x, NULL);
}


/* dout in its place among zeros */
static bool slice_back(Node *n, Tensor *dout) {
  int dim = (int)n->kept.integer[0];
  Tensor *dx = tensor_zeros(FLOAT32, &n->input[0].shape);
  Tensor *part = dx ? tensor_narrowed(dx, dim, n->kept.integer[1],
                                      dout->shape.size[dim]) : NULL;
  if (part == NULL) {
    tensor_release(dx);
    return false;
  }
  tensor_copy(part, dout);
  tensor_release(part);
  return node_give(n, 0, dx);
}


Tensor *op_slice(Tape *tape, Tensor *x, int dim, int64_t first,
                 int64_t count) {
  static const Op op = { .name = "slice", .backward = slice_back };
  Kept kept = { .integer = { dim, first } };
  return tape_record(tape, tensor_narrowed(x, dim, first, count), &op, 1, &x,
                     &kept);
}

/* }======== */


/* {======== concat ======== */

bool concat_shape(Shape *all, const Shape *more, int dim) {
  Shape same = *more;
  if (dim >= all->ndim || dim >= same.ndim) return false;
  same.size[dim] = all->size[dim];
  if (!shape_equal(all, &same)) return false;
  all->size[dim] += more->size[dim];
  return shape_valid(all);
}


static bool concat_back(Node *n, Tensor *dout) {
  int dim = (int)n->kept.integer[0];
  int64_t first = 0;
  for (int i = 0; i < n->inputs; i++) {
    int64_t count = n->input[i].shape.size[dim];
    if (node_wants(n, i) &&
        !node_give(n, i, tensor_narrowed(dout, dim, first, count)))
      return false;
    first += count;
  }
  return true;
}


/* copies x into `out` from element `first` of dim on; false: no memory */
static bool put(Tensor *out, const Tensor *x, int dim, int64_t first) {
  Tensor *part = tensor_narrowed(out, dim, first, x->shape.size[dim]);
  if (part == NULL) return false;
  tensor_copy(part, x);
  tensor_release(part);
  return true;
}


Tensor *op_concat(Tape *tape, int n, Tensor *const *x, int dim) {
  static const Op op = { .name = "concat", .backward = concat_back };
  Shape s = x[0]->shape;
  Kept kept = { .integer = { dim } };
  int64_t first = 0;
  bool ok = true;
  for (int i = 1; i < n; i++) s.size[dim] += x[i]->shape.size[dim];
  Tensor *out = tensor_new(x[0]->dtype, &s);
  for (int i = 0; out != NULL && ok && i < n; i++) {
    ok = put(out, x[i], dim, first);
    first += x[i]->shape.size[dim];
  }
  if (!ok) {
    tensor_release(out);
    out = NULL;
  }
  return tape_record(tape, out, &op, n, x, &kept);
}

/* }======== */


/* {======== copies ======== */

static bool same_back(Node *n, Tensor *dout) {
  return node_give(n, 0, tensor_retain(dout));
}


/* the result `out` that holds x's elements */
static Tensor *same(Tape *tape, Tensor *x, Tensor *out) {
  static const Op op = { .name = "copy", .backward = same_back };
  return tape_record(tape, out, &op, 1, &x, NULL);
}


Tensor *op_contiguous(Tape *tape, Tensor *x) {
  return same(tape, x, tensor_is_contiguous(x) ? tensor_alias(x)
                                               : tensor_copied(x));
}


Tensor *op_clone(Tape *tape, Tensor *x) {
  return same(tape, x, tensor_copied(x));
}


static int64_t integer(const Tensor *x, int64_t i) {
  switch (x->dtype) {
    case INT32: return tensor_i32(x)[i];
    case INT64: return tensor_i64(x)[i];
    case FLOAT32: break;
  }
  float v = tensor_f32(x)[i];
  if (isnan(v)) return 0;
  return v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
}


static void convert(Tensor *out, const Tensor *x, int64_t i) {
  int64_t v = integer(x, i);
  switch (out->dtype) {
    case FLOAT32: tensor_f32(out)[i] = (float)v; break;
    case INT64: tensor_i64(out)[i] = v; break;
    case INT32:
      tensor_i32(out)[i] = v > INT32_MAX ? INT32_MAX
                         : v < INT32_MIN ? INT32_MIN : (int32_t)v;
      break;
  }
}


Tensor *op_to(Tape *tape, Tensor *x, DType d) {
  if (x->dtype == d) return op_contiguous(tape, x);
  Tensor *rows = tensor_contiguous(x);
  Tensor *out = rows ? tensor_new(d, &x->shape) : NULL;
  for (int64_t i = 0; out != NULL && i < tensor_count(out); i++)
    convert(out, rows, i);
  tensor_release(rows);
  return out;
}

/* }======== */
