/* `pgconvoy convert-format`: JSON, exit codes, selections, notes, races with a run, and workers of other
 * processes. */
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

static void do_well(Fleet *fleet, const char *const words[])
{
    Answer answer = ask(fleet, 0, words);
    forget(&answer);
}

/* A fleet with two migrations, the first of which everybody but the last has; the last has no table. */
static Fleet *started_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    fleet_add_markers(fleet, 1, NULL);
    char last[20];
    snprintf(last, sizeof last, "t%04d", tenants);
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all", "--exclude", last));
    fleet_add_markers(fleet, 2, NULL);
    return fleet;
}

/* An object as compact JSON without its time. */
static void expect_object(json_t *object, const char *expected)
{
    assert_non_null(object);
    if (json_object_get(object, "durationMs") != NULL)
        json_object_set_new(object, "durationMs", json_integer(0));
    char *text = json_dumps(object, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_entry(const Answer *answer, size_t index, const char *expected)
{
    expect_object(json_array_get(json_object_get(answer->json, "results"), index), expected);
}

static void expect_summary(const Answer *answer, const char *expected)
{
    expect_object(json_object_get(answer->json, "summary"), expected);
}

static const char *note(const Answer *answer)
{
    return json_string_value(json_object_get(answer->json, "note"));
}

static void everybody_is_converted_by_default(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(3);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "--json", "convert-format", "--to", "hash"));
    expect_entry(&answer, 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"from\":\"name\","
                 "\"to\":\"hash\",\"converted\":1,\"durationMs\":0,\"outcome\":\"applied\",\"attempts\":1}");
    expect_entry(&answer, 2,
                 "{\"tenantId\":\"t0003\",\"schema\":\"tenant_t0003\",\"success\":true,\"to\":\"hash\","
                 "\"converted\":0,\"durationMs\":0,\"outcome\":\"already\",\"attempts\":1}");
    expect_summary(&answer, "{\"total\":3,\"succeeded\":3,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--all", "--json"));
    expect_entry(&answer, 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"from\":\"hash\","
                 "\"to\":\"hash\",\"converted\":0,\"durationMs\":0,\"outcome\":\"already\",\"attempts\":1}");
    forget(&answer);
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all"));
    do_well(fleet, WORDS("pgconvoy", "sync", "--exit-code"));
    do_well(fleet, WORDS("pgconvoy", "convert-format", "--to", "drizzle-kit"));
    do_well(fleet, WORDS("pgconvoy", "status", "--exit-code"));
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all"));
    fleet_assert_complete(fleet, 2);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void people_read_what_was_found_and_done(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(3);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--dry-run"));
    assert_non_null(strstr(answer.out, "t0001  would convert     name 1"));
    assert_non_null(strstr(answer.out, "t0003  no tracking table"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--tenants", "t0002,t0001"));
    assert_non_null(strstr(answer.out, "t0002  converted name 1"));
    assert_non_null(strstr(answer.err, "total 2: 2 succeeded"));
    assert_non_null(
        strstr(answer.err, "note: new tenants still get the format of migrations.default_format"));
    forget(&answer);
    answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--tenant", "t0001"));
    assert_non_null(strstr(answer.out, "t0001  nothing to do hash 0"));
    forget(&answer);
    fleet_free(fleet);
}

static void a_dry_run_writes_nothing(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(3);
    char *before = fleet_digest(fleet);
    Answer answer =
        ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "drizzle-kit", "--dry-run", "--json"));
    expect_entry(
        &answer, 0,
        "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"from\":\"name\",\"to\":"
        "\"drizzle-kit\",\"converted\":1,\"durationMs\":0,\"outcome\":\"already\",\"attempts\":1}");
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void a_tenant_with_orphans_fails_and_says_what_to_do(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(3);
    sql_run(fleet->connection, "INSERT INTO tenant_t0002.__drizzle_migrations (name) VALUES ('gone')");
    Answer answer = ask(fleet, 1, WORDS("pgconvoy", "convert-format", "--to", "hash", "--json"));
    expect_entry(
        &answer, 1,
        "{\"tenantId\":\"t0002\",\"schema\":\"tenant_t0002\",\"success\":false,\"from\":\"name\","
        "\"to\":\"hash\",\"converted\":0,\"durationMs\":0,\"error\":\"the tracking table has rows "
        "that no migration file explains: gone\",\"outcome\":\"error\",\"hint\":\"restore the files, "
        "or remove the rows with `sync --clean-orphans` first\",\"attempts\":1}");
    expect_summary(&answer, "{\"total\":3,\"succeeded\":2,\"failed\":1,\"skipped\":0,\"durationMs\":0}");
    assert_non_null(strstr(answer.err, "rerun: pgconvoy convert-format --to hash --tenants t0002"));
    forget(&answer);
    do_well(fleet, WORDS("pgconvoy", "sync", "--clean-orphans"));
    do_well(fleet, WORDS("pgconvoy", "convert-format", "--to", "hash", "--tenants", "t0002"));
    fleet_free(fleet);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(2);
    Answer answer = ask(fleet, 2, WORDS("pgconvoy", "convert-format", "--to", "bogus", "--json"));
    assert_string_equal(json_string_value(json_object_get(answer.json, "error")),
                        "unknown tracking format \"bogus\"");
    forget(&answer);
    answer = ask(fleet, 2, WORDS("pgconvoy", "convert-format", "--to", "auto"));
    forget(&answer);
    answer = ask(fleet, 2, WORDS("pgconvoy", "convert-format"));
    assert_non_null(strstr(answer.err, "--to"));
    forget(&answer);
    Fleet *empty = fleet_new(cluster, 1); /* without files, every row would be an orphan */
    answer = ask(empty, 7, WORDS("pgconvoy", "convert-format", "--to", "hash", "--json"));
    forget(&answer);
    fleet_free(empty);
    fleet_free(fleet);
}

static void the_configuration_must_follow(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(2);
    fleet_configure(fleet, fleet->url, "  format: name\n");
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--json"));
    assert_non_null(strstr(note(&answer), "migrations.format in the configuration names another format"));
    assert_non_null(strstr(answer.err, "note: migrations.format"));
    expect_summary(&answer, "{\"total\":2,\"succeeded\":2,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    forget(&answer);
    fleet_configure(fleet, fleet->url, "  format: hash\n");
    answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--json"));
    assert_null(note(&answer));
    forget(&answer);
    fleet_configure(fleet, fleet->url, "  default_format: name\n");
    answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "name", "--json"));
    assert_null(note(&answer));
    forget(&answer);
    fleet_free(fleet);
}

static void an_abort_skips_the_rest(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(4);
    sql_run(fleet->connection, "DROP SCHEMA tenant_t0002 CASCADE");
    Answer answer = ask(fleet, 4,
                        WORDS("pgconvoy", "convert-format", "--to", "hash", "--on-error", "abort",
                              "--concurrency", "1", "--json"));
    expect_summary(&answer, "{\"total\":4,\"succeeded\":1,\"failed\":1,\"skipped\":2,\"durationMs\":0}");
    expect_entry(&answer, 3,
                 "{\"tenantId\":\"t0004\",\"schema\":\"tenant_t0004\",\"success\":false,\"to\":\"hash\","
                 "\"converted\":0,\"durationMs\":0,\"error\":\"Skipped due to abort\",\"outcome\":"
                 "\"not_started\",\"attempts\":0}");
    forget(&answer);
    fleet_free(fleet);
}

static void a_tenant_that_stays_locked_is_busy(void **state)
{
    (void)state;
    Fleet *fleet = started_fleet(2);
    int64_t key;
    Error error = {0};
    assert_true(tenant_lock_key("tenant_t0001", &key, &error));
    sql_run(fleet->connection, "SELECT pg_advisory_lock(%lld)", (long long)key);
    Answer answer =
        ask(fleet, 6, WORDS("pgconvoy", "convert-format", "--to", "hash", "--lock-wait", "100", "--json"));
    expect_summary(&answer, "{\"total\":2,\"succeeded\":1,\"failed\":1,\"skipped\":0,\"durationMs\":0}");
    forget(&answer);
    sql_run(fleet->connection, "SELECT pg_advisory_unlock(%lld)", (long long)key);
    fleet_free(fleet);
}

static void nobody_is_an_answer_too(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 0);
    fleet_add_markers(fleet, 1, NULL);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "hash", "--json"));
    expect_summary(&answer, "{\"total\":0,\"succeeded\":0,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    forget(&answer);
    fleet_free(fleet);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Tenants whose tracking table has this time column's type. */
static long long tables_with(Fleet *fleet, const char *column, const char *type)
{
    return sql_number(
        fleet->connection,
        "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relname = "
        "'__drizzle_migrations' AND attname = '%s' AND atttypid = '%s'::regtype",
        column, type);
}

static void a_fleet_is_converted_while_it_migrates(void **state)
{
    (void)state;
    enum { TENANTS = 50 };
    Fleet *fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 1, NULL);
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all"));
    fleet_add_markers(fleet, 5, "0.01");
    Process *migrate = fleet_start(fleet, WORDS("pgconvoy", "migrate", "--all", "--json"));
    for (int waited = 0; waited < 30000; waited += 5, pause_ms(5))
        if (sql_number(fleet->connection, "SELECT count(*) FROM public.marks") > TENANTS + 5)
            break;
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "convert-format", "--to", "drizzle-kit", "--json"));
    expect_summary(&answer, "{\"total\":50,\"succeeded\":50,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    forget(&answer);
    int status = process_wait(migrate, 60000);
    char *out = process_out(migrate), *err = process_err(migrate);
    if (status != 0)
        fail_msg("exit %d: %s%s", status, out, err);
    free(out);
    free(err);
    process_free(migrate);
    assert_int_equal(tables_with(fleet, "created_at", "bigint"), TENANTS);
    fleet_assert_complete(fleet, 5);
    do_well(fleet, WORDS("pgconvoy", "sync", "--exit-code"));
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all"));
    fleet_assert_complete(fleet, 5);
    fleet_free(fleet);
}

static void workers_of_other_processes_convert_through_a_pooler(void **state)
{
    (void)state;
    enum { TENANTS = 60 };
    Fleet *fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 3, NULL);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, "  table: 'My \"Table\"'\n");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "3"),
                           fleet_start_worker(fleet, endpoint, "3")};
#define REMOTE(...) \
    WORDS("pgconvoy", __VA_ARGS__, "--listen", endpoint, "--plain", "--min-workers", "2", "--json")
    do_well(fleet, REMOTE("migrate", "--all"));
    static const char *const ROUND[] = {"hash", "drizzle-kit", "name"};
    for (int i = 0; i < 3; i++) {
        Answer answer = ask(fleet, 0, REMOTE("convert-format", "--to", ROUND[i]));
        expect_summary(&answer,
                       "{\"total\":60,\"succeeded\":60,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
        forget(&answer);
        do_well(fleet, REMOTE("status", "--exit-code"));
    }
    for (int i = 0; i < 2; i++)
        process_free(workers[i]);
    fleet_free(fleet);
}

static void a_killed_worker_costs_time_and_nothing_else(void **state)
{
    (void)state;
    enum { TENANTS = 30 };
    Fleet *fleet = fleet_new(cluster, TENANTS);
    fleet_add_markers(fleet, 2, NULL);
    do_well(fleet, WORDS("pgconvoy", "migrate", "--all"));
    sql_run(
        fleet->connection,
        "CREATE FUNCTION public.nap() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
        "pg_sleep(0.02); END'; CREATE EVENT TRIGGER nap ON ddl_command_end EXECUTE FUNCTION public.nap()");
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "2"),
                           fleet_start_worker(fleet, endpoint, "2")};
    Process *run = fleet_start(fleet, WORDS("pgconvoy", "convert-format", "--to", "drizzle-kit", "--listen",
                                            endpoint, "--plain", "--min-workers", "2", "--json"));
    for (int waited = 0; tables_with(fleet, "created_at", "bigint") < 3 && waited < 30000; waited += 5)
        pause_ms(5);
    process_signal(workers[0], SIGKILL);
    int status = process_wait(run, 60000);
    char *out = process_out(run), *err = process_err(run);
    if (status != 0)
        fail_msg("exit %d: %s", status, err);
    assert_int_equal(tables_with(fleet, "created_at", "bigint"), TENANTS);
    fleet_assert_complete(fleet, 2);
    do_well(fleet, WORDS("pgconvoy", "sync", "--exit-code"));
    free(out);
    free(err);
    process_free(run);
    process_free(workers[0]);
    process_free(workers[1]);
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
        cmocka_unit_test(everybody_is_converted_by_default),
        cmocka_unit_test(people_read_what_was_found_and_done),
        cmocka_unit_test(a_dry_run_writes_nothing),
        cmocka_unit_test(a_tenant_with_orphans_fails_and_says_what_to_do),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(the_configuration_must_follow),
        cmocka_unit_test(an_abort_skips_the_rest),
        cmocka_unit_test(a_tenant_that_stays_locked_is_busy),
        cmocka_unit_test(nobody_is_an_answer_too),
        cmocka_unit_test(a_fleet_is_converted_while_it_migrates),
        cmocka_unit_test(workers_of_other_processes_convert_through_a_pooler),
        cmocka_unit_test(a_killed_worker_costs_time_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
