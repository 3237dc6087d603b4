/* Frame: one message on the wire, a fixed header and one msgpack body. See proto/README.md for the grammar.
 *
 * header, 48 bytes, big-endian:
 *   0 magic "PGCV"   4 major   5 minor   6 type   7 flags   8 session id[16]   24 seq u64   32 ack u64
 *   40 window u64
 * session id names the conversation that a frame belongs to (proto/session.h). seq numbers the reliable
 * frames of one session from 1; 0 = not reliable. ack is the highest reliable frame received without a gap.
 * window is absolute: the peer may send reliable frames with seq <= window. Outside a session all three are
 * 0.
 */
#pragma once
#include "common/error.h"
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_HEADER_SIZE = 48,
    FRAME_BODY_MAX = 1 << 20,    /* a single frame */
    FRAME_PART_SIZE = 256 << 10, /* larger bodies travel as parts of this size */
    MESSAGE_SIZE_MAX = 64 << 20, /* an assembled body */
    SESSION_ID_SIZE = 16,
    PROTOCOL_MAJOR = 1,
    PROTOCOL_MINOR = 0,
};

/* Flags that are not listed are ignored, so that a later minor version may add some. */
enum { FRAME_MUST_UNDERSTAND = 1, FRAME_PART = 2, FRAME_LAST_PART = 4 };

typedef struct FrameHeader {
    uint8_t major, minor, type, flags;
    uint8_t session_id[SESSION_ID_SIZE];
    uint64_t seq, ack, window;
} FrameHeader;

/* A frame ready for a link. The body belongs to whoever made the frame. */
typedef struct OutgoingFrame {
    FrameHeader header;
    const void *body;
    size_t body_length;
} OutgoingFrame;

void frame_header_encode(const FrameHeader *header, unsigned char ret_bytes[FRAME_HEADER_SIZE]);

/* ERROR_PROTOCOL on a wrong size, magic, or major version. */
bool frame_header_decode(const void *bytes, size_t length, FrameHeader *ret_header, Error *error) MUST_CHECK;
