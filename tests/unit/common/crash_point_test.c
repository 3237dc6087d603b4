#include "common/crash_point.h"
#include "tests/support/cluster.h"
#include "tests/support/test.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNTED "counted"
#define WRITTEN "written"

/* What a program does at its points; in a child, as it may not survive. */
static int pass_points(const char *folder, const char *at)
{
    pid_t child = fork();
    if (child == 0) {
        if (chdir(folder) != 0)
            _exit(9);
        setenv("PGCONVOY_CRASH_AT", at, 1);
        setenv("PGCONVOY_CRASH_COUNT", COUNTED, 1);
        int fd = open(WRITTEN, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        crash_point(CRASH_BEFORE_SEND);
        crash_point_writing(fd, "abcdef", 6);
        if (write(fd, "abcdef", 6) != 6)
            _exit(9);
        crash_point(CRASH_AFTER_WRITE);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect_file(const char *folder, const char *name, const char *expected)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        assert_true(fgets(text, sizeof text, file) != NULL || feof(file));
        fclose(file);
    }
    assert_string_equal(text, expected);
}

static void expect(const char *at, int status, const char *counted, const char *written)
{
    char *folder = make_folder();
    assert_int_equal(pass_points(folder, at), status);
    expect_file(folder, COUNTED, counted);
    expect_file(folder, WRITTEN, written);
    remove_tree(folder);
    free(folder);
}

static void a_process_dies_at_the_point_that_is_named(void **state)
{
    (void)state;
#ifdef PGCONVOY_CRASH_POINTS
    expect("0", 0, "shj", "abcdef");
    expect("1", 128 + SIGKILL, "s", "");
    expect("2", 128 + SIGKILL, "sh", "abc");
    expect("3", 128 + SIGKILL, "shj", "abcdef");
    expect("4", 0, "shj", "abcdef");
#else
    expect("1", 0, "", "abcdef");
    expect("2", 0, "", "abcdef");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_process_dies_at_the_point_that_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
