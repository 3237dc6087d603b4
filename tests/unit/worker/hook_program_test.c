/* Hook programs, as real processes: how they end, what is heard of it, and that nothing of them is left. */
#include "common/clock.h"
#include "tests/support/cluster.h"
#include "tests/support/process.h"
#include "tests/support/test.h"
#include "worker/hook_program.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;
static atomic_bool cancelled;

static int start(void **state)
{
    (void)state;
    folder = make_folder();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    remove_tree(folder);
    free(folder);
    return 0;
}

static int renew(void **state)
{
    (void)state;
    atomic_store(&cancelled, false);
    return 0;
}

/* A shell script in the folder, with default settings. */
static HookProgram shell(char *const argv[])
{
    static char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    return (HookProgram){.hook = "before_tenant",
                         .argv = argv,
                         .environment = environment,
                         .input = -1,
                         .timeout_ms = 20000,
                         .cancelled = &cancelled,
                         .log_context = "test"};
}

#define SHELL(script) shell((char *const[]){"sh", "-c", script, "sh", folder, NULL})

static void expect_error(const HookProgram *program, ErrorCode code, const char *message)
{
    ERROR_CLEANUP Error error = {0};
    assert_false(hook_program_run(program, &error));
    assert_int_equal(error.code, code);
    assert_string_equal(error.message, message);
}

static char *read_all(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return strdup("");
    char text[4096];
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return strdup(text);
}

static void a_success_says_nothing(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram program = SHELL("echo a lot; echo a little >&2");
    assert_true(hook_program_run(&program, &error));
    assert_int_equal(error.code, ERROR_NONE);
}

static void an_exit_status_is_told_with_the_last_words(void **state)
{
    (void)state;
    HookProgram silent = SHELL("exit 3");
    expect_error(&silent, ERROR_CALLBACK, "hook before_tenant ended with exit status 3");
    HookProgram speaking = SHELL("echo no such host >&2; exit 3");
    expect_error(&speaking, ERROR_CALLBACK, "hook before_tenant ended with exit status 3: no such host");
    ERROR_CLEANUP Error error = {0};
    HookProgram long_winded = SHELL("printf 'first\\nsecond\\n' >&2; exit 1");
    assert_false(hook_program_run(&long_winded, &error));
    assert_string_equal(error.message, "hook before_tenant ended with exit status 1: second");
    assert_string_equal(error.detail, "first\nsecond");
}

static void a_signal_is_told(void **state)
{
    (void)state;
    HookProgram program = SHELL("kill -SEGV $$");
    expect_error(&program, ERROR_CALLBACK, "hook before_tenant was ended by signal 11 (Segmentation fault)");
}

static void a_megabyte_on_stderr_neither_blocks_nor_fills_the_error(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram program =
        SHELL("head -c 1000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo the end >&2; exit 1");
    assert_false(hook_program_run(&program, &error));
    assert_string_equal(error.message, "hook before_tenant ended with exit status 1: the end");
    assert_true(strlen(error.detail) <= 2048 + 3);
    assert_memory_equal(error.detail, "...x", 4);
}

static void a_megabyte_on_stdout_is_nobodys_business(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram program = SHELL("head -c 1000000 /dev/zero");
    assert_true(hook_program_run(&program, &error));
}

static void a_missing_program_is_told(void **state)
{
    (void)state;
    HookProgram program = shell((char *const[]){"/nowhere/hook", NULL});
    expect_error(&program, ERROR_CALLBACK,
                 "hook before_tenant could not be started: No such file or directory");
}

static void a_program_past_its_time_is_ended(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram program = SHELL("echo still here >&2; sleep 600");
    program.timeout_ms = 200;
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    assert_false(hook_program_run(&program, &error));
    assert_int_equal(error.code, ERROR_CALLBACK);
    assert_string_equal(error.message, "hook before_tenant was ended after 200 ms: still here");
    assert_non_null(strstr(error.hint, "hooks.timeout_ms"));
    assert_true(clock_now_ms(&SYSTEM_CLOCK) - started_ms < HOOK_GRACE_MS);
}

/* Whether any process has this word in its command line. */
static bool runs(const char *word)
{
    char command[128];
    snprintf(command, sizeof command, "pgrep -f '[s]leep %s' >/dev/null", word);
    return system(command) == 0;
}

static void a_program_that_ignores_sigterm_is_killed_with_its_whole_group(void **state)
{
    (void)state;
    char script[192], word[32];
    snprintf(word, sizeof word, "77%d", (int)getpid());
    snprintf(script, sizeof script, "trap '' TERM; sleep %s & sleep %s; sleep %s", word, word, word);
    HookProgram program = SHELL(script);
    program.timeout_ms = 100;
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    expect_error(&program, ERROR_CALLBACK, "hook before_tenant was ended after 100 ms");
    assert_true(clock_now_ms(&SYSTEM_CLOCK) - started_ms >= HOOK_GRACE_MS);
    assert_false(runs(word));
}

static bool runs_no_more(void *word)
{
    return !runs(word);
}

static void what_it_started_is_ended_with_it(void **state)
{
    (void)state;
    char script[192], word[32];
    snprintf(word, sizeof word, "78%d", (int)getpid());
    snprintf(script, sizeof script, "(trap '' TERM; exec sleep %s) & wait", word);
    HookProgram program = SHELL(script);
    program.timeout_ms = 300;
    expect_error(&program, ERROR_CALLBACK, "hook before_tenant was ended after 300 ms");
    await(runs_no_more, word, 5000, "the end of what the program started");
}

static void *cancel_soon(void *unused)
{
    char *begun;
    while ((begun = read_all("begun"))[0] == '\0') {
        free(begun);
        sleep_ms(5);
    }
    free(begun);
    atomic_store(&cancelled, true);
    return unused;
}

static void a_cancelled_run_ends_what_runs(void **state)
{
    (void)state;
    pthread_t thread;
    HookProgram program = SHELL("echo x > $1/begun; sleep 600");
    pthread_create(&thread, NULL, cancel_soon, NULL);
    expect_error(&program, ERROR_CANCELLED, "hook before_tenant was ended because the run was cancelled");
    pthread_join(thread, NULL);
    char path[256];
    snprintf(path, sizeof path, "%s/begun", folder);
    unlink(path);
}

static void in_a_cancelled_run_only_what_cleans_up_begins(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    atomic_store(&cancelled, true);
    HookProgram program = SHELL("echo x > $1/ran");
    expect_error(&program, ERROR_CANCELLED, "cancelled before hook before_tenant began");
    char *text = read_all("ran");
    assert_string_equal(text, "");
    free(text);
    program.cleans_up = true;
    assert_true(hook_program_run(&program, &error));
    text = read_all("ran");
    assert_string_equal(text, "x\n");
    free(text);
    HookProgram slow = SHELL("sleep 600");
    slow.cleans_up = true;
    expect_error(&slow, ERROR_CANCELLED, "hook before_tenant was ended because the run was cancelled");
}

static void what_it_left_in_the_background_holds_nobody_up(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram program = SHELL("sleep 5 & exit 0");
    int64_t started_ms = clock_now_ms(&SYSTEM_CLOCK);
    assert_true(hook_program_run(&program, &error));
    assert_true(clock_now_ms(&SYSTEM_CLOCK) - started_ms < 3000);
}

/* Slots block every signal; a host may ignore SIGPIPE and SIGINT. */
static void signals_are_as_a_program_expects_them(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    sigset_t all, before;
    sigfillset(&all);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    char script[256]; /* for sed itself: a shell would clear the mask */
    snprintf(script, sizeof script, "/^Sig[BI]/w %s/signals", folder);
    HookProgram program = shell((char *const[]){"sed", "-n", script, "/proc/self/status", NULL});
    bool good = hook_program_run(&program, &error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_true(good);
    char *text = read_all("signals");
    unsigned long long blocked = 1, ignored = 1;
    assert_int_equal(sscanf(text, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
    assert_int_equal(blocked, 0);
    assert_int_equal(ignored & ~(3ULL << 31), 0); /* 32 and 33 are the C library's own */
    free(text);
}

static void it_leads_a_group_of_its_own_and_sees_no_descriptor_of_ours(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    /* Without O_CLOEXEC, as a host may do; at a number that no shell takes for itself. */
    int null = open("/dev/null", O_RDONLY), inherited = dup2(null, 77);
    HookProgram program = SHELL("if test -e /proc/$$/fd/77; then echo 77; fi > $1/fds;"
                                " ps -o pgid= -p $$ | tr -d ' ' > $1/group; echo $$ > $1/pid");
    bool good = hook_program_run(&program, &error);
    close(inherited);
    close(null);
    assert_true(good);
    char *fds = read_all("fds"), *group = read_all("group"), *pid = read_all("pid");
    assert_string_equal(fds, "");
    assert_string_equal(group, pid);
    free(fds);
    free(group);
    free(pid);
}

static void stdin_is_the_file_or_empty(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    HookProgram empty = SHELL("cat > $1/input");
    assert_true(hook_program_run(&empty, &error));
    char *text = read_all("input");
    assert_string_equal(text, "");
    free(text);
    write_file(folder, "given", "words");
    char path[256];
    snprintf(path, sizeof path, "%s/given", folder);
    HookProgram program = SHELL("cat > $1/input");
    program.input = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(hook_program_run(&program, &error));
    close(program.input);
    text = read_all("input");
    assert_string_equal(text, "words");
    free(text);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void *run_many(void *result)
{
    for (int i = 0; i < 125; i++) {
        ERROR_CLEANUP Error error = {0};
        HookProgram program = SHELL("exit 0");
        if (!hook_program_run(&program, &error))
            *(bool *)result = false;
    }
    return NULL;
}

static void five_hundred_in_four_threads_leave_no_zombie_and_no_descriptor(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    pthread_t threads[4];
    bool good[4] = {true, true, true, true};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &good[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(good[i]);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void a_host_that_ignores_its_children_is_told(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    signal(SIGCHLD, SIG_IGN);
    HookProgram program = SHELL("exit 0");
    bool good = hook_program_run(&program, &error);
    signal(SIGCHLD, SIG_DFL);
    assert_false(good);
    assert_string_equal(error.message, "how hook before_tenant ended is not known");
    assert_non_null(strstr(error.hint, "SIGCHLD"));
}

static void programs_are_found_by_path_and_by_name(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_true(hook_program_check("sh", &error));
    assert_true(hook_program_check("/bin/sh", &error));
    static const struct {
        const char *name, *message;
    } REFUSED[] = {
        {"", "the program \"\" cannot be run: No such file or directory"},
        {"no-such-program-here",
         "the program \"no-such-program-here\" cannot be run: No such file or directory"},
        {"/etc/passwd", "the program \"/etc/passwd\" cannot be run: Permission denied"},
        {"/tmp", "the program \"/tmp\" cannot be run: Permission denied"},
    };
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        assert_false(hook_program_check(REFUSED[i].name, &error));
        assert_int_equal(error.code, ERROR_CONFIG);
        assert_string_equal(error.message, REFUSED[i].message);
    }
}

static void only_status_zero_is_a_success(void **state)
{
    (void)state;
    ERROR_CLEANUP Error error = {0};
    assert_true(hook_program_judge("after_tenant", W_EXITCODE(0, 0), "some warning", &error));
    assert_int_equal(error.code, ERROR_NONE);
    assert_false(hook_program_judge("after_tenant", W_EXITCODE(255, 0), "", &error));
    assert_string_equal(error.message, "hook after_tenant ended with exit status 255");
    assert_false(hook_program_judge("after_tenant", W_EXITCODE(0, SIGKILL), "a\nb", &error));
    assert_string_equal(error.message, "hook after_tenant was ended by signal 9 (Killed): b");
    assert_string_equal(error.detail, "a\nb");
}

#define TEST(function) cmocka_unit_test_setup(function, renew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_status_zero_is_a_success),
        TEST(programs_are_found_by_path_and_by_name),
        TEST(a_success_says_nothing),
        TEST(an_exit_status_is_told_with_the_last_words),
        TEST(a_signal_is_told),
        TEST(a_megabyte_on_stderr_neither_blocks_nor_fills_the_error),
        TEST(a_megabyte_on_stdout_is_nobodys_business),
        TEST(a_missing_program_is_told),
        TEST(a_program_past_its_time_is_ended),
        TEST(a_program_that_ignores_sigterm_is_killed_with_its_whole_group),
        TEST(what_it_started_is_ended_with_it),
        TEST(a_cancelled_run_ends_what_runs),
        TEST(in_a_cancelled_run_only_what_cleans_up_begins),
        TEST(what_it_left_in_the_background_holds_nobody_up),
        TEST(signals_are_as_a_program_expects_them),
        TEST(it_leads_a_group_of_its_own_and_sees_no_descriptor_of_ours),
        TEST(stdin_is_the_file_or_empty),
        TEST(a_host_that_ignores_its_children_is_told),
        TEST(five_hundred_in_four_threads_leave_no_zombie_and_no_descriptor),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
