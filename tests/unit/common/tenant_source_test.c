#include "common/tenant.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_list(const TenantList *list, const char *expected)
{
    char text[1024] = "";
    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s/%s", i > 0 ? " " : "",
                 list->items[i].database, list->items[i].id);
    assert_string_equal(text, expected);
}

static bool read_text(TenantList *list, const char *text, Error *error)
{
    return tenant_list_read_bytes(list, text, strlen(text), "list", error);
}

static void assert_lines(const char *text, const char *expected)
{
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    assert_true(read_text(&list, text, &error));
    assert_list(&list, expected);
    tenant_list_clear(&list);
}

static void lines_are_ids_with_or_without_a_database(void **state)
{
    (void)state;
    assert_lines("", "");
    assert_lines("a", "/a");
    assert_lines("a\nmain\tb\n\n# comment\n  \n a b \na/b\n#\n\t \na\n", "/a main/b / a b  /a/b /a");
    assert_lines("\xEF\xBB\xBF"
                 "a\r\nmain\tb\r\n\r\n",
                 "/a main/b");
    assert_lines("\xEF\xBB\xBF", "");
}

static void bad_lines_are_named_and_leave_the_list_alone(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"a\n\tb", "list:2: database name before the tab is empty"},
        {"a\n\nmain\t", "list:3: tenant id is empty"},
        {"main\ta\tb", "list:1: tenant id \"a\\x09b\" holds a control character"},
        {"ma\xffin\ta", "list:1: database name \"ma\\xffin\" is not plain UTF-8 text"},
        {"ma\x01in\ta", "list:1: database name \"ma\\x01in\" is not plain UTF-8 text"},
        {"# fine\na\ncaf\xe9\n", "list:3: tenant id \"caf\\xe9\" is not UTF-8"},
        {"a\rb\n", "list:1: tenant id \"a\\x0db\" holds a control character"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        TenantList list = {0};
        assert_true(tenant_list_add(&list, "main", "before", &error));
        assert_false(read_text(&list, CASES[i].text, &error));
        assert_int_equal(error.code, ERROR_TENANTS);
        assert_string_equal(error.message, CASES[i].message);
        assert_list(&list, "main/before");
        tenant_list_clear(&list);
    }
}

static void a_nul_byte_is_refused(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    assert_false(tenant_list_read_bytes(&list, "a\nb\0c\n", 6, "list", &error));
    assert_string_equal(error.message, "list:2: the line holds a NUL byte");
    assert_int_equal(list.count, 0);
    tenant_list_clear(&list);
}

static void files_are_read(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    char *folder = make_folder(), *path;
    write_file(folder, "tenants", "a\nb\n");
    assert_true(asprintf(&path, "%s/tenants", folder) > 0);
    assert_true(tenant_list_read_file(&list, path, &error));
    assert_list(&list, "/a /b");
    write_file(folder, "tenants", "a\n\x01\n");
    assert_false(tenant_list_read_file(&list, path, &error));
    assert_non_null(strstr(error.message, "/tenants:2: tenant id"));
    assert_false(tenant_list_read_file(&list, folder, &error));
    assert_non_null(strstr(error.message, "Is a directory"));
    assert_false(tenant_list_read_file(&list, "/nowhere/tenants", &error));
    assert_string_equal(error.message, "tenant list not found: /nowhere/tenants");
    assert_non_null(error.hint);
    assert_false(tenant_list_read_file(&list, "/dev/null/tenants", &error));
    assert_string_equal(error.message, "tenant list cannot be read: /dev/null/tenants: Not a directory");
    assert_list(&list, "/a /b");
    tenant_list_clear(&list);
    remove_tree(folder);
    free(folder);
    free(path);
}

static void a_dash_is_standard_input(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    int ends[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a\n\tb\n", 5), 5);
    close(ends[1]);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    bool read = tenant_list_read_file(&list, "-", &error);
    assert_int_not_equal(fcntl(STDIN_FILENO, F_GETFD), -1); /* it is not ours to close */
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_false(read);
    assert_string_equal(error.message, "standard input:2: database name before the tab is empty");
    tenant_list_clear(&list);
}

static bool run(TenantList *list, Error *error, const char *script)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    return tenant_list_read_command(list, argv, error);
}

static void a_command_s_output_is_a_list(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    assert_true(run(&list, &error, "printf 'a\\nmain\\tb\\n'; cat"));
    assert_list(&list, "/a main/b");
    tenant_list_clear(&list);
    char *plain[] = {"echo", "$HOME;*", NULL}; /* no shell looks at arguments */
    assert_true(tenant_list_read_command(&list, plain, &error));
    assert_list(&list, "/$HOME;*");
    tenant_list_clear(&list);
    assert_true(run(&list, &error, "i=0; while [ $i -lt 30000 ]; do echo tenant$i; i=$((i+1)); done"));
    assert_int_equal(list.count, 30000);
    tenant_list_clear(&list);
}

static void a_command_that_fails_gives_nothing(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    assert_false(run(&list, &error, "echo a; exit 3"));
    assert_int_equal(error.code, ERROR_TENANTS);
    assert_string_equal(error.message, "tenant command \"sh\" ended with exit status 3");
    assert_false(run(&list, &error, "echo a; kill -9 $$"));
    assert_string_equal(error.message, "tenant command \"sh\" was ended by signal 9 (Killed)");
    assert_false(run(&list, &error, "echo a; printf '\\tb\\n'"));
    assert_string_equal(error.message, "sh:2: database name before the tab is empty");
    assert_int_equal(list.count, 0);
    tenant_list_clear(&list);
}

static void a_command_that_is_missing_is_named(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    char *missing[] = {"no-such-program-here", "secret", NULL}, *none[] = {NULL}, *empty[] = {"", NULL};
    assert_false(tenant_list_read_command(&list, missing, &error));
    assert_string_equal(error.message,
                        "tenant command \"no-such-program-here\" could not be started: No such "
                        "file or directory");
    assert_non_null(error.hint);
    char *forbidden[] = {"/dev/null", NULL};
    assert_false(tenant_list_read_command(&list, forbidden, &error));
    assert_string_equal(error.message,
                        "tenant command \"/dev/null\" could not be started: Permission denied");
    assert_null(error.hint);
    assert_false(tenant_list_read_command(&list, none, &error));
    assert_string_equal(error.message, "the tenant command is empty");
    assert_false(tenant_list_read_command(&list, empty, &error));
    assert_false(tenant_list_read_command(&list, NULL, &error));
}

static void a_command_starts_with_a_clean_signal_state(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    void (*handler)(int) = signal(SIGTERM, SIG_IGN);
    bool survived_ignored = run(&list, &error, "kill -TERM $$; echo survived");
    signal(SIGTERM, handler);
    bool survived_blocked = run(&list, &error, "kill -INT $$; echo survived");
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_false(survived_ignored);
    assert_false(survived_blocked);
    assert_string_equal(error.message, "tenant command \"sh\" was ended by signal 2 (Interrupt)");
}

static void no_descriptor_or_child_is_left(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    int before = dup(STDIN_FILENO);
    close(before);
    assert_true(run(&list, &error, "echo a"));
    assert_false(run(&list, &error, "exit 1"));
    char *missing[] = {"no-such-program-here", NULL};
    assert_false(tenant_list_read_command(&list, missing, &error));
    assert_false(tenant_list_read_file(&list, "/nowhere", &error));
    int after = dup(STDIN_FILENO);
    close(after);
    assert_int_equal(after, before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    tenant_list_clear(&list);
}

static void a_command_inherits_no_descriptor_of_ours(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    int expected = 4; /* the standard three and what ls reads */
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        expected += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    assert_true(run(&list, &error, "ls /proc/self/fd | wc -l"));
    assert_int_equal(list.count, 1);
    assert_int_equal(atoi(list.items[0].id), expected);
    tenant_list_clear(&list);
}

static void assert_parts(const char *text, const char *expected)
{
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    char *names[] = {"main", "eu"};
    const TextList databases = {names, 2};
    assert_true(tenant_list_parse(&list, text, &databases, &error));
    assert_list(&list, expected);
    tenant_list_clear(&list);
}

static void parts_between_commas_are_tenants(void **state)
{
    (void)state;
    assert_parts("a", "/a");
    assert_parts("a,b,a", "/a /b /a");
    assert_parts("main/a,eu/a, us/a ,eu/x/y", "main/a eu/a /us/a eu/x/y");
    assert_parts("a b , c", "/a b /c");
}

static void a_named_tenant_is_not_split(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    char *names[] = {"main"};
    const TextList databases = {names, 1};
    assert_true(tenant_list_add_named(&list, "a,b ", &databases, &error));
    assert_true(tenant_list_add_named(&list, "main/c,d", &databases, &error));
    assert_true(tenant_list_add_named(&list, "other/e/f", &databases, &error));
    assert_true(tenant_list_add_named(&list, "main/g", NULL, &error));
    assert_list(&list, "/a,b  main/c,d /other/e/f /main/g");
    assert_false(tenant_list_add_named(&list, "main/", &databases, &error));
    assert_string_equal(error.message, "tenant id is empty");
    tenant_list_clear(&list);
}

static void empty_parts_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int part;
    } TEXTS[] = {{"", 1}, {"a,", 2}, {",a", 1}, {"a,,b", 2}, {"a, ,b", 2}, {"main/", 1}, {"a,main/", 2}};
    char *names[] = {"main"};
    const TextList databases = {names, 1};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        ERROR_CLEANUP Error error = {0};
        TenantList list = {0};
        assert_true(tenant_list_add(&list, "", "before", &error));
        assert_false(tenant_list_parse(&list, TEXTS[i].text, &databases, &error));
        char expected[64];
        snprintf(expected, sizeof(expected), "part %d of the tenant list: tenant id is empty", TEXTS[i].part);
        assert_string_equal(error.message, expected);
        assert_list(&list, "/before");
        tenant_list_clear(&list);
    }
    ERROR_CLEANUP Error error = {0};
    TenantList list = {0};
    assert_true(tenant_list_parse(&list, "main/a", NULL, &error));
    assert_list(&list, "/main/a");
    tenant_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_ids_with_or_without_a_database),
        cmocka_unit_test(bad_lines_are_named_and_leave_the_list_alone),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(a_dash_is_standard_input),
        cmocka_unit_test(a_command_s_output_is_a_list),
        cmocka_unit_test(a_command_that_fails_gives_nothing),
        cmocka_unit_test(a_command_that_is_missing_is_named),
        cmocka_unit_test(a_command_starts_with_a_clean_signal_state),
        cmocka_unit_test(no_descriptor_or_child_is_left),
        cmocka_unit_test(a_command_inherits_no_descriptor_of_ours),
        cmocka_unit_test(parts_between_commas_are_tenants),
        cmocka_unit_test(a_named_tenant_is_not_split),
        cmocka_unit_test(empty_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
