#include "proto/endpoint.h"
#include "proto/link.h"
#include "tests/support/test.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/pgconvoy-endpoint-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

typedef struct Case {
    const char *endpoint;
    bool plain, bind;
    const char *message; /* a part of what the refusal says; NULL = allowed */
} Case;

static const Case CASES[] = {
    {"inproc://hosted", false, true, NULL},
    {"inproc://hosted", false, false, NULL},
    {"inproc://", false, true, "1 to 255 bytes"},
    {"tcp://127.0.0.1:5570", true, true, NULL},
    {"tcp://127.0.0.1:5570", true, false, NULL},
    {"tcp://127.255.1.2:1", true, false, NULL},
    {"tcp://127.0.0.1:*", true, true, NULL},
    {"tcp://localhost:65535", true, true, NULL},
    {"tcp://[::1]:5570", true, true, NULL},
    {"tcp://127.0.0.1:5570", false, true, "open to every user"},
    {"tcp://localhost:5570", false, false, "open to every user"},
    {"tcp://*:5570", true, true, "and needs keys"},
    {"tcp://*:5570", false, true, "and needs keys"},
    {"tcp://0.0.0.0:5570", true, true, "and needs keys"},
    {"tcp://[::]:5570", true, true, "and needs keys"},
    {"tcp://[::ffff:127.0.0.1]:1", true, false, "and needs keys"},
    {"tcp://10.0.0.1:5570", true, false, "and needs keys"},
    {"tcp://128.0.0.1:5570", true, false, "and needs keys"},
    {"tcp://db.example.com:5570", true, false, "and needs keys"},
    {"tcp://localhost.evil.com:1", true, false, "and needs keys"},
    {"tcp://127.1:5570", true, false, "and needs keys"},
    {"tcp://eth0:5570", true, true, "and needs keys"},
    {"tcp://127.0.0.1;10.0.0.1:55", true, false, "and needs keys"},
    {"tcp://127.0.0.1:*", true, false, "port of 1 to 65535"},
    {"tcp://127.0.0.1:0", true, true, "port of 1 to 65535"},
    {"tcp://127.0.0.1:65536", true, true, "port of 1 to 65535"},
    {"tcp://127.0.0.1:+80", true, true, "port of 1 to 65535"},
    {"tcp://127.0.0.1:", true, true, "port of 1 to 65535"},
    {"tcp://127.0.0.1", true, true, "port of 1 to 65535"},
    {"tcp://:5570", true, true, "port of 1 to 65535"},
    {"tcp://", true, true, "port of 1 to 65535"},
    {"udp://127.0.0.1:5570", true, true, "no transport"},
    {"127.0.0.1:5570", true, true, "no transport"},
    {"", true, true, "no transport"},
    {"ipc://", false, true, "names no socket file"},
    {"ipc:///tmp/", false, true, "names no socket file"},
    {"ipc://@abstract", false, true, "lies in no folder"},
    {"ipc://*", false, true, "lies in no folder"},
    {"ipc:///tmp/socket", false, true, "keep other users out"},
    {"ipc:///tmp/socket", false, false, "keep other users out"},
    {"ipc:///socket", false, true, "keep other users out"},
    {"ipc:///nonexistent/socket", false, true, NULL},
    {"ipc:///nonexistent/socket", false, false, "cannot look into folder"},
    {"ipc:///dev/null/socket", false, true, "cannot look into folder"},
};

static void only_the_owner_of_this_process_may_be_at_the_other_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        const Case *row = &CASES[i];
        bool allowed = link_endpoint_check(row->endpoint, row->plain, row->bind, &error);
        if (allowed != (row->message == NULL))
            fail_msg("%s (plain %d, bind %d) was %s: %s", row->endpoint, row->plain, row->bind,
                     allowed ? "allowed" : "refused", error.message);
        if (allowed)
            continue;
        assert_int_equal(error.code, ERROR_CONFIG);
        if (strstr(error.message, row->message) == NULL || strstr(error.message, row->endpoint) == NULL)
            fail_msg("%s: %s", row->endpoint, error.message);
        assert_non_null(error.hint);
    }
}

static void the_refusal_beyond_loopback_names_keys(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_false(link_endpoint_check("tcp://*:5570", ENDPOINT_PLAIN, true, &error));
    assert_non_null(strstr(error.hint, "pgconvoy keygen"));
    assert_false(link_endpoint_check("tcp://127.0.0.1:5570", ENDPOINT_STRICT, true, &error));
    assert_non_null(strstr(error.hint, "--plain"));
}

static void with_keys_every_address_may_be_used(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {"tcp://*:5570", "tcp://10.0.0.1:5570",
                                            "tcp://deploy.example:5570", "tcp://127.0.0.1:5570",
                                            "tcp://[2001:db8::1]:5570"};
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof ADDRESSES[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        ENDPOINT_CLEANUP Endpoint endpoint = {0};
        assert_true(endpoint_parse(ADDRESSES[i], ENDPOINT_KEYS, true, &endpoint, &error));
        assert_true(endpoint.keys);
        assert_int_equal(endpoint.ipv6, strchr(ADDRESSES[i], '[') != NULL);
    }
    /* Who says plain means it, but only where it is allowed. */
    ERROR_CLEANUP Error error = {0};
    ENDPOINT_CLEANUP Endpoint loopback = {0}, beyond = {0};
    assert_true(endpoint_parse(ADDRESSES[3], ENDPOINT_KEYS | ENDPOINT_PLAIN, false, &loopback, &error));
    assert_false(loopback.keys);
    assert_true(endpoint_parse(ADDRESSES[1], ENDPOINT_KEYS | ENDPOINT_PLAIN, false, &beyond, &error));
    assert_true(beyond.keys);
}

static void names_are_resolved_without_asking_anybody(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ENDPOINT_CLEANUP Endpoint endpoint = {0};
    assert_true(endpoint_parse("tcp://localhost:5570", true, false, &endpoint, &error));
    assert_string_equal(endpoint.address, "tcp://127.0.0.1:5570");
    assert_false(endpoint.ipv6);
    endpoint_clear(&endpoint);
    assert_true(endpoint_parse("tcp://[::1]:5570", true, false, &endpoint, &error));
    assert_true(endpoint.ipv6);
}

static void the_folder_of_an_ipc_path_is_its_directory(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *folder;
    } ROWS[] = {
        {"ipc:///run/pgconvoy/main", "/run/pgconvoy"},
        {"ipc:///main", "/"},
        {"ipc://main", "."},
        {"ipc://a/b", "a"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        ERROR_CLEANUP Error error = {0};
        ENDPOINT_CLEANUP Endpoint endpoint = {0};
        assert_true(endpoint_parse(ROWS[i].endpoint, false, true, &endpoint, &error));
        assert_string_equal(endpoint.folder, ROWS[i].folder);
    }
}

static void a_path_too_long_for_the_system_is_refused_before_it_is_cut(void **state)
{
    (void)state;
    for (int length = 107; length <= 108; length++) {
        ERROR_CLEANUP Error error = {0};
        char endpoint[256];
        snprintf(endpoint, sizeof endpoint, "ipc:///nonexistent/%0*d", length - 13, 0);
        assert_int_equal(link_endpoint_check(endpoint, false, true, &error), length == 107);
        if (length == 108)
            assert_non_null(strstr(error.message, "108 bytes, the system's limit is 107"));
    }
}

static void a_folder_that_others_may_enter_is_refused(void **state)
{
    (void)state;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", folder);
    static const mode_t MODES[] = {0700, 0500, 0750, 0701, 0720, 0777};
    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++) {
        for (int bind = 0; bind < 2; bind++) {
            ERROR_CLEANUP Error error = {0};
            assert_int_equal(chmod(folder, MODES[i]), 0);
            assert_int_equal(link_endpoint_check(endpoint, false, bind, &error), (MODES[i] & 077) == 0);
        }
    }
    chmod(folder, 0700);
}

static void a_folder_of_another_owner_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    ERROR_CLEANUP Error error = {0};
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", folder);
    assert_int_equal(chown(folder, 65534, 65534), 0);
    assert_false(link_endpoint_check(endpoint, false, true, &error));
    assert_int_equal(chown(folder, 0, 0), 0);
}

static void a_folder_behind_a_symbolic_link_is_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    char link[128], endpoint[160];
    snprintf(link, sizeof link, "%s-link", folder);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/socket", link);
    assert_int_equal(symlink(folder, link), 0);
    bool allowed = link_endpoint_check(endpoint, false, true, &error);
    unlink(link);
    assert_false(allowed);
}

static void binding_makes_a_missing_folder_for_the_owner_alone(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ENDPOINT_CLEANUP Endpoint endpoint = {0};
    char text[128];
    snprintf(text, sizeof text, "ipc://%s/made/socket", folder);
    assert_true(endpoint_parse(text, false, true, &endpoint, &error));
    assert_true(endpoint_folder_missing(&endpoint));
    mode_t before = umask(0);
    assert_true(endpoint_check_folder(&endpoint, true, &error));
    umask(before);
    struct stat status;
    assert_int_equal(stat(endpoint.folder, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(endpoint_check_folder(&endpoint, true, &error));
    rmdir(endpoint.folder);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ENDPOINT_CLEANUP Endpoint endpoint = {0};
    assert_true(endpoint_parse("ipc:///nonexistent/deeper/socket", false, true, &endpoint, &error));
    assert_false(endpoint_check_folder(&endpoint, true, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
}

static void a_living_socket_and_other_files_are_not_removed(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    ENDPOINT_CLEANUP Endpoint endpoint = {0};
    char text[128];
    snprintf(text, sizeof text, "ipc://%s/socket", folder);
    assert_true(endpoint_parse(text, false, true, &endpoint, &error));
    assert_true(endpoint_check_free(&endpoint, &error));

    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", endpoint.path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_false(endpoint_check_free(&endpoint, &error));
    assert_non_null(strstr(error.message, "in use"));
    close(listener);
    assert_true(endpoint_check_free(&endpoint, &error)); /* left over */
    unlink(endpoint.path);

    FILE *file = fopen(endpoint.path, "w");
    fclose(file);
    assert_false(endpoint_check_free(&endpoint, &error));
    assert_non_null(strstr(error.message, "no socket"));
    unlink(endpoint.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_owner_of_this_process_may_be_at_the_other_end),
        cmocka_unit_test(the_refusal_beyond_loopback_names_keys),
        cmocka_unit_test(with_keys_every_address_may_be_used),
        cmocka_unit_test(names_are_resolved_without_asking_anybody),
        cmocka_unit_test(the_folder_of_an_ipc_path_is_its_directory),
        cmocka_unit_test(a_path_too_long_for_the_system_is_refused_before_it_is_cut),
        cmocka_unit_test(a_folder_that_others_may_enter_is_refused),
        cmocka_unit_test(a_folder_of_another_owner_is_refused),
        cmocka_unit_test(a_folder_behind_a_symbolic_link_is_refused),
        cmocka_unit_test(binding_makes_a_missing_folder_for_the_owner_alone),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
        cmocka_unit_test(a_living_socket_and_other_files_are_not_removed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
