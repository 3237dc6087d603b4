/* `pgconvoy sync`: the package's JSON, exit codes, selections, policies, and workers of other processes. */
#include "common/buffer.h"
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include "worker/pg/tenant_lock.h"
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static Cluster *cluster;

typedef struct Answer {
    char *out, *err;
    json_t *json; /* NULL when stdout is none */
} Answer;

static Answer ask(Fleet *fleet, int status, const char *const words[])
{
    Answer answer = {0};
    int found = fleet_run(fleet, words, &answer.out, &answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    if (found != status)
        fail_msg("exit %d instead of %d: %s%s", found, status, answer.out, answer.err);
    return answer;
}

static void forget(Answer *answer)
{
    json_decref(answer->json);
    free(answer->out);
    free(answer->err);
}

/* A fleet with three migrations; the first tenant has the first file and an orphan, the last no schema. */
static Fleet *mixed_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 3, NULL);
    sql_run(fleet->connection,
            "CREATE TABLE tenant_t0001.__drizzle_migrations (id serial PRIMARY KEY, name varchar(255) NOT "
            "NULL UNIQUE, applied_at timestamptz DEFAULT now());"
            "INSERT INTO tenant_t0001.__drizzle_migrations (name) VALUES ('x_gone'), ('0001_m1');"
            "DROP SCHEMA tenant_t%04d CASCADE",
            tenants);
    return fleet;
}

/* One entry as compact JSON without its time. */
static void expect_entry(const Answer *answer, const char *list, size_t index, const char *expected)
{
    json_t *entry = json_array_get(json_object_get(answer->json, list), index);
    assert_non_null(entry);
    if (json_object_get(entry, "durationMs") != NULL)
        json_object_set_new(entry, "durationMs", json_integer(0));
    char *text = json_dumps(entry, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_summary(const Answer *answer, const char *expected)
{
    json_t *summary = json_object_get(answer->json, "summary");
    if (json_object_get(summary, "durationMs") != NULL)
        json_object_set_new(summary, "durationMs", json_integer(0));
    char *text = json_dumps(summary, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void status_has_the_packages_shape(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(3);
    for (int round = 0; round < 2; round++) {
        Answer answer = round == 0 ? ask(fleet, 1, WORDS("pgconvoy", "--json", "sync"))
                                   : ask(fleet, 1, WORDS("pgconvoy", "sync", "--status", "--json", "--all"));
        expect_entry(&answer, "tenants", 0,
                     "{\"id\":\"t0001\",\"schema\":\"tenant_t0001\",\"format\":\"name\",\"inSync\":false,"
                     "\"missing\":[\"0002_m2\",\"0003_m3\"],\"orphans\":[\"x_gone\"]}");
        expect_entry(&answer, "tenants", 1,
                     "{\"id\":\"t0002\",\"schema\":\"tenant_t0002\",\"format\":null,\"inSync\":false,"
                     "\"missing\":[\"0001_m1\",\"0002_m2\",\"0003_m3\"],\"orphans\":[]}");
        expect_entry(&answer, "tenants", 2,
                     "{\"id\":\"t0003\",\"schema\":\"tenant_t0003\",\"format\":null,\"inSync\":false,"
                     "\"missing\":[],\"orphans\":[],\"error\":\"schema \\\"tenant_t0003\\\" does not exist\","
                     "\"outcome\":\"no_schema\"}");
        expect_summary(&answer, "{\"total\":3,\"inSync\":0,\"outOfSync\":2,\"error\":1}");
        forget(&answer);
    }
    fleet_free(fleet);
}

static void the_exit_code_tells_about_sync_only_when_asked(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(3);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--exclude", "t0003"));
    assert_non_null(strstr(answer.out, "0002_m2 .. 0003_m3 (2)"));
    assert_non_null(strstr(answer.err, "2 tenants are out of sync"));
    forget(&answer);
    answer = ask(fleet, 3, WORDS("pgconvoy", "sync", "--tenants", "t0002,t0001", "--exit-code"));
    forget(&answer);
    answer = ask(fleet, 1, WORDS("pgconvoy", "sync", "--exit-code"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "migrate", "--tenant", "t0002"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--tenant", "t0002", "--exit-code"));
    assert_non_null(strstr(answer.out, "in sync"));
    forget(&answer);
    fleet_free(fleet);
}

static void actions_have_the_packages_shape(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(3);
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "sync", "--mark-missing", "--json"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "action")), "mark-missing");
    expect_entry(&answer, "results", 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"markedMigrations\":"
                 "[\"0002_m2\",\"0003_m3\"],\"durationMs\":0,\"outcome\":\"applied\",\"attempts\":1}");
    expect_entry(&answer, "results", 2,
                 "{\"tenantId\":\"t0003\",\"schema\":\"tenant_t0003\",\"success\":false,\"markedMigrations\":"
                 "[],\"durationMs\":0,\"error\":\"schema \\\"tenant_t0003\\\" does not exist\",\"outcome\":"
                 "\"no_schema\",\"sqlstate\":\"3F000\",\"attempts\":1}");
    expect_summary(&answer, "{\"total\":3,\"succeeded\":2,\"failed\":1,\"durationMs\":0}");
    assert_non_null(strstr(answer.err, "rerun: pgconvoy sync --mark-missing --tenants t0003"));
    forget(&answer);

    answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--clean-orphans", "--json", "--exclude", "t0003"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "action")), "clean-orphans");
    expect_entry(&answer, "results", 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"removedOrphans\":"
                 "[\"x_gone\"],\"durationMs\":0,\"outcome\":\"applied\",\"attempts\":1}");
    expect_entry(&answer, "results", 1,
                 "{\"tenantId\":\"t0002\",\"schema\":\"tenant_t0002\",\"success\":true,\"removedOrphans\":"
                 "[],\"durationMs\":0,\"outcome\":\"already\",\"attempts\":0}");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--exit-code", "--exclude", "t0003"));
    forget(&answer);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM public.marks"), 0);
    fleet_free(fleet);
}

static void nobody_is_an_answer_too(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 1, NULL);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--json"));
    expect_summary(&answer, "{\"total\":0,\"inSync\":0,\"outOfSync\":0,\"error\":0}");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--mark-missing", "--json"));
    expect_summary(&answer, "{\"total\":0,\"succeeded\":0,\"failed\":0,\"durationMs\":0}");
    forget(&answer);
    fleet_free(fleet);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(2);
    char *before = fleet_digest(fleet);
    Answer answer = ask(fleet, 2, WORDS("pgconvoy", "sync", "--mark-missing", "--clean-orphans", "--json"));
    assert_non_null(strstr(answer.err, "--mark-missing and --clean-orphans exclude each other"));
    forget(&answer);
    answer = ask(fleet, 2, WORDS("pgconvoy", "sync", "--mark-missing", "--exit-code"));
    forget(&answer);
    answer = ask(fleet, 2, WORDS("pgconvoy", "sync", "--dry-run", "--json"));
    assert_non_null(json_object_get(answer.json, "error"));
    forget(&answer);
    Fleet *empty = fleet_new(cluster, 1); /* without files, everything would be an orphan */
    answer = ask(empty, 7, WORDS("pgconvoy", "sync", "--clean-orphans", "--json"));
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(empty);
    fleet_free(fleet);
}

static void a_dry_run_changes_nothing(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(2);
    char *before = fleet_digest(fleet);
    Answer answer =
        ask(fleet, 1,
            WORDS("pgconvoy", "sync", "--mark-missing", "--dry-run", "--json", "--tenants", "t0001,t0002"));
    expect_entry(&answer, "results", 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"markedMigrations\":"
                 "[\"0002_m2\",\"0003_m3\"],\"durationMs\":0,\"outcome\":\"already\",\"attempts\":0}");
    expect_summary(&answer, "{\"total\":2,\"succeeded\":1,\"failed\":1,\"durationMs\":0}");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "sync", "--clean-orphans", "--dry-run", "--tenant", "t0001"));
    assert_non_null(strstr(answer.out, "would remove"));
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void many_tenants_are_grouped(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(60);
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "sync"));
    assert_non_null(strstr(answer.out, "     58 out of sync 0001_m1 .. 0003_m3 (3)"));
    assert_null(strstr(answer.out, "t0002"));
    forget(&answer);
    answer = ask(fleet, 1, WORDS("pgconvoy", "sync", "--mark-missing"));
    assert_non_null(strstr(answer.out, "     58 marked"));
    assert_non_null(strstr(answer.err, "total 60: 59 succeeded, 1 failed, 0 skipped"));
    forget(&answer);
    answer = ask(fleet, 1, WORDS("pgconvoy", "sync", "--mark-missing", "--verbose"));
    assert_non_null(strstr(answer.out, "t0002  nothing to do"));
    forget(&answer);
    fleet_free(fleet);
}

static void an_abort_skips_the_rest_and_reports_it(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 4);
    fleet_add_markers(fleet, 2, NULL);
    sql_run(fleet->connection, "DROP SCHEMA tenant_t0002 CASCADE");
    Answer answer = ask(
        fleet, 4,
        WORDS("pgconvoy", "sync", "--mark-missing", "--on-error", "abort", "--concurrency", "1", "--json"));
    expect_summary(&answer, "{\"total\":4,\"succeeded\":1,\"failed\":1,\"durationMs\":0,\"skipped\":2}");
    expect_entry(&answer, "results", 3,
                 "{\"tenantId\":\"t0004\",\"schema\":\"tenant_t0004\",\"success\":false,\"markedMigrations\":"
                 "[],\"durationMs\":0,\"error\":\"Skipped due to abort\",\"outcome\":\"not_started\","
                 "\"attempts\":0}");
    forget(&answer);
    answer = ask(fleet, 1, WORDS("pgconvoy", "sync", "--mark-missing", "--json"));
    expect_summary(&answer, "{\"total\":4,\"succeeded\":3,\"failed\":1,\"durationMs\":0}");
    forget(&answer);
    fleet_free(fleet);
}

static void a_tenant_that_stays_locked_is_busy(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 2);
    fleet_add_markers(fleet, 2, NULL);
    int64_t key;
    Error error = {0};
    assert_true(tenant_lock_key("tenant_t0001", &key, &error));
    sql_run(fleet->connection, "SELECT pg_advisory_lock(%lld)", (long long)key);
    Answer answer =
        ask(fleet, 6, WORDS("pgconvoy", "sync", "--mark-missing", "--lock-wait", "100", "--json"));
    expect_summary(&answer, "{\"total\":2,\"succeeded\":1,\"failed\":1,\"durationMs\":0}");
    forget(&answer);
    sql_run(fleet->connection, "SELECT pg_advisory_unlock(%lld)", (long long)key);
    fleet_free(fleet);
}

static void a_tenant_listed_twice_is_repaired_once(void **state)
{
    (void)state;
    Fleet *fleet = mixed_fleet(3);
    Answer answer = ask(
        fleet, 0, WORDS("pgconvoy", "sync", "--mark-missing", "--tenants", "t0002,t0001,t0002", "--json"));
    json_t *results = json_object_get(answer.json, "results");
    assert_int_equal(json_array_size(json_object_get(json_array_get(results, 0), "markedMigrations")), 3);
    assert_int_equal(json_array_size(json_object_get(json_array_get(results, 2), "markedMigrations")), 0);
    assert_int_equal(sql_number(fleet->connection, "SELECT count(*) FROM tenant_t0002.__drizzle_migrations"),
                     3);
    forget(&answer);
    fleet_free(fleet);
}

static long long recorded(Fleet *fleet, int tenants)
{
    Buffer sql = {0};
    for (int i = 1; i <= tenants; i++)
        buffer_appendf(&sql, "%s(SELECT count(*) FROM tenant_t%04d.__drizzle_migrations)", i > 1 ? " + " : "",
                       i);
    long long count = sql_number(fleet->connection, "SELECT %s", buffer_text(&sql));
    buffer_clear(&sql);
    return count;
}

static void workers_of_other_processes_repair_through_a_pooler(void **state)
{
    (void)state;
    enum { TENANTS = 120 };
    Fleet *fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 3, NULL);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, "  default_format: hash\n");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "3"),
                           fleet_start_worker(fleet, endpoint, "3")};
#define REMOTE(...) \
    WORDS("pgconvoy", "sync", "--listen", endpoint, "--plain", "--min-workers", "2", "--json", __VA_ARGS__)
    Answer answer = ask(fleet, 0, REMOTE("--mark-missing"));
    expect_summary(&answer, "{\"total\":120,\"succeeded\":120,\"failed\":0,\"durationMs\":0}");
    forget(&answer);
    assert_int_equal(recorded(fleet, TENANTS), 3 * TENANTS);
    sql_run(fleet->connection,
            "DO $$BEGIN FOR i IN 1..%d LOOP EXECUTE format('INSERT INTO "
            "tenant_t%%s.__drizzle_migrations (hash) VALUES (''gone''), (''gone'')', "
            "lpad(i::text, 4, '0')); END LOOP; END$$",
            TENANTS);
    answer = ask(fleet, 3, REMOTE("--exit-code"));
    expect_summary(&answer, "{\"total\":120,\"inSync\":0,\"outOfSync\":120,\"error\":0}");
    forget(&answer);
    answer = ask(fleet, 0, REMOTE("--clean-orphans"));
    json_t *first = json_array_get(json_object_get(answer.json, "results"), 0);
    assert_int_equal(json_array_size(json_object_get(first, "removedOrphans")), 2);
    forget(&answer);
    answer = ask(fleet, 0, REMOTE("--exit-code"));
    forget(&answer);
    assert_int_equal(recorded(fleet, TENANTS), 3 * TENANTS);
    for (int i = 0; i < 2; i++)
        process_free(workers[i]);
    fleet_free(fleet);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void a_killed_worker_costs_time_and_nothing_else(void **state)
{
    (void)state;
    enum { TENANTS = 30 };
    Fleet *fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 3, NULL);
    fleet_configure(fleet, fleet->url, "  default_format: hash\n");
    sql_run(fleet->connection,
            "CREATE FUNCTION public.nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
            "pg_sleep(0.02); RETURN new; END';"
            "DO $$BEGIN FOR i IN 1..%d LOOP EXECUTE format('CREATE TABLE tenant_t%%1$s.__drizzle_migrations "
            "(id serial PRIMARY KEY, hash text NOT NULL, created_at timestamptz); CREATE TRIGGER nap BEFORE "
            "INSERT ON tenant_t%%1$s.__drizzle_migrations FOR EACH ROW EXECUTE FUNCTION public.nap()', "
            "lpad(i::text, 4, '0')); END LOOP; END$$",
            TENANTS);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "2"),
                           fleet_start_worker(fleet, endpoint, "2")};
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "sync", "--mark-missing", "--listen", endpoint,
                                            "--plain", "--min-workers", "2", "--json"));
    for (int waited = 0; recorded(fleet, TENANTS) < 9 && waited < 30000; waited += 5)
        pause_ms(5);
    process_signal(workers[0], SIGKILL);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    json_t *report = json_loads(out, 0, NULL), *result;
    size_t i;
    json_array_foreach(json_object_get(report, "results"), i, result)
        assert_int_equal(json_array_size(json_object_get(result, "markedMigrations")), 3);
    assert_int_equal(i, TENANTS);
    assert_int_equal(recorded(fleet, TENANTS), 3 * TENANTS);
    json_decref(report);
    free(out);
    free(err);
    process_free(run);
    process_free(workers[0]);
    process_free(workers[1]);
    fleet_free(fleet);
}

static void set_standby(Fleet *fleet, const char *name)
{
    sql_run(fleet->connection, "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
    sql_run(fleet->connection, "SELECT pg_reload_conf()");
    while (sql_number(fleet->connection, "SELECT (current_setting('synchronous_standby_names') = '%s')::int",
                      name) == 0)
        pause_ms(5);
}

/* COMMIT waits for a standby that does not exist, and meanwhile the worker dies: the rows are there, but
 * nobody has told. */
static void what_a_dead_worker_committed_is_this_run_s_work(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 1);
    fleet_add_markers(fleet, 3, NULL);
    const char *endpoint = fleet_endpoint();
    set_standby(fleet, "nobody");
    Process *first = fleet_start_worker(fleet, endpoint, "1");
    Process *run = fleet_start(
        fleet, WORDS("pgconvoy", "sync", "--mark-missing", "--listen", endpoint, "--plain", "--json"));
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection,
                       "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") > 0)
            break;
    process_signal(first, SIGKILL);
    set_standby(fleet, "");
    Process *second = fleet_start_worker(fleet, endpoint, "1");
    int status = process_wait(run, 60000);
    Answer answer = {.out = process_out(run), .err = process_err(run)};
    if (status != 0)
        fail_msg("exit %d: %s", status, answer.err);
    answer.json = json_loads(answer.out, 0, NULL);
    expect_entry(
        &answer, "results", 0,
        "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"markedMigrations\":"
        "[\"0001_m1\",\"0002_m2\",\"0003_m3\"],\"durationMs\":0,\"outcome\":\"applied\",\"attempts\":2,"
        "\"recovered\":[\"0001_m1\",\"0002_m2\",\"0003_m3\"]}");
    assert_int_equal(recorded(fleet, 1), 3);
    forget(&answer);
    process_free(run);
    process_free(first);
    process_free(second);
    fleet_free(fleet);
}

static int start_cluster(void **state)
{
    (void)state;
    cluster = cluster_start("max_connections = 100");
    cluster_start_bouncer(cluster, 4);
    return 0;
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster_stop(cluster);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_the_packages_shape),
        cmocka_unit_test(the_exit_code_tells_about_sync_only_when_asked),
        cmocka_unit_test(actions_have_the_packages_shape),
        cmocka_unit_test(nobody_is_an_answer_too),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(a_dry_run_changes_nothing),
        cmocka_unit_test(many_tenants_are_grouped),
        cmocka_unit_test(an_abort_skips_the_rest_and_reports_it),
        cmocka_unit_test(a_tenant_that_stays_locked_is_busy),
        cmocka_unit_test(a_tenant_listed_twice_is_repaired_once),
        cmocka_unit_test(workers_of_other_processes_repair_through_a_pooler),
        cmocka_unit_test(a_killed_worker_costs_time_and_nothing_else),
        cmocka_unit_test(what_a_dead_worker_committed_is_this_run_s_work),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
