/*
** The safetensors format (github.com/huggingface/safetensors), the part
** below its JSON:
**
**   8 bytes    length of the header, little-endian
**   header     a JSON object: name -> dtype, shape, place in the data
**   data       to the end of the file
**
** The header is parsed and judged in Lua. What Lua then asks for is checked
** here once more, so that no call can reach outside the file.
*/
#ifndef lunula_safetensors_h
#define lunula_safetensors_h

#include <stdint.h>

#include "mapped.h"

#pragma GCC visibility push(hidden)

/* the types that become tensors */
typedef enum StoredType {
  STORED_F32,   /* used where they lie in the file */
  STORED_I32,
  STORED_I64,
  STORED_F16,   /* converted to FLOAT32 */
  STORED_BF16,
  STORED_F64
} StoredType;

/* finds the header; false when its length is more than the file holds, or
   more than anybody needs */
bool    safetensors_header(const Mapped *m, const char **header,
                           size_t *length, Error *e);

/* The tensor whose bytes begin at `first` in the data. Shares the mapping
   where type and alignment allow, else is a copy. m has a good header and
   s is valid. */
Tensor *safetensors_tensor(Mapped *m, StoredType type, const Shape *s,
                           uint64_t first, Error *e);

/* the bytes themselves, where they lie in the mapping */
Storage *safetensors_bytes(Mapped *m, uint64_t bytes, uint64_t first,
                           Error *e);

#pragma GCC visibility pop

#endif
