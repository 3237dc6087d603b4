/* Session internals, shared by session.c (life and accessors), session_send.c and session_receive.c. */
#pragma once
#include "proto/session.h"

/* A packed body, shared by the frames of its parts. */
typedef struct Payload {
    size_t references;
    size_t length;
    char bytes[];
} Payload;

/* A frame that waits to be sent or acknowledged: a slice of a payload. */
typedef struct SentFrame {
    Payload *payload;
    uint32_t offset, length;
    uint8_t type, flags;
} SentFrame;

/* Frames in the order of sending; capacity is a power of two. */
typedef struct FrameRing {
    SentFrame *frames;
    size_t first, count, capacity;
} FrameRing;

typedef enum GivenFrame {
    GIVEN_NONE,
    GIVEN_UNRELIABLE,    /* the first of `unreliable`: leaves the ring at the next call */
    GIVEN_RELIABLE,      /* number next_seq - 1, for the first time */
    GIVEN_RELIABLE_AGAIN /* number next_seq - 1, a resend */
} GivenFrame;

struct Session {
    SessionOptions options;

    /* Sending. Numbers acked + 1 .. queued are in `reliable`; those up to sent_high were given at least once.
     */
    FrameRing reliable, unreliable;
    uint64_t acked, queued, sent_high;
    uint64_t next_seq;    /* the next number to give; goes back to acked + 1 when a resend is due */
    uint64_t peer_window; /* the highest number that the peer takes */
    size_t backlog;
    bool probe_due; /* a resend is the next frame to give, ... */
    bool probing;   /* ... or is out: nothing more until the peer has answered it */
    int64_t resend_at_ms, resend_wait_ms;
    GivenFrame given;
    bool given_owed_ack; /* what owes_ack was before the frame just given */
    Buffer scratch;      /* keeps its memory from message to message */

    /* Receiving. */
    uint64_t delivered; /* the last number taken without a gap */
    bool owes_ack;
    Buffer assembly; /* parts of a large message, while assembling */
    bool assembling;
    uint8_t assembly_type;
};

SentFrame *frame_ring_at(const FrameRing *ring, size_t index);
bool frame_ring_reserve(FrameRing *ring, size_t more);
void frame_ring_push(FrameRing *ring, const SentFrame *frame); /* room was reserved */
void frame_ring_pop(FrameRing *ring);
void frame_ring_clear(FrameRing *ring);

/* Takes the peer's cumulative acknowledgement and window. ERROR_PROTOCOL for an acknowledgement of what was
 * never sent. */
bool session_acknowledge(Session *session, uint64_t ack, uint64_t window, int64_t now_ms,
                         Error *error) MUST_CHECK;
