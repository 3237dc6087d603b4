/* A peer that says what a test wants: one link, one session at a time, for tests of the other side.
 *
 * Waiting has a deadline; a failure of the harness fails the test.
 */
#pragma once
#include "proto/link.h"
#include "proto/session.h"

typedef struct TestPeer {
    Link *link;
    PeerId id;        /* of the other side: whoever spoke last */
    Session *session; /* after peer_open_session() */
    uint8_t session_id[SESSION_ID_SIZE];
    bool silent;      /* acknowledges nothing */
    bool may_be_left; /* a program under test may end while we speak to it: then ... */
    bool left;        /* ... what we say goes nowhere */
} TestPeer;

TestPeer peer_open(WireContext *context, const char *endpoint, bool bind);
void peer_close(TestPeer *peer);

/* HELLO, WELCOME, REJECT or WHO with the peer's session_id. */
void peer_greet(TestPeer *peer, MessageType type, const void *record);

/* Starts a session named session_id, dropping the one before. */
void peer_open_session(TestPeer *peer);

/* Within the session; leaves at once. */
void peer_send(TestPeer *peer, MessageType type, const void *record);

/* A frame as given, header and body, well-formed or not. */
void peer_send_frame(TestPeer *peer, const FrameHeader *header, const void *body, size_t length);

/* Waits for a message of this type, answering and skipping others; the caller clears it. Of a greeting it
 * keeps the session id. The second form gives false after wait_ms. */
Message peer_await(TestPeer *peer, MessageType type);
bool peer_hears(TestPeer *peer, MessageType type, int64_t wait_ms, Message *ret_message);

/* As a worker: greets as this one until welcome, and opens the session. */
void peer_join(TestPeer *peer, HelloMessage *hello);

/* As a coordinator: waits for HELLO and answers; `run` is 32 hex digits. */
void peer_welcome(TestPeer *peer, const char *run);
