/* The channel: what both sides do around a session, over real sockets inside this process. */
#include "proto/channel.h"
#include "tests/support/test.h"
#include <stdio.h>

enum { RESEND_MS = 100, RESEND_MAX_MS = 400, QUEUED = 4000 };

typedef struct Pair {
    WireContext *context;
    Link *near, *far; /* near connects, far binds */
    Channel channel;  /* on near */
} Pair;

static const uint8_t SESSION_ID[SESSION_ID_SIZE] = "channel-session";

static Pair pair_new(void)
{
    static int number;
    char endpoint[48];
    snprintf(endpoint, sizeof endpoint, "inproc://channel-%d", ++number);
    ERROR_CLEANUP Error error = {0};
    Pair pair = {.context = wire_context_new(&error)};
    pair.far = link_open(pair.context, &(LinkOptions){.endpoint = endpoint, .bind = true}, &error);
    assert_non_null(pair.far);
    pair.near = link_open(pair.context, &(LinkOptions){.endpoint = endpoint}, &error);
    assert_non_null(pair.near);
    pair.channel = (Channel){.link = pair.near, .heartbeat_ms = 1000};
    return pair;
}

static void pair_free(Pair *pair)
{
    channel_close(&pair->channel);
    link_close(pair->near, 0);
    link_close(pair->far, 0);
    wire_context_free(pair->context);
}

static void open_session(Pair *pair, int64_t now_ms)
{
    ERROR_CLEANUP Error error = {0};
    assert_true(channel_open(&pair->channel, SESSION_ID, RESEND_MS, RESEND_MAX_MS, now_ms, &error));
}

/* Frames that lie at the far end, and the highest number among them so far. */
static size_t receive_all(Pair *pair, uint64_t *highest)
{
    ERROR_CLEANUP Error error = {0};
    size_t count = 0;
    IncomingFrame frame;
    while (link_receive(pair->far, &frame, &error) == LINK_OK) {
        *highest = frame.header.seq > *highest ? frame.header.seq : *highest;
        free(frame.body);
        count++;
    }
    return count;
}

static void send_drains(Channel *channel, size_t count)
{
    ERROR_CLEANUP Error error = {0};
    for (size_t i = 0; i < count; i++)
        assert_true(session_send(channel->session, MESSAGE_DRAIN, &(EmptyMessage){0}, NULL, &error));
}

static void it_owns_the_frames_of_its_session_alone(void **state)
{
    (void)state;
    Pair pair = pair_new();
    FrameHeader header = {0};
    memcpy(header.session_id, SESSION_ID, sizeof SESSION_ID);
    assert_false(channel_owns(&pair.channel, &header));
    open_session(&pair, 5);
    assert_true(channel_owns(&pair.channel, &header));
    header.session_id[3] ^= 1;
    assert_false(channel_owns(&pair.channel, &header));
    assert_int_equal(pair.channel.heard_ms, 5);
    assert_int_equal(pair.channel.beat_ms, 5);
    channel_close(&pair.channel);
    header.session_id[3] ^= 1;
    assert_false(channel_owns(&pair.channel, &header));
    pair_free(&pair);
}

static void what_was_sent_leaves_with_the_next_pump(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Pair pair = pair_new();
    open_session(&pair, 0);
    send_drains(&pair.channel, 3);
    assert_true(channel_pump(&pair.channel, 0, &error));
    uint64_t highest = 0;
    assert_int_equal(receive_all(&pair, &highest), 3);
    /* Nothing new: the resend is what it waits for, not the heartbeat behind it. */
    pair.channel.beat_ms = 1000;
    assert_int_equal(channel_wakeup_ms(&pair.channel), RESEND_MS);
    pair_free(&pair);
}

static void an_acknowledgement_goes_out_when_nothing_else_does(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Pair pair = pair_new();
    open_session(&pair, 0);
    Message message;
    FrameHeader header = {.major = PROTOCOL_MAJOR,
                          .type = MESSAGE_DRAIN,
                          .flags = FRAME_MUST_UNDERSTAND,
                          .seq = 1,
                          .window = 10};
    memcpy(header.session_id, SESSION_ID, sizeof SESSION_ID);
    assert_int_equal(session_receive(pair.channel.session, &header, "\x80", 1, 0, &message, &error),
                     SESSION_MESSAGE);
    message_clear(&message);
    assert_true(channel_pump(&pair.channel, 0, &error));
    IncomingFrame frame;
    assert_int_equal(link_receive(pair.far, &frame, &error), LINK_OK);
    assert_int_equal(frame.header.type, MESSAGE_ACK);
    assert_int_equal(frame.header.ack, 1);
    free(frame.body);
    assert_false(session_owes_ack(pair.channel.session));
    pair_free(&pair);
}

static void a_full_queue_is_tried_again_soon_but_not_at_once(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Pair pair = pair_new();
    int64_t now_ms = 0;
    open_session(&pair, now_ms);
    /* The window is larger than what ZeroMQ's queues hold, and nobody reads. */
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_ACK, .window = 2 * QUEUED};
    memcpy(header.session_id, SESSION_ID, sizeof SESSION_ID);
    Message message;
    assert_int_equal(session_receive(pair.channel.session, &header, "\x80", 1, 0, &message, &error),
                     SESSION_NOTHING);
    send_drains(&pair.channel, QUEUED);
    pair.channel.beat_ms = 1000000;
    assert_true(channel_pump(&pair.channel, now_ms, &error));
    assert_true(channel_wakeup_ms(&pair.channel) > now_ms);
    assert_true(channel_wakeup_ms(&pair.channel) <= now_ms + 50);
    /* Also when a resend has been due for long. */
    now_ms = 5000;
    assert_true(channel_pump(&pair.channel, now_ms, &error));
    assert_true(channel_wakeup_ms(&pair.channel) > now_ms);
    assert_true(channel_wakeup_ms(&pair.channel) <= now_ms + 50);
    assert_int_equal(pair.channel.unreachable_ms, 0);
    uint64_t highest = 0;
    assert_in_range(receive_all(&pair, &highest), 1, QUEUED - 1);
    for (int turn = 0; turn < 100 && highest < QUEUED; turn++) {
        header.ack = highest;
        assert_int_equal(session_receive(pair.channel.session, &header, "\x80", 1, now_ms, &message, &error),
                         SESSION_NOTHING);
        now_ms = channel_wakeup_ms(&pair.channel);
        assert_true(channel_pump(&pair.channel, now_ms, &error));
        receive_all(&pair, &highest);
        assert_true(link_poll(&(LinkPollItem){.link = pair.near}, 1, 1, &error)); /* room becomes known */
    }
    assert_int_equal(highest, QUEUED);
    pair_free(&pair);
}

static void a_peer_that_is_gone_is_noticed_and_not_hammered(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Pair pair = pair_new();
    Channel nobody = {
        .link = pair.far, .peer = {.length = 5, .bytes = {0, 1, 2, 3, 4}}, .heartbeat_ms = 1000};
    assert_true(channel_open(&nobody, SESSION_ID, RESEND_MS, RESEND_MAX_MS, 0, &error));
    nobody.beat_ms = 1000000;
    send_drains(&nobody, 1);
    assert_true(channel_pump(&nobody, 70, &error));
    assert_int_equal(nobody.unreachable_ms, 70);
    assert_true(channel_wakeup_ms(&nobody) > 70);
    int64_t at_ms = channel_wakeup_ms(&nobody);
    assert_true(channel_pump(&nobody, at_ms, &error));
    assert_int_equal(nobody.unreachable_ms, 70); /* since when, not when last */
    assert_true(channel_wakeup_ms(&nobody) > at_ms);
    assert_true(channel_greet(&nobody, MESSAGE_WHO, SESSION_ID, NULL, &error));
    channel_close(&nobody);
    pair_free(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_owns_the_frames_of_its_session_alone),
        cmocka_unit_test(what_was_sent_leaves_with_the_next_pump),
        cmocka_unit_test(an_acknowledgement_goes_out_when_nothing_else_does),
        cmocka_unit_test(a_full_queue_is_tried_again_soon_but_not_at_once),
        cmocka_unit_test(a_peer_that_is_gone_is_noticed_and_not_hammered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
