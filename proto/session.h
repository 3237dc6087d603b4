/* Session: one conversation between two peers, from HELLO on: numbering, acknowledgement, resending, parts.
 *
 * Pure: no socket, no clock. Reliable messages are delivered exactly once and in order within a session,
 * whatever frames are lost, doubled or reordered; when a peer greets anew, both sides start a new Session and
 * the owner sends again what the old one had not seen acknowledged. Bodies above FRAME_PART_SIZE travel as
 * parts and are put together here, at most MESSAGE_SIZE_MAX. Memory is bounded by the window and that size.
 * One thread.
 */
#pragma once
#include "common/buffer.h"
#include "proto/frame.h"
#include "proto/message.h"

typedef struct Session Session;

typedef struct SessionOptions {
    uint8_t run_id[16];
    int64_t resend_ms, resend_max_ms; /* first and longest wait before unacknowledged frames are sent again */
    uint64_t window; /* reliable frames that we accept beyond the last acknowledged (default 256) */
} SessionOptions;

/* A frame ready for a link; `body` belongs to the session and is valid until its next call. */
typedef struct OutgoingFrame {
    FrameHeader header;
    const void *body;
    size_t body_length;
} OutgoingFrame;

typedef enum SessionReceipt {
    SESSION_NOTHING, /* ack only, duplicate, gap, or a part of something larger */
    SESSION_MESSAGE, /* *ret_message holds a whole message */
    SESSION_BROKEN,  /* the peer broke the protocol; Error says how */
} SessionReceipt;

/* A decoded message: `record` is a struct of message_spec(type)->body, released by message_clear(). */
typedef struct Message {
    MessageType type;
    void *record;
} Message;

Session *session_new(const SessionOptions *options, Error *error) MUST_CHECK;
void session_free(Session *session);

/* Packs and queues a message. *ret_seq (may be NULL) is the number whose acknowledgement means "arrived
 * whole"; 0 for an unreliable type. ERROR_TOO_LARGE above MESSAGE_SIZE_MAX. */
bool session_send(Session *session, MessageType type, const void *record, uint64_t *ret_seq,
                  Error *error) MUST_CHECK;

/* The next frame to put on the link, oldest first: unreliable ones at once, reliable ones within the peer's
 * window, then resends that are due. False when there is nothing to send now. */
bool session_next_frame(Session *session, int64_t now_ms, OutgoingFrame *ret_frame);

/* The link could not take the frame just given (peer's queue full): it will be given again. */
void session_frame_refused(Session *session);

SessionReceipt session_receive(Session *session, const FrameHeader *header, const void *body,
                               size_t body_length, int64_t now_ms, Message *ret_message,
                               Error *error) MUST_CHECK;
void message_clear(Message *message);

/* Highest of our numbers that the peer has acknowledged. */
uint64_t session_acked(const Session *session);

/* True when something received has not been acknowledged by any frame since: send an ACK if nothing else goes
 * out. */
bool session_owes_ack(const Session *session);

/* When session_next_frame() may have a resend; INT64_MAX = never. */
int64_t session_wakeup_ms(const Session *session);
