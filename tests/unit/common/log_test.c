#include "common/log.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* What a function writes to stderr, through a packet pipe: one read gives what one write(2) wrote. */
static int saved_stderr = -1, captured = -1;

static void capture(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    captured = ends[0];
}

static void release(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(captured);
}

/* The text of the next write, "" when there is none. */
static const char *next_write(void)
{
    static char text[4097];
    ssize_t length = read(captured, text, sizeof(text) - 1);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

/* Checks the timestamp's shape and returns what follows it. */
static const char *after_timestamp(const char *line)
{
    static const char SHAPE[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof(SHAPE) - 1; i++) {
        if (SHAPE[i] == 'd')
            assert_in_range(line[i], '0', '9');
        else
            assert_int_equal(line[i], SHAPE[i]);
    }
    return line + sizeof(SHAPE) - 1;
}

static void a_line_has_time_level_context_and_message(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_DEBUG, false);
    log_message(LOG_INFO, "run=ab12 worker=w3", "started %d", 7);
    assert_string_equal(after_timestamp(next_write()), "INFO  run=ab12 worker=w3: started 7\n");
    log_message(LOG_WARNING, NULL, "alone");
    assert_string_equal(after_timestamp(next_write()), "WARN  alone\n");
    log_message(LOG_ERROR, "", "alone");
    assert_string_equal(after_timestamp(next_write()), "ERROR alone\n");
    log_message(LOG_DEBUG, "c", "d");
    assert_string_equal(after_timestamp(next_write()), "DEBUG c: d\n");
    assert_string_equal(next_write(), "");
    release();
}

static void levels_above_the_threshold_are_silent(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_WARNING, false);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARNING));
    assert_false(log_enabled(LOG_INFO));
    log_message(LOG_INFO, "c", "hidden");
    ERROR_CLEANUP Error error = {0};
    error_set(&error, ERROR_CONFIG, "hidden");
    log_error_value(LOG_DEBUG, "c", &error);
    assert_string_equal(next_write(), "");
    release();
}

static Error server_error(void)
{
    Error error = {0};
    error_set(&error, ERROR_SERVER, "column \"total\" already exists");
    error_set_detail(&error, "first\nsecond");
    error_set_hint(&error, "look");
    memcpy(error.sqlstate, "42701", 6);
    error.tenant = strdup("acme");
    error.migration = strdup("0017_x");
    error.line = 4;
    error.column = 9;
    return error;
}

static void an_error_is_one_entry_with_detail_and_hint(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_INFO, false);
    ERROR_CLEANUP Error error = server_error();
    log_error_value(LOG_ERROR, "run=ab12", &error);
    char *entry = strdup(next_write());
    assert_string_equal(next_write(), "");
    release();
    char *rest = entry;
    assert_string_equal(
        after_timestamp(strsep(&rest, "\n")),
        "ERROR run=ab12: tenant \"acme\": migration 0017_x:4:9: column \"total\" already exists "
        "(SQLSTATE 42701)");
    assert_string_equal(after_timestamp(strsep(&rest, "\n")), "ERROR run=ab12: DETAIL: first");
    assert_string_equal(strsep(&rest, "\n"), "\tsecond");
    assert_string_equal(after_timestamp(strsep(&rest, "\n")), "ERROR run=ab12: HINT: look");
    assert_string_equal(rest, "");
    free(entry);
}

static void an_error_without_texts_tells_its_class(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_INFO, false);
    const Error error = {.code = ERROR_BUSY, .migration = "0001_x"};
    log_error_value(LOG_WARNING, "c", &error);
    assert_string_equal(after_timestamp(next_write()),
                        "WARN  c: migration 0001_x: somebody else holds the tenant's lock\n");
    release();
}

static void texts_cannot_forge_entries_or_reach_the_terminal(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_INFO, false);
    log_message(LOG_INFO, "tenant=a\nb", "x\n2026 ERROR forged \x1b[2J\x7f\ttab");
    assert_string_equal(after_timestamp(next_write()),
                        "INFO  tenant=a\n\tb: x\n\t2026 ERROR forged \\x1b[2J\\x7f\ttab\n");
    release();
}

static json_t *next_object(void)
{
    const char *line = next_write();
    assert_string_equal(strchr(line, '\n'), "\n"); /* exactly one line */
    json_t *object = json_loads(line, 0, NULL);
    assert_non_null(object);
    return object;
}

static void assert_member(const json_t *object, const char *key, const char *expected)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (expected == NULL)
        assert_null(json_object_get(object, key));
    else
        assert_string_equal(value, expected);
}

static void json_lines_have_the_context_as_members(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_INFO, true);
    log_message(LOG_INFO, "pool manager run=ab12  worker=w=3 =odd level=9 message=no", "a \"b\"\n\xff");
    json_t *object = next_object();
    assert_member(object, "level", "info");
    assert_member(object, "run", "ab12");
    assert_member(object, "worker", "w=3");
    assert_member(object, "context", "pool manager =odd");
    assert_member(object, "message", "a \"b\"\n\xEF\xBF\xBD");
    assert_member(object, "code", NULL);
    assert_int_equal(strlen(json_string_value(json_object_get(object, "ts"))), 24);
    json_decref(object);
    log_message(LOG_INFO, NULL, "alone");
    object = next_object();
    assert_int_equal(json_object_size(object), 3);
    json_decref(object);
    release();
}

static void json_lines_have_the_error_as_members(void **state)
{
    (void)state;
    capture();
    log_configure(LOG_INFO, true);
    ERROR_CLEANUP Error error = server_error();
    log_error_value(LOG_ERROR, "tenant=other", &error);
    json_t *object = next_object();
    assert_member(object, "level", "error");
    assert_member(object, "message", "column \"total\" already exists");
    assert_member(object, "detail", "first\nsecond");
    assert_member(object, "hint", "look");
    assert_member(object, "sqlstate", "42701");
    assert_member(object, "code", "server");
    assert_member(object, "tenant", "acme");
    assert_member(object, "migration", "0017_x");
    assert_int_equal(json_integer_value(json_object_get(object, "line")), 4);
    assert_int_equal(json_integer_value(json_object_get(object, "column")), 9);
    json_decref(object);
    const Error bare = {.code = ERROR_BUSY};
    log_error_value(LOG_ERROR, "", &bare);
    object = next_object();
    assert_member(object, "sqlstate", NULL);
    assert_member(object, "detail", NULL);
    assert_null(json_object_get(object, "line"));
    json_decref(object);
    release();
}

static void logging_keeps_errno(void **state)
{
    (void)state;
    const Error error = {.code = ERROR_BUSY};
    log_configure(LOG_INFO, false);
    saved_stderr = dup(STDERR_FILENO);
    close(STDERR_FILENO); /* every write fails with EBADF */
    errno = ENOTTY;
    log_message(LOG_INFO, "c", "lost");
    log_error_value(LOG_INFO, "c", &error);
    int after = errno;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    assert_int_equal(after, ENOTTY);
}

enum { THREADS = 4, LINES = 100 };

static void *chatter(void *argument)
{
    for (int i = 0; i < LINES; i++)
        log_message(LOG_INFO, argument, "line %d", i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    char path[] = "/tmp/pgconvoy-log-XXXXXX";
    int fd = mkstemp(path);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    log_configure(LOG_INFO, false);
    pthread_t threads[THREADS];
    static char contexts[THREADS][8];
    for (int i = 0; i < THREADS; i++) {
        snprintf(contexts[i], sizeof(contexts[i]), "t=%d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, chatter, contexts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    FILE *file = fdopen(fd, "r");
    rewind(file);
    char line[256];
    int counts[THREADS] = {0};
    while (fgets(line, sizeof(line), file) != NULL) {
        int thread, number;
        assert_int_equal(sscanf(after_timestamp(line), "INFO  t=%d: line %d\n", &thread, &number), 2);
        assert_int_equal(number, counts[thread]++);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], LINES);
    fclose(file);
    unlink(path);
}

static void colour_is_for_terminals_without_no_color(void **state)
{
    (void)state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    int shown = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(shown >= 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(shown, STDERR_FILENO);
    unsetenv("NO_COLOR");
    log_configure(LOG_INFO, false);
    log_message(LOG_ERROR, "c", "coloured");
    setenv("NO_COLOR", "1", 1);
    log_configure(LOG_INFO, false);
    log_message(LOG_ERROR, "c", "plain");
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    FILE *output = fdopen(terminal, "r");
    char line[256];
    assert_non_null(fgets(line, sizeof(line), output));
    assert_string_equal(after_timestamp(line), "\033[31mERROR\033[0m c: coloured\r\n");
    assert_non_null(fgets(line, sizeof(line), output));
    assert_string_equal(after_timestamp(line), "ERROR c: plain\r\n");
    fclose(output);
    close(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_context_and_message),
        cmocka_unit_test(levels_above_the_threshold_are_silent),
        cmocka_unit_test(an_error_is_one_entry_with_detail_and_hint),
        cmocka_unit_test(an_error_without_texts_tells_its_class),
        cmocka_unit_test(texts_cannot_forge_entries_or_reach_the_terminal),
        cmocka_unit_test(json_lines_have_the_context_as_members),
        cmocka_unit_test(json_lines_have_the_error_as_members),
        cmocka_unit_test(logging_keeps_errno),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(colour_is_for_terminals_without_no_color),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
