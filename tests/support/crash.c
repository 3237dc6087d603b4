#include "tests/support/crash.h"
#include "tests/support/test.h"
#include "tests/support/truth.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUN_DEADLINE_MS = 60000, LEFT_OVER_MS = 20000, KILLED = 128 + 9 };

static const char *const TIMES[] = {
    "PGCONVOY_WIRE_HEARTBEAT_MS=50", "PGCONVOY_WIRE_SUSPECT_MS=200",  "PGCONVOY_WIRE_DEAD_MS=500",
    "PGCONVOY_WIRE_RESEND_MS=100",   "PGCONVOY_WIRE_RECONNECT_MS=20", "PGCONVOY_WIRE_RECONNECT_MAX_MS=100",
};

enum { TIMES_COUNT = sizeof TIMES / sizeof TIMES[0] };

/* `entry` besides the times; the child has it when this returns. */
static Process *start(Fleet *fleet, const char *const words[], const char *entry)
{
    const char *environment[TIMES_COUNT + 2] = {0};
    memcpy(environment, TIMES, sizeof TIMES);
    environment[TIMES_COUNT] = entry;
    return process_start(fleet->folder, environment, words);
}

Process *crash_start(Fleet *fleet, const char *const words[], long at)
{
    char entry[64];
    snprintf(entry, sizeof entry, "PGCONVOY_CRASH_AT=%ld", at);
    return start(fleet, words, entry);
}

bool crash_run(Fleet *fleet, const char *const words[], long at, char **ret_out)
{
    Process *process = crash_start(fleet, words, at);
    int status = process_wait(process, RUN_DEADLINE_MS);
    bool died = at > 0 && status == KILLED;
    if (status != 0 && !died) {
        char *err = process_err(process);
        fail_msg("%s with a crash at point %ld: exit %d: %s", words[1], at, status, err);
    }
    if (ret_out != NULL)
        *ret_out = process_out(process);
    process_free(process);
    return died;
}

CrashCount crash_count_begin(const Fleet *fleet)
{
    CrashCount count = {0};
    assert_true(asprintf(&count.path, "%s/points", fleet->folder) > 0);
    assert_true(asprintf(&count.entry, "PGCONVOY_CRASH_COUNT=%s", count.path) > 0);
    return count;
}

long crash_count_end(CrashCount *count, const char *what)
{
    struct stat info;
    assert_int_equal(stat(count->path, &info), 0);
    assert_true(info.st_size > 0);
    unlink(count->path);
    free(count->path);
    free(count->entry);
    print_message("%s: %ld points\n", what, (long)info.st_size);
    return (long)info.st_size;
}

long crash_count(Fleet *fleet, const char *const words[], const char *what)
{
    CrashCount count = crash_count_begin(fleet);
    Process *process = start(fleet, words, count.entry);
    assert_int_equal(process_wait(process, RUN_DEADLINE_MS), 0);
    process_free(process);
    return crash_count_end(&count, what);
}

static bool wants_all(void)
{
    const char *sweep = getenv("PGCONVOY_SWEEP");
    return sweep != NULL && strcmp(sweep, "all") == 0;
}

long crash_step(long points, long tries)
{
    if (wants_all() || points <= tries)
        return 1;
    long step = points / tries;
    return step % 3 == 0 ? step + 1 : step; /* points come by threes: before, amid, after */
}

void crash_renew(Fleet *fleet)
{
    char *state;
    crash_expect(truth_left_over(fleet, LEFT_OVER_MS), "before a new beginning", 0);
    sql_run(fleet->connection,
            "DO $$ DECLARE s text; BEGIN"
            " FOR s IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\\_%%' LOOP"
            "  EXECUTE format('DROP SCHEMA %%I CASCADE', s); END LOOP;"
            " FOR s IN SELECT 'tenant_' || id FROM public.tenants LOOP"
            "  EXECUTE format('CREATE SCHEMA %%I', s); END LOOP;"
            " TRUNCATE public.marks; END $$");
    assert_true(asprintf(&state, "%s/state", fleet->folder) > 0);
    remove_tree(state);
    free(state);
}

void crash_expect(char *violation, const char *what, long at)
{
    if (violation != NULL)
        fail_msg("%s, point %ld: %s", what, at, violation);
}
