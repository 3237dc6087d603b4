/* Keys: files, peers, and who comes in over a link that uses them. */
#include "common/clock.h"
#include "common/log.h"
#include "proto/link.h"
#include "proto/wire_context.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { DEADLINE_MS = 10000, PATH_SIZE = 128 };

static char folder[] = "/tmp/pgconvoy-keys-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[8][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, mode_t mode, const char *text)
{
    char temporary[PATH_SIZE];
    snprintf(temporary, sizeof temporary, "%s.new", path_of(name));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
    assert_int_equal(rename(temporary, path_of(name)), 0);
}

static CurveKey make_key(const char *name)
{
    ERROR_CLEANUP Error error = {0};
    CurveKey key;
    unlink(path_of(name));
    assert_true(curve_key_generate(&key, &error));
    assert_true(curve_key_write(&key, path_of(name), &error));
    return key;
}

static int set_up(void **state)
{
    (void)state;
    log_configure(LOG_ERROR, false);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[PATH_SIZE];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- files ---- */

static void a_key_file_comes_back_and_is_never_overwritten(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    CurveKey key = make_key("own"), read;
    assert_true(curve_key_read(path_of("own"), &read, &error));
    assert_memory_equal(&key, &read, sizeof key);
    struct stat status;
    assert_int_equal(stat(path_of("own"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_false(curve_key_write(&key, path_of("own"), &error));
    assert_non_null(strstr(error.message, "own"));
    assert_non_null(error.hint);
}

static void a_key_file_that_others_could_read_is_refused(void **state)
{
    (void)state;
    make_key("open");
    static const mode_t MODES[] = {0640, 0604, 0660, 0644, 0601};
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        CurveKey key;
        chmod(path_of("open"), MODES[i]);
        assert_false(curve_key_read(path_of("open"), &key, &error));
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_non_null(strstr(error.hint, "chmod 600"));
    }
    ERROR_CLEANUP Error error = {0};
    CurveKey key;
    chmod(path_of("open"), 0600);
    assert_int_equal(symlink(path_of("open"), path_of("link")), 0);
    assert_false(curve_key_read(path_of("link"), &key, &error)); /* it could be turned elsewhere */
}

static void a_broken_key_file_is_refused_without_showing_it(void **state)
{
    (void)state;
    CurveKey key = make_key("a"), other = make_key("b");
    char texts[6][512];
    snprintf(texts[0], 512, "public %s\n", key.public_key);
    snprintf(texts[1], 512, "secret %s\n", key.secret_key);
    snprintf(texts[2], 512, "public %s\nsecret %s\n", other.public_key, key.secret_key);
    snprintf(texts[3], 512, "public %s\nsecret %.39s\n", key.public_key, key.secret_key);
    snprintf(texts[4], 512, "public %s\nsecret %s\nmore\n", key.public_key, key.secret_key);
    snprintf(texts[5], 512, "%s", "");
    for (size_t i = 0; i < 6; i++) {
        ERROR_CLEANUP Error error = {0};
        CurveKey read;
        write_text("broken", 0600, texts[i]);
        assert_false(curve_key_read(path_of("broken"), &read, &error));
        char *all = error_format(&error);
        assert_null(strstr(all, key.secret_key));
        free(all);
    }
}

/* ---- the peers file ---- */

typedef struct BadPeers {
    const char *text; /* %1$s, %2$s: two public keys */
    const char *message;
} BadPeers;

static const BadPeers BAD_PEERS[] = {
    {"worker w\n", "peers:1: the line is not ROLE NAME PUBLIC-KEY"},
    {"\n# c\nwatcher w %1$s\n", "peers:3: the line begins neither"},
    {"worker w tooshort\n", "peers:1: the line has no public key"},
    {"worker w %1$s http://x\n", "peers:1: the line has an address"},
    {"worker w %1$s tcp://x:1 more\n", "peers:1: the line is not ROLE"},
    {"worker w %1$s\nworker v %2$s\nworker u %1$s\n", "peers:3: this key is already that of worker \"w\""},
    {"worker w %1$s\ncoordinator w %1$s\n", "peers:2: this key is already that of worker"},
    {"worker w\x01 %1$s\n", "control characters"},
    {"worker \xff %1$s\n", "not UTF-8"},
};

static void a_wrong_line_is_named(void **state)
{
    (void)state;
    CurveKey a = make_key("a"), b = make_key("b");
    for (size_t i = 0; i < sizeof BAD_PEERS / sizeof BAD_PEERS[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        char text[512];
        snprintf(text, sizeof text, BAD_PEERS[i].text, a.public_key, b.public_key);
        Peers peers = {0};
        assert_false(peers_parse(text, strlen(text), "peers", &peers, &error));
        if (strstr(error.message, BAD_PEERS[i].message) == NULL)
            fail_msg("%s: %s", text, error.message);
    }
}

static void a_peers_file_that_others_may_write_is_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    Peers peers = {0};
    write_text("peers", 0664, "");
    assert_false(peers_read(path_of("peers"), &peers, &error));
    assert_non_null(strstr(error.message, "can be changed by other users"));
    write_text("peers", 0644, "");
    assert_true(peers_read(path_of("peers"), &peers, &error));
    assert_int_equal(peers.count, 0);
    peers_clear(&peers);
}

static void addresses_lead_to_keys_in_the_order_of_the_file(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    CurveKey keys[4] = {make_key("a"), make_key("b"), make_key("c"), make_key("d")};
    char text[1024];
    snprintf(text, sizeof text,
             "worker w %s tcp://h:1\nworker w %s tcp://h:1\ncoordinator c %s\nworker other %s\n",
             keys[0].public_key, keys[1].public_key, keys[2].public_key, keys[3].public_key);
    Peers peers = {0};
    assert_true(peers_parse(text, strlen(text), "peers", &peers, &error));
    assert_string_equal(peers_at_address(&peers, PEER_WORKER, "tcp://h:1", 0)->public_key,
                        keys[0].public_key);
    assert_string_equal(peers_at_address(&peers, PEER_WORKER, "tcp://h:1", 1)->public_key,
                        keys[1].public_key);
    assert_null(peers_at_address(&peers, PEER_WORKER, "tcp://h:1", 2));
    assert_string_equal(peers_at_address(&peers, PEER_WORKER, "tcp://x:9", 0)->name, "other");
    assert_string_equal(peers_at_address(&peers, PEER_COORDINATOR, "tcp://h:1", 0)->name, "c");
    assert_string_equal(peers_find(&peers, PEER_WORKER, keys[3].public_key)->name, "other");
    assert_null(peers_find(&peers, PEER_COORDINATOR, keys[3].public_key));
    peers_clear(&peers);
}

/* ---- links ---- */

/* A program: its context with keys, and one link. */
typedef struct Side {
    WireContext *context;
    Link *link;
} Side;

static Side open_side(PeerRole role, const char *key, const char *peers, const char *endpoint, bool bind)
{
    ERROR_CLEANUP Error error = {0};
    Side side = {.context = wire_context_new(&error)};
    assert_non_null(side.context);
    if (!wire_context_use_keys(side.context, &(KeyringOptions){path_of(key), path_of(peers), role}, &error))
        fail_msg("%s", error.message);
    LinkOptions options = {.endpoint = endpoint, .bind = bind, .reconnect_ms = 20, .reconnect_max_ms = 50};
    side.link = link_open(side.context, &options, &error);
    if (side.link == NULL)
        fail_msg("%s", error.message);
    return side;
}

static void close_side(Side *side)
{
    link_close(side->link, 0);
    wire_context_free(side->context);
}

static void write_peer(const char *file, const char *role, const CurveKey *key)
{
    char text[256];
    snprintf(text, sizeof text, "%s peer %s\n", role, key->public_key);
    write_text(file, 0644, text);
}

/* Sends frames until one arrives or the time is over. */
static bool frame_passes(Link *from, Link *to, int64_t patience_ms)
{
    ERROR_CLEANUP Error error = {0};
    static const PeerId NOBODY;
    OutgoingFrame frame = {
        .header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT}, .body = "x", .body_length = 1};
    int64_t deadline_ms = clock_now_ms(&SYSTEM_CLOCK) + patience_ms;
    while (clock_now_ms(&SYSTEM_CLOCK) < deadline_ms) {
        LinkStatus sent = link_send(from, &NOBODY, &frame, &error);
        (void)sent;
        LinkPollItem item = {.link = to};
        assert_true(link_poll(&item, 1, 20, &error));
        IncomingFrame incoming;
        LinkStatus received = link_receive(to, &incoming, &error);
        if (received != LINK_OK)
            continue;
        free(incoming.body);
        return true;
    }
    return false;
}

enum { REFUSAL_MS = 700 }; /* several handshakes on loopback take a few milliseconds each */

static void peers_who_know_each_other_talk(void **state)
{
    (void)state;
    CurveKey coordinator = make_key("c"), worker = make_key("w");
    write_peer("c.peers", "worker", &worker);
    write_peer("w.peers", "coordinator", &coordinator);
    Side server = open_side(PEER_COORDINATOR, "c", "c.peers", "tcp://127.0.0.1:*", true);
    Side client = open_side(PEER_WORKER, "w", "w.peers", link_endpoint(server.link), false);
    assert_true(link_has_keys(client.link));
    assert_true(frame_passes(client.link, server.link, DEADLINE_MS));
    close_side(&client);
    /* The other way round: the worker listens. */
    close_side(&server);
    server = open_side(PEER_WORKER, "w", "w.peers", "tcp://127.0.0.1:*", true);
    client = open_side(PEER_COORDINATOR, "c", "c.peers", link_endpoint(server.link), false);
    assert_true(frame_passes(client.link, server.link, DEADLINE_MS));
    close_side(&client);
    close_side(&server);
}

static void strangers_and_wrong_roles_are_kept_out(void **state)
{
    (void)state;
    CurveKey coordinator = make_key("c"), worker = make_key("w"), stranger = make_key("s");
    write_peer("w.peers", "coordinator", &coordinator);
    /* The coordinator knows the worker's key, but as a coordinator's. */
    write_peer("c.peers", "coordinator", &worker);
    Side server = open_side(PEER_COORDINATOR, "c", "c.peers", "tcp://127.0.0.1:*", true);
    Side client = open_side(PEER_WORKER, "w", "w.peers", link_endpoint(server.link), false);
    assert_false(frame_passes(client.link, server.link, REFUSAL_MS));
    close_side(&client);
    client = open_side(PEER_WORKER, "s", "w.peers", link_endpoint(server.link), false);
    assert_false(frame_passes(client.link, server.link, REFUSAL_MS));
    close_side(&client);
    /* A client that takes another server for the right one does not talk to it either. */
    write_peer("w.peers", "coordinator", &stranger);
    write_peer("c.peers", "worker", &worker);
    wire_context_reload_peers(server.context);
    client = open_side(PEER_WORKER, "w", "w.peers", link_endpoint(server.link), false);
    assert_false(frame_passes(client.link, server.link, REFUSAL_MS));
    close_side(&client);
    close_side(&server);
}

static void who_has_no_key_is_kept_out(void **state)
{
    (void)state;
    make_key("c");
    CurveKey worker = make_key("w");
    write_peer("c.peers", "worker", &worker);
    Side server = open_side(PEER_COORDINATOR, "c", "c.peers", "tcp://127.0.0.1:*", true);
    ERROR_CLEANUP Error error = {0};
    WireContext *context = wire_context_new(&error);
    LinkOptions options = {.endpoint = link_endpoint(server.link), .plain = true, .reconnect_ms = 20};
    Link *plain = link_open(context, &options, &error);
    assert_non_null(plain);
    assert_false(frame_passes(plain, server.link, REFUSAL_MS));
    link_close(plain, 0);
    wire_context_free(context);
    close_side(&server);
}

static void a_revoked_key_is_refused_also_on_a_standing_connection(void **state)
{
    (void)state;
    CurveKey coordinator = make_key("c"), worker = make_key("w"), other = make_key("o");
    write_peer("c.peers", "worker", &worker);
    write_peer("w.peers", "coordinator", &coordinator);
    Side server = open_side(PEER_COORDINATOR, "c", "c.peers", "tcp://127.0.0.1:*", true);
    Side client = open_side(PEER_WORKER, "w", "w.peers", link_endpoint(server.link), false);
    assert_true(frame_passes(client.link, server.link, DEADLINE_MS));
    write_peer("c.peers", "worker", &other);
    wire_context_reload_peers(server.context);
    uint64_t dropped = link_dropped(server.link);
    assert_false(frame_passes(client.link, server.link, REFUSAL_MS));
    assert_true(link_dropped(server.link) > dropped);
    /* ... and comes in again, by itself, when it is known again: the file is looked at every second. */
    write_peer("c.peers", "worker", &worker);
    assert_true(frame_passes(client.link, server.link, DEADLINE_MS));
    close_side(&client);
    close_side(&server);
}

static void the_second_key_of_a_peer_is_tried_after_the_first(void **state)
{
    (void)state;
    CurveKey old = make_key("old"), new = make_key("c"), worker = make_key("w");
    write_peer("c.peers", "worker", &worker);
    char text[512];
    snprintf(text, sizeof text, "coordinator c %s\ncoordinator c %s\n", old.public_key, new.public_key);
    write_text("w.peers", 0644, text);
    Side server = open_side(PEER_COORDINATOR, "c", "c.peers", "tcp://127.0.0.1:*", true);
    Side client = open_side(PEER_WORKER, "w", "w.peers", link_endpoint(server.link), false);
    assert_false(frame_passes(client.link, server.link, REFUSAL_MS));
    ERROR_CLEANUP Error error = {0};
    assert_true(link_reopen(client.link, &error));
    assert_true(frame_passes(client.link, server.link, DEADLINE_MS));
    close_side(&client);
    close_side(&server);
}

/* The keyring's thread is what answers; a listening socket that outlives it must let nobody in. */
static void nobody_comes_in_when_nobody_answers_for_keys(void **state)
{
    (void)state;
    CurveKey coordinator = make_key("c"), worker = make_key("w");
    write_peer("w.peers", "coordinator", &coordinator);
    ERROR_CLEANUP Error error = {0};
    WireContext *context = wire_context_new(&error);
    void *socket = zmq_socket(wire_context_zmq(context), ZMQ_ROUTER);
    int on = 1, linger = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, "pgconvoy", 8), 0);
    assert_int_equal(zmq_setsockopt(socket, 93, &on, sizeof on), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, coordinator.secret_key, 41), 0);
    assert_int_equal(zmq_bind(socket, "tcp://127.0.0.1:*"), 0);
    char endpoint[128];
    size_t size = sizeof endpoint;
    zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size);
    (void)worker;
    Side client = open_side(PEER_WORKER, "w", "w.peers", endpoint, false);
    static const PeerId NOBODY;
    OutgoingFrame frame = {
        .header = {.major = PROTOCOL_MAJOR, .type = MESSAGE_HEARTBEAT}, .body = "x", .body_length = 1};
    char byte;
    int64_t deadline_ms = clock_now_ms(&SYSTEM_CLOCK) + REFUSAL_MS;
    while (clock_now_ms(&SYSTEM_CLOCK) < deadline_ms) {
        LinkStatus sent = link_send(client.link, &NOBODY, &frame, &error);
        assert_int_not_equal(sent, LINK_OK);
        LinkPollItem item = {.link = client.link};
        assert_true(link_poll(&item, 1, 20, &error));
        assert_int_equal(zmq_recv(socket, &byte, 1, ZMQ_DONTWAIT), -1);
    }
    close_side(&client);
    zmq_close(socket);
    wire_context_free(context);
}

static void keys_are_asked_for_where_addresses_need_them(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    WireContext *context = wire_context_new(&error);
    LinkOptions options = {.endpoint = "tcp://*:5570", .bind = true, .plain = true};
    assert_null(link_open(context, &options, &error));
    assert_non_null(strstr(error.hint, "pgconvoy keygen"));
    wire_context_free(context);
    /* A client whose peers file does not know the server. */
    make_key("w");
    write_text("w.peers", 0644, "");
    context = wire_context_new(&error);
    KeyringOptions keys = {path_of("w"), path_of("w.peers"), PEER_WORKER};
    assert_true(wire_context_use_keys(context, &keys, &error));
    options = (LinkOptions){.endpoint = "tcp://10.9.8.7:5570"};
    assert_null(link_open(context, &options, &error));
    assert_non_null(strstr(error.message, "no key for the coordinator at tcp://10.9.8.7:5570"));
    wire_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_file_comes_back_and_is_never_overwritten),
        cmocka_unit_test(a_key_file_that_others_could_read_is_refused),
        cmocka_unit_test(a_broken_key_file_is_refused_without_showing_it),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(a_peers_file_that_others_may_write_is_refused),
        cmocka_unit_test(addresses_lead_to_keys_in_the_order_of_the_file),
        cmocka_unit_test(peers_who_know_each_other_talk),
        cmocka_unit_test(strangers_and_wrong_roles_are_kept_out),
        cmocka_unit_test(who_has_no_key_is_kept_out),
        cmocka_unit_test(a_revoked_key_is_refused_also_on_a_standing_connection),
        cmocka_unit_test(the_second_key_of_a_peer_is_tried_after_the_first),
        cmocka_unit_test(nobody_comes_in_when_nobody_answers_for_keys),
        cmocka_unit_test(keys_are_asked_for_where_addresses_need_them),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
