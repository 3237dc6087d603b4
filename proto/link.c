#include "proto/link.h"
#include "common/clock.h"
#include "proto/doorway.h"
#include "proto/endpoint.h"
#include "proto/intake.h"
#include "proto/wire_context.h"
#include "proto/zap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum {
    SEND_QUEUE = 256,                /* messages for a peer; the sessions' windows are the real limit */
    RECEIVE_QUEUE = 64,              /* messages of a peer, of which each may have MESSAGE_FRAME_MAX bytes */
    MESSAGE_FRAME_MAX = 1024 * 1025, /* FRAME_BODY_MAX and room for what encryption adds */
    HANDSHAKE_MS = 10000,
    CONNECT_MS = 5000,
    TCP_RETRANSMIT_MS = 20000,
    RECONNECT_MS = 500,
    RECONNECT_MAX_MS = 10000,
    HEARTBEAT_MAX_MS = 16000, /* four times as much must stay below 65,600, where libzmq overflows */
    ENDPOINT_TEXT_MAX = 512,
    ZAP_ENFORCE_DOMAIN = 93, /* zmq.h hides its name in builds without drafts; the option is there */
};

struct Link {
    WireContext *context;
    void *socket;
    LinkOptions options; /* its endpoint is not kept: see `endpoint` */
    Endpoint endpoint;
    char *bound; /* the endpoint with the real port */
    uint64_t dropped;
    Doorway doorway; /* of a bound TCP endpoint */
    Intake intake;   /* of a TCP endpoint */

    /* With keys only. */
    char *address;                   /* connecting: as the peers file may state it */
    size_t key_number;               /* which of the peer's keys is tried */
    char server_key[CURVE_KEY_TEXT]; /* that key */
};

static bool failed(Error *error, const char *what, const char *endpoint)
{
    return error_set(error, ERROR_SYSTEM, "cannot %s %s: %s", what, endpoint, zmq_strerror(zmq_errno()));
}

static LinkStatus link_failed(Error *error, const char *what, const Link *link)
{
    failed(error, what, link->bound);
    return LINK_FAILED;
}

/* ---- opening and closing ---- */

typedef struct SocketOption {
    int option;
    int value;
} SocketOption;

static bool set_options(void *socket, const SocketOption *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value) != 0)
            return false;
    return true;
}

static bool configure(void *socket, const LinkOptions *options, const Endpoint *endpoint)
{
    int64_t heartbeat_ms =
        options->heartbeat_ms < HEARTBEAT_MAX_MS ? options->heartbeat_ms : (int64_t)HEARTBEAT_MAX_MS;
    int64_t frame_max = MESSAGE_FRAME_MAX;
    const SocketOption common[] = {
        {ZMQ_SNDHWM, SEND_QUEUE},
        {ZMQ_RCVHWM, RECEIVE_QUEUE},
        {ZMQ_LINGER, 0},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_TCP_MAXRT, TCP_RETRANSMIT_MS},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 30},
        {ZMQ_TCP_KEEPALIVE_INTVL, 10},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_HEARTBEAT_IVL, (int)heartbeat_ms},
        {ZMQ_HEARTBEAT_TIMEOUT, (int)(3 * heartbeat_ms)},
        {ZMQ_HEARTBEAT_TTL, (int)(4 * heartbeat_ms)},
        {ZMQ_IPV6, endpoint->ipv6},
    };
    /* Without MANDATORY a ROUTER silently drops what it cannot deliver. */
    const SocketOption binding[] = {{ZMQ_ROUTER_MANDATORY, 1}};
    /* Without IMMEDIATE a DEALER queues for a peer that may never come, and the next one gets it. */
    const SocketOption connecting[] = {
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
        {ZMQ_RECONNECT_IVL, options->reconnect_ms > 0 ? (int)options->reconnect_ms : RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX,
         options->reconnect_max_ms > 0 ? (int)options->reconnect_max_ms : RECONNECT_MAX_MS},
    };
    return set_options(socket, common, sizeof common / sizeof common[0]) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           (options->bind ? set_options(socket, binding, sizeof binding / sizeof binding[0])
                          : set_options(socket, connecting, sizeof connecting / sizeof connecting[0]));
}

/* The side that binds is the CURVE server, and asks the ZAP thread about every client; the side that connects
 * insists on the server's key. */
static bool set_keys(void *socket, const Link *link)
{
    const CurveKey *own = keyring_own(wire_context_keyring(link->context));
    const SocketOption server[] = {{ZMQ_CURVE_SERVER, 1}, {ZAP_ENFORCE_DOMAIN, 1}};
    bool known = link->options.bind
                     ? zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
                           set_options(socket, server, sizeof server / sizeof server[0])
                     : zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, link->server_key, CURVE_KEY_TEXT) == 0;
    return known && zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, CURVE_KEY_TEXT) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, CURVE_KEY_TEXT) == 0;
}

static bool is_tcp(const Endpoint *endpoint)
{
    return strncmp(endpoint->address, "tcp://", 6) == 0;
}

/* Ends the watch first: a monitor that nobody listens to holds up ZeroMQ's own thread. */
static void close_socket(void *socket, Intake *intake)
{
    zmq_socket_monitor(socket, NULL, 0);
    intake_close(intake);
    zmq_close(socket);
}

/* A socket that is bound or connected, and its intake; NULL with the error set. */
static void *open_socket(Link *link, Intake *ret_intake, Error *error)
{
    const LinkOptions *options = &link->options;
    const Endpoint *endpoint = &link->endpoint;
    void *context = wire_context_zmq(link->context);
    Intake intake = {0};
    if (endpoint->keys && !options->bind &&
        !keyring_server_key(wire_context_keyring(link->context), link->address, link->key_number++,
                            link->server_key, error))
        return NULL;
    void *socket = zmq_socket(context, options->bind ? ZMQ_ROUTER : ZMQ_DEALER);
    if (socket == NULL) {
        failed(error, "open a socket for", endpoint->address);
        return NULL;
    }
    if (!configure(socket, options, endpoint) || (endpoint->keys && !set_keys(socket, link)))
        failed(error, "configure a socket for", endpoint->address);
    else if (is_tcp(endpoint) && !intake_open(&intake, context, socket, error))
        ; /* the error is set */
    else if ((options->bind ? zmq_bind : zmq_connect)(socket, endpoint->address) != 0)
        failed(error, options->bind ? "bind" : "connect", endpoint->address);
    else {
        *ret_intake = intake;
        return socket;
    }
    close_socket(socket, &intake);
    return NULL;
}

static char *bound_endpoint(void *socket, const LinkOptions *options, const Endpoint *endpoint)
{
    char text[ENDPOINT_TEXT_MAX];
    size_t size = sizeof text;
    if (options->bind && zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text, &size) == 0)
        return strdup(text);
    return strdup(endpoint->address);
}

bool link_endpoint_check(const char *endpoint, unsigned trust, bool bind, Error *error)
{
    ENDPOINT_CLEANUP Endpoint parsed = {0};
    if (!endpoint_parse(endpoint, trust, bind, &parsed, error))
        return false;
    if (bind && endpoint_folder_missing(&parsed))
        return true;
    return endpoint_check_folder(&parsed, false, error);
}

/* Fills a link whose context and options are set. */
static bool open_link(Link *link, const char *address, Error *error)
{
    const LinkOptions *options = &link->options;
    unsigned trust = options->plain ? ENDPOINT_PLAIN : ENDPOINT_STRICT;
    if (wire_context_keyring(link->context) != NULL)
        trust |= ENDPOINT_KEYS;
    if (!endpoint_parse(address, trust, options->bind, &link->endpoint, error) ||
        !endpoint_check_folder(&link->endpoint, options->bind, error) ||
        (options->bind && !endpoint_check_free(&link->endpoint, error)))
        return false;
    if ((link->address = strdup(address)) == NULL)
        return error_memory(error);
    link->socket = open_socket(link, &link->intake, error);
    if (link->socket == NULL)
        return false;
    link->bound = bound_endpoint(link->socket, options, &link->endpoint);
    return link->bound != NULL || error_memory(error);
}

Link *link_open(WireContext *context, const LinkOptions *options, Error *error)
{
    Link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        error_memory(error);
        return NULL;
    }
    link->context = context;
    link->options = *options;
    link->options.endpoint = NULL;
    if (open_link(link, options->endpoint, error))
        return link;
    link_close(link, 0);
    return NULL;
}

void link_close(Link *link, int64_t linger_ms)
{
    if (link == NULL)
        return;
    if (link->socket != NULL) {
        int linger = linger_ms > INT32_MAX ? INT32_MAX : (int)linger_ms;
        zmq_setsockopt(link->socket, ZMQ_LINGER, &linger, sizeof linger);
        close_socket(link->socket, &link->intake);
    }
    /* ZeroMQ leaves the socket file behind. */
    if (link->options.bind && link->socket != NULL && link->endpoint.path != NULL)
        unlink(link->endpoint.path);
    endpoint_clear(&link->endpoint);
    free(link->bound);
    free(link->address);
    free(link);
}

bool link_reopen(Link *link, Error *error)
{
    if (link->options.bind)
        return error_set(error, ERROR_SYSTEM, "link %s is bound and cannot connect again", link->bound);
    Intake intake;
    void *socket = open_socket(link, &intake, error);
    if (socket == NULL)
        return false;
    close_socket(link->socket, &link->intake);
    link->socket = socket;
    link->intake = intake;
    return true;
}

const char *link_endpoint(const Link *link)
{
    return link->bound;
}

bool link_has_keys(const Link *link)
{
    return link->endpoint.keys;
}

uint64_t link_dropped(const Link *link)
{
    return link->dropped;
}

/* ---- sending ---- */

static int send_part(void *socket, const void *bytes, size_t length, int more)
{
    int sent;
    do
        sent = zmq_send(socket, bytes, length, ZMQ_DONTWAIT | more);
    while (sent < 0 && zmq_errno() == EINTR);
    return sent;
}

LinkStatus link_send(Link *link, const PeerId *peer, const OutgoingFrame *frame, Error *error)
{
    unsigned char header[FRAME_HEADER_SIZE];
    frame_header_encode(&frame->header, header);
    /* Only the first part can fail for want of room or of a peer; ZeroMQ takes the others with it or, when
     * the peer goes away in between, drops them all. */
    if ((link->options.bind && send_part(link->socket, peer->bytes, peer->length, ZMQ_SNDMORE) < 0) ||
        send_part(link->socket, header, sizeof header, ZMQ_SNDMORE) < 0 ||
        send_part(link->socket, frame->body, frame->body_length, 0) < 0) {
        if (zmq_errno() == EAGAIN)
            return LINK_AGAIN;
        if (zmq_errno() == EHOSTUNREACH)
            return LINK_UNREACHABLE;
        return link_failed(error, "send on", link);
    }
    return LINK_OK;
}

/* ---- receiving ---- */

/* The parts of one message, as far as a well-formed one has them. */
typedef struct Parts {
    zmq_msg_t part[3];
    size_t count; /* of parts that came; may be more than were kept */
} Parts;

static bool receive_part(void *socket, zmq_msg_t *part)
{
    zmq_msg_init(part);
    int received;
    do
        received = zmq_msg_recv(part, socket, ZMQ_DONTWAIT);
    while (received < 0 && zmq_errno() == EINTR);
    if (received >= 0)
        return true;
    int reason = zmq_errno();
    zmq_msg_close(part);
    errno = reason;
    return false;
}

/* Reads one message to its end, keeping at most `wanted` parts. */
static bool receive_parts(Link *link, size_t wanted, Parts *parts)
{
    bool more = true;
    for (parts->count = 0; more; parts->count++) {
        zmq_msg_t surplus;
        zmq_msg_t *part = parts->count < wanted ? &parts->part[parts->count] : &surplus;
        if (!receive_part(link->socket, part))
            return false;
        more = zmq_msg_more(part);
        if (!more && link->intake.watching)
            intake_took(&link->intake, zmq_msg_get(part, ZMQ_SRCFD));
        if (part == &surplus)
            zmq_msg_close(&surplus);
    }
    return true;
}

static void close_parts(Parts *parts, size_t wanted)
{
    for (size_t i = 0; i < parts->count && i < wanted; i++)
        zmq_msg_close(&parts->part[i]);
}

/* With keys, whether the message comes from somebody who may be there now: the peers file may have changed
 * since the connection was made. The name that the ZAP thread gave stands on the body; the first part of a
 * ROUTER's message has lost it. */
static bool is_admitted(const Link *link, zmq_msg_t *body)
{
    if (!link->endpoint.keys)
        return true;
    const char *key = link->options.bind ? zmq_msg_gets(body, "User-Id") : link->server_key;
    return key != NULL && key[0] != '\0' && keyring_admits(wire_context_keyring(link->context), key);
}

/* Takes a frame out of the parts behind the peer's id; LINK_DROPPED when it is none of ours. */
static LinkStatus read_frame(zmq_msg_t *header, zmq_msg_t *body, IncomingFrame *frame, Error *error)
{
    ERROR_CLEANUP Error malformed = {0};
    if (!frame_header_decode(zmq_msg_data(header), zmq_msg_size(header), &frame->header, &malformed) ||
        zmq_msg_size(body) > FRAME_BODY_MAX)
        return LINK_DROPPED;
    frame->body_length = zmq_msg_size(body);
    frame->body = malloc(frame->body_length + 1); /* never malloc(0) */
    if (frame->body == NULL) {
        error_memory(error);
        return LINK_FAILED;
    }
    memcpy(frame->body, zmq_msg_data(body), frame->body_length);
    return LINK_OK;
}

LinkStatus link_receive(Link *link, IncomingFrame *ret_frame, Error *error)
{
    size_t ids = link->options.bind ? 1 : 0;
    Parts parts;
    if (!receive_parts(link, ids + 2, &parts)) {
        LinkStatus status = zmq_errno() == EAGAIN ? LINK_AGAIN : link_failed(error, "receive from", link);
        intake_took(&link->intake, -1);
        close_parts(&parts, ids + 2);
        return status;
    }
    IncomingFrame frame = {0};
    LinkStatus status = LINK_DROPPED;
    size_t id_length = ids > 0 ? zmq_msg_size(&parts.part[0]) : 0;
    if (parts.count == ids + 2 && id_length <= sizeof frame.peer.bytes) {
        frame.peer.length = (uint8_t)id_length;
        if (ids > 0)
            memcpy(frame.peer.bytes, zmq_msg_data(&parts.part[0]), id_length);
        if (is_admitted(link, &parts.part[ids + 1]))
            status = read_frame(&parts.part[ids], &parts.part[ids + 1], &frame, error);
    }
    close_parts(&parts, ids + 2);
    if (status == LINK_DROPPED)
        link->dropped++;
    if (status == LINK_OK)
        *ret_frame = frame;
    return status;
}

/* ---- waiting ---- */

/* Looks at who comes and at what comes in; says how long to wait before that is due again, at most
 * timeout_ms.
 */
static int64_t look_at_sockets(const LinkPollItem *items, size_t count, int64_t timeout_ms)
{
    for (size_t i = 0; i < count; i++) {
        Link *link = items[i].link;
        if (link == NULL || !is_tcp(&link->endpoint))
            continue;
        int64_t now_ms = clock_now_ms(&SYSTEM_CLOCK);
        intake_look(&link->intake, link->bound, now_ms);
        if (link->options.bind)
            doorway_look(&link->doorway, link->socket, link->bound, now_ms);
        int64_t pause_ms = intake_pause_ms(&link->intake);
        if (timeout_ms < 0 || timeout_ms > pause_ms)
            timeout_ms = pause_ms;
    }
    return timeout_ms;
}

bool link_poll(LinkPollItem *items, size_t count, int64_t timeout_ms, Error *error)
{
    timeout_ms = look_at_sockets(items, count, timeout_ms);
    zmq_pollitem_t *polled = calloc(count > 0 ? count : 1, sizeof *polled);
    if (polled == NULL)
        return error_memory(error);
    for (size_t i = 0; i < count; i++) {
        items[i].readable = false;
        polled[i] = (zmq_pollitem_t){
            .socket = items[i].link != NULL ? items[i].link->socket : NULL,
            .fd = items[i].fd,
            .events = ZMQ_POLLIN,
        };
    }
    int ready = zmq_poll(polled, (int)count, timeout_ms < 0 ? -1 : (long)timeout_ms);
    bool done = ready >= 0 || zmq_errno() == EINTR;
    if (!done)
        error_set(error, ERROR_SYSTEM, "cannot wait for links: %s", zmq_strerror(zmq_errno()));
    for (size_t i = 0; ready >= 0 && i < count; i++) {
        items[i].readable = polled[i].revents != 0;
        if (items[i].link != NULL && !items[i].readable)
            intake_took(&items[i].link->intake, -1);
    }
    free(polled);
    return done;
}
