/* Channel: one peer on one link while a session lasts: sending, acknowledging, and knowing when it was last
 * heard.
 *
 * What both sides of the protocol need around a Session, and nothing of what either side says. One thread.
 */
#pragma once
#include "proto/link.h"
#include "proto/session.h"

typedef struct Channel {
    Link *link;
    PeerId peer;
    Session *session; /* NULL outside a session */
    uint8_t session_id[SESSION_ID_SIZE];
    int64_t heard_ms;       /* last frame of this session */
    int64_t beat_ms;        /* when the next heartbeat is due */
    int64_t heartbeat_ms;   /* between heartbeats */
    int64_t unreachable_ms; /* since when the link says that the peer is gone; 0 = it does not */
    int64_t retry_ms;       /* when a frame that the link refused is tried again; 0 = none was refused */
} Channel;

/* Starts a session, dropping an earlier one. */
bool channel_open(Channel *channel, const uint8_t session_id[SESSION_ID_SIZE], int64_t resend_ms,
                  int64_t resend_max_ms, int64_t now_ms, Error *error) MUST_CHECK;
void channel_close(Channel *channel);

/* True when the frame belongs to this channel's session. */
bool channel_owns(const Channel *channel, const FrameHeader *header);

/* Sends a frame outside any session (HELLO, WELCOME, REJECT, WHO). A peer whose queue is full or that is gone
 * misses it: greetings are repeated. */
bool channel_greet(Channel *channel, MessageType type, const uint8_t session_id[SESSION_ID_SIZE],
                   const void *record, Error *error) MUST_CHECK;

/* Puts on the link what the session has to send now, with an acknowledgement if one is owed. */
bool channel_pump(Channel *channel, int64_t now_ms, Error *error) MUST_CHECK;

/* Tells the peer how it broke the protocol, if the link takes it at once. The session is over afterwards. */
void channel_break(Channel *channel, const Error *broken, int64_t now_ms);

/* When channel_pump() or a heartbeat is due next without anything new to send. */
int64_t channel_wakeup_ms(const Channel *channel);
