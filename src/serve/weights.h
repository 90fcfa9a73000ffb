/*
** Linear layers for inference: weights in the form that they are multiplied
** in, made once, and activations in the form that the next product reads.
**
**   y = x W' + b        x [rows, in], W [out, in], y [rows, out]
**
** float32 has two: the rows as the model's file has them, for OpenBLAS, and
** panels for our own kernels, which are made when the model has work enough
** to be worth the memory (model.c). The others have panels alone.
*/
#ifndef lunula_weights_h
#define lunula_weights_h

#include <stdbool.h>
#include <stdint.h>

#include "../kernel/int8.h"
#include "../kernel/product.h"

#pragma GCC visibility push(hidden)

typedef enum Form {
  FORM_FP32,
  FORM_BF16,
  FORM_INT8,
  FORMS
} Form;

enum { MOST_PARTS = 3 };

/* W is parts one above the other, such as those of Q, K and V, all of one
   size; nothing here is owned */
typedef struct Weights {
  Form form;
  int64_t out, in;
  int parts;
  const float *part[MOST_PARTS];  /* [out / parts, in], FORM_FP32 */
  const float *bias;              /* [out] */
  const uint32_t *panels;         /* FORM_BF16; FORM_FP32: NULL at first */
  Int8Weight int8;                /* FORM_INT8; adds the bias itself */
} Weights;

/* [rows, width] as the next product reads them, and float32 for whoever adds
   them to something. */
typedef struct Activations {
  Form form;
  float *values;       /* FORM_FP32 needs them; else may be NULL */
  Bf16 *rounded;       /* [rows, bf16_step(width)], FORM_BF16 */
  Int8Matrix int8;     /* FORM_INT8 */
  int64_t width;
} Activations;

/* bytes of the form's own buffers, and where they lie in them, on a line */
size_t activations_size(Form f, int64_t rows, int64_t width);
Activations activations_at(Form f, void *at, float *values, int64_t rows,
                           int64_t width);

/* brings a piece into the form: x [p.rows, p.columns], rows `stride` apart,
   whole rows for FORM_INT8. On the thread that calls, inside a pool's task */
void activations_take(const Activations *a, Piece p, const float *x,
                      int64_t stride);
/* the same of the first rows of `values`, over the pool */
void activations_take_all(const Activations *a, int64_t rows);

/* Some outputs of a linear layer: whole parts, or whole panels where it has
   panels. */
typedef struct Outputs {
  int64_t first, count;
} Outputs;

/* Is a part of it a whole number of panels? Then a product may be of that
   part alone. */
bool weights_divide(const Weights *w);

/* y [rows, o.count] = x W'; then f, which adds what weights_bias gives */
void weights_product(const Weights *w, Outputs o, float *y,
                     const Activations *x, int64_t rows, const Finish *f);
/* the bias that a product leaves to its Finish; NULL: none */
const float *weights_bias(const Weights *w, Outputs o);

#pragma GCC visibility pop

#endif
