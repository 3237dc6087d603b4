/* Record codec: records (common/record.h) to msgpack maps and back, strictly and within limits.
 *
 * Packing uses msgpack-c. Unpacking first walks the bytes without allocating (proto/msgpack_walk.h), then
 * decodes them in place: msgpack-c's own decoder builds 24 bytes for each byte of an array of nils before
 * anybody may look at it. Fields are matched by name: a duplicate key, a wrong type, an integer outside
 * int64, text that is not UTF-8 or holds NUL are ERROR_PROTOCOL; more than a limit is ERROR_TOO_LARGE;
 * unknown keys are skipped. Fields at rest (zero, NULL, empty) are left out; a text of FIELD_ALWAYS that was
 * left out arrives as "", never as NULL, and only FIELD_NULLABLE tells NULL from "".
 */
#pragma once
#include "common/buffer.h"
#include "common/record.h"

enum {
    RECORD_TEXT_MAX = 1 << 20,   /* bytes of one text */
    RECORD_FIELDS_MAX = 64,      /* rows of one record type */
    RECORD_UNKNOWN_MAX = 64,     /* keys of one map that this version does not know */
    RECORD_DECODED_FACTOR = 32,  /* lists take at most this many bytes per byte received, ... */
    RECORD_DECODED_BASE = 65536, /* ... plus this */
};

/* Replaces the content of *ret_bytes, which keeps its memory for the next call. ERROR_TOO_LARGE for a text
 * above RECORD_TEXT_MAX, ERROR_PROTOCOL for one that is not UTF-8: better here than at the peer. */
bool record_pack(const RecordType *type, const void *record, Buffer *ret_bytes, Error *error) MUST_CHECK;

/* *ret_record is overwritten on success and untouched on failure; release it with record_clear(). */
bool record_unpack(const RecordType *type, const void *bytes, size_t length, void *ret_record,
                   Error *error) MUST_CHECK;
