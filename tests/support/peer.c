#include "tests/support/peer.h"
#include "common/clock.h"
#include "tests/support/test.h"

enum { DEADLINE_MS = 20000, LEFT_MS = 2000 };

TestPeer peer_open(WireContext *context, const char *endpoint, bool bind)
{
    ERROR_CLEANUP Error error = {0};
    TestPeer peer = {.link = link_open(context,
                                       &(LinkOptions){.endpoint = endpoint,
                                                      .bind = bind,
                                                      .plain = true,
                                                      .reconnect_ms = 20,
                                                      .reconnect_max_ms = 100},
                                       &error)};
    if (peer.link == NULL)
        fail_msg("%s", error.message);
    assert_true(session_id_draw(peer.session_id, &error));
    return peer;
}

void peer_close(TestPeer *peer)
{
    session_free(peer->session);
    link_close(peer->link, 1000); /* what was sent leaves */
    *peer = (TestPeer){0};
}

static void put(TestPeer *peer, const OutgoingFrame *frame)
{
    ERROR_CLEANUP Error error = {0};
    int64_t until_ms = clock_now_ms(&SYSTEM_CLOCK) + (peer->may_be_left ? LEFT_MS : DEADLINE_MS);
    LinkStatus status;
    if (peer->left)
        return;
    while ((status = link_send(peer->link, &peer->id, frame, &error)) == LINK_AGAIN) {
        peer->left = peer->may_be_left && clock_now_ms(&SYSTEM_CLOCK) >= until_ms;
        if (peer->left)
            return;
        assert_true(clock_now_ms(&SYSTEM_CLOCK) < until_ms);
        assert_true(link_poll(&(LinkPollItem){.link = peer->link}, 1, 5, &error));
    }
    assert_true(status == LINK_OK || status == LINK_UNREACHABLE);
}

void peer_greet(TestPeer *peer, MessageType type, const void *record)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    OutgoingFrame frame;
    assert_true(message_greeting(type, peer->session_id, record, &body, &frame, &error));
    put(peer, &frame);
}

void peer_open_session(TestPeer *peer)
{
    ERROR_CLEANUP Error error = {0};
    session_free(peer->session);
    SessionOptions options = {.resend_ms = 200, .resend_max_ms = 1000};
    memcpy(options.session_id, peer->session_id, SESSION_ID_SIZE);
    peer->session = session_new(&options, &error);
    assert_non_null(peer->session);
}

static void pump(TestPeer *peer)
{
    OutgoingFrame frame;
    while (peer->session != NULL && session_next_frame(peer->session, clock_now_ms(&SYSTEM_CLOCK), &frame))
        put(peer, &frame);
}

void peer_send(TestPeer *peer, MessageType type, const void *record)
{
    ERROR_CLEANUP Error error = {0};
    assert_true(session_send(peer->session, type, record, NULL, &error));
    pump(peer);
}

void peer_send_frame(TestPeer *peer, const FrameHeader *header, const void *body, size_t length)
{
    put(peer, &(OutgoingFrame){.header = *header, .body = body, .body_length = length});
}

static bool take(TestPeer *peer, const IncomingFrame *frame, Message *ret_message)
{
    ERROR_CLEANUP Error error = {0};
    const MessageSpec *spec = message_spec(frame->header.type);
    peer->id = frame->peer;
    if (spec != NULL && spec->class == MESSAGE_GREETING) {
        if (frame->header.type == MESSAGE_HELLO)
            memcpy(peer->session_id, frame->header.session_id, SESSION_ID_SIZE);
        return message_unpack(frame->header.type, frame->body, frame->body_length, ret_message, &error);
    }
    if (peer->session == NULL)
        return false;
    SessionReceipt receipt = session_receive(peer->session, &frame->header, frame->body, frame->body_length,
                                             clock_now_ms(&SYSTEM_CLOCK), ret_message, &error);
    assert_int_not_equal(receipt, SESSION_BROKEN);
    if (session_owes_ack(peer->session) && !peer->silent)
        assert_true(session_send(peer->session, MESSAGE_ACK, NULL, NULL, &error));
    return receipt == SESSION_MESSAGE;
}

bool peer_hears(TestPeer *peer, MessageType type, int64_t wait_ms, Message *ret_message)
{
    ERROR_CLEANUP Error error = {0};
    int64_t until_ms = clock_now_ms(&SYSTEM_CLOCK) + wait_ms;
    for (;;) {
        pump(peer);
        IncomingFrame frame;
        LinkStatus status = link_receive(peer->link, &frame, &error);
        assert_int_not_equal(status, LINK_FAILED);
        if (status == LINK_OK) {
            bool whole = take(peer, &frame, ret_message);
            free(frame.body);
            pump(peer);
            if (whole && ret_message->type == type)
                return true;
            if (whole)
                message_clear(ret_message);
            continue;
        }
        int64_t left_ms = until_ms - clock_now_ms(&SYSTEM_CLOCK);
        if (left_ms <= 0)
            return false;
        assert_true(link_poll(&(LinkPollItem){.link = peer->link}, 1, left_ms < 50 ? left_ms : 50, &error));
    }
}

Message peer_await(TestPeer *peer, MessageType type)
{
    Message message;
    if (!peer_hears(peer, type, DEADLINE_MS, &message))
        fail_msg("no %s came", message_spec((uint8_t)type)->name);
    return message;
}

void peer_join(TestPeer *peer, HelloMessage *hello)
{
    Message welcome;
    do {
        hello->incarnation++;
        peer_greet(peer, MESSAGE_HELLO, hello);
    } while (!peer_hears(peer, MESSAGE_WELCOME, 500, &welcome));
    message_clear(&welcome);
    peer_open_session(peer);
}

void peer_welcome(TestPeer *peer, const char *run)
{
    Message hello = peer_await(peer, MESSAGE_HELLO);
    message_clear(&hello);
    WelcomeMessage welcome = {.proto = PROTOCOL_MAJOR,
                              .coordinator = (char *)"test",
                              .run = (char *)run,
                              .heartbeat_ms = 500,
                              .suspect_ms = 5000,
                              .dead_ms = 20000};
    peer_open_session(peer);
    peer_greet(peer, MESSAGE_WELCOME, &welcome);
}
