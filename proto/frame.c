#include "proto/frame.h"
#include <endian.h>
#include <string.h>

static const char MAGIC[4] = {'P', 'G', 'C', 'V'};

enum {
    OFFSET_MAJOR = 4,
    OFFSET_MINOR = 5,
    OFFSET_TYPE = 6,
    OFFSET_FLAGS = 7,
    OFFSET_SESSION_ID = 8,
    OFFSET_SEQ = 24,
    OFFSET_ACK = 32,
    OFFSET_WINDOW = 40,
};

static void put_u64(unsigned char *bytes, uint64_t value)
{
    uint64_t big_endian = htobe64(value);
    memcpy(bytes, &big_endian, sizeof big_endian);
}

static uint64_t get_u64(const unsigned char *bytes)
{
    uint64_t big_endian;
    memcpy(&big_endian, bytes, sizeof big_endian);
    return be64toh(big_endian);
}

void frame_header_encode(const FrameHeader *header, unsigned char ret_bytes[FRAME_HEADER_SIZE])
{
    memcpy(ret_bytes, MAGIC, sizeof MAGIC);
    ret_bytes[OFFSET_MAJOR] = header->major;
    ret_bytes[OFFSET_MINOR] = header->minor;
    ret_bytes[OFFSET_TYPE] = header->type;
    ret_bytes[OFFSET_FLAGS] = header->flags;
    memcpy(ret_bytes + OFFSET_SESSION_ID, header->session_id, SESSION_ID_SIZE);
    put_u64(ret_bytes + OFFSET_SEQ, header->seq);
    put_u64(ret_bytes + OFFSET_ACK, header->ack);
    put_u64(ret_bytes + OFFSET_WINDOW, header->window);
}

bool frame_header_decode(const void *bytes, size_t length, FrameHeader *ret_header, Error *error)
{
    const unsigned char *from = bytes;
    if (length != FRAME_HEADER_SIZE)
        return error_set(error, ERROR_PROTOCOL, "frame header has %zu bytes instead of %d", length,
                         FRAME_HEADER_SIZE);
    if (memcmp(from, MAGIC, sizeof MAGIC) != 0)
        return error_set(error, ERROR_PROTOCOL, "frame header does not begin with PGCV");
    if (from[OFFSET_MAJOR] != PROTOCOL_MAJOR)
        return error_set(error, ERROR_PROTOCOL, "frame has protocol version %d instead of %d",
                         from[OFFSET_MAJOR], PROTOCOL_MAJOR);
    *ret_header = (FrameHeader){
        .major = from[OFFSET_MAJOR],
        .minor = from[OFFSET_MINOR],
        .type = from[OFFSET_TYPE],
        .flags = from[OFFSET_FLAGS],
        .seq = get_u64(from + OFFSET_SEQ),
        .ack = get_u64(from + OFFSET_ACK),
        .window = get_u64(from + OFFSET_WINDOW),
    };
    memcpy(ret_header->session_id, from + OFFSET_SESSION_ID, SESSION_ID_SIZE);
    return true;
}
