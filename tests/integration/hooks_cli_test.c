/* Hooks as executables: the operator's configuration, in this process's worker and in remote ones. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Every call leaves a line "HOOK TENANT MIGRATION", its environment and its stdin. */
static const char RECORDER[] = "#!/bin/sh\n"
                               "echo \"$PGCONVOY_HOOK $PGCONVOY_TENANT $PGCONVOY_MIGRATION\" >> calls\n"
                               "env > \"env.$PGCONVOY_HOOK.$PGCONVOY_TENANT\"\n"
                               "cat > \"input.$PGCONVOY_HOOK.$PGCONVOY_TENANT\"\n";

static const char ALL_HOOKS[] = "hooks:\n  before_tenant: [./recorder]\n  after_tenant: [./recorder]\n"
                                "  before_migration: [./recorder]\n  after_migration: [./recorder]\n";

static void add_program(Fleet *fleet, const char *name, const char *script)
{
    char path[256];
    write_file(fleet->folder, name, script);
    snprintf(path, sizeof path, "%s/%s", fleet->folder, name);
    assert_int_equal(chmod(path, 0755), 0);
}

static Fleet *fleet_with(int tenants, const char *hooks)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 2, NULL);
    add_program(fleet, "recorder", RECORDER);
    fleet_configure(fleet, fleet->url, hooks);
    return fleet;
}

static char *read_all(Fleet *fleet, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fleet->folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return strdup("");
    char *text = calloc(1, 1 << 20);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void forget_calls(Fleet *fleet)
{
    char path[256];
    snprintf(path, sizeof path, "%s/calls", fleet->folder);
    unlink(path);
}

static size_t calls_of(Fleet *fleet, const char *hook)
{
    char *text = read_all(fleet, "calls");
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, hook)) != NULL; at++)
        count++;
    free(text);
    return count;
}

static json_t *first_result(json_t *report)
{
    return json_array_get(json_object_get(report, "results"), 0);
}

static const char *text_of(json_t *result, const char *name)
{
    return json_string_value(json_object_get(result, name));
}

/* Runs, expects this exit code, and returns the report. */
static json_t *run_report(Fleet *fleet, const char *const *words, int expected)
{
    char *out, *err;
    int status = fleet_run(fleet, words, &out, &err);
    if (status != expected)
        fail_msg("exit %d instead of %d: %s", status, expected, err);
    json_t *report = json_loads(out, 0, NULL);
    assert_non_null(report);
    free(out);
    free(err);
    return report;
}

static void programs_run_around_a_tenant_in_order(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, ALL_HOOKS);
    json_t *report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 0);
    char *calls = read_all(fleet, "calls");
    assert_string_equal(calls, "before_tenant t0001 \nbefore_migration t0001 0001_m1\n"
                               "after_migration t0001 0001_m1\nbefore_migration t0001 0002_m2\n"
                               "after_migration t0001 0002_m2\nafter_tenant t0001 \n");
    free(calls);
    char *input = read_all(fleet, "input.after_tenant.t0001");
    json_t *told = json_loads(input, 0, NULL);
    assert_non_null(told);
    assert_string_equal(text_of(told, "tenantId"), "t0001");
    assert_string_equal(text_of(told, "schemaName"), "tenant_t0001");
    assert_true(json_is_true(json_object_get(told, "success")));
    assert_true(json_equal(json_object_get(told, "appliedMigrations"),
                           json_object_get(first_result(report), "appliedMigrations")));
    json_decref(told);
    free(input);
    json_decref(report);

    forget_calls(fleet);
    report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 0);
    calls = read_all(fleet, "calls");
    assert_string_equal(calls, "before_tenant t0001 \nafter_tenant t0001 \n");
    free(calls);
    json_decref(report);

    forget_calls(fleet);
    report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--dry-run", "--json"), 0);
    assert_int_equal(calls_of(fleet, "tenant"), 0);
    json_decref(report);
    fleet_assert_complete(fleet, 2);
    fleet_free(fleet);
}

static void nothing_that_opens_the_database_reaches_a_program(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, ALL_HOOKS);
    fleet_configure(fleet, "${FLEET_ACCESS}", ALL_HOOKS);
    char access[256];
    snprintf(access, sizeof access, "FLEET_ACCESS=%s?sslpassword=hush-hush", fleet->url);
    char *out, *err;
    int status =
        process_run(fleet->folder,
                    WORDS(access, "DATABASE_URL=postgresql://u:hush-hush@h/d", "PGPASSWORD=hush-hush",
                          "PGCONVOY_SPARE_URL=hush-hush", "OTHER=hush-hush", "HARMLESS=yes"),
                    WORDS("pgconvoy", "migrate", "--all", "--json"), &out, &err);
    if (status != 0)
        fail_msg("exit %d: %s%s", status, out, err);
    static const char *const FILES[] = {"env.before_tenant.t0001", "env.after_tenant.t0001",
                                        "env.before_migration.t0001", "env.after_migration.t0001"};
    for (size_t i = 0; i < 4; i++) {
        char *text = read_all(fleet, FILES[i]);
        assert_non_null(strstr(text, "HARMLESS=yes"));
        assert_non_null(strstr(text, "PGCONVOY_SCHEMA=tenant_t0001"));
        assert_non_null(strstr(text, "PGCONVOY_DATABASE=main"));
        assert_non_null(strstr(text, "PGCONVOY_RUN="));
        assert_null(strstr(text, "hush"));
        assert_null(strstr(text, "postgresql://"));
        free(text);
    }
    free(out);
    free(err);
    fleet_free(fleet);
}

static void a_failing_program_is_in_the_report_with_its_words(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(3, "hooks: {after_migration: [./fail]}");
    add_program(fleet, "fail",
                "#!/bin/sh\n[ $PGCONVOY_TENANT$PGCONVOY_MIGRATION = t00020001_m1 ] || exit 0\n"
                "echo cannot reach the billing service >&2\nexit 3\n");
    json_t *report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 1);
    assert_int_equal(json_number(report, "succeeded"), 2);
    assert_int_equal(json_number(report, "failed"), 1);
    json_t *failed = json_array_get(json_object_get(report, "results"), 1);
    assert_string_equal(text_of(failed, "error"),
                        "hook after_migration ended with exit status 3: cannot reach the billing service");
    assert_string_equal(text_of(failed, "migration"), "0001_m1");
    assert_string_equal(text_of(failed, "outcome"), "error");
    json_t *applied = json_object_get(failed, "appliedMigrations");
    assert_int_equal(json_array_size(applied), 1);
    assert_string_equal(json_string_value(json_array_get(applied, 0)), "0001_m1");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 5);
    json_decref(report);

    sql_run(fleet->connection, "DROP SCHEMA tenant_t0002 CASCADE; CREATE SCHEMA tenant_t0002");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), &out, &err), 1);
    assert_true(strstr(out, "cannot reach the billing service") != NULL ||
                strstr(err, "cannot reach the billing service") != NULL);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void a_program_past_its_time_fails_its_tenant(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, "hooks: {before_tenant: [sleep, '600'], timeout_ms: 200}");
    json_t *report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 1);
    assert_string_equal(text_of(first_result(report), "error"), "hook before_tenant was ended after 200 ms");
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    json_decref(report);
    fleet_free(fleet);
}

static void a_program_that_cannot_run_is_refused_at_the_start(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, "hooks: {before_migration: [./missing]}");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all"), &out, &err), 2);
    assert_non_null(strstr(err, "hooks.before_migration: the program \"./missing\" cannot be run"));
    free(out);
    free(err);
    assert_int_equal(
        fleet_run(fleet,
                  WORDS("pgconvoy-worker", "--coordinator", "tcp://127.0.0.1:9", "--plain", "--slots", "1"),
                  &out, &err),
        2);
    assert_non_null(strstr(err, "hooks.before_migration"));
    free(out);
    free(err);
    fleet_free(fleet);
}

static void a_created_tenant_has_its_hooks(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, ALL_HOOKS);
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "tenant:create", "--id", "new"), &out, &err), 0);
    char *calls = read_all(fleet, "calls");
    assert_string_equal(calls, "before_tenant new \nbefore_migration new 0001_m1\n"
                               "after_migration new 0001_m1\nbefore_migration new 0002_m2\n"
                               "after_migration new 0002_m2\nafter_tenant new \n");
    free(calls);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void a_create_whose_hook_fails_says_so(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, "hooks: {after_tenant: [./fail]}");
    add_program(fleet, "fail", "#!/bin/sh\necho no mail server >&2\nexit 1\n");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "tenant:create", "--id", "new"), &out, &err), 1);
    assert_true(strstr(out, "no mail server") != NULL || strstr(err, "no mail server") != NULL);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 2);
    free(out);
    free(err);
    fleet_free(fleet);
}

static void what_a_program_prints_goes_to_the_log_of_those_who_debug(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(1, "hooks: {before_tenant: [echo, printed, by, the, hook]}");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), &out, &err), 0);
    assert_null(strstr(out, "printed by the hook"));
    assert_null(strstr(err, "printed by the hook"));
    free(out);
    free(err);
    assert_int_equal(
        fleet_run(fleet, WORDS("pgconvoy", "migrate", "--all", "--json", "--log-level", "debug"), &out, &err),
        0);
    assert_null(strstr(out, "printed by the hook"));
    assert_non_null(strstr(err, "tenant=t0001"));
    assert_non_null(strstr(err, "hook before_tenant: printed by the hook"));
    free(out);
    free(err);
    fleet_free(fleet);
}

static void remote_workers_run_their_own_hooks_for_every_tenant(void **state)
{
    (void)state;
    enum { TENANTS = 40 };
    Fleet *fleet = fleet_with(TENANTS, ALL_HOOKS);
    const char *endpoint = fleet_endpoint();
    Process *workers[2];
    for (int i = 0; i < 2; i++) {
        workers[i] = fleet_start_worker(fleet, endpoint, "4");
        process_await_text(workers[i], "ready", 20000); /* it has read its configuration */
    }
    const char *const *words = WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                     "--min-workers", "2", "--json");
    char *out, *err;
    assert_int_equal(fleet_run(fleet, words, &out, &err), 0);
    assert_non_null(strstr(err, "hooks.before_tenant is ignored here"));
    free(out);
    free(err);
    fleet_assert_complete(fleet, 2);
    assert_int_equal(calls_of(fleet, "before_tenant"), TENANTS);
    assert_int_equal(calls_of(fleet, "after_tenant"), TENANTS);
    assert_int_equal(calls_of(fleet, "before_migration"), 2 * TENANTS);
    assert_int_equal(calls_of(fleet, "after_migration"), 2 * TENANTS);

    /* The coordinator has none of its own now; the workers have. */
    fleet_configure(fleet, fleet->url, NULL);
    forget_calls(fleet);
    assert_int_equal(fleet_run(fleet, words, &out, &err), 0);
    assert_null(strstr(err, "ignored here"));
    free(out);
    free(err);
    assert_int_equal(calls_of(fleet, "before_tenant"), TENANTS);
    assert_int_equal(calls_of(fleet, "after_tenant"), TENANTS);
    assert_int_equal(calls_of(fleet, "_migration"), 0);
    fleet_assert_complete(fleet, 2);
    for (int i = 0; i < 2; i++) {
        process_signal(workers[i], SIGTERM);
        assert_int_equal(process_wait(workers[i], 20000), 0);
        process_free(workers[i]);
    }
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void without_hooks_tenants_without_work_stay_where_they_are(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(5, NULL);
    json_t *report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 0);
    json_decref(report);
    report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 0);
    json_t *result;
    size_t i;
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        assert_int_equal(json_integer_value(json_object_get(result, "attempts")), 0);
    }
    json_decref(report);
    fleet_configure(fleet, fleet->url, ALL_HOOKS);
    report = run_report(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"), 0);
    json_array_foreach(json_object_get(report, "results"), i, result)
    {
        assert_int_equal(json_integer_value(json_object_get(result, "attempts")), 1);
        assert_string_equal(text_of(result, "outcome"), "already");
        assert_string_equal(text_of(result, "format"), "name");
    }
    json_decref(report);
    fleet_free(fleet);
}

/* Of both tenants: one whose hook has not begun yet is cancelled with other words. */
static bool has_begun(void *fleet)
{
    return calls_of(fleet, "slow") >= 2;
}

static void a_cancelled_run_ends_its_hooks(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with(2, "hooks: {before_migration: [./slow]}");
    add_program(fleet, "slow", "#!/bin/sh\necho slow >> calls\nexec sleep 600\n");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"));
    await(has_begun, fleet, 20000, "the hook to begin");
    process_signal(run, SIGINT);
    process_await_text(run, "once more", 20000);
    process_signal(run, SIGINT);
    assert_int_equal(process_wait(run, 20000), 130);
    char *out = process_out(run);
    json_t *report = json_loads(out, 0, NULL);
    assert_non_null(report);
    json_t *result = first_result(report);
    assert_string_equal(text_of(result, "error"),
                        "hook before_migration was ended because the run was cancelled");
    assert_string_equal(text_of(result, "outcome"), "cancelled");
    json_decref(report);
    free(out);
    process_free(run);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static bool has_called_often(void *fleet)
{
    return calls_of(fleet, "after_migration") >= 10;
}

static void a_worker_that_dies_among_hooks_costs_visits_and_nothing_else(void **state)
{
    (void)state;
    enum { TENANTS = 30 };
    Fleet *fleet = fleet_with(TENANTS, ALL_HOOKS);
    const char *endpoint = fleet_endpoint();
    Process *victim = fleet_start_worker(fleet, endpoint, "4"),
            *other = fleet_start_worker(fleet, endpoint, "4");
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain",
                                            "--min-workers", "2", "--json"));
    await(has_called_often, fleet, 30000, "the run to get going");
    process_signal(victim, SIGKILL);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = fleet_assert_report(fleet, out);
    assert_int_equal(json_number(report, "succeeded"), TENANTS);
    json_decref(report);
    free(out);
    free(err);
    fleet_assert_complete(fleet, 2);
    assert_true(calls_of(fleet, "after_tenant") >= TENANTS);
    assert_true(calls_of(fleet, "before_tenant") >= calls_of(fleet, "after_tenant"));
    process_free(run);
    process_free(victim);
    process_free(other);
    fleet_free(fleet);
}

static void many_programs_leave_no_process_behind(void **state)
{
    (void)state;
    enum { TENANTS = 125 };
    Fleet *fleet = fleet_with(TENANTS, ALL_HOOKS);
    const char *endpoint = fleet_endpoint();
    Process *worker = fleet_start_worker(fleet, endpoint, "4");
    json_t *report = run_report(
        fleet, WORDS("pgconvoy", "migrate", "--all", "--listen", endpoint, "--plain", "--json"), 0);
    json_decref(report);
    assert_int_equal(calls_of(fleet, "_tenant") + calls_of(fleet, "_migration"), 6 * TENANTS);
    char command[128];
    snprintf(command, sizeof command, "test -z \"$(ps -o pid= --ppid %d)\"", (int)worker->pid);
    assert_int_equal(system(command), 0);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, 20000), 0);
    process_free(worker);
    fleet_assert_complete(fleet, 2);
    fleet_free(fleet);
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_run_around_a_tenant_in_order),
        cmocka_unit_test(nothing_that_opens_the_database_reaches_a_program),
        cmocka_unit_test(a_failing_program_is_in_the_report_with_its_words),
        cmocka_unit_test(a_program_past_its_time_fails_its_tenant),
        cmocka_unit_test(a_program_that_cannot_run_is_refused_at_the_start),
        cmocka_unit_test(a_created_tenant_has_its_hooks),
        cmocka_unit_test(a_create_whose_hook_fails_says_so),
        cmocka_unit_test(what_a_program_prints_goes_to_the_log_of_those_who_debug),
        cmocka_unit_test(remote_workers_run_their_own_hooks_for_every_tenant),
        cmocka_unit_test(without_hooks_tenants_without_work_stay_where_they_are),
        cmocka_unit_test(a_cancelled_run_ends_its_hooks),
        cmocka_unit_test(a_worker_that_dies_among_hooks_costs_visits_and_nothing_else),
        cmocka_unit_test(many_programs_leave_no_process_behind),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
