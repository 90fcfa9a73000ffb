/*
** safetensors. See safetensors.h.
*/
#include "safetensors.h"

#include <inttypes.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors are little-endian, and are used here as they lie"
#endif

enum {
  LENGTH_BYTES = 8,
  MAX_HEADER = 100000000  /* as in the reference implementation */
};

static const struct { DType dtype; size_t size; bool converted; } STORED[] = {
  [STORED_F32]  = { FLOAT32, 4, false },
  [STORED_I32]  = { INT32,   4, false },
  [STORED_I64]  = { INT64,   8, false },
  [STORED_F16]  = { FLOAT32, 2, true },
  [STORED_BF16] = { FLOAT32, 2, true },
  [STORED_F64]  = { FLOAT32, 8, true },
};


/* {======== header ======== */

static uint64_t little_endian_64(const char *p) {
  uint64_t x = 0;
  for (int i = LENGTH_BYTES; i-- > 0;) x = x << 8 | (unsigned char)p[i];
  return x;
}


bool safetensors_header(const Mapped *m, const char **header,
                        size_t *length, Error *e) {
  if (m->bytes < LENGTH_BYTES)
    return error_set(e, "%s: no safetensors file: %zu bytes, the length of "
                     "the header alone takes %d", m->path, m->bytes,
                     LENGTH_BYTES);
  uint64_t n = little_endian_64(m->data);
  if (n > m->bytes - LENGTH_BYTES)
    return error_set(e, "%s: cut short, or no safetensors file: a header of "
                     "%" PRIu64 " bytes in a file of %zu", m->path, n,
                     m->bytes);
  if (n > MAX_HEADER)
    return error_set(e, "%s: a header of %" PRIu64 " bytes, at most %d are "
                     "allowed", m->path, n, MAX_HEADER);
  *header = m->data + LENGTH_BYTES;
  *length = (size_t)n;
  return true;
}

/* }======== */


/* {======== to float32 ======== */

static float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}


/* binary16 to binary32. Normal numbers move to the other bias; 2^-24 scales
   what lies below them; infinity and NaN keep their payload. */
static float float_of_half(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
  if (rest >= 0x7c00u)
    return float_of_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  if (rest >= 0x0400u)
    return float_of_bits(sign | ((rest << 13) + ((127u - 15u) << 23)));
  return (sign ? -1.0f : 1.0f) * (float)rest * 0x1p-24f;
}


/* one number of a type that is converted, at any alignment */
static float convert(StoredType type, const char *from) {
  uint16_t bits;
  double wide;
  if (type == STORED_F64) {
    memcpy(&wide, from, sizeof wide);
    return (float)wide;
  }
  memcpy(&bits, from, sizeof bits);
  if (type == STORED_F16) return float_of_half(bits);
  return float_of_bits((uint32_t)bits << 16);
}

/* }======== */


/* {======== tensors ======== */

static Tensor *converted(const char *from, StoredType type, const Shape *s) {
  Tensor *t = tensor_new(FLOAT32, s);
  if (t == NULL) return NULL;
  float *to = tensor_f32(t);
  for (int64_t i = 0; i < tensor_count(t); i++)
    to[i] = convert(type, from + (size_t)i * STORED[type].size);
  return t;
}


static Tensor *copied(const char *from, DType d, const Shape *s) {
  Tensor *t = tensor_new(d, s);
  if (t != NULL) memcpy(t->storage->data, from, t->storage->bytes);
  return t;
}


static Tensor *shared(Mapped *m, size_t at, DType d, const Shape *s) {
  size_t bytes = (size_t)shape_count(s) * dtype_size(d);
  Storage *part = mapped_storage(m, at, bytes);
  Tensor *t = part ? tensor_over(part, d, s, 0) : NULL;
  storage_release(part);
  return t;
}


static Tensor *tensor_at(Mapped *m, StoredType type, const Shape *s,
                         size_t at) {
  const char *from = m->data + at;
  DType d = STORED[type].dtype;
  if (STORED[type].converted) return converted(from, type, s);
  if ((uintptr_t)from % dtype_size(d) != 0) return copied(from, d, s);
  return shared(m, at, d, s);
}


/* where bytes from `first` of the data on lie in the file */
static bool place_of(const Mapped *m, uint64_t bytes, uint64_t first,
                     size_t *at, Error *e) {
  const char *header;
  size_t length = 0;
  if (!safetensors_header(m, &header, &length, e)) return false;
  size_t start = LENGTH_BYTES + length, room = m->bytes - start;
  if (first > room || bytes > room - first)
    return error_set(e, "%s: %" PRIu64 " bytes from %" PRIu64 " on, the data "
                     "has %zu", m->path, bytes, first, room);
  *at = start + (size_t)first;
  return true;
}


Tensor *safetensors_tensor(Mapped *m, StoredType type, const Shape *s,
                           uint64_t first, Error *e) {
  uint64_t bytes = (uint64_t)shape_count(s) * STORED[type].size;
  size_t at = 0;
  if (!place_of(m, bytes, first, &at, e)) return NULL;
  Tensor *t = tensor_at(m, type, s, at);
  if (t == NULL) error_no_memory(e);
  return t;
}


Storage *safetensors_bytes(Mapped *m, uint64_t bytes, uint64_t first,
                           Error *e) {
  size_t at = 0;
  if (!place_of(m, bytes, first, &at, e)) return NULL;
  Storage *s = mapped_storage(m, at, (size_t)bytes);
  if (s == NULL) error_no_memory(e);
  return s;
}

/* }======== */
