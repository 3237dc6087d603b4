#include "proto/session.h"
#include "tests/unit/proto/fill.h"

enum { RESEND_MS = 100, RESEND_MAX_MS = 800 };

static const SessionOptions OPTIONS = {
    .session_id = {7, 7, 7}, .resend_ms = RESEND_MS, .resend_max_ms = RESEND_MAX_MS};

static Session *open_session(void)
{
    ERROR_CLEANUP Error error = {0};
    Session *session = session_new(&OPTIONS, &error);
    assert_non_null(session);
    return session;
}

static uint64_t send_start(Session *session, int64_t phase)
{
    ERROR_CLEANUP Error error = {0};
    uint64_t seq = 0;
    assert_true(session_send(session, MESSAGE_START, &(StartMessage){.phase = phase}, &seq, &error));
    return seq;
}

/* Hands one frame over; the phase of the START that came out, 0 for nothing. */
static int64_t pass(Session *to, const OutgoingFrame *frame, int64_t now_ms)
{
    ERROR_CLEANUP Error error = {0};
    Message message = {0};
    SessionReceipt receipt =
        session_receive(to, &frame->header, frame->body, frame->body_length, now_ms, &message, &error);
    if (receipt == SESSION_BROKEN)
        fail_msg("%s", error.message);
    if (receipt == SESSION_NOTHING)
        return 0;
    int64_t phase = message.type == MESSAGE_START ? ((StartMessage *)message.record)->phase : -message.type;
    message_clear(&message);
    return phase;
}

static void send_ack(Session *from, Session *to, int64_t now_ms)
{
    ERROR_CLEANUP Error error = {0};
    OutgoingFrame frame;
    assert_true(session_send(from, MESSAGE_ACK, NULL, NULL, &error));
    while (session_next_frame(from, now_ms, &frame))
        pass(to, &frame, now_ms);
}

static void assert_breaks(Session *session, const FrameHeader *header, const void *body, size_t length)
{
    ERROR_CLEANUP Error error = {0};
    Message message = {0};
    assert_int_equal(session_receive(session, header, body, length, 0, &message, &error), SESSION_BROKEN);
    assert_int_equal(error.code, ERROR_PROTOCOL);
    assert_null(message.record);
}

static FrameHeader header_of(uint8_t type, uint8_t flags, uint64_t seq)
{
    FrameHeader header = {.major = PROTOCOL_MAJOR, .type = type, .flags = flags, .seq = seq, .window = 256};
    memcpy(header.session_id, OPTIONS.session_id, SESSION_ID_SIZE);
    return header;
}

/* ---- numbering, acknowledgement, resending ---- */

static void a_message_is_kept_until_it_is_acknowledged(void **state)
{
    (void)state;
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    assert_int_equal(send_start(a, 5), 1);
    assert_true(session_backlog(a) > 0);
    assert_true(session_next_frame(a, 0, &frame));
    assert_int_equal(frame.header.seq, 1);
    assert_int_equal(frame.header.flags, FRAME_MUST_UNDERSTAND);
    assert_memory_equal(frame.header.session_id, OPTIONS.session_id, SESSION_ID_SIZE);
    assert_int_equal(pass(b, &frame, 0), 5);
    assert_false(session_next_frame(a, 0, &frame));
    assert_int_equal(session_acked(a), 0);
    assert_true(session_owes_ack(b));
    send_ack(b, a, 0);
    assert_false(session_owes_ack(b));
    assert_int_equal(session_acked(a), 1);
    assert_int_equal(session_backlog(a), 0);
    assert_true(session_wakeup_ms(a) == INT64_MAX);
    session_free(a);
    session_free(b);
}

static void a_duplicate_is_acknowledged_again_and_not_delivered(void **state)
{
    (void)state;
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    send_start(a, 5);
    assert_true(session_next_frame(a, 0, &frame));
    assert_int_equal(pass(b, &frame, 0), 5);
    send_ack(b, a, 0);
    OutgoingFrame again = frame;
    again.body = "\x80", again.body_length = 1;
    assert_int_equal(pass(b, &again, 0), 0);
    assert_true(session_owes_ack(b));
    session_free(a);
    session_free(b);
}

static void a_silent_peer_is_probed_with_one_frame_at_doubling_waits(void **state)
{
    (void)state;
    Session *a = open_session();
    OutgoingFrame frame;
    for (int i = 1; i <= 3; i++)
        send_start(a, i);
    for (int i = 1; i <= 3; i++)
        assert_true(session_next_frame(a, 1000, &frame));
    static const int64_t WAITS[] = {100, 200, 400, 800, 800, 800};
    int64_t now = 1000;
    for (size_t i = 0; i < sizeof WAITS / sizeof WAITS[0]; i++) {
        now += WAITS[i];
        assert_int_equal(session_wakeup_ms(a), now);
        assert_false(session_next_frame(a, now - 1, &frame));
        assert_true(session_next_frame(a, now, &frame));
        assert_int_equal(frame.header.seq, 1);
        assert_false(session_next_frame(a, now, &frame));
    }
    session_free(a);
}

static void progress_makes_the_waits_short_again(void **state)
{
    (void)state;
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    send_start(a, 1);
    send_start(a, 2);
    assert_true(session_next_frame(a, 0, &frame));
    assert_int_equal(pass(b, &frame, 0), 1);
    assert_true(session_next_frame(a, 0, &frame));
    int64_t now = RESEND_MS;
    assert_true(session_next_frame(a, now, &frame));
    now += 2 * RESEND_MS;
    assert_true(session_next_frame(a, now, &frame));
    assert_int_equal(session_wakeup_ms(a), now + 4 * RESEND_MS);
    send_ack(b, a, now);
    assert_int_equal(session_acked(a), 1);
    assert_int_equal(session_wakeup_ms(a), now + RESEND_MS);
    session_free(a);
    session_free(b);
}

/* A number that was refused by the link was never sent, so nobody can have received it. */
static void a_refused_number_cannot_be_acknowledged(void **state)
{
    (void)state;
    Session *a = open_session();
    OutgoingFrame frame;
    send_start(a, 1);
    assert_true(session_next_frame(a, 0, &frame));
    session_frame_refused(a);
    FrameHeader header = header_of(MESSAGE_ACK, 0, 0);
    header.ack = 1;
    assert_breaks(a, &header, "\x80", 1);
    session_free(a);
}

static void after_a_gap_everything_from_the_lost_frame_on_comes_again(void **state)
{
    (void)state;
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    for (int i = 1; i <= 4; i++)
        send_start(a, i);
    for (int i = 1; i <= 4; i++) {
        assert_true(session_next_frame(a, 0, &frame));
        if (i != 2)
            assert_int_equal(pass(b, &frame, 0), i == 1 ? 1 : 0);
    }
    send_ack(b, a, 0);
    assert_int_equal(session_acked(a), 1);
    assert_false(session_next_frame(a, RESEND_MS - 1, &frame));
    assert_true(session_next_frame(a, RESEND_MS, &frame));
    assert_int_equal(pass(b, &frame, RESEND_MS), 2);
    send_ack(b, a, RESEND_MS);
    for (int i = 3; i <= 4; i++) {
        assert_true(session_next_frame(a, RESEND_MS, &frame));
        assert_int_equal(pass(b, &frame, RESEND_MS), i);
    }
    assert_false(session_next_frame(a, RESEND_MS, &frame));
    send_ack(b, a, RESEND_MS);
    assert_int_equal(session_acked(a), 4);
    session_free(a);
    session_free(b);
}

static void a_refused_frame_is_given_again(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    send_start(a, 1);
    send_start(b, 9);
    assert_true(session_next_frame(b, 0, &frame));
    assert_int_equal(pass(a, &frame, 0), 9);
    assert_true(session_send(a, MESSAGE_HEARTBEAT, NULL, NULL, &error));
    for (int i = 0; i < 3; i++) {
        assert_true(session_next_frame(a, 0, &frame));
        assert_int_equal(frame.header.type, MESSAGE_HEARTBEAT);
        assert_false(session_owes_ack(a));
        session_frame_refused(a);
        assert_true(session_owes_ack(a));
    }
    assert_true(session_next_frame(a, 0, &frame));
    for (int i = 0; i < 3; i++) {
        assert_true(session_next_frame(a, 0, &frame));
        assert_int_equal(frame.header.seq, 1);
        session_frame_refused(a);
        session_frame_refused(a);
    }
    assert_true(session_wakeup_ms(a) == INT64_MAX);
    assert_true(session_next_frame(a, 0, &frame));
    for (int i = 0; i < 2; i++) { /* a refused probe stays a probe */
        assert_true(session_next_frame(a, RESEND_MS, &frame));
        session_frame_refused(a);
    }
    send_start(a, 2);
    assert_true(session_next_frame(a, RESEND_MS, &frame));
    assert_int_equal(frame.header.seq, 1);
    assert_false(session_next_frame(a, RESEND_MS, &frame));
    session_free(a);
    session_free(b);
}

static void not_more_than_the_window_is_in_flight(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    SessionOptions narrow = OPTIONS;
    narrow.window = 3;
    Session *a = open_session(), *b = session_new(&narrow, &error);
    OutgoingFrame frame;
    for (int i = 1; i <= 600; i++)
        send_start(a, i);
    int given = 0;
    for (; session_next_frame(a, 0, &frame); given++)
        assert_int_equal(pass(b, &frame, 0), given + 1);
    assert_int_equal(given, SESSION_WINDOW);
    for (int round = 1; round <= 3; round++) {
        send_ack(b, a, 0);
        for (int i = 0; i < 3; i++) {
            assert_true(session_next_frame(a, 0, &frame));
            assert_int_equal(pass(b, &frame, 0), ++given);
        }
        assert_false(session_next_frame(a, 0, &frame));
    }
    session_free(a);
    session_free(b);
}

static void of_waiting_unreliable_messages_the_oldest_make_room(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *a = open_session(), *b = open_session();
    OutgoingFrame frame;
    for (int64_t i = 1; i <= SESSION_UNRELIABLE; i++)
        assert_true(session_send(a, MESSAGE_HEARTBEAT, &(HeartbeatMessage){.in_flight = i}, NULL, &error));
    assert_true(session_next_frame(a, 0, &frame));
    for (int64_t i = 1; i <= 10; i++)
        assert_true(
            session_send(a, MESSAGE_HEARTBEAT, &(HeartbeatMessage){.in_flight = 1000 + i}, NULL, &error));
    int64_t expected = 11;
    int count = 0;
    while (session_next_frame(a, 0, &frame)) {
        Message message;
        assert_int_equal(frame.header.seq, 0);
        assert_int_equal(
            session_receive(b, &frame.header, frame.body, frame.body_length, 0, &message, &error),
            SESSION_MESSAGE);
        assert_int_equal(((HeartbeatMessage *)message.record)->in_flight, expected);
        expected = expected == SESSION_UNRELIABLE ? 1001 : expected + 1;
        message_clear(&message);
        count++;
    }
    assert_int_equal(count, SESSION_UNRELIABLE);
    assert_false(session_owes_ack(b));
    session_free(a);
    session_free(b);
}

/* ---- a bad network ---- */

typedef struct Flight {
    FrameHeader header;
    void *body;
    size_t length;
    int64_t arrives_ms;
    int side;
} Flight;

typedef struct Network {
    unsigned seed;
    Flight *flights;
    size_t count, capacity;
    int64_t now_ms;
    Session *sides[2];
    int64_t received[2]; /* the last phase that came out at each side */
    uint64_t frames;
} Network;

static int roll(Network *network, int sides)
{
    return rand_r(&network->seed) % sides;
}

static void launch(Network *network, int from, const OutgoingFrame *frame)
{
    network->frames++;
    int copies = roll(network, 100) < 5 ? 0 : roll(network, 100) < 5 ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        if (network->count == network->capacity) {
            network->capacity = network->capacity * 2 + 64;
            network->flights = realloc(network->flights, network->capacity * sizeof(Flight));
        }
        Flight flight = {.header = frame->header,
                         .body = malloc(frame->body_length),
                         .length = frame->body_length,
                         .side = 1 - from,
                         /* most frames keep their order, some are overtaken */
                         .arrives_ms = network->now_ms + (roll(network, 100) < 5 ? roll(network, 50) : 1)};
        memcpy(flight.body, frame->body, frame->body_length);
        network->flights[network->count++] = flight;
    }
}

static void land(Network *network)
{
    size_t kept = 0;
    for (size_t i = 0; i < network->count; i++) {
        Flight flight = network->flights[i];
        if (flight.arrives_ms > network->now_ms) {
            network->flights[kept++] = flight;
            continue;
        }
        OutgoingFrame frame = {.header = flight.header, .body = flight.body, .body_length = flight.length};
        int64_t phase = pass(network->sides[flight.side], &frame, network->now_ms);
        if (phase > 0)
            assert_int_equal(phase, ++network->received[flight.side]);
        free(flight.body);
    }
    network->count = kept;
}

static void drive(Network *network, int side)
{
    ERROR_CLEANUP Error error = {0};
    Session *session = network->sides[side];
    OutgoingFrame frame;
    for (int given = 0; given < 20 && session_next_frame(session, network->now_ms, &frame); given++) {
        if (roll(network, 50) == 0) {
            session_frame_refused(session);
            break;
        }
        launch(network, side, &frame);
    }
    if (session_owes_ack(session))
        assert_true(session_send(session, MESSAGE_ACK, NULL, NULL, &error));
}

static void messages_arrive_once_and_in_order_whatever_the_network_does(void **state)
{
    (void)state;
    enum { MESSAGES = 10000 };
    for (unsigned seed = 1; seed <= 5; seed++) {
        Network network = {.seed = seed, .sides = {open_session(), open_session()}};
        int64_t sent[2] = {0, 0};
        while (network.received[0] < MESSAGES || network.received[1] < MESSAGES) {
            for (int side = 0; side < 2; side++) {
                for (int burst = roll(&network, 30); burst > 0 && sent[side] < MESSAGES; burst--)
                    send_start(network.sides[side], ++sent[side]);
                drive(&network, side);
            }
            network.now_ms++;
            land(&network);
            assert_true(network.now_ms < 10000000);
        }
        for (int i = 0; i < 100000 && session_acked(network.sides[0]) + session_acked(network.sides[1]) <
                                          2 * (uint64_t)MESSAGES;
             i++) {
            drive(&network, 0);
            drive(&network, 1);
            network.now_ms++;
            land(&network);
        }
        for (int side = 0; side < 2; side++) {
            assert_int_equal(session_acked(network.sides[side]), MESSAGES);
            assert_int_equal(session_backlog(network.sides[side]), 0);
        }
        network.now_ms += 1000;
        land(&network);
        assert_int_equal(network.count, 0);
        for (int side = 0; side < 2; side++)
            session_free(network.sides[side]);
        free(network.flights);
    }
}

/* ---- parts ---- */

static char applied[] = "applied";

static ResultItem large_item(size_t size)
{
    ResultItem item = {.index = 1, .outcome = applied, .body = {.data = malloc(size), .length = size}};
    for (size_t i = 0; i < size; i++)
        item.body.data[i] = (char)(i * 31 + (i >> 8));
    return item;
}

/* Sends one RESULT whose body holds `size` bytes; returns the number of frames it took. */
static int exchange(Session *a, Session *b, size_t size)
{
    ERROR_CLEANUP Error error = {0};
    ResultItem item = large_item(size);
    ResultMessage result = {.phase = 3, .items = {.items = &item, .count = 1}};
    uint64_t before = session_acked(a), seq = 0;
    assert_true(session_send(a, MESSAGE_RESULT, &result, &seq, &error));
    int frames = 0;
    Message message = {0};
    OutgoingFrame frame;
    while (message.record == NULL) {
        assert_true(session_next_frame(a, 0, &frame));
        frames++;
        assert_true(frame.body_length <= FRAME_PART_SIZE);
        assert_int_not_equal(
            session_receive(b, &frame.header, frame.body, frame.body_length, 0, &message, &error),
            SESSION_BROKEN);
    }
    assert_int_equal(seq, before + (uint64_t)frames);
    const ResultMessage *received = message.record;
    assert_int_equal(received->items.count, 1);
    assert_record_equal(&RESULT_ITEM_RECORD, &item, received->items.items);
    message_clear(&message);
    send_ack(b, a, 0);
    assert_int_equal(session_acked(a), seq);
    assert_int_equal(session_backlog(a), 0);
    free(item.body.data);
    return frames;
}

static void a_large_message_travels_in_parts(void **state)
{
    (void)state;
    Session *a = open_session(), *b = open_session();
    assert_int_equal(exchange(a, b, 1000), 1);
    assert_int_equal(exchange(a, b, FRAME_PART_SIZE), 2);
    assert_int_equal(exchange(a, b, 3 * FRAME_PART_SIZE + 77), 4);
    assert_int_equal(exchange(a, b, 10), 1);
    session_free(a);
    session_free(b);
}

static void the_largest_message_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *a = open_session(), *b = open_session();
    enum { AROUND = 49 }; /* what a RESULT with one such item takes around its body */
    assert_int_equal(exchange(a, b, MESSAGE_SIZE_MAX - AROUND), MESSAGE_SIZE_MAX / FRAME_PART_SIZE);
    ResultItem item = {
        .index = 1,
        .outcome = applied,
        .body = {.data = calloc(1, MESSAGE_SIZE_MAX), .length = MESSAGE_SIZE_MAX - AROUND + 1}};
    assert_false(session_send(a, MESSAGE_RESULT,
                              &(ResultMessage){.phase = 3, .items = {.items = &item, .count = 1}}, NULL,
                              &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    assert_int_equal(session_backlog(a), 0);
    free(item.body.data);
    session_free(a);
    session_free(b);
}

static void an_assembled_message_is_bounded(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *b = open_session();
    char *part = calloc(1, FRAME_BODY_MAX);
    Message message = {0};
    uint64_t seq = 1;
    for (; seq <= MESSAGE_SIZE_MAX / FRAME_BODY_MAX; seq++) {
        FrameHeader header = header_of(MESSAGE_RESULT, FRAME_PART, seq);
        assert_int_equal(session_receive(b, &header, part, FRAME_BODY_MAX, 0, &message, &error),
                         SESSION_NOTHING);
    }
    FrameHeader header = header_of(MESSAGE_RESULT, FRAME_PART, seq);
    assert_breaks(b, &header, part, 1);
    free(part);
    session_free(b);
}

static void parts_that_do_not_fit_together_break_the_session(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, flags;
        uint64_t seq;
        size_t length;
    } SECOND[] = {
        {MESSAGE_JOB, FRAME_PART, 2, 1},
        {MESSAGE_START, 0, 2, 1},
        {MESSAGE_RESULT, FRAME_LAST_PART, 2, 1},
        {MESSAGE_RESULT, FRAME_PART, 2, 0},
        {MESSAGE_RESULT, FRAME_PART | FRAME_LAST_PART, 2, 1}, /* "\x81\x80" */
        {MESSAGE_RESULT, FRAME_PART, 2, FRAME_BODY_MAX + 1},
        {MESSAGE_HEARTBEAT, FRAME_PART, 0, 1},
    };
    char *body = malloc(FRAME_BODY_MAX + 1);
    memset(body, '\x80', FRAME_BODY_MAX + 1);
    for (size_t i = 0; i < sizeof SECOND / sizeof SECOND[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        Session *b = open_session();
        Message message = {0};
        FrameHeader first = header_of(MESSAGE_RESULT, FRAME_PART, 1);
        assert_int_equal(session_receive(b, &first, "\x81", 1, 0, &message, &error), SESSION_NOTHING);
        FrameHeader second = header_of(SECOND[i].type, SECOND[i].flags, SECOND[i].seq);
        assert_breaks(b, &second, body, SECOND[i].length);
        session_free(b);
    }
    free(body);
}

/* ---- peers that do not keep to the protocol ---- */

static void headers_that_cannot_be_break_the_session(void **state)
{
    (void)state;
    Session *b = open_session();
    FrameHeader header = header_of(MESSAGE_JOB, 0, 0);
    assert_breaks(b, &header, "\x80", 1);
    header = header_of(MESSAGE_HEARTBEAT, 0, 1);
    assert_breaks(b, &header, "\x80", 1);
    header = header_of(MESSAGE_HEARTBEAT, 0, 0);
    header.ack = 1;
    assert_breaks(b, &header, "\x80", 1);
    header = header_of(MESSAGE_JOB, 0, 1);
    assert_breaks(b, &header, "\x90", 1);
    header = header_of(MESSAGE_ERROR, 0, 0);
    assert_breaks(b, &header, "", 0);
    session_free(b);
}

static void an_unknown_message_is_ignored_unless_it_must_be_understood(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *a = open_session(), *b = open_session();
    Message message = {0};
    FrameHeader header = header_of(200, 0, 0);
    assert_int_equal(session_receive(b, &header, "?", 1, 0, &message, &error), SESSION_NOTHING);
    header = header_of(200, 0, 1);
    assert_int_equal(session_receive(b, &header, "?", 1, 0, &message, &error), SESSION_NOTHING);
    assert_true(session_owes_ack(b));
    header = header_of(MESSAGE_DRAIN, 0, 2);
    assert_int_equal(session_receive(b, &header, "\x80", 1, 0, &message, &error), SESSION_MESSAGE);
    message_clear(&message);
    header = header_of(200, FRAME_MUST_UNDERSTAND, 0);
    assert_breaks(b, &header, "?", 1);
    header = header_of(200, FRAME_MUST_UNDERSTAND, 3);
    assert_breaks(b, &header, "?", 1);
    session_free(a);
    session_free(b);
}

static void frames_of_another_session_and_greetings_stay_outside(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *b = open_session();
    Message message = {0};
    FrameHeader header = header_of(MESSAGE_DRAIN, 0, 1);
    assert_true(session_owns(b, &header));
    header.session_id[15] ^= 1;
    assert_false(session_owns(b, &header));
    assert_int_equal(session_receive(b, &header, "\x80", 1, 0, &message, &error), SESSION_NOTHING);
    header = header_of(MESSAGE_HELLO, 0, 0);
    assert_int_equal(session_receive(b, &header, "\x80", 1, 0, &message, &error), SESSION_NOTHING);
    assert_false(session_owes_ack(b));
    assert_false(session_send(b, MESSAGE_HELLO, NULL, NULL, &error));
    assert_int_equal(error.code, ERROR_PROTOCOL);
    assert_false(session_send(b, (MessageType)0, NULL, NULL, &error));
    session_free(b);
}

static void what_cannot_be_packed_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Session *a = open_session();
    OutgoingFrame frame;
    char latin1[] = "\xe9", *large = malloc(FRAME_PART_SIZE + 1);
    memset(large, 'x', FRAME_PART_SIZE);
    large[FRAME_PART_SIZE] = '\0';
    assert_false(
        session_send(a, MESSAGE_BUNDLE_REQ, &(BundleRequestMessage){.digest = latin1}, NULL, &error));
    assert_false(session_send(a, MESSAGE_ERROR, &(ErrorMessage){.message = large}, NULL, &error));
    assert_int_equal(error.code, ERROR_TOO_LARGE);
    assert_false(session_next_frame(a, 0, &frame));
    assert_int_equal(session_backlog(a), 0);
    free(large);
    session_free(a);
}

static void drawn_names_differ(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    uint8_t one[SESSION_ID_SIZE] = {0}, two[SESSION_ID_SIZE] = {0};
    assert_true(session_id_draw(one, &error));
    assert_true(session_id_draw(two, &error));
    assert_memory_not_equal(one, two, SESSION_ID_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_kept_until_it_is_acknowledged),
        cmocka_unit_test(a_duplicate_is_acknowledged_again_and_not_delivered),
        cmocka_unit_test(a_silent_peer_is_probed_with_one_frame_at_doubling_waits),
        cmocka_unit_test(progress_makes_the_waits_short_again),
        cmocka_unit_test(a_refused_number_cannot_be_acknowledged),
        cmocka_unit_test(after_a_gap_everything_from_the_lost_frame_on_comes_again),
        cmocka_unit_test(a_refused_frame_is_given_again),
        cmocka_unit_test(not_more_than_the_window_is_in_flight),
        cmocka_unit_test(of_waiting_unreliable_messages_the_oldest_make_room),
        cmocka_unit_test(messages_arrive_once_and_in_order_whatever_the_network_does),
        cmocka_unit_test(a_large_message_travels_in_parts),
        cmocka_unit_test(the_largest_message_passes_and_one_byte_more_does_not),
        cmocka_unit_test(an_assembled_message_is_bounded),
        cmocka_unit_test(parts_that_do_not_fit_together_break_the_session),
        cmocka_unit_test(headers_that_cannot_be_break_the_session),
        cmocka_unit_test(an_unknown_message_is_ignored_unless_it_must_be_understood),
        cmocka_unit_test(frames_of_another_session_and_greetings_stay_outside),
        cmocka_unit_test(what_cannot_be_packed_leaves_the_session_as_it_was),
        cmocka_unit_test(drawn_names_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
