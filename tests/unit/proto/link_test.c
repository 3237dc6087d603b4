#include "common/clock.h"
#include "proto/link.h"
#include "tests/support/test.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <zmq.h>

enum { DEADLINE_MS = 10000 };

static char folder[] = "/tmp/pgconvoy-link-XXXXXX";
static WireContext *context;
static Link
    *open_links[16]; /* a failed test leaves its links here; the context would wait for them forever */

static int set_up(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    context = wire_context_new(&error);
    return context != NULL && mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof open_links / sizeof open_links[0]; i++)
        link_close(open_links[i], 0);
    wire_context_free(context);
    return rmdir(folder);
}

static Link *open_link(const char *endpoint, bool bind)
{
    ERROR_CLEANUP Error error = {0};
    Link *link = link_open(context,
                           &(LinkOptions){.endpoint = endpoint,
                                          .bind = bind,
                                          .plain = true,
                                          .reconnect_ms = 20,
                                          .reconnect_max_ms = 100,
                                          .heartbeat_ms = 1000},
                           &error);
    if (link == NULL)
        fail_msg("%s", error.message);
    size_t i = 0;
    while (open_links[i] != NULL)
        assert_true(++i < sizeof open_links / sizeof open_links[0]);
    return open_links[i] = link;
}

static void close_link(Link *link, int64_t linger_ms)
{
    for (size_t i = 0; i < sizeof open_links / sizeof open_links[0]; i++)
        if (open_links[i] == link)
            open_links[i] = NULL;
    link_close(link, linger_ms);
}

static OutgoingFrame frame_of(uint64_t seq, const void *body, size_t length)
{
    return (OutgoingFrame){
        .header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT, .seq = seq, .session_id = {1, 2, 3}},
        .body = body,
        .body_length = length,
    };
}

/* Sends until the link takes it: a connection under way is LINK_AGAIN. */
static void send_frame(Link *link, const PeerId *peer, const OutgoingFrame *frame)
{
    ERROR_CLEANUP Error error = {0};
    int64_t deadline = clock_now_ms(&SYSTEM_CLOCK) + DEADLINE_MS;
    LinkStatus status;
    while ((status = link_send(link, peer, frame, &error)) == LINK_AGAIN) {
        assert_true(clock_now_ms(&SYSTEM_CLOCK) < deadline);
        assert_true(link_poll(NULL, 0, 1, &error));
    }
    assert_int_equal(status, LINK_OK);
}

/* The next frame that is none of the dropped ones; NULL body when nothing came in time. */
static IncomingFrame receive_within(Link *link, int64_t timeout_ms)
{
    ERROR_CLEANUP Error error = {0};
    int64_t deadline = clock_now_ms(&SYSTEM_CLOCK) + timeout_ms;
    IncomingFrame frame = {0};
    for (;;) {
        LinkStatus status = link_receive(link, &frame, &error);
        int64_t left = deadline - clock_now_ms(&SYSTEM_CLOCK);
        if (status == LINK_OK || left <= 0)
            return frame;
        if (status == LINK_FAILED)
            fail_msg("%s", error.message);
        LinkPollItem item = {.link = link};
        if (status == LINK_AGAIN)
            assert_true(link_poll(&item, 1, left, &error));
    }
}

static IncomingFrame receive_frame(Link *link)
{
    IncomingFrame frame = receive_within(link, DEADLINE_MS);
    assert_non_null(frame.body);
    return frame;
}

static void wait_dropped(Link *link, uint64_t count)
{
    int64_t deadline = clock_now_ms(&SYSTEM_CLOCK) + DEADLINE_MS;
    while (link_dropped(link) < count) {
        assert_true(clock_now_ms(&SYSTEM_CLOCK) < deadline);
        assert_null(receive_within(link, 5).body);
    }
    assert_int_equal(link_dropped(link), count);
}

/* ---- both directions over each transport ---- */

static void exchange_frames(const char *endpoint)
{
    Link *bound = open_link(endpoint, true);
    Link *first = open_link(link_endpoint(bound), false), *second = open_link(link_endpoint(bound), false);
    char *large = malloc(FRAME_BODY_MAX);
    memset(large, 'l', FRAME_BODY_MAX);
    OutgoingFrame small = frame_of(1, "abc", 3), big = frame_of(2, large, FRAME_BODY_MAX),
                  empty = frame_of(3, NULL, 0);
    send_frame(first, &(PeerId){0}, &small);
    send_frame(first, &(PeerId){0}, &big);
    IncomingFrame one = receive_frame(bound), two = receive_frame(bound);
    assert_int_equal(one.header.seq, 1);
    assert_memory_equal(one.header.session_id, "\1\2\3", 3);
    assert_int_equal(one.body_length, 3);
    assert_memory_equal(one.body, "abc", 3);
    assert_int_equal(two.body_length, FRAME_BODY_MAX);
    assert_memory_equal(two.body, large, FRAME_BODY_MAX);
    assert_memory_equal(&one.peer, &two.peer, sizeof one.peer);

    send_frame(second, &(PeerId){0}, &empty);
    IncomingFrame three = receive_frame(bound);
    assert_int_equal(three.header.seq, 3);
    assert_int_equal(three.body_length, 0);
    assert_memory_not_equal(&one.peer, &three.peer, sizeof one.peer);

    send_frame(bound, &three.peer, &small);
    send_frame(bound, &one.peer, &big);
    IncomingFrame four = receive_frame(second), five = receive_frame(first);
    assert_int_equal(four.header.seq, 1);
    assert_int_equal(four.peer.length, 0);
    assert_int_equal(five.body_length, FRAME_BODY_MAX);
    assert_int_equal(link_dropped(bound) + link_dropped(first) + link_dropped(second), 0);
    free(large);
    free(one.body), free(two.body), free(three.body), free(four.body), free(five.body);
    close_link(first, 0);
    close_link(second, 0);
    close_link(bound, 0);
}

static void frames_pass_over_inproc(void **state)
{
    (void)state;
    exchange_frames("inproc://exchange");
}

static void frames_pass_over_ipc(void **state)
{
    (void)state;
    char endpoint[128], made[64];
    snprintf(made, sizeof made, "%s/made", folder);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", made);
    exchange_frames(endpoint);
    exchange_frames(endpoint);
    assert_int_equal(rmdir(made), 0); /* the socket file is gone with its link */
}

static void frames_pass_over_loopback_tcp(void **state)
{
    (void)state;
    exchange_frames("tcp://127.0.0.1:*");
    exchange_frames("tcp://localhost:*");
}

static void frames_pass_over_ipv6_loopback(void **state)
{
    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool usable = probe >= 0 && bind(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    if (!usable)
        skip();
    exchange_frames("tcp://[::1]:*");
}

/* ---- opening ---- */

static void assert_not_opened(const char *endpoint, bool bind, bool plain, ErrorCode code)
{
    ERROR_CLEANUP Error error = {0};
    LinkOptions options = {.endpoint = endpoint, .bind = bind, .plain = plain};
    assert_null(link_open(context, &options, &error));
    assert_int_equal(error.code, code);
    assert_non_null(error.message);
}

static void what_the_check_refuses_is_not_opened(void **state)
{
    (void)state;
    assert_not_opened("tcp://*:5570", true, true, ERROR_CONFIG);
    assert_not_opened("tcp://127.0.0.1:5570", true, false, ERROR_CONFIG);
    assert_not_opened("tcp://127.0.0.1:5570", false, false, ERROR_CONFIG);
    assert_not_opened("ipc:///tmp/socket", true, true, ERROR_CONFIG);
    assert_not_opened("ipc:///nonexistent/socket", false, true, ERROR_CONFIG);
}

static void an_endpoint_in_use_is_not_taken_over(void **state)
{
    (void)state;
    Link *tcp = open_link("tcp://127.0.0.1:*", true);
    assert_not_opened(link_endpoint(tcp), true, true, ERROR_SYSTEM);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", folder);
    Link *ipc = open_link(endpoint, true);
    assert_not_opened(endpoint, true, true, ERROR_CONFIG);
    close_link(tcp, 0);
    close_link(ipc, 0);
    Link *inproc = open_link("inproc://once", true);
    assert_not_opened("inproc://once", true, true, ERROR_SYSTEM);
    close_link(inproc, 0);
    link_close(NULL, 0);
}

/* ---- peers that come and go ---- */

static void sending_never_blocks_without_a_peer(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("tcp://127.0.0.1:*", true);
    OutgoingFrame frame = frame_of(1, "x", 1);
    PeerId nobody = {.length = 5, .bytes = "\0abcd"};
    assert_int_equal(link_send(bound, &nobody, &frame, &error), LINK_UNREACHABLE);
    assert_int_equal(link_send(bound, &(PeerId){0}, &frame, &error), LINK_UNREACHABLE);
    close_link(bound, 0);
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/nobody", folder);
    Link *alone = open_link(endpoint, false);
    assert_int_equal(link_send(alone, &(PeerId){0}, &frame, &error), LINK_AGAIN);
    IncomingFrame none = {.body_length = 42};
    assert_int_equal(link_receive(alone, &none, &error), LINK_AGAIN);
    assert_int_equal(none.body_length, 42);
    close_link(alone, 0);
}

static void a_peer_that_left_becomes_unreachable(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("tcp://127.0.0.1:*", true), *peer = open_link(link_endpoint(bound), false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame hello = receive_frame(bound);
    close_link(peer, 0);
    int64_t deadline = clock_now_ms(&SYSTEM_CLOCK) + DEADLINE_MS;
    while (link_send(bound, &hello.peer, &frame, &error) != LINK_UNREACHABLE) {
        assert_true(clock_now_ms(&SYSTEM_CLOCK) < deadline);
        assert_null(receive_within(bound, 1).body);
    }
    free(hello.body);
    close_link(bound, 0);
}

static void a_full_queue_is_again_and_not_a_wait(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("inproc://full", true), *peer = open_link("inproc://full", false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    int sent = 0;
    LinkStatus status;
    while ((status = link_send(peer, &(PeerId){0}, &frame, &error)) == LINK_OK && sent < 100000)
        sent++;
    assert_int_equal(status, LINK_AGAIN);
    for (int received = 0; received < sent; received++)
        free(receive_frame(bound).body);
    send_frame(peer, &(PeerId){0}, &frame);
    free(receive_frame(bound).body);
    close_link(bound, 0);
    close_link(peer, 0);
}

static void a_peer_that_does_not_read_is_again_to_the_bound_side(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("inproc://slow", true), *peer = open_link("inproc://slow", false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame hello = receive_frame(bound);
    int sent = 0;
    LinkStatus status;
    while ((status = link_send(bound, &hello.peer, &frame, &error)) == LINK_OK && sent < 100000)
        sent++;
    assert_int_equal(status, LINK_AGAIN);
    for (int received = 0; received < sent; received++)
        free(receive_frame(peer).body);
    send_frame(bound, &hello.peer, &frame);
    IncomingFrame last = receive_frame(peer);
    assert_int_equal(last.header.seq, 1);
    free(last.body);
    free(hello.body);
    close_link(bound, 0);
    close_link(peer, 0);
}

/* Nothing may be queued for a peer that is not there: whoever comes next would get it. */
static void connect_first(const char *endpoint, bool expects_again)
{
    ERROR_CLEANUP Error error = {0};
    Link *peer = open_link(endpoint, false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    if (expects_again)
        assert_int_equal(link_send(peer, &(PeerId){0}, &frame, &error), LINK_AGAIN);
    Link *bound = open_link(endpoint, true);
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame received = receive_frame(bound);
    send_frame(bound, &received.peer, &frame);
    IncomingFrame answer = receive_frame(peer);
    free(received.body);
    free(answer.body);
    close_link(peer, 0);
    close_link(bound, 0);
}

static void a_link_may_connect_before_the_other_binds(void **state)
{
    (void)state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/late", folder);
    connect_first(endpoint, true);
    connect_first("inproc://late", false);
}

static void a_reopened_link_is_a_new_peer(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("tcp://127.0.0.1:*", true), *peer = open_link(link_endpoint(bound), false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame before = receive_frame(bound);
    assert_true(link_reopen(peer, &error));
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame after = receive_frame(bound);
    assert_memory_not_equal(&before.peer, &after.peer, sizeof before.peer);
    assert_false(link_reopen(bound, &error));
    assert_int_equal(error.code, ERROR_SYSTEM);
    free(before.body);
    free(after.body);
    close_link(peer, 0);
    close_link(bound, 0);
}

static void what_was_sent_leaves_within_the_linger(void **state)
{
    (void)state;
    Link *bound = open_link("tcp://127.0.0.1:*", true), *peer = open_link(link_endpoint(bound), false);
    OutgoingFrame frame = frame_of(1, "x", 1);
    for (int i = 0; i < 100; i++)
        send_frame(peer, &(PeerId){0}, &frame);
    close_link(peer, 2000);
    for (int i = 0; i < 100; i++)
        free(receive_frame(bound).body);
    close_link(bound, 0);
}

/* ---- strangers ---- */

static int connect_raw(const Link *bound)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)atoi(strrchr(link_endpoint(bound), ':') + 1))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void assert_still_serves(Link *bound)
{
    Link *peer = open_link(link_endpoint(bound), false);
    OutgoingFrame frame = frame_of(77, "ok", 2);
    send_frame(peer, &(PeerId){0}, &frame);
    IncomingFrame received = receive_frame(bound);
    assert_int_equal(received.header.seq, 77);
    free(received.body);
    close_link(peer, 0);
}

/* Puts ZMTP 3.0's greeting with the NULL mechanism at the start. */
static size_t zmtp_greeting(char ret_bytes[64])
{
    memset(ret_bytes, 0, 64);
    ret_bytes[0] = '\xff', ret_bytes[8] = 1, ret_bytes[9] = '\x7f', ret_bytes[10] = 3;
    memcpy(ret_bytes + 12, "NULL", 4);
    return 64;
}

static void garbage_on_the_port_is_survived(void **state)
{
    (void)state;
    Link *bound = open_link("tcp://127.0.0.1:*", true);
    static const char HTTP[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    unsigned seed = 1;
    for (int round = 0; round < 40; round++) {
        char bytes[1024];
        size_t length = 0;
        if (round == 0)
            memcpy(bytes, HTTP, length = sizeof HTTP);
        if (round % 2 == 1) /* garbage behind a good greeting reaches the frame decoder */
            length = zmtp_greeting(bytes);
        while (round > 0 && length < 64 + (size_t)round * 20)
            bytes[length++] = (char)rand_r(&seed);
        int fd = connect_raw(bound);
        assert_true(send(fd, bytes, length, MSG_NOSIGNAL) > 0);
        assert_null(receive_within(bound, 1).body);
        close(fd);
    }
    assert_still_serves(bound);
    close_link(bound, 0);
}

/* Sends a message of these parts. */
static void send_parts(void *socket, const char *const *parts, const size_t *lengths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(zmq_send(socket, parts[i], lengths[i], i + 1 < count ? ZMQ_SNDMORE : 0) >= 0);
}

static void messages_of_another_shape_are_dropped_and_counted(void **state)
{
    (void)state;
    Link *bound = open_link("tcp://127.0.0.1:*", true);
    void *zmq = zmq_ctx_new(), *stranger = zmq_socket(zmq, ZMQ_DEALER);
    assert_int_equal(zmq_connect(stranger, link_endpoint(bound)), 0);
    unsigned char good[FRAME_HEADER_SIZE], bad[FRAME_HEADER_SIZE];
    OutgoingFrame frame = frame_of(1, "x", 1);
    frame_header_encode(&frame.header, good);
    frame_header_encode(&frame.header, bad);
    bad[4] = 9;
    const char *header = (const char *)good;
    send_parts(stranger, (const char *[]){header}, (size_t[]){48}, 1);
    send_parts(stranger, (const char *[]){header, "x", "y"}, (size_t[]){48, 1, 1}, 3);
    send_parts(stranger, (const char *[]){"", header, "x"}, (size_t[]){0, 48, 1}, 3);
    send_parts(stranger, (const char *[]){header, "x"}, (size_t[]){47, 1}, 2);
    send_parts(stranger, (const char *[]){(const char *)bad, "x"}, (size_t[]){48, 1}, 2);
    send_parts(stranger, (const char *[]){"", ""}, (size_t[]){0, 0}, 2);
    const char *many[50];
    size_t lengths[50];
    for (size_t i = 0; i < 50; i++)
        many[i] = header, lengths[i] = 48;
    send_parts(stranger, many, lengths, 50);
    char *large = calloc(1, FRAME_BODY_MAX + 1);
    send_parts(stranger, (const char *[]){header, large}, (size_t[]){48, FRAME_BODY_MAX + 1}, 2);
    wait_dropped(bound, 8);
    send_parts(stranger, (const char *[]){header, "x"}, (size_t[]){48, 1}, 2);
    IncomingFrame received = receive_frame(bound);
    assert_int_equal(received.header.seq, 1);
    free(received.body);
    free(large);
    zmq_close(stranger);
    zmq_ctx_term(zmq);
    close_link(bound, 0);
}

static void other_kinds_of_sockets_are_survived(void **state)
{
    (void)state;
    Link *bound = open_link("tcp://127.0.0.1:*", true);
    void *zmq = zmq_ctx_new();
    int no_linger = 0;
    static const int KINDS[] = {ZMQ_REQ, ZMQ_ROUTER, ZMQ_PUB, ZMQ_PUSH, ZMQ_DEALER};
    void *strangers[5];
    for (size_t i = 0; i < 5; i++) {
        strangers[i] = zmq_socket(zmq, KINDS[i]);
        zmq_setsockopt(strangers[i], ZMQ_LINGER, &no_linger, sizeof no_linger);
        if (KINDS[i] == ZMQ_DEALER) /* a routing id of its own, longer than ours ever are */
            zmq_setsockopt(strangers[i], ZMQ_ROUTING_ID, "0123456789abcdefghij", 20);
        assert_int_equal(zmq_connect(strangers[i], link_endpoint(bound)), 0);
        zmq_send(strangers[i], "hello", 5, ZMQ_DONTWAIT);
    }
    unsigned char header[FRAME_HEADER_SIZE];
    OutgoingFrame frame = frame_of(1, "x", 1);
    frame_header_encode(&frame.header, header);
    send_parts(strangers[4], (const char *[]){(const char *)header, "x"}, (size_t[]){48, 1}, 2);
    wait_dropped(bound, 3); /* one of REQ, two of DEALER */
    assert_still_serves(bound);
    for (size_t i = 0; i < 5; i++)
        zmq_close(strangers[i]);
    zmq_ctx_term(zmq);
    close_link(bound, 0);
}

static void an_oversize_frame_costs_only_its_sender_the_connection(void **state)
{
    (void)state;
    Link *bound = open_link("tcp://127.0.0.1:*", true);
    void *zmq = zmq_ctx_new(), *stranger = zmq_socket(zmq, ZMQ_DEALER);
    int no_linger = 0;
    zmq_setsockopt(stranger, ZMQ_LINGER, &no_linger, sizeof no_linger);
    assert_int_equal(zmq_connect(stranger, link_endpoint(bound)), 0);
    char *large = calloc(1, 2 << 20);
    for (int i = 0; i < 3; i++)
        assert_int_equal(zmq_send(stranger, large, 2 << 20, 0), 2 << 20);
    free(large);
    assert_null(receive_within(bound, 50).body);
    assert_int_equal(link_dropped(bound), 0);
    assert_still_serves(bound);
    zmq_close(stranger);
    zmq_ctx_term(zmq);
    close_link(bound, 0);
}

/* ---- waiting ---- */

static void on_alarm(int signal)
{
    (void)signal;
}

static void polling_sees_links_and_descriptors(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("inproc://poll", true), *peer = open_link("inproc://poll", false);
    int fd = eventfd(0, EFD_CLOEXEC);
    LinkPollItem items[] = {{.link = bound}, {.fd = fd}};
    assert_true(link_poll(items, 2, 0, &error));
    assert_false(items[0].readable || items[1].readable);
    OutgoingFrame frame = frame_of(1, "x", 1);
    send_frame(peer, &(PeerId){0}, &frame);
    assert_true(link_poll(items, 2, -1, &error));
    assert_true(items[0].readable);
    assert_false(items[1].readable);
    free(receive_frame(bound).body);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_true(link_poll(items, 2, -1, &error));
    assert_false(items[0].readable);
    assert_true(items[1].readable);
    close(fd);
    close_link(bound, 0);
    close_link(peer, 0);
}

static void a_signal_ends_the_wait_as_a_time_out(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Link *bound = open_link("inproc://signal", true);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    struct itimerval timer = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000}, off = {0};
    setitimer(ITIMER_REAL, &timer, NULL);
    LinkPollItem item = {.link = bound};
    bool waited = link_poll(&item, 1, -1, &error);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_true(waited);
    assert_false(item.readable);
    close_link(bound, 0);
}

static void a_descriptor_that_is_none_is_an_error(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    LinkPollItem item = {.fd = 1000000};
    bool waited = link_poll(&item, 1, 0, &error);
    if (waited) /* reported through the item */
        assert_true(item.readable);
    else
        assert_int_equal(error.code, ERROR_SYSTEM);
}

/* ---- two sessions in two threads ---- */

typedef struct Side {
    const char *endpoint;
    int64_t expected;
    int64_t received;
    bool failed;
} Side;

/* Sends `expected` messages to the peer and takes as many; what the peer of a bound link is called, its first
 * frame tells. */
static void talk(Side *side, Link *link, bool bound)
{
    ERROR_CLEANUP Error error = {0};
    Session *session =
        session_new(&(SessionOptions){.session_id = {5}, .resend_ms = 200, .resend_max_ms = 1000}, &error);
    PeerId peer = {0};
    bool known = !bound;
    for (int64_t i = 1; i <= side->expected; i++)
        side->failed |= !session_send(session, MESSAGE_START, &(StartMessage){.phase = i}, NULL, &error);
    int64_t deadline = clock_now_ms(&SYSTEM_CLOCK) + 60000;
    while (!side->failed &&
           (side->received < side->expected || session_acked(session) < (uint64_t)side->expected ||
            session_owes_ack(session))) {
        int64_t now = clock_now_ms(&SYSTEM_CLOCK);
        OutgoingFrame outgoing;
        if (session_owes_ack(session))
            side->failed |= !session_send(session, MESSAGE_ACK, NULL, NULL, &error);
        while (known && session_next_frame(session, now, &outgoing)) {
            if (link_send(link, &peer, &outgoing, &error) == LINK_OK)
                continue;
            session_frame_refused(session);
            break;
        }
        LinkPollItem item = {.link = link};
        side->failed |= !link_poll(&item, 1, 2, &error) || now > deadline;
        IncomingFrame frame;
        while (link_receive(link, &frame, &error) == LINK_OK) {
            peer = frame.peer;
            known = true;
            Message message = {0};
            SessionReceipt receipt =
                session_receive(session, &frame.header, frame.body, frame.body_length, now, &message, &error);
            if (receipt == SESSION_BROKEN)
                side->failed = true;
            if (receipt == SESSION_MESSAGE)
                side->failed |= ((StartMessage *)message.record)->phase != ++side->received;
            message_clear(&message);
            free(frame.body);
        }
    }
    session_free(session);
}

static void *run_connected(void *argument)
{
    Side *side = argument;
    ERROR_CLEANUP Error error = {0};
    Link *link = link_open(context, &(LinkOptions){.endpoint = side->endpoint, .plain = true}, &error);
    talk(side, link, false);
    link_close(link, 1000);
    return NULL;
}

static void converse(const char *endpoint, int64_t messages)
{
    Link *bound = open_link(endpoint, true);
    Side here = {.expected = messages}, there = {.endpoint = link_endpoint(bound), .expected = messages};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_connected, &there), 0);
    talk(&here, bound, true);
    pthread_join(thread, NULL);
    close_link(bound, 0);
    assert_false(here.failed);
    assert_false(there.failed);
    assert_int_equal(here.received, messages);
    assert_int_equal(there.received, messages);
}

static void sessions_converse_between_threads(void **state)
{
    (void)state;
    converse("inproc://converse", 20000);
    converse("tcp://127.0.0.1:*", 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_pass_over_inproc),
        cmocka_unit_test(frames_pass_over_ipc),
        cmocka_unit_test(frames_pass_over_loopback_tcp),
        cmocka_unit_test(frames_pass_over_ipv6_loopback),
        cmocka_unit_test(what_the_check_refuses_is_not_opened),
        cmocka_unit_test(an_endpoint_in_use_is_not_taken_over),
        cmocka_unit_test(sending_never_blocks_without_a_peer),
        cmocka_unit_test(a_peer_that_left_becomes_unreachable),
        cmocka_unit_test(a_full_queue_is_again_and_not_a_wait),
        cmocka_unit_test(a_peer_that_does_not_read_is_again_to_the_bound_side),
        cmocka_unit_test(a_link_may_connect_before_the_other_binds),
        cmocka_unit_test(a_reopened_link_is_a_new_peer),
        cmocka_unit_test(what_was_sent_leaves_within_the_linger),
        cmocka_unit_test(garbage_on_the_port_is_survived),
        cmocka_unit_test(messages_of_another_shape_are_dropped_and_counted),
        cmocka_unit_test(other_kinds_of_sockets_are_survived),
        cmocka_unit_test(an_oversize_frame_costs_only_its_sender_the_connection),
        cmocka_unit_test(polling_sees_links_and_descriptors),
        cmocka_unit_test(a_signal_ends_the_wait_as_a_time_out),
        cmocka_unit_test(a_descriptor_that_is_none_is_an_error),
        cmocka_unit_test(sessions_converse_between_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
