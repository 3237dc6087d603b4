/* Session: one conversation between two peers, from WELCOME on: numbering, acknowledgement, resending, parts.
 *
 * Pure: no socket, no clock. Reliable messages are delivered exactly once and in order within a session,
 * whatever frames are lost, doubled or reordered; when a peer greets anew, both sides start a new Session and
 * the owner sends again what the old one had not seen acknowledged. Bodies above FRAME_PART_SIZE travel as
 * parts and are put together here, at most MESSAGE_SIZE_MAX. What is received takes at most one such message;
 * what is sent is kept until acknowledged, so the owner watches session_backlog(). One thread.
 *
 * A session is named by 16 random bytes that the worker draws for its HELLO; every frame of both directions
 * carries them. Frames with another name never enter: the coordinator answers them with WHO, a worker with a
 * HELLO (or drops them while one is under way). Greetings (HELLO, WELCOME, REJECT, WHO) stay outside:
 * message_greeting() makes and message_unpack() reads them.
 */
#pragma once
#include "common/buffer.h"
#include "proto/frame.h"
#include "proto/message.h"

enum {
    SESSION_WINDOW = 256,     /* reliable frames in flight until the peer says otherwise */
    SESSION_UNRELIABLE = 256, /* unreliable messages that wait for the link; the oldest makes room */
};

typedef struct Session Session;

typedef struct SessionOptions {
    uint8_t session_id[SESSION_ID_SIZE];
    int64_t resend_ms, resend_max_ms; /* first and longest wait before unacknowledged frames are sent again */
    uint64_t window; /* reliable frames that we accept beyond the last delivered; 0 = SESSION_WINDOW */
} SessionOptions;

typedef enum SessionReceipt {
    SESSION_NOTHING, /* ack only, duplicate, gap, foreign frame, or a part of something larger */
    SESSION_MESSAGE, /* *ret_message holds a whole message */
    SESSION_BROKEN,  /* the peer broke the protocol, or memory ran out; Error says how. The session is over */
} SessionReceipt;

/* Draws a name for a new session. ERROR_SYSTEM when the kernel gives no randomness. */
bool session_id_draw(uint8_t ret_id[SESSION_ID_SIZE], Error *error) MUST_CHECK;

Session *session_new(const SessionOptions *options, Error *error) MUST_CHECK;
void session_free(Session *session);

/* Whether a frame belongs to this session. */
bool session_owns(const Session *session, const FrameHeader *header);

/* Packs and queues a message; record NULL = every field at rest. *ret_seq (may be NULL) is the number whose
 * acknowledgement means "arrived whole"; 0 for an unreliable type. ERROR_TOO_LARGE for a reliable body above
 * MESSAGE_SIZE_MAX and an unreliable one above FRAME_PART_SIZE, ERROR_PROTOCOL for a greeting. */
bool session_send(Session *session, MessageType type, const void *record, uint64_t *ret_seq,
                  Error *error) MUST_CHECK;

/* The next frame to put on the link, oldest first: unreliable ones at once, reliable ones within the peer's
 * window, then resends that are due. False when there is nothing to send now. The body belongs to the session
 * and is valid until its next call. */
bool session_next_frame(Session *session, int64_t now_ms, OutgoingFrame *ret_frame);

/* The link could not take the frame just given (peer's queue full): it will be given again. To be said before
 * any other call. */
void session_frame_refused(Session *session);

/* Takes one received frame. A frame that session_owns() denies, and a greeting, give SESSION_NOTHING. */
SessionReceipt session_receive(Session *session, const FrameHeader *header, const void *body,
                               size_t body_length, int64_t now_ms, Message *ret_message,
                               Error *error) MUST_CHECK;

/* Highest of our numbers that the peer has acknowledged. */
uint64_t session_acked(const Session *session);

/* Bytes of reliable bodies that are kept because they are not acknowledged. */
size_t session_backlog(const Session *session);

/* True when something received has not been acknowledged by any frame since: send an ACK if nothing else goes
 * out. */
bool session_owes_ack(const Session *session);

/* When session_next_frame() may have a resend; INT64_MAX = never. */
int64_t session_wakeup_ms(const Session *session);
