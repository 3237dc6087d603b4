/* Record codec: records (common/record.h) to msgpack maps and back, strictly and within limits.
 *
 * Packing uses msgpack-c. Unpacking first walks the headers without allocating: counts never exceed the bytes
 * that are left, depth <= 16, strings within their caps, no trailing bytes, no ext types. Then fields are
 * matched by name: duplicate keys, a wrong type, text that is not UTF-8 or holds NUL are ERROR_PROTOCOL;
 * unknown keys are skipped. Fields at rest (zero, NULL, empty) are left out.
 */
#pragma once
#include "common/buffer.h"
#include "common/record.h"

bool record_pack(const RecordType *type, const void *record, Buffer *ret_bytes, Error *error) MUST_CHECK;

/* *ret_record is overwritten on success and untouched on failure; release it with record_clear(). */
bool record_unpack(const RecordType *type, const void *bytes, size_t length, void *ret_record,
                   Error *error) MUST_CHECK;
