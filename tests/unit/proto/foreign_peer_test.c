/* A worker written from proto/README.md alone: CZMQ for its socket, msgpack-c for its bodies, nothing of ours
 * but what it talks to. */
#include "proto/link.h"
#include "proto/session.h"
#include "tests/support/test.h"
/* clang-format off */
#include <czmq.h>
#include <msgpack.h>
/* clang-format on */

enum { HEADER_SIZE = 48, TIMEOUT_MS = 10000 };

typedef struct Coordinator {
    WireContext *context;
    Link *link;
    Session *session;
    PeerId worker;
} Coordinator;

/* ---- the foreign worker ---- */

static const unsigned char SESSION_ID[16] = "foreign-session";

static void put_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

static void foreign_send(zsock_t *socket, uint8_t type, uint8_t flags, uint64_t seq, uint64_t ack,
                         const msgpack_sbuffer *body)
{
    unsigned char header[HEADER_SIZE] = {'P', 'G', 'C', 'V', 1, 0, type, flags};
    memcpy(header + 8, SESSION_ID, 16);
    put_u64(header + 24, seq);
    put_u64(header + 32, ack);
    put_u64(header + 40, ack + 10);
    zframe_t *first = zframe_new(header, sizeof header), *second = zframe_new(body->data, body->size);
    assert_int_equal(zframe_send(&first, socket, ZFRAME_MORE), 0);
    assert_int_equal(zframe_send(&second, socket, 0), 0);
}

typedef struct ForeignMessage {
    unsigned char header[HEADER_SIZE];
    zframe_t *frame; /* the unpacked body points into it */
    msgpack_unpacked body;
} ForeignMessage;

/* Receives one message of exactly two frames. */
static ForeignMessage foreign_receive(zsock_t *socket)
{
    ForeignMessage message;
    zframe_t *header = zframe_recv(socket);
    assert_non_null(header);
    assert_int_equal(zframe_size(header), HEADER_SIZE);
    assert_true(zframe_more(header));
    message.frame = zframe_recv(socket);
    assert_non_null(message.frame);
    assert_false(zframe_more(message.frame));
    memcpy(message.header, zframe_data(header), HEADER_SIZE);
    zframe_destroy(&header);
    assert_memory_equal(message.header, "PGCV\1", 5);
    assert_memory_equal(message.header + 8, SESSION_ID, 16);
    const char *bytes = (const char *)zframe_data(message.frame);
    size_t size = zframe_size(message.frame), offset = 0;
    msgpack_unpacked_init(&message.body);
    assert_int_equal(msgpack_unpack_next(&message.body, bytes, size, &offset), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, size);
    return message;
}

static void foreign_clear(ForeignMessage *message)
{
    msgpack_unpacked_destroy(&message->body);
    zframe_destroy(&message->frame);
}

static const msgpack_object *find_key(const msgpack_object *map, const char *key)
{
    assert_int_equal(map->type, MSGPACK_OBJECT_MAP);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *pair = &map->via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == strlen(key) &&
            memcmp(pair->key.via.str.ptr, key, strlen(key)) == 0)
            return &pair->val;
    }
    return NULL;
}

static void pack_key(msgpack_packer *packer, const char *key)
{
    msgpack_pack_str_with_body(packer, key, strlen(key));
}

/* {"worker": "foreign", "slots": 3, "colour": [1.5, nil]}: keys out of order, one from the future */
static void foreign_hello(zsock_t *socket)
{
    msgpack_sbuffer body;
    msgpack_packer packer;
    msgpack_sbuffer_init(&body);
    msgpack_packer_init(&packer, &body, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 3);
    pack_key(&packer, "colour");
    msgpack_pack_array(&packer, 2);
    msgpack_pack_double(&packer, 1.5);
    msgpack_pack_nil(&packer);
    pack_key(&packer, "slots");
    msgpack_pack_int(&packer, 3);
    pack_key(&packer, "worker");
    pack_key(&packer, "foreign");
    foreign_send(socket, MESSAGE_HELLO, 0, 0, 0, &body);
    msgpack_sbuffer_destroy(&body);
}

static void foreign_start(zsock_t *socket, uint64_t seq, uint64_t ack)
{
    msgpack_sbuffer body;
    msgpack_packer packer;
    msgpack_sbuffer_init(&body);
    msgpack_packer_init(&packer, &body, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 1);
    pack_key(&packer, "phase");
    msgpack_pack_uint64(&packer, seq);
    foreign_send(socket, MESSAGE_START, 1, seq, ack, &body);
    msgpack_sbuffer_destroy(&body);
}

/* ---- our side ---- */

static IncomingFrame receive(Coordinator *coordinator)
{
    ERROR_CLEANUP Error error = {0};
    IncomingFrame frame;
    LinkPollItem item = {.link = coordinator->link};
    for (;;) {
        LinkStatus status = link_receive(coordinator->link, &frame, &error);
        if (status == LINK_OK)
            return frame;
        if (status == LINK_DROPPED)
            continue;
        assert_int_equal(status, LINK_AGAIN);
        assert_true(link_poll(&item, 1, TIMEOUT_MS, &error));
        assert_true(item.readable);
    }
}

/* Takes frames until a message comes out. */
static Message receive_message(Coordinator *coordinator)
{
    ERROR_CLEANUP Error error = {0};
    Message message = {0};
    while (message.record == NULL) {
        IncomingFrame frame = receive(coordinator);
        SessionReceipt receipt = session_receive(coordinator->session, &frame.header, frame.body,
                                                 frame.body_length, 0, &message, &error);
        free(frame.body);
        if (receipt == SESSION_BROKEN)
            fail_msg("%s", error.message);
    }
    return message;
}

static void send_all(Coordinator *coordinator)
{
    ERROR_CLEANUP Error error = {0};
    OutgoingFrame frame;
    while (session_next_frame(coordinator->session, 0, &frame))
        assert_int_equal(link_send(coordinator->link, &coordinator->worker, &frame, &error), LINK_OK);
}

static void welcome(Coordinator *coordinator)
{
    ERROR_CLEANUP Error error = {0};
    BUFFER_CLEANUP Buffer body = {0};
    IncomingFrame hello = receive(coordinator);
    coordinator->worker = hello.peer;
    Message message;
    assert_int_equal(hello.header.type, MESSAGE_HELLO);
    assert_true(message_unpack(hello.header.type, hello.body, hello.body_length, &message, &error));
    assert_int_equal(((HelloMessage *)message.record)->slots, 3);
    assert_string_equal(((HelloMessage *)message.record)->worker, "foreign");
    assert_string_equal(((HelloMessage *)message.record)->name, "");
    message_clear(&message);
    free(hello.body);

    OutgoingFrame frame;
    SessionOptions options = {.resend_ms = 1000, .resend_max_ms = 1000};
    memcpy(options.session_id, hello.header.session_id, SESSION_ID_SIZE);
    assert_true(message_greeting(MESSAGE_WELCOME, options.session_id,
                                 &(WelcomeMessage){.proto = 1, .heartbeat_ms = 2000}, &body, &frame, &error));
    assert_int_equal(link_send(coordinator->link, &coordinator->worker, &frame, &error), LINK_OK);
    coordinator->session = session_new(&options, &error);
    assert_non_null(coordinator->session);
}

static int open_coordinator(void **state)
{
    ERROR_CLEANUP Error error = {0};
    Coordinator *coordinator = calloc(1, sizeof *coordinator);
    coordinator->context = wire_context_new(&error);
    coordinator->link =
        link_open(coordinator->context,
                  &(LinkOptions){.endpoint = "tcp://127.0.0.1:*", .bind = true, .plain = true}, &error);
    *state = coordinator;
    return coordinator->link != NULL ? 0 : -1;
}

static int close_coordinator(void **state)
{
    Coordinator *coordinator = *state;
    session_free(coordinator->session);
    link_close(coordinator->link, 0);
    wire_context_free(coordinator->context);
    free(coordinator);
    return 0;
}

static zsock_t *connect_worker(const Coordinator *coordinator)
{
    zsock_t *socket = zsock_new_dealer(link_endpoint(coordinator->link));
    assert_non_null(socket);
    zsock_set_rcvtimeo(socket, TIMEOUT_MS);
    return socket;
}

static void a_foreign_worker_greets_works_and_acknowledges(void **state)
{
    ERROR_CLEANUP Error error = {0};
    Coordinator *coordinator = *state;
    zsock_t *worker = connect_worker(coordinator);
    foreign_hello(worker);
    welcome(coordinator);
    ForeignMessage message = foreign_receive(worker);
    assert_int_equal(message.header[6], MESSAGE_WELCOME);
    assert_int_equal(find_key(&message.body.data, "heartbeat_ms")->via.u64, 2000);
    assert_null(find_key(&message.body.data, "run"));
    foreign_clear(&message);

    char operation[] = "migrate";
    JobTenant tenant = {.index = 12, .attempt = 2, .recovering = true};
    JobMessage job = {.job = 1, .operation = operation, .tenants = {.items = &tenant, .count = 1}};
    uint64_t seq;
    assert_true(session_send(coordinator->session, MESSAGE_JOB, &job, &seq, &error));
    send_all(coordinator);
    message = foreign_receive(worker);
    assert_int_equal(message.header[6], MESSAGE_JOB);
    assert_int_equal(message.header[7], 1);
    assert_int_equal(get_u64(message.header + 24), 1);
    assert_int_equal(get_u64(message.header + 32), 0);
    assert_int_equal(get_u64(message.header + 40), 256);
    const msgpack_object *tenants = find_key(&message.body.data, "tenants");
    assert_int_equal(tenants->via.array.size, 1);
    assert_int_equal(find_key(&tenants->via.array.ptr[0], "index")->via.u64, 12);
    assert_true(find_key(&tenants->via.array.ptr[0], "recovering")->via.boolean);
    foreign_clear(&message);

    foreign_start(worker, 1, 1);
    Message started = receive_message(coordinator);
    assert_int_equal(started.type, MESSAGE_START);
    assert_int_equal(((StartMessage *)started.record)->phase, 1);
    message_clear(&started);
    assert_int_equal(session_acked(coordinator->session), seq);
    assert_true(session_owes_ack(coordinator->session));
    assert_true(session_send(coordinator->session, MESSAGE_ACK, NULL, NULL, &error));
    send_all(coordinator);
    message = foreign_receive(worker);
    assert_int_equal(message.header[6], MESSAGE_ACK);
    assert_int_equal(get_u64(message.header + 32), 1);
    assert_int_equal(get_u64(message.header + 40), 257);
    foreign_clear(&message);
    zsock_destroy(&worker);
}

static void a_foreign_worker_that_repeats_and_skips_is_heard_in_order(void **state)
{
    Coordinator *coordinator = *state;
    zsock_t *worker = connect_worker(coordinator);
    foreign_hello(worker);
    welcome(coordinator);
    static const uint64_t ORDER[] = {1, 1, 3, 2, 2, 4, 3};
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++)
        foreign_start(worker, ORDER[i], 0);
    zstr_sendx(worker, "three", "frames", "here", NULL);
    for (int64_t expected = 1; expected <= 3; expected++) {
        Message message = receive_message(coordinator);
        assert_int_equal(((StartMessage *)message.record)->phase, expected);
        message_clear(&message);
    }
    foreign_start(worker, 4, 0);
    Message message = receive_message(coordinator);
    assert_int_equal(((StartMessage *)message.record)->phase, 4);
    message_clear(&message);
    assert_int_equal(link_dropped(coordinator->link), 1);
    zsock_destroy(&worker);
}

int main(void)
{
    zsys_handler_set(NULL); /* signals stay with the test */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_foreign_worker_greets_works_and_acknowledges, open_coordinator,
                                        close_coordinator),
        cmocka_unit_test_setup_teardown(a_foreign_worker_that_repeats_and_skips_is_heard_in_order,
                                        open_coordinator, close_coordinator),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    zsys_shutdown();
    return failures;
}
