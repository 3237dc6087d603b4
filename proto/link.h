/* Link: one ZeroMQ socket and its trust class. The only place that knows ZeroMQ.
 *
 * A link that binds is a ROUTER with many peers, one that connects is a DEALER with one. Both carry the same
 * frames, so either side of the protocol may bind. Trust classes: inproc (same WireContext); ipc (the
 * socket's folder must be owned by us and closed to others); loopback TCP with `plain`; every other TCP only
 * with keys, where both sides prove who they are, everything is encrypted, and whoever is not in the peers
 * file with the right role is refused (see proto/keyring.h). The side that binds is the CURVE server. A link
 * belongs to one thread. Sending never blocks.
 */
#pragma once
#include "common/config.h"
#include "common/error.h"
#include "proto/keyring.h"
#include "proto/session.h"

typedef struct WireContext WireContext;
typedef struct Link Link;

WireContext *wire_context_new(Error *error) MUST_CHECK;
/* Gives the context keys, before any of its links is opened; to be called once at most. Starts a thread. */
bool wire_context_use_keys(WireContext *context, const KeyringOptions *options, Error *error) MUST_CHECK;
/* The same as configured for this role; nothing when no key file is. */
bool wire_context_configure_keys(WireContext *context, const Config *config, PeerRole role,
                                 Error *error) MUST_CHECK;
/* Reads the peers file again now; without keys nothing. Thread-safe. */
void wire_context_reload_peers(WireContext *context);

/* All links must be closed. */
void wire_context_free(WireContext *context);

typedef struct LinkOptions {
    const char *endpoint; /* inproc://NAME, ipc://PATH, tcp://HOST:PORT (PORT * when binding = any) */
    bool bind;
    bool plain;
    int64_t reconnect_ms, reconnect_max_ms; /* connecting: first and longest pause; 0 = 500 and 10,000 */
    int64_t heartbeat_ms;                   /* ZMTP's own, at most 16,000; 0 = off */
} LinkOptions;

/* Checks an endpoint without opening it, with a sum of EndpointTrust: syntax, trust class, and the reason for
 * a refusal as ERROR_CONFIG. A missing ipc folder is fine when binding: link_open() makes it, mode 0700. */
bool link_endpoint_check(const char *endpoint, unsigned trust, bool bind, Error *error) MUST_CHECK;

Link *link_open(WireContext *context, const LinkOptions *options, Error *error) MUST_CHECK;

/* linger_ms: how long what was sent may still take to leave. */
void link_close(Link *link, int64_t linger_ms);

/* The endpoint as bound, with the real port. */
const char *link_endpoint(const Link *link);

/* Who a frame came from or goes to. A connected link has one peer, the zero PeerId. */
typedef struct PeerId {
    uint8_t length;
    uint8_t bytes[15];
} PeerId;

typedef enum LinkStatus {
    LINK_OK,
    LINK_AGAIN,       /* nothing to receive; or the peer's queue is full or not connected: try again soon */
    LINK_UNREACHABLE, /* that peer is gone */
    LINK_DROPPED,     /* a malformed frame was dropped and counted */
    LINK_FAILED,      /* Error says why */
} LinkStatus;

/* A bound link learns that a peer has left only by receiving: one that only sends sees LINK_AGAIN for ever.
 */
LinkStatus link_send(Link *link, const PeerId *peer, const OutgoingFrame *frame, Error *error) MUST_CHECK;

/* A received frame; body is malloc'ed and belongs to the caller. */
typedef struct IncomingFrame {
    PeerId peer;
    FrameHeader header;
    void *body;
    size_t body_length;
} IncomingFrame;

LinkStatus link_receive(Link *link, IncomingFrame *ret_frame, Error *error) MUST_CHECK;
uint64_t link_dropped(const Link *link);

/* Whether it proves itself with keys. A connected one that was refused once does not try again by itself:
 * link_reopen() does. */
bool link_has_keys(const Link *link);

/* A connected link that hears nothing for long forgets its queue: closes and connects again, to a peer with
 * several keys with the next of them. ERROR_SYSTEM for a bound link, and when the new socket could not be
 * had; the link then stays as it is. */
bool link_reopen(Link *link, Error *error) MUST_CHECK;

typedef struct LinkPollItem {
    Link *link; /* or NULL, then fd */
    int fd;
    bool readable; /* set by link_poll() */
} LinkPollItem;

/* Waits for any item to become readable, at most timeout_ms (-1 = no limit). EINTR counts as a time-out, and
 * with a TCP link it may end after a tenth of a second: then the link's intake and, when it is bound, its
 * doorway are looked at (proto/intake.h, proto/doorway.h). */
bool link_poll(LinkPollItem *items, size_t count, int64_t timeout_ms, Error *error) MUST_CHECK;
