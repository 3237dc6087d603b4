/* seed as a user runs it: here and over workers, its JSON and words, what it refuses, and races. */
#include "tests/support/fleet.h"
#include "tests/support/test.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static Cluster *cluster;

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What a run said; json is NULL when stdout holds none. */
typedef struct Answer {
    char *out, *err;
    json_t *json;
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

#define ANSWER_CLEANUP __attribute__((cleanup(forget), unused))

static void expect_words(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("not said: %s\nbut: %s", words, text);
}

/* Compact JSON without its time. */
static void expect_json(json_t *value, const char *expected)
{
    assert_non_null(value);
    if (json_object_get(value, "durationMs") != NULL)
        json_object_set_new(value, "durationMs", json_integer(0));
    char *text = json_dumps(value, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
}

static void expect_entry(const Answer *answer, size_t index, const char *expected)
{
    expect_json(json_array_get(json_object_get(answer->json, "results"), index), expected);
}

static void expect_summary(const Answer *answer, const char *expected)
{
    expect_json(json_object_get(answer->json, "summary"), expected);
}

/* Each run of it leaves a mark. */
static const char MARK[] = "INSERT INTO public.marks VALUES (current_schema(), 'seed');\n";

static Fleet *seeded_fleet(int tenants)
{
    Fleet *fleet = fleet_new(cluster, tenants);
    write_file(fleet->folder, "seed.sql", MARK);
    return fleet;
}

static long long marks(Fleet *fleet)
{
    return sql_number(fleet->connection, "SELECT count(*) FROM public.marks");
}

static void the_report_has_the_package_s_shape(void **state)
{
    (void)state;
    Fleet *fleet = seeded_fleet(3);
    sql_run(fleet->connection, "DROP SCHEMA tenant_t0003");
    ANSWER_CLEANUP Answer answer =
        ask(fleet, 1, WORDS("pgconvoy", "seed", "-f", "seed.sql", "--all", "--json"));
    expect_entry(&answer, 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"durationMs\":0,"
                 "\"outcome\":\"applied\",\"attempts\":1}");
    expect_entry(&answer, 2,
                 "{\"tenantId\":\"t0003\",\"schema\":\"tenant_t0003\",\"success\":false,\"durationMs\":0,"
                 "\"error\":\"schema \\\"tenant_t0003\\\" does not exist\",\"outcome\":\"no_schema\","
                 "\"sqlstate\":\"3F000\",\"attempts\":1}");
    expect_summary(&answer, "{\"total\":3,\"succeeded\":2,\"failed\":1,\"skipped\":0,\"durationMs\":0}");
    expect_words(answer.err, "rerun: pgconvoy seed --file seed.sql --tenants t0003\n");
    assert_int_equal(marks(fleet), 2);
    assert_int_equal(
        sql_number(fleet->connection, "SELECT count(*) FROM pg_class WHERE relname = '__pgconvoy_state'"), 0);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void once_is_told_and_does_not_count_as_drift(void **state)
{
    (void)state;
    Fleet *fleet = seeded_fleet(3);
    ANSWER_CLEANUP Answer first = ask(
        fleet, 0, WORDS("pgconvoy", "seed", "--file", "./seed.sql", "--tenants", "t0001,t0002", "--once"));
    expect_words(first.out, "seeded");
    ANSWER_CLEANUP Answer again =
        ask(fleet, 0, WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--once", "--json"));
    expect_entry(&again, 0,
                 "{\"tenantId\":\"t0001\",\"schema\":\"tenant_t0001\",\"success\":true,\"durationMs\":0,"
                 "\"outcome\":\"already\",\"attempts\":1}");
    expect_summary(&again, "{\"total\":3,\"succeeded\":3,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    assert_int_equal(marks(fleet), 3);
    ANSWER_CLEANUP Answer table = ask(fleet, 0, WORDS("pgconvoy", "seed", "-f", "seed.sql", "-a", "--once"));
    expect_words(table.out, "already seeded");
    write_file(fleet->folder, "seed.sql", "SELECT 1;");
    ANSWER_CLEANUP Answer changed =
        ask(fleet, 1, WORDS("pgconvoy", "seed", "-f", "seed.sql", "-t", "t0001", "--once"));
    expect_words(changed.err, "with another content");
    expect_words(changed.err, "HINT: give the changed file a new name");
    expect_words(changed.err, "rerun: pgconvoy seed --file seed.sql --once --tenants t0001");
    sql_run(fleet->connection, "DROP TABLE tenant_t0002.__pgconvoy_state");
    ANSWER_CLEANUP Answer diff = ask(fleet, 0, WORDS("pgconvoy", "diff", "--all", "--json"));
    fleet_free(fleet);
}

static void a_dry_run_tells_who_would_be_seeded(void **state)
{
    (void)state;
    Fleet *fleet = seeded_fleet(3);
    ANSWER_CLEANUP Answer first =
        ask(fleet, 0, WORDS("pgconvoy", "seed", "-f", "seed.sql", "-t", "t0002", "--once"));
    char *before = fleet_digest(fleet);
    ANSWER_CLEANUP Answer json =
        ask(fleet, 0, WORDS("pgconvoy", "seed", "-f", "seed.sql", "--all", "--once", "--dry-run", "--json"));
    assert_true(json_is_true(json_object_get(json.json, "dryRun")));
    expect_summary(&json, "{\"total\":3,\"succeeded\":3,\"failed\":0,\"skipped\":0,\"durationMs\":0}");
    ANSWER_CLEANUP Answer table =
        ask(fleet, 0, WORDS("pgconvoy", "seed", "-f", "seed.sql", "--all", "--once", "--dry-run"));
    expect_words(table.out, "would seed");
    expect_words(table.out, "already seeded");
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void a_file_that_is_no_seed_is_refused_before_anything_happens(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *text;
        int status;
        const char *words;
    } FILES[] = {
        {"gone.sql", NULL, 7, "seed file \"gone.sql\" cannot be read: No such file or directory"},
        {"migrations", NULL, 7, "cannot be read: Is a directory"},
        {"empty.sql", "", 7, "seed file \"empty.sql\" is empty"},
        {"blank.sql", "\xEF\xBB\xBF \n\t\n", 7, "seed file \"blank.sql\" is empty"},
        {"latin.sql", "SELECT 'M\xFCnchen'", 7, "is not UTF-8 at byte offset 9"},
        {"seed.ts", "export default 1", 2, "seed file \"seed.ts\" is not an SQL file"},
        {"seed.MJS", "export default 1", 2, "is not an SQL file"},
        {"seed.js", NULL, 2, "is not an SQL file"},
    };
    Fleet *fleet = fleet_new(cluster, 1);
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        if (FILES[i].text != NULL)
            write_file(fleet->folder, FILES[i].file, FILES[i].text);
        ANSWER_CLEANUP Answer answer = ask(
            fleet, FILES[i].status, WORDS("pgconvoy", "seed", "--file", FILES[i].file, "--all", "--json"));
        expect_words(answer.err, FILES[i].words);
        expect_words(answer.err, "HINT: ");
        assert_non_null(json_object_get(answer.json, "error"));
        assert_non_null(json_object_get(answer.json, "suggestion"));
    }
    char *path;
    assert_true(asprintf(&path, "%s/nul.sql", fleet->folder) > 0);
    FILE *file = fopen(path, "w");
    assert_true(fwrite("SELECT 1;\0", 1, 10, file) == 10 && fclose(file) == 0);
    free(path);
    ANSWER_CLEANUP Answer nul = ask(fleet, 7, WORDS("pgconvoy", "seed", "--file", "nul.sql", "--all"));
    expect_words(nul.err, "holds a NUL byte at byte offset 9");
    ANSWER_CLEANUP Answer none = ask(fleet, 2, WORDS("pgconvoy", "seed", "--all"));
    expect_words(none.err, "error: seed needs --file\nHINT: ");
    ANSWER_CLEANUP Answer nobody = ask(fleet, 2, WORDS("pgconvoy", "seed", "--file", "seed.sql"));
    expect_words(nobody.err, "seed needs one of --all");
    fleet_free(fleet);
}

static void a_file_that_the_server_cannot_read_is_exit_7_and_touches_nobody(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 3);
    write_file(fleet->folder, "plans.sql", "INSERT INTO public.marks VALUES ('a', 'b');\n\nINSRT INTO x;\n");
    char *before = fleet_digest(fleet);
    ANSWER_CLEANUP Answer answer =
        ask(fleet, 7, WORDS("pgconvoy", "seed", "--file", "plans.sql", "--all", "--json"));
    expect_words(answer.err, "syntax error at or near \"INSRT\"");
    expect_words(answer.err, "the seed file was refused by the server; no tenant was touched");
    json_t *refused = json_array_get(json_object_get(answer.json, "files"), 0);
    assert_string_equal(json_string_value(json_object_get(refused, "migration")), "plans");
    assert_int_equal(json_integer_value(json_object_get(refused, "line")), 3);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

/* A seed that fails on the third of five tenants. */
static Fleet *fleet_with_a_bad_tenant(void)
{
    Fleet *fleet = fleet_new(cluster, 5);
    write_file(fleet->folder, "se ed.sql",
               "INSERT INTO public.marks VALUES (current_schema(), 'seed');\n"
               "SELECT 1 / (current_schema() <> 'tenant_t0003')::int;\n");
    return fleet;
}

static void failures_are_counted_and_named(void **state)
{
    (void)state;
    Fleet *fleet = fleet_with_a_bad_tenant();
    ANSWER_CLEANUP Answer answer = ask(
        fleet, 1, WORDS("pgconvoy", "seed", "--file", "se ed.sql", "--all", "--concurrency", "1", "--json"));
    expect_entry(&answer, 2,
                 "{\"tenantId\":\"t0003\",\"schema\":\"tenant_t0003\",\"success\":false,\"durationMs\":0,"
                 "\"error\":\"division by zero\",\"outcome\":\"error\",\"sqlstate\":\"22012\",\"line\":2,"
                 "\"attempts\":1}");
    expect_summary(&answer, "{\"total\":5,\"succeeded\":4,\"failed\":1,\"skipped\":0,\"durationMs\":0}");
    expect_words(answer.err, "error: 1 tenant: seed se ed:2: division by zero (SQLSTATE 22012) (such as "
                             "\"t0003\")\n");
    expect_words(answer.err, "rerun: pgconvoy seed --file 'se ed.sql' --tenants t0003\n");
    assert_int_equal(marks(fleet), 4);
    ANSWER_CLEANUP Answer aborted = ask(fleet, 4,
                                        WORDS("pgconvoy", "seed", "--file", "se ed.sql", "--all",
                                              "--concurrency", "1", "--on-error", "abort", "--json"));
    expect_summary(&aborted, "{\"total\":5,\"succeeded\":2,\"failed\":1,\"skipped\":2,\"durationMs\":0}");
    expect_entry(&aborted, 4,
                 "{\"tenantId\":\"t0005\",\"schema\":\"tenant_t0005\",\"success\":false,\"durationMs\":0,"
                 "\"error\":\"Skipped due to abort\",\"outcome\":\"not_started\",\"attempts\":0}");
    assert_int_equal(marks(fleet), 6);
    ANSWER_CLEANUP Answer limited = ask(fleet, 4,
                                        WORDS("pgconvoy", "seed", "--file", "se ed.sql", "--all",
                                              "--concurrency", "1", "--max-failures", "1", "--json"));
    expect_summary(&limited, "{\"total\":5,\"succeeded\":2,\"failed\":1,\"skipped\":2,\"durationMs\":0}");
    fleet_free(fleet);
}

static void a_seed_that_fails_everywhere_is_not_tried_on_everybody(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 60);
    write_file(fleet->folder, "seed.sql", "INSERT INTO nowhere VALUES (1)");
    ANSWER_CLEANUP Answer stopped =
        ask(fleet, 4, WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--json", "-c", "5"));
    assert_int_equal(json_number(stopped.json, "failed"), 20);
    assert_int_equal(json_number(stopped.json, "skipped"), 40);
    ANSWER_CLEANUP Answer all =
        ask(fleet, 1,
            WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--json", "--on-error", "continue"));
    assert_int_equal(json_number(all.json, "failed"), 60);
    /* Too many to name, and --all would seed again who has succeeded. */
    expect_words(all.err, "rerun: pgconvoy seed --file seed.sql --tenants-file FILE with the ids that --json "
                          "reports as failed\n");
    fleet_free(fleet);
}

static void remote_workers_and_a_pooler_do_the_same(void **state)
{
    (void)state;
    Fleet *fleet = seeded_fleet(30);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, NULL);
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "4"),
                           fleet_start_worker(fleet, endpoint, "4")};
    ANSWER_CLEANUP Answer first = ask(fleet, 0,
                                      WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--once",
                                            "--json", "--listen", endpoint, "--plain", "--min-workers", "2"));
    assert_int_equal(json_number(first.json, "succeeded"), 30);
    ANSWER_CLEANUP Answer again = ask(fleet, 0,
                                      WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--json",
                                            "--listen", endpoint, "--plain", "--min-workers", "2"));
    assert_int_equal(json_number(again.json, "succeeded"), 30);
    assert_int_equal(marks(fleet), 60);
    for (int i = 0; i < 2; i++) {
        process_signal(workers[i], SIGTERM);
        assert_int_equal(process_wait(workers[i], 20000), 0);
        process_free(workers[i]);
    }
    fleet_free(fleet);
}

static void two_racing_runs_seed_everybody_once(void **state)
{
    (void)state;
    Fleet *fleet = fleet_new(cluster, 50);
    write_file(fleet->folder, "seed.sql",
               "INSERT INTO public.marks VALUES (current_schema(), 'seed');\nSELECT pg_sleep(0.01);");
    const char *const *words = WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--once", "--json");
    Process *runs[2] = {fleet_start(fleet, words), fleet_start(fleet, words)};
    long long applied = 0;
    for (int i = 0; i < 2; i++) {
        int status = process_wait(runs[i], 60000);
        char *out = process_out(runs[i]), *err = process_err(runs[i]);
        if (status != 0)
            fail_msg("exit %d: %s", status, err);
        json_t *report = json_loads(out, 0, NULL), *result;
        size_t index;
        json_array_foreach(json_object_get(report, "results"), index, result)
        {
            applied += strcmp(json_string_value(json_object_get(result, "outcome")), "applied") == 0;
        }
        json_decref(report);
        free(out);
        free(err);
        process_free(runs[i]);
    }
    assert_int_equal(applied, 50);
    assert_int_equal(marks(fleet), 50);
    fleet_assert_nothing_twice(fleet);
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static bool has_marks(void *fleet)
{
    return marks(fleet) >= 10;
}

/* With --once everybody is seeded once; without it nobody is seeded twice, and who is in doubt is named. */
static void a_killed_worker_seeds_nobody_twice(void **state)
{
    (void)state;
    for (int once = 0; once < 2; once++) {
        Fleet *fleet = fleet_new(cluster, 40);
        write_file(fleet->folder, "seed.sql",
                   "INSERT INTO public.marks VALUES (current_schema(), 'seed');\nSELECT pg_sleep(0.03);");
        const char *endpoint = fleet_endpoint();
        Process *victim = fleet_start_worker(fleet, endpoint, "4"),
                *other = fleet_start_worker(fleet, endpoint, "4");
        Process *run =
            fleet_start(fleet, WORDS("pgconvoy", "seed", "--file", "seed.sql", "--all", "--json", "--listen",
                                     endpoint, "--plain", "--min-workers", "2", once ? "--once" : "--json"));
        await(has_marks, fleet, 30000, "the run to get going");
        process_signal(victim, SIGKILL);
        int status = process_wait(run, 60000);
        char *out = process_out(run), *err = process_err(run);
        json_t *report = json_loads(out, 0, NULL), *result;
        assert_non_null(report);
        assert_int_equal(json_number(report, "total"), 40);
        if (once) {
            assert_int_equal(status, 0);
            assert_int_equal(json_number(report, "succeeded"), 40);
            assert_int_equal(marks(fleet), 40);
        }
        size_t index;
        json_array_foreach(json_object_get(report, "results"), index, result)
        {
            if (!json_is_true(json_object_get(result, "success")))
                assert_string_equal(json_string_value(json_object_get(result, "outcome")), "unknown");
        }
        assert_true(marks(fleet) >= json_number(report, "succeeded"));
        fleet_assert_nothing_twice(fleet);
        json_decref(report);
        free(out);
        free(err);
        process_free(run);
        process_free(victim);
        process_free(other);
        fleet_free(fleet);
    }
}

static int start(void **state)
{
    (void)state;
    cluster = cluster_start(NULL);
    cluster_start_bouncer(cluster, 4);
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
        cmocka_unit_test(the_report_has_the_package_s_shape),
        cmocka_unit_test(once_is_told_and_does_not_count_as_drift),
        cmocka_unit_test(a_dry_run_tells_who_would_be_seeded),
        cmocka_unit_test(a_file_that_is_no_seed_is_refused_before_anything_happens),
        cmocka_unit_test(a_file_that_the_server_cannot_read_is_exit_7_and_touches_nobody),
        cmocka_unit_test(failures_are_counted_and_named),
        cmocka_unit_test(a_seed_that_fails_everywhere_is_not_tried_on_everybody),
        cmocka_unit_test(remote_workers_and_a_pooler_do_the_same),
        cmocka_unit_test(two_racing_runs_seed_everybody_once),
        cmocka_unit_test(a_killed_worker_seeds_nobody_twice),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
