/* seed:shared and seed:all: the package's JSON, once, failures, several databases and workers of other
 * processes. */
#include "tests/integration/shared_support.h"

static Fleet *seed_fleet(int tenants)
{
    Fleet *fleet = shared_fleet(tenants);
    for (int i = 1; i <= tenants; i++)
        sql_run(fleet->connection, "CREATE TABLE tenant_t%04d.s (v text)", i);
    sql_run(fleet->connection, "CREATE TABLE public.plans (v text)");
    write_file(fleet->folder, "plans.sql",
               "INSERT INTO plans VALUES ('free');\n"
               "INSERT INTO marks VALUES (current_setting('search_path'), 'seed');");
    write_file(fleet->folder, "tenant.sql", "INSERT INTO s SELECT v FROM plans;");
    return fleet;
}

static void the_shared_schema_is_seeded(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(1);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "--json", "seed-shared", "-f", "plans.sql"));
    expect_json(json_object_get(answer.json, "result"),
                "{\"schema\":\"public\",\"success\":true,\"durationMs\":0,\"outcome\":\"applied\"}");
    assert_int_equal(json_object_size(answer.json), 1);
    forget(&answer);
    expect_number(fleet, 1, "SELECT count(*) FROM public.plans");
    expect_number(fleet, 1, "SELECT count(*) FROM public.marks WHERE schema = 'public'");
    answer = ask(fleet, 0, WORDS("pgconvoy", "seed", "shared", "--file", "plans.sql"));
    assert_string_equal(answer.out, "shared schema: seeded\n");
    forget(&answer);
    expect_number(fleet, 2, "SELECT count(*) FROM public.plans");
    fleet_assert_no_leftovers(fleet);
    fleet_free(fleet);
}

static void a_dry_run_seeds_nothing(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(1);
    char *before = fleet_digest(fleet);
    Answer answer = ask(fleet, 0, WORDS("pgconvoy", "seed:shared", "-f", "plans.sql", "--dry-run"));
    assert_string_equal(answer.out, "shared schema: would seed\n");
    forget(&answer);
    answer = ask(fleet, 0,
                 WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql",
                       "--dry-run", "--once", "--json"));
    assert_true(json_is_true(json_object_get(answer.json, "dryRun")));
    forget(&answer);
    char *after = fleet_digest(fleet);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fleet_free(fleet);
}

static void once_is_once(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(2);
    for (int round = 0; round < 2; round++) {
        Answer answer = ask(fleet, 0, WORDS("pgconvoy", "seed:shared", "-f", "plans.sql", "--once"));
        assert_string_equal(answer.out,
                            round == 0 ? "shared schema: seeded\n" : "shared schema: already seeded\n");
        forget(&answer);
    }
    Answer answer = ask(fleet, 0,
                        WORDS("pgconvoy", "seed-all", "--shared-file", "plans.sql", "--tenant-file",
                              "tenant.sql", "--once", "--json"));
    json_t *shared = json_object_get(answer.json, "shared");
    assert_string_equal(json_string_value(json_object_get(shared, "outcome")), "already");
    forget(&answer);
    expect_number(fleet, 1, "SELECT count(*) FROM public.plans");
    expect_number(fleet, 2,
                  "SELECT (SELECT count(*) FROM tenant_t0001.s) + (SELECT count(*) FROM tenant_t0002.s)");
    fleet_free(fleet);
}

static void tenants_are_seeded_after_the_shared_schema(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(2);
    Answer answer = ask(
        fleet, 0,
        WORDS("pgconvoy", "--json", "seed-all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql"));
    expect_json(json_object_get(answer.json, "shared"),
                "{\"schema\":\"public\",\"success\":true,\"durationMs\":0,\"outcome\":\"applied\"}");
    json_t *tenants = json_object_get(answer.json, "tenants");
    expect_json(json_array_get(json_object_get(tenants, "results"), 1),
                "{\"tenantId\":\"t0002\",\"schema\":\"tenant_t0002\",\"success\":true,\"durationMs\":0,"
                "\"outcome\":\"applied\",\"attempts\":1}");
    expect_json(json_object_get(tenants, "summary"),
                "{\"total\":2,\"succeeded\":2,\"failed\":0,\"skipped\":0}");
    assert_true(json_is_integer(json_object_get(answer.json, "totalDurationMs")));
    forget(&answer);
    expect_number(fleet, 1, "SELECT count(*) FROM tenant_t0001.s WHERE v = 'free'");
    fleet_free(fleet);
}

static void tenants_are_skipped_when_the_shared_seed_failed(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(2);
    write_file(fleet->folder, "plans.sql", "INSERT INTO plans VALUES ('free');\nSELECT 1/0;");
    Answer answer = ask(
        fleet, 1,
        WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql", "--json"));
    json_t *tenants = json_object_get(answer.json, "tenants");
    expect_json(json_object_get(tenants, "summary"),
                "{\"total\":2,\"succeeded\":0,\"failed\":0,\"skipped\":2}");
    json_t *first = json_array_get(json_object_get(tenants, "results"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "error")),
                        "Skipped because the shared schema failed");
    json_t *shared = json_object_get(answer.json, "shared");
    assert_string_equal(json_string_value(json_object_get(shared, "error")), "division by zero");
    forget(&answer);
    answer = ask(fleet, 1,
                 WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql"));
    assert_non_null(strstr(answer.out, "shared schema: failed\n"));
    assert_non_null(strstr(answer.err, "error: shared schema: seed plans"));
    forget(&answer);
    expect_number(fleet, 0, "SELECT count(*) FROM public.plans");
    expect_number(fleet, 0, "SELECT count(*) FROM tenant_t0001.s");
    /* A file that is not SQL is found before anything is touched. */
    write_file(fleet->folder, "plans.sql", "INSERT INTO plans VALUES ('free');");
    write_file(fleet->folder, "tenant.sql", "SELEC 1;");
    answer = ask(
        fleet, 7,
        WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "files")), 1);
    forget(&answer);
    answer = ask(
        fleet, 7,
        WORDS("pgconvoy", "seed:all", "--shared-file", "tenant.sql", "--tenant-file", "plans.sql", "--json"));
    assert_int_equal(json_array_size(json_object_get(answer.json, "files")), 1);
    forget(&answer);
    expect_number(fleet, 0, "SELECT count(*) FROM public.plans");
    fleet_free(fleet);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    Fleet *fleet = seed_fleet(1);
    Answer answer = ask(fleet, 2, WORDS("pgconvoy", "seed:shared", "--json"));
    assert_non_null(strstr(answer.err, "needs --file"));
    forget(&answer);
    answer = ask(fleet, 2, WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql"));
    assert_non_null(strstr(answer.err, "needs --tenant-file"));
    forget(&answer);
    fleet_configure(fleet, fleet->url, NULL);
    answer = ask(fleet, 2, WORDS("pgconvoy", "seed-shared", "-f", "plans.sql", "--json"));
    assert_non_null(json_object_get(answer.json, "suggestion"));
    assert_non_null(strstr(answer.err, "HINT: set shared.folder"));
    forget(&answer);
    answer = ask(fleet, 2,
                 WORDS("pgconvoy", "seed-all", "--shared-file", "plans.sql", "--tenant-file", "tenant.sql"));
    assert_non_null(strstr(answer.err, "HINT: set shared.folder"));
    forget(&answer);
    expect_number(fleet, 0, "SELECT count(*) FROM public.plans");
    fleet_free(fleet);
}

static void workers_of_other_processes_seed_through_a_pooler(void **state)
{
    (void)state;
    enum { TENANTS = 30 };
    Fleet *fleet = seed_fleet(TENANTS);
    char *url = cluster_bouncer_url(cluster, fleet->database);
    fleet_configure(fleet, url, "shared:\n  folder: ./shared");
    free(url);
    const char *endpoint = fleet_endpoint();
    Process *workers[2] = {fleet_start_worker(fleet, endpoint, "3"),
                           fleet_start_worker(fleet, endpoint, "3")};
    Answer answer = ask(fleet, 0,
                        WORDS("pgconvoy", "seed:all", "--shared-file", "plans.sql", "--tenant-file",
                              "tenant.sql", "--json", "--listen", endpoint, "--plain", "--min-workers", "2"));
    json_t *tenants = json_object_get(answer.json, "tenants");
    assert_int_equal(json_number(tenants, "succeeded"), TENANTS);
    forget(&answer);
    expect_number(fleet, 1, "SELECT count(*) FROM public.plans");
    expect_number(fleet, 1, "SELECT count(*) FROM tenant_t0030.s");
    for (int i = 0; i < 2; i++)
        process_free(workers[i]);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shared_schema_is_seeded),
        cmocka_unit_test(a_dry_run_seeds_nothing),
        cmocka_unit_test(once_is_once),
        cmocka_unit_test(tenants_are_seeded_after_the_shared_schema),
        cmocka_unit_test(tenants_are_skipped_when_the_shared_seed_failed),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(workers_of_other_processes_seed_through_a_pooler),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
