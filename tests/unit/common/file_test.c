#include "common/file.h"
#include "tests/support/test.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int pipe_with(const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    close(ends[1]);
    return ends[0];
}

static void everything_up_to_the_limit_is_read(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    FILE_CLEANUP int fd = pipe_with("12345");
    assert_true(file_read_all(fd, 5, &buffer));
    assert_string_equal(buffer_text(&buffer), "12345");
}

static void more_than_the_limit_is_an_error(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    FILE_CLEANUP int fd = pipe_with("123456");
    assert_false(file_read_all(fd, 5, &buffer));
    assert_int_equal(errno, EFBIG);
}

static void the_limit_is_for_all_reads_together(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT), 0); /* one read gives one write */
    assert_int_equal(write(ends[1], "123", 3), 3);
    assert_int_equal(write(ends[1], "456", 3), 3);
    close(ends[1]);
    FILE_CLEANUP int fd = ends[0];
    assert_false(file_read_all(fd, 5, &buffer));
    assert_int_equal(errno, EFBIG);
    assert_string_equal(buffer_text(&buffer), "123");
}

static void failures_are_told_by_errno(void **state)
{
    (void)state;
    BUFFER_CLEANUP Buffer buffer = {0};
    assert_false(file_read_all(-1, 5, &buffer));
    assert_int_equal(errno, EBADF);
    FILE_CLEANUP int fd = pipe_with("1");
    buffer.failed = true;
    assert_false(file_read_all(fd, 5, &buffer));
    assert_int_equal(errno, ENOMEM);
}

static void closing_leaves_negative_descriptors_alone(void **state)
{
    (void)state;
    int fd = pipe_with("");
    file_close(&fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = -1;
    file_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_up_to_the_limit_is_read),
        cmocka_unit_test(more_than_the_limit_is_an_error),
        cmocka_unit_test(the_limit_is_for_all_reads_together),
        cmocka_unit_test(failures_are_told_by_errno),
        cmocka_unit_test(closing_leaves_negative_descriptors_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
